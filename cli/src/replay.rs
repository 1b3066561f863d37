//! `elevenwire replay`: what was archived goes the same way again.
//!
//! Each raw body of the days gets the message that the door gave it. Harmless: every writer knows by a natural key what it
//! has seen, so that what is stored already changes no row.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use clap::Args;
use elevenwire::blobs::Blobs;
use elevenwire::elevenlabs;
use elevenwire::queue::{API_CONVERSATION, ConversationArrived, RecordingArrived, RecordingTask};
use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use serde_json::{Value, json};

use crate::aws::{Place, Where, down};
use crate::progress::Progress;
use crate::{Failure, Global, interrupt, output, tell, write};

const EXAMPLES: &str = "\
Examples:
  elevenwire replay 2026-11-01 2026-11-02 --dry-run             # counts by type; both days are included, in UTC
  elevenwire replay 2026-11-01 2026-11-02
  elevenwire replay 2026-11-01 --type recordings --aws-stack elevenwire
  elevenwire replay 2026-11-01 --after raw/flat/2026/11/01/…    # go on where it was interrupted";

const POINTERS: [&str; 4] = ["post_call_transcription", "post_call_transcription_otel", API_CONVERSATION, "flat"];
const NOT_INITIATED: &str = "call_initiation_failure";
const RECORDINGS: &str = "recordings";

/// Send archived bodies through again: after a mended parser, or a restored database.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Replay {
    /// First day, such as 2026-11-01.
    first: Date,
    /// Last day [default: the first].
    last: Option<Date>,
    /// Only this type: `post_call_transcription`, …, or recordings.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Messages a second.
    #[arg(long, default_value_t = 20.0)]
    rate: f64,
    /// Go on behind this key.
    #[arg(long, value_name = "KEY", default_value = "", hide_default_value = true)]
    after: String,
    /// Only count.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Where,
}

struct Archived {
    key: String,
    kind: String,
    stored_at: i64,
    bytes: u64,
}

/// A message, and its queue.
type Sending = (&'static str, String);

impl Replay {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let last = self.last.unwrap_or(self.first);
        if last < self.first {
            return Err(Failure::Usage("the last day is before the first".to_owned()));
        }
        if self.rate.is_nan() || self.rate <= 0.0 {
            return Err(Failure::Usage("--rate must be above 0".to_owned()));
        }
        let place = self.place.open(global).await?;
        let archive = Archive { bucket: place.bucket()?, place };
        tell(&format!("{}: looking through {}, {} to {last}", archive.place.name, archive.bucket, self.first));
        let mut found = archive.find(self.first, last, self.kind.as_deref()).await?;
        found.retain(|one| one.key.as_str() > self.after.as_str());
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for one in &found {
            *counts.entry(one.kind.as_str()).or_default() += 1;
        }
        if global.json {
            output::line(&json!({ "found": counts }))?;
        } else {
            for (kind, count) in &counts {
                write(&format!(
                    "{count:8}  {kind}{}\n",
                    if understood(kind) { "" } else { "  (has no path, left out)" }
                ))?;
            }
        }
        if self.dry_run {
            return Ok(());
        }
        found.retain(|one| understood(&one.kind));
        archive.send_all(&found, self.rate, global.json).await
    }
}

fn understood(kind: &str) -> bool {
    POINTERS.contains(&kind) || [NOT_INITIATED, RECORDINGS].contains(&kind)
}

struct Archive {
    bucket: String,
    place: Place,
}

impl Archive {
    /// In the order of their keys within a type, which is what makes it possible to go on behind one.
    async fn find(&self, first: Date, last: Date, kind: Option<&str>) -> Result<Vec<Archived>, Failure> {
        if kind == Some(RECORDINGS) {
            let mut found = self.list("recordings/", RECORDINGS).await?;
            found.retain(|one| day(one.stored_at).is_some_and(|day| first <= day && day <= last));
            return Ok(found);
        }
        let kinds = match kind {
            Some(kind) => vec![kind.to_owned()],
            None => self.kinds().await?,
        };
        let mut found = Vec::new();
        for kind in kinds {
            for day in first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last) {
                found.extend(self.list(&format!("raw/{kind}/{}/", day.strftime("%Y/%m/%d")), &kind).await?);
            }
        }
        Ok(found)
    }

    async fn kinds(&self) -> Result<Vec<String>, Failure> {
        let asked = self.place.s3.list_objects_v2().bucket(&self.bucket).prefix("raw/").delimiter("/");
        let answer = asked.send().await.map_err(|error| down(&error))?;
        let kind = |prefix: &str| prefix.split('/').nth(1).map(str::to_owned);
        let mut kinds: Vec<String> = answer.common_prefixes().iter().filter_map(|one| kind(one.prefix()?)).collect();
        kinds.sort();
        Ok(kinds)
    }

    async fn list(&self, prefix: &str, kind: &str) -> Result<Vec<Archived>, Failure> {
        let asked = self.place.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let mut pages = asked.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            for object in page.map_err(|error| down(&error))?.contents() {
                found.push(Archived {
                    key: object.key().unwrap_or_default().to_owned(),
                    kind: kind.to_owned(),
                    stored_at: object.last_modified().map_or(0, aws_sdk_s3::primitives::DateTime::secs),
                    bytes: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                });
            }
        }
        Ok(found)
    }

    async fn send_all(&self, found: &[Archived], rate: f64, as_json: bool) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut progress = Progress::bar();
        let (mut done, mut sent) = (0_u64, 0_u64);
        let mut left_out: BTreeMap<&str, u64> = BTreeMap::new();
        let mut last = "";
        for ten in found.chunks(10) {
            let mut outcome = Ok(());
            if interrupt::is_asked().await {
                outcome = Err(Failure::Interrupted);
            } else {
                match self.send(ten, &mut left_out).await {
                    Ok(count) => sent += count,
                    Err(failure) => outcome = Err(failure),
                }
            }
            if outcome.is_err() {
                drop(progress);
                let mend = if last.is_empty() { String::new() } else { format!("; go on with --after {last}") };
                tell(&format!("ended early, {sent} sent{mend}"));
                return outcome;
            }
            done += ten.len() as u64;
            last = ten.last().map_or("", |one| one.key.as_str());
            progress.show(done, found.len() as u64, &format!("{done} of {}, {sent} sent", found.len()));
            #[expect(clippy::cast_precision_loss, reason = "messages of some days")]
            let until = Duration::try_from_secs_f64(done as f64 / rate).unwrap_or_default();
            // A slow rate keeps nobody waiting who wants the end.
            tokio::select! {
                () = tokio::time::sleep(until.saturating_sub(begun.elapsed())) => {}
                () = interrupt::asked() => {}
            }
        }
        drop(progress);
        if as_json {
            return output::line(&json!({ "sent": sent, "left_out": left_out }));
        }
        for (reason, count) in &left_out {
            write(&format!("{count:8}  left out: {reason}\n"))?;
        }
        write(&format!("{sent:8}  sent\n"))
    }

    /// Sends ten; answers how many had a message.
    async fn send(&self, ten: &[Archived], left_out: &mut BTreeMap<&'static str, u64>) -> Result<u64, Failure> {
        let mut by_queue: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for one in ten {
            match self.message(one).await? {
                Ok((queue, body)) => by_queue.entry(queue).or_default().push(body),
                Err(reason) => *left_out.entry(reason).or_default() += 1,
            }
        }
        let mut sent = 0;
        for (queue, bodies) in by_queue {
            let mut asked = self.place.sqs.send_message_batch().queue_url(self.place.queue(queue)?);
            for (at, body) in bodies.iter().enumerate() {
                let entry = SendMessageBatchRequestEntry::builder().id(at.to_string()).message_body(body).build();
                asked = asked.entries(entry.map_err(|error| down(&error))?);
            }
            let answer = asked.send().await.map_err(|error| down(&error))?;
            if let Some(failed) = answer.failed().first() {
                return Err(Failure::Unreachable(format!("the queue {queue} did not take all: {}", failed.code())));
            }
            sent += bodies.len() as u64;
        }
        Ok(sent)
    }

    /// The message that the door would send, or why there is none.
    async fn message(&self, one: &Archived) -> Result<Result<Sending, &'static str>, Failure> {
        let received_at = received_at(one.stored_at);
        let parts: Vec<&str> = one.key.split('/').collect();
        let digest = |name: &str, ending: &str| {
            let stem = name.strip_suffix(ending)?;
            let digest = stem.rsplit_once('-').map_or(stem, |(_, digest)| digest);
            (digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit())).then(|| digest.to_owned())
        };
        if let [RECORDINGS, conversation_id, name] = parts[..] {
            let Some(sha256) = digest(name, ".mp3") else { return Ok(Err("the key is none of ours")) };
            let arrived = RecordingArrived {
                conversation_id: conversation_id.to_owned(),
                agent_id: None,
                key: one.key.clone(),
                sha256,
                bytes: one.bytes,
                content_type: "audio/mpeg".to_owned(),
                received_at,
            };
            return Ok(body("recordings", &RecordingTask::Arrived(arrived)));
        }
        let ["raw", _, _, _, _, name] = parts[..] else { return Ok(Err("the key is none of ours")) };
        let Some(digest) = digest(name, ".json") else { return Ok(Err("the key is none of ours")) };
        if one.kind == NOT_INITIATED {
            let news = elevenlabs_webhook::news(&self.read(&one.key).await?, received_at);
            return Ok(news.map_or(Err("it names no conversation"), |news| body("call-events", &news)));
        }
        if one.kind == "flat" {
            // As transcription-webhook reads it: text that PostgreSQL cannot hold is no reason to leave it out.
            let content = elevenlabs::text::parse::<Value>(&self.read(&one.key).await?);
            if content.is_ok_and(|(content, _)| content.get("conversation").is_none()) {
                return Ok(Err("it holds a recording alone (--type recordings)"));
            }
        }
        let arrived =
            ConversationArrived { raw_key: one.key.clone(), digest, event_type: one.kind.clone(), received_at };
        Ok(body("transcriptions", &arrived))
    }

    async fn read(&self, key: &str) -> Result<Vec<u8>, Failure> {
        let blobs = Blobs::new(self.place.s3.clone(), self.bucket.clone());
        blobs.get(key).await.map(|body| body.to_vec()).map_err(|error| down(&error))
    }
}

fn body(queue: &'static str, message: &impl Serialize) -> Result<Sending, &'static str> {
    serde_json::to_string(message).map(|body| (queue, body)).map_err(|_| "it cannot be written as a message")
}

/// S3 cuts a time to whole seconds. Never before the door's own time: an earlier one would count as news.
fn received_at(stored_at: i64) -> Timestamp {
    Timestamp::from_second(stored_at + 1).unwrap_or_default()
}

fn day(secs: i64) -> Option<Date> {
    Some(Timestamp::from_second(secs).ok()?.to_zoned(TimeZone::UTC).date())
}

//! Transcripts word for word, recordings byte for byte, and nothing put aside.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};
use simulator::book::{ConversationEntry, Dial};
use testkit::lines::Line;

use super::{Row, Verdict};
use crate::run::Run;

/// A conversation as our table has it.
struct Stored {
    call_id: String,
    is_final: bool,
    messages: Vec<(String, Option<String>)>,
}

/// A recording as our table has it.
struct Recorded {
    call_id: String,
    path: String,
    secs: Option<f64>,
    bytes: i64,
    sha256: String,
}

/// Two frames of an MP3, in seconds: how exactly a length can be known.
const FRAMES: f64 = 0.1;

/// Looks at every conversation of the book.
pub(super) async fn look(
    run: &Run,
    verdict: &mut Verdict,
    dials: &BTreeMap<String, Vec<Dial>>,
    conversations: &BTreeMap<String, ConversationEntry>,
    rows: &BTreeMap<String, Row>,
) {
    let call_of: BTreeMap<&str, &str> =
        dials.iter().flat_map(|(id, dials)| dials.iter().map(move |dial| (dial.sid.as_str(), id.as_str()))).collect();
    let stored = stored(run).await;
    let recorded = recorded(run).await;
    for (id, talk) in conversations {
        // A conversation that nobody placed goes by its own id.
        let call = talk.dial_sid.as_deref().and_then(|sid| call_of.get(sid).copied()).unwrap_or(id);
        let mut differ = |what: String| verdict.differences.push(format!("{call}, conversation {id}: {what}"));
        match stored.get(id) {
            None => differ(format!("it is not here ({})", talk.status)),
            Some(here) => transcript(&mut differ, call, talk, here),
        }
        if let (Some(row), "done") = (rows.get(call), talk.status.as_str())
            && row.transcript != "stored"
        {
            differ(format!("its call has its transcript as {}", row.transcript));
        }
        recording(run, &mut differ, call, talk, recorded.get(id), rows.get(call)).await;
    }
    for id in stored.keys().filter(|id| !conversations.contains_key(*id)) {
        verdict.differences.push(format!("conversation {id}: the book has no such conversation"));
    }
    for id in recorded.keys().filter(|id| !conversations.contains_key(*id)) {
        verdict.differences.push(format!("recording of {id}: the book has no such conversation"));
    }
    for line in Line::ALL {
        for reason in run.world.pair(line).buried().await {
            verdict.differences.push(format!("put aside in {line:?}: {reason}"));
        }
    }
}

fn transcript(differ: &mut impl FnMut(String), call: &str, talk: &ConversationEntry, here: &Stored) {
    if here.call_id != call {
        differ(format!("it is tied to {}", here.call_id));
    }
    if !here.is_final {
        differ("it is not stored as final".to_owned());
    }
    if here.messages != talk.turns {
        let differing = here.messages.iter().zip(&talk.turns).find(|(ours, theirs)| ours != theirs);
        differ(format!("{} turns against {} of ours; first: {differing:?}", talk.turns.len(), here.messages.len()));
    }
}

async fn recording(
    run: &Run,
    differ: &mut impl FnMut(String),
    call: &str,
    talk: &ConversationEntry,
    here: Option<&Recorded>,
    row: Option<&Row>,
) {
    let marked = row.map_or("", |row| row.recording.as_str());
    let (Some(there), Some(here)) = (&talk.recording, here) else {
        if talk.recording.is_some() != here.is_some() {
            differ(format!("recorded: {}, here: {}, {marked}", talk.recording.is_some(), here.is_some()));
        }
        if row.is_some() && talk.status == "done" && marked != "absent" {
            differ(format!("it has no recording, its call has it as {marked}"));
        }
        return;
    };
    if row.is_some() && marked != "stored" {
        differ(format!("its recording is here, its call has it as {marked}"));
    }
    if here.call_id != call {
        differ(format!("its recording is tied to {}", here.call_id));
    }
    if here.sha256 != there.sha256 || u64::try_from(here.bytes) != Ok(there.bytes) {
        differ(format!(
            "recorded {} ({} bytes), our row says {} ({})",
            there.sha256, there.bytes, here.sha256, here.bytes
        ));
    }
    if here.secs.is_none_or(|secs| (secs - there.seconds).abs() > FRAMES) {
        differ(format!("recorded {} s, our row says {:?}", there.seconds, here.secs));
    }
    match run.world.cloud.blobs().get(&here.path).await {
        Ok(object) if hex::encode(Sha256::digest(&object)) == there.sha256 => {}
        Ok(object) => differ(format!("the object is another one, of {} bytes", object.len())),
        Err(error) => differ(format!("{error}")),
    }
}

async fn stored(run: &Run) -> BTreeMap<String, Stored> {
    let rows = run.rows("select conversation_id, call_id, final, messages from conversations").await;
    let read = |row: &tokio_postgres::Row| {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let messages = row.get::<_, Value>(3);
        let messages = messages.as_array().into_iter().flatten();
        let messages = messages.map(|turn| (text(&turn["role"]).unwrap_or_default(), text(&turn["message"])));
        (row.get(0), Stored { call_id: row.get(1), is_final: row.get(2), messages: messages.collect() })
    };
    rows.iter().map(read).collect()
}

async fn recorded(run: &Run) -> BTreeMap<String, Recorded> {
    let sql = "select conversation_id, call_id, storage_path, duration_seconds, bytes, sha256 from call_recordings";
    let read = |row: &tokio_postgres::Row| {
        let recorded =
            Recorded { call_id: row.get(1), path: row.get(2), secs: row.get(3), bytes: row.get(4), sha256: row.get(5) };
        (row.get(0), recorded)
    };
    run.rows(sql).await.iter().map(read).collect()
}

//! A set rate of signed webhooks against a deployment, and whether every accepted one is in PostgreSQL (`make load`).
//!
//! Open loop: each request leaves at its slot, whatever became of those before it, and its latency counts from the slot. A
//! deployment that stalls for a second is then seen by all who would have called in that second, not by one.

mod arrivals;
mod calls;
mod report;
mod webhooks;

use std::error::Error;
use std::time::Duration;

use elevenwire::store::Store;
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use calls::Call;
pub use report::Report;
pub use webhooks::Kind;
use webhooks::Webhook;

/// How long a vendor would wait for an answer at most.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long answers under way are waited for after somebody asked for the end.
const HURRY: Duration = Duration::from_secs(5);

/// What is sent, where to, and where it is to arrive.
#[derive(Debug)]
pub struct Settings {
    /// What stands before `/api/webhooks`.
    pub url: String,
    /// The same as the receiver calls it: `SignalWire` signs it.
    pub public_url: String,
    /// Where accepted webhooks must arrive.
    pub database_url: SecretString,
    /// Signs transcriptions.
    pub elevenlabs_secret: SecretString,
    /// Signs status callbacks.
    pub signalwire_secret: SecretString,
    /// What is sent, in turn.
    pub kinds: Vec<Kind>,
    /// Webhooks a second.
    pub rate: f64,
    /// How many in all.
    pub count: usize,
    /// Size of a transcription, in bytes, within a few percent.
    pub bytes: usize,
    /// How long the queues may take after the last webhook.
    pub drain: Duration,
}

/// Sends, waits until all that was accepted has arrived or the time for it is over, and reports. It ends early, with what
/// is known by then, as soon as `stop` is true.
///
/// # Errors
/// The database is out of reach, or knows no agent.
pub async fn run(
    settings: &Settings,
    stop: &mut watch::Receiver<bool>,
    say: &impl Fn(String),
) -> Result<Report, Box<dyn Error + Send + Sync>> {
    let store = Store::new(settings.database_url.clone());
    let calls = calls::write_down(&store, settings.count.div_ceil(settings.kinds.len())).await?;
    say(format!("{} calls written down, that ended just now; sending to {}", calls.len(), settings.url));
    let mut report = Report::new(settings.rate);
    let accepted = send(settings, &calls, &mut report, stop, say).await?;
    let used = report.sent.div_ceil(settings.kinds.len());
    calls::forget(&store, &calls[used..]).await?;
    arrivals::wait(&store, settings.drain, accepted, &mut report, stop, say).await?;
    Ok(report)
}

/// What became of one request.
struct Sent {
    webhook: Webhook,
    late: Duration,
    latency: Duration,
    answer: Result<u16, reqwest::Error>,
}

/// Sends at the rate, and answers what was accepted.
async fn send(
    settings: &Settings,
    calls: &[Call],
    report: &mut Report,
    stop: &mut watch::Receiver<bool>,
    say: &impl Fn(String),
) -> Result<Vec<Webhook>, reqwest::Error> {
    let http = elevenwire::http::client(PATIENCE)?;
    let (begun, mut said) = (Instant::now(), Instant::now());
    let (mut under_way, mut accepted) = (JoinSet::new(), Vec::new());
    for at in 0..settings.count {
        #[expect(clippy::cast_precision_loss, reason = "far fewer webhooks than 2^52")]
        let slot = begun + Duration::from_secs_f64(at as f64 / settings.rate);
        // Biased: a slot that is over goes out at once, and answers are taken in the time between.
        loop {
            tokio::select! {
                biased;
                () = stopped(stop) => break,
                () = sleep_until(slot) => break,
                Some(done) = under_way.join_next() => accepted.extend(report.count(done)),
            }
        }
        if *stop.borrow() {
            break;
        }
        let webhook =
            Webhook { kind: settings.kinds[at % settings.kinds.len()], call: calls[at / settings.kinds.len()].clone() };
        under_way.spawn(deliver(webhook.request(&http, settings), webhook, slot));
        report.sent += 1;
        if said.elapsed() >= Duration::from_secs(1) {
            said = Instant::now();
            say(format!(
                "{:5.0} s  {} sent, {} under way, {report:#}",
                begun.elapsed().as_secs_f64(),
                report.sent,
                under_way.len()
            ));
        }
    }
    report.sending = begun.elapsed();
    let mut end = Instant::now() + PATIENCE + HURRY;
    loop {
        tokio::select! {
            done = under_way.join_next() => match done {
                Some(done) => accepted.extend(report.count(done)),
                None => break,
            },
            () = stopped(stop), if !report.interrupted => {
                report.interrupted = true;
                end = Instant::now() + HURRY;
            }
            () = sleep_until(end) => break,
        }
    }
    Ok(accepted)
}

async fn deliver(request: reqwest::RequestBuilder, webhook: Webhook, slot: Instant) -> Sent {
    let late = slot.elapsed();
    // The answer is over when its body is.
    let answer = async {
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        answer.bytes().await.map(|_| status)
    }
    .await;
    Sent { webhook, late, latency: slot.elapsed(), answer }
}

/// Ends when somebody asks for the end.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|asked| *asked).await.is_err() {
        // Nobody is left who could ask.
        std::future::pending::<()>().await;
    }
}

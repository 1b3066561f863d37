//! The checks: each dependency is asked once, all at the same time, each for a few seconds at most.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use elevenwire::auth::Tokens;
use elevenwire::blobs::Blobs;
use elevenwire::elevenlabs;
use elevenwire::queue::Queue;
use elevenwire::signalwire;
use elevenwire::store::{Store, migrations};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::{Check, Report, Status};

/// How long a dependency may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    /// Who may ask for a check now.
    pub tokens: Tokens,
    /// The bucket.
    pub blobs: Blobs,
    /// The carrier.
    pub carrier: signalwire::client::Client,
    /// The agent's vendor.
    pub elevenlabs: elevenlabs::client::Client,
    /// The queues, by name.
    pub queues: Vec<(&'static str, Queue)>,
    /// Whether the vendor's door knows its addresses.
    pub addresses_limited: bool,
}

pub(crate) async fn run(app: &App, now: Timestamp) -> Report {
    let queues = async {
        let mut checks = Vec::new();
        for (name, queue) in &app.queues {
            let depth = async { queue.depth().await.map(|depth| Some(format!("{depth} waiting"))) };
            checks.push(
                timed(&format!("queue {name}"), "Is the queue deployed, and may this function read it?", depth).await,
            );
        }
        checks
    };
    let mut last_webhook = None;
    let database = async {
        let version = migrations::current(&app.store).await.map_err(|error| error.to_string())?;
        last_webhook = app.store.last_delivery_at().await.map_err(|error| error.to_string())?;
        if version < migrations::newest() {
            return Err(format!("the schema has version {version}, this program needs {}", migrations::newest()));
        }
        Ok(Some(format!("schema version {version}")))
    };
    let bucket = async { app.blobs.ping().await.map(|()| None) };
    let carrier = async { app.carrier.probe().await.map(|()| None) };
    let elevenlabs = async { app.elevenlabs.probe().await.map(|()| None) };
    let (database, bucket, carrier, elevenlabs, queues) = tokio::join!(
        timed("database", "Check DATABASE_URL and that it can be reached, then invoke the function migrate.", database),
        timed("bucket", "Check S3_BUCKET and this function's policy.", bucket),
        timed(
            "signalwire",
            "Check SIGNALWIRE_PROJECT_ID, SIGNALWIRE_API_TOKEN (scope Voice) and SIGNALWIRE_SPACE_URL.",
            carrier
        ),
        timed("elevenlabs", "Check ELEVENLABS_API_KEY and ELEVENLABS_API_URL.", elevenlabs),
        queues,
    );
    let mut checks = vec![database, bucket, carrier, elevenlabs];
    checks.extend(queues);
    let status = if checks.iter().all(|check| check.ok) { Status::Ok } else { Status::Failing };
    let last_webhook_age_secs = last_webhook.map(|at| now.duration_since(at).as_secs());
    Report { status, checked_at: now, checks, last_webhook_age_secs, warnings: warnings(app) }
}

fn warnings(app: &App) -> Vec<String> {
    let open = "ELEVENLABS_WEBHOOK_ALLOWED_IPS is empty: the signature alone decides who may send webhooks. \
                Set it to ElevenLabs' addresses to refuse others early.";
    if app.addresses_limited { Vec::new() } else { vec![open.to_owned()] }
}

async fn timed<E: Display>(name: &str, mend: &str, asked: impl Future<Output = Result<Option<String>, E>>) -> Check {
    let started = Instant::now();
    let answer = tokio::time::timeout(PATIENCE, asked).await;
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (ok, detail) = match answer {
        Ok(Ok(detail)) => (true, detail),
        Ok(Err(error)) => (false, Some(format!("{error}. {mend}"))),
        Err(_) => (false, Some(format!("no answer in {} s. {mend}", PATIENCE.as_secs()))),
    };
    Check { name: name.to_owned(), ok, ms, detail }
}

//! The checks: each dependency is asked once, all at the same time, each for a few seconds at most.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use elevenwire::auth::Tokens;
use elevenwire::blobs::Blobs;
use elevenwire::elevenlabs;
use elevenwire::queue::{Load, Queue, QueueDown};
use elevenwire::schedules::Schedules;
use elevenwire::signalwire;
use elevenwire::store::canary::Canary;
use elevenwire::store::{Store, StoreError, migrations};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::{Check, Database, Depth, QueueLoad, Report, Status, canary, canary_before};

/// How long a dependency may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Said of a database that was not asked.
const ASLEEP: &str = "not asked: there is no work, the schedules are off, and it may sleep";

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
    /// The trigger's schedule: while it is off, the database may sleep.
    pub schedules: Schedules,
    /// Whether there is a canary to be looked at.
    pub has_canary: bool,
}

/// Asks all of them; of the database only whoever does not mind that it wakes up.
pub(crate) async fn run(app: &App, depth: Depth, now: Timestamp) -> Report {
    let asleep = depth == Depth::LetSleep && is_asleep(app).await;
    let mut loads = Vec::new();
    let queues = async {
        let mut checks = Vec::new();
        for (name, queue) in &app.queues {
            let load = async {
                let load = queue.load().await?;
                loads.push(load_of(name, load));
                Ok::<_, QueueDown>(Some(format!("{} waiting", load.waiting)))
            };
            checks.push(
                timed(&format!("queue {name}"), "Is the queue deployed, and may this function read it?", load).await,
            );
        }
        checks
    };
    let mut known = Known::default();
    let database = async { if asleep { Ok(Some(ASLEEP.to_owned())) } else { look(app, now, &mut known).await } };
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
    let mut canary = None;
    if app.has_canary {
        canary = if known.database.is_some() { known.canary } else { canary_before(&app.blobs).await };
        checks.push(canary::check(canary.as_ref(), now));
    }
    let status = if checks.iter().all(|check| check.ok) { Status::Ok } else { Status::Failing };
    let age = |at: Option<Timestamp>| at.map(|at| now.duration_since(at).as_secs());
    Report {
        status,
        checked_at: now,
        asleep,
        checks,
        last_webhook_age_secs: age(known.last_webhook),
        warnings: warnings(app),
        database: known.database,
        queues: loads,
        oldest_due_secs: age(known.oldest_due),
        oldest_unsettled_secs: age(known.oldest_unsettled),
        canary,
    }
}

/// Without an answer they count as on: then the database is asked.
async fn is_asleep(app: &App) -> bool {
    match app.schedules.are_on().await {
        Ok(on) => !on,
        Err(error) => {
            tracing::warn!(error = %error, "whether the schedules are on is not known");
            false
        }
    }
}

/// What the database told; all of it, where `database` is there.
#[derive(Default)]
struct Known {
    database: Option<Database>,
    last_webhook: Option<Timestamp>,
    oldest_due: Option<Timestamp>,
    oldest_unsettled: Option<Timestamp>,
    canary: Option<Canary>,
}

async fn look(app: &App, now: Timestamp, known: &mut Known) -> Result<Option<String>, String> {
    let words = |error: StoreError| error.to_string();
    let schema_version = migrations::current(&app.store).await.map_err(words)?;
    let schema_needed = migrations::newest();
    known.last_webhook = app.store.last_delivery_at().await.map_err(words)?;
    let backlog = app.store.backlog(now).await.map_err(words)?;
    (known.oldest_due, known.oldest_unsettled) = (backlog.oldest_due, backlog.oldest_unsettled);
    if app.has_canary {
        known.canary = app.store.last_canary(now).await.map_err(words)?;
    }
    known.database = Some(Database { server_version: backlog.server_version, schema_version, schema_needed });
    if schema_version < schema_needed {
        return Err(format!("the schema has version {schema_version}, this program needs {schema_needed}"));
    }
    Ok(Some(format!("schema version {schema_version}")))
}

fn load_of(name: &str, load: Load) -> QueueLoad {
    QueueLoad { name: name.to_owned(), waiting: load.waiting, in_flight: load.in_flight, dead: load.dead }
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

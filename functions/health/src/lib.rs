//! Health: a deep check on schedule asks every dependency; the address serves its last result, so that nobody without a
//! token can make us call a vendor.

mod canary;
mod checks;

use std::time::Duration;

use bytes::Bytes;
pub use checks::App;
use elevenwire::auth::{Scope, Tokens};
use elevenwire::blobs::{BlobError, Blobs};
use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::elevenlabs::client::API_URL;
use elevenwire::http::{Inbound, Reply};
use elevenwire::problem::Problem;
use elevenwire::queue;
use elevenwire::signalwire::space::SpaceUrl;
use elevenwire::store::canary::Canary;
use elevenwire::telemetry::metrics;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where the last result lies: in the bucket, so that it can be read when the database is what is down.
const LATEST: &str = "health/latest.json";

/// A result older than this says nothing about now: the schedule runs every 5 minutes.
const STALE_AFTER: Duration = Duration::from_mins(15);

/// What a deep check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Report {
    /// `ok` when every dependency answered.
    pub status: Status,
    /// When it was asked.
    pub checked_at: Timestamp,
    /// There is no work: the schedules are off, and the database was not asked, so that it can sleep.
    #[serde(default)]
    pub asleep: bool,
    /// Each dependency.
    pub checks: Vec<Check>,
    /// Seconds since the last post-call webhook; `null` when there never was one.
    pub last_webhook_age_secs: Option<i64>,
    /// What works, but should be mended.
    pub warnings: Vec<String>,
    /// The database, when it answered.
    #[serde(default)]
    pub database: Option<Database>,
    /// The queues that answered.
    #[serde(default)]
    pub queues: Vec<QueueLoad>,
    /// How long the oldest attempt waits that is due; `null` when none is.
    #[serde(default)]
    pub oldest_due_secs: Option<i64>,
    /// How long the oldest call that has ended waits for its transcript or recording.
    #[serde(default)]
    pub oldest_unsettled_secs: Option<i64>,
    /// The last canary that has a result, or should have one; `null` without a canary. What the database does not tell now is
    /// that of the check before.
    #[serde(default)]
    pub canary: Option<Canary>,
}

/// The database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Database {
    /// Version of the server.
    pub server_version: String,
    /// Version of the schema.
    pub schema_version: i32,
    /// Version of the schema that this program needs.
    pub schema_needed: i32,
}

/// What a queue holds, approximately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct QueueLoad {
    /// Its name.
    pub name: String,
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that are worked on, or wait for their next try.
    pub in_flight: u64,
    /// Messages that were put aside; `null` when they could not be counted.
    pub dead: Option<u64>,
}

/// Whether all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every dependency answered.
    Ok,
    /// Some did not.
    Failing,
}

/// One dependency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// Whether it answered as it should.
    pub ok: bool,
    /// How long that took.
    pub ms: u64,
    /// What is wrong and how to mend it, or a figure. Never a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What the function reads from its environment.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `API_TOKENS`.
    pub tokens: Tokens,
    /// `S3_BUCKET`.
    pub bucket: String,
    /// `SIGNALWIRE_SPACE_URL`.
    pub space: SpaceUrl,
    /// `SIGNALWIRE_PROJECT_ID`.
    pub project_id: String,
    /// `SIGNALWIRE_API_TOKEN`.
    pub carrier_token: Secret,
    /// `ELEVENLABS_API_URL`.
    pub elevenlabs_url: String,
    /// `ELEVENLABS_API_KEY`.
    pub elevenlabs_key: Secret,
    /// The queues, by name.
    pub queue_urls: [(&'static str, String); 7],
    /// Whether `ELEVENLABS_WEBHOOK_ALLOWED_IPS` names anybody.
    pub addresses_limited: bool,
    /// `SCHEDULE_RULES`: the trigger's alone.
    pub schedule_rules: String,
    /// Whether there is a canary: `CANARY_AGENT` is set.
    pub has_canary: bool,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or malformed.
    pub fn from_env(mut env: Env) -> Result<Self, Misconfigured> {
        let database_url = env.secret("DATABASE_URL");
        let bucket = env.required("S3_BUCKET");
        let project_id = env.required("SIGNALWIRE_PROJECT_ID");
        let carrier_token = env.secret("SIGNALWIRE_API_TOKEN");
        let elevenlabs_key = env.secret("ELEVENLABS_API_KEY");
        let elevenlabs_url = env.optional("ELEVENLABS_API_URL").unwrap_or_else(|| API_URL.to_owned());
        let queue_urls = queue::all_of(&mut env);
        let schedule_rules = env.required("SCHEDULE_RULES");
        let has_canary = env.optional("CANARY_AGENT").is_some();
        let addresses_limited = env.optional("ELEVENLABS_WEBHOOK_ALLOWED_IPS").is_some();
        let tokens = env.with("API_TOKENS", Tokens::parse);
        let space = env.with("SIGNALWIRE_SPACE_URL", |text| SpaceUrl::parse(text).map_err(|error| error.to_string()));
        env.finish(tokens.zip(space).map(|(tokens, space)| Self {
            database_url,
            tokens,
            bucket,
            space,
            project_id,
            carrier_token,
            elevenlabs_url,
            elevenlabs_key,
            queue_urls,
            addresses_limited,
            schedule_rules,
            has_canary,
        }))
    }
}

/// Whether a check may wake a database that sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every dependency is asked.
    All,
    /// The database only while the schedules are on.
    LetSleep,
}

/// Asks every dependency now and keeps the result.
///
/// # Errors
/// When the result cannot be kept; it was logged by then.
pub async fn check(app: &App, depth: Depth, now: Timestamp) -> Result<Report, BlobError> {
    let report = Box::pin(checks::run(app, depth, now)).await;
    for check in report.checks.iter().filter(|check| !check.ok) {
        metrics::count(match check.name.as_str() {
            "signalwire" | "elevenlabs" => metrics::VENDOR_CHECKS_FAILED,
            canary::NAME => metrics::CANARY_FAILED,
            _ => metrics::OWN_CHECKS_FAILED,
        });
        tracing::error!(check = check.name, ms = check.ms, detail = check.detail, "unhealthy");
    }
    tracing::info!(health = ?report.status, "checked");
    let body = serde_json::to_vec(&report).unwrap_or_default();
    app.blobs.put(LATEST, "application/json", Bytes::from(body)).await?;
    Ok(report)
}

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(answer))]
pub struct Doc;

/// How the system is.
///
/// The last result of the schedule's check; `deep=1` checks now, and needs a token with the scope `read`.
#[utoipa::path(
    get, path = "/api/health", tag = "about", operation_id = "readHealth",
    params(("deep" = Option<String>, Query, description = "`1` checks now; `0`, `false` or nothing answers the last result.", example = "1")),
    responses(
        (status = 200, description = "Every dependency answered.", body = Report),
        (status = 401, description = "A deep check needs a token.", body = elevenwire::problem::Problem, content_type = "application/problem+json"),
        (status = 503, description = "Some did not answer, or nothing is known of now.", content(
            (Report = "application/json"), (elevenwire::problem::Problem = "application/problem+json")))
    ),
    security((), ("token" = ["read"]))
)]
pub async fn answer(app: &App, request: &Inbound, now: Timestamp) -> Reply {
    if request.query("deep").is_none_or(|deep| deep == "0" || deep == "false") {
        return cached(&app.blobs, now).await;
    }
    match app.tokens.authorize(request.header("authorization"), Scope::Read) {
        Err(problem) => problem.into(),
        Ok(_) => match check(app, Depth::All, now).await {
            Ok(report) => reply(&report),
            Err(error) => {
                tracing::error!(error = %error, "the result could not be kept");
                Problem::unavailable("The bucket").into()
            }
        },
    }
}

/// The canary of the check before, if that can be read.
async fn canary_before(blobs: &Blobs) -> Option<Canary> {
    let body = blobs.get(LATEST).await.ok()?;
    serde_json::from_slice::<Report>(&body).ok()?.canary
}

async fn cached(blobs: &Blobs, now: Timestamp) -> Reply {
    let body = match blobs.get(LATEST).await {
        Ok(body) => body,
        Err(BlobError::Missing(_)) => return not_known("No check has run yet. The schedule runs one every 5 minutes."),
        Err(BlobError::Down(error)) => {
            tracing::error!(error = error, "the last result could not be read");
            return Problem::unavailable("The bucket").into();
        }
    };
    let Ok(report) = serde_json::from_slice::<Report>(&body) else {
        return not_known("The last result was written by another version. The next check mends it.");
    };
    let age = now.duration_since(report.checked_at);
    if age > STALE_AFTER.try_into().unwrap_or_default() {
        return not_known("The last check is older than 15 minutes: is its schedule running?");
    }
    reply(&report)
}

fn not_known(detail: &str) -> Reply {
    Problem::new(503, "Service Unavailable", detail).into()
}

fn reply(report: &Report) -> Reply {
    Reply::json(if report.status == Status::Ok { 200 } else { 503 }, report)
}

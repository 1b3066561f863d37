//! Brings the people of a file into a campaign. The file is streamed from the bucket and never held; its rows wait in a
//! table until all were read, and become contacts in one transaction. A run that dies is done again from the beginning,
//! by whoever gets the message then: nothing of it is seen until its end.

mod reading;

use std::time::Duration;

use elevenwire::blobs::Blobs;
pub use elevenwire::clock::Clock;
use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::contact::forecast::{self, Asking, Forecast, Group};
use elevenwire::cost::Tariff;
use elevenwire::dialling::Dialling;
use elevenwire::guard::Rules;
use elevenwire::queue::ImportTask;
use elevenwire::retry::{Failure, Retry};
use elevenwire::store::Store;
use elevenwire::store::imports::{Finish, Job, Likely, Swapped};
use elevenwire::store::lease::Taken;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use reading::Read;
use serde_json::{Value, json};

/// How soon to look again at an import that somebody else works on.
const BUSY: Duration = Duration::from_mins(1);

/// How long a call rings when the campaign does not say, which is longer than most agents do.
const RING_SECS: u32 = 60;

/// Kept for writing down that the time was not enough.
const LAST_WORD: Duration = Duration::from_secs(15);

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// Jobs and contacts.
    pub store: Store,
    /// Files, and the CSVs of their bad rows.
    pub blobs: Blobs,
    /// What the guard is told of the deployment.
    pub dialling: Dialling,
}

/// What the function reads from its environment.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `S3_BUCKET`.
    pub bucket: String,
    /// `IMPORTS_QUEUE_URL`.
    pub queue_url: String,
    /// `DEAD_LETTER_QUEUE_URL`.
    pub dead_letter_queue_url: String,
    /// See [`Dialling::from_env`].
    pub dialling: Dialling,
    /// See [`Tariff::from_env`].
    pub tariff: Tariff,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or malformed.
    pub fn from_env(mut env: Env) -> Result<Self, Misconfigured> {
        let config = Self {
            dialling: Dialling::from_env(&mut env),
            tariff: Tariff::from_env(&mut env),
            database_url: env.secret("DATABASE_URL"),
            bucket: env.required("S3_BUCKET"),
            queue_url: env.required("IMPORTS_QUEUE_URL"),
            dead_letter_queue_url: env.required("DEAD_LETTER_QUEUE_URL"),
        };
        env.finish(Some(config))
    }
}

/// Why a run ends before its file.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The owner can do something about it.
    Failed(String),
    /// Another run has taken over.
    Lost,
    /// Something of ours.
    Ours(Failure),
}

impl<E: Into<Failure>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Ours(error.into())
    }
}

/// Does one import.
///
/// # Errors
/// [`Failure`] says when to try again.
pub async fn import(app: &App, task: ImportTask, clock: Clock<'_>) -> Result<(), Failure> {
    let job = match app.store.take_import(task.import_id, clock.now()).await? {
        Taken::Mine(job) => job,
        Taken::Busy => return Err(Failure::later(BUSY, "somebody else works on this import")),
        Taken::Over => return Ok(()),
    };
    tracing::info!(import.id = %job.id, import.run = job.run, "begun");
    match run(app, &job, clock).await {
        Ok(()) => Ok(()),
        Err(Stop::Lost) => {
            tracing::warn!(import.id = %job.id, import.run = job.run, "taken over by another run");
            Ok(())
        }
        Err(Stop::Failed(error)) => {
            tracing::info!(import.id = %job.id, "failed for its owner to mend");
            Ok(app.store.fail_import(&job, &error, clock.now()).await?)
        }
        Err(Stop::Ours(failure)) => {
            if failure.retry == Retry::Never {
                let error = "Something of ours went wrong with this file. It is noted, and nothing was taken.";
                app.store.fail_import(&job, error, clock.now()).await?;
            }
            Err(failure)
        }
    }
}

async fn run(app: &App, job: &Job, clock: Clock<'_>) -> Result<(), Stop> {
    // Whole seconds: what the database keeps of a moment must still be the same moment.
    let begun = Timestamp::from_second(clock.now().as_second()).unwrap_or_default();
    let rules = app.dialling.rules(job.settings.ring_timeout_secs.unwrap_or(RING_SECS));
    let rules = job.settings.narrow(&Rules { purpose: Some(job.purpose), ..rules });
    let starts_at = job.settings.schedule.start_at.map_or(begun, |start| start.max(begun));
    let asking = Asking::new(app.dialling.clone(), rules.clone(), starts_at);
    // Half of the time is the taking over's, which is one statement that cannot be asked how far it is.
    let read = reading::read(app, job, asking, clock, clock.left(LAST_WORD) / 2).await?;
    let likely = app.store.forecast_import(job).await?;
    let a_person = app.store.cost_of_a_person(job.campaign_id).await?;
    let outcome = forecast(job, &read, likely, &rules, &app.dialling).priced(a_person);
    let finish = |forecast| Finish {
        staged: read.staged,
        columns: read.columns.as_ref(),
        forecast: Some(forecast),
        report_key: read.report_key.as_deref(),
        patience: clock.left(LAST_WORD),
    };
    let shown = shown(&outcome, job, begun);
    let swapped = app.store.finish_import(job, &finish(&shown), clock.now()).await;
    if swapped.is_err() && clock.left(LAST_WORD) < Duration::from_secs(1) {
        let rows = read.staged.rows_read;
        return Err(Stop::Failed(format!("Its {rows} rows are too many for one run: send it in smaller pieces.")));
    }
    match swapped? {
        Swapped::Done { taken, duplicates_in_file, duplicates_in_campaign } => {
            tracing::info!(
                import.id = %job.id,
                import.dry_run = job.dry_run,
                rows = read.staged.rows_read,
                taken,
                bad = read.staged.bad,
                duplicates_in_file,
                duplicates_in_campaign,
                ms = clock.now().duration_since(begun).as_millis(),
                "imported"
            );
            Ok(())
        }
        Swapped::Lost => Err(Stop::Lost),
        Swapped::CampaignOver => Err(Stop::Failed("The campaign ended before its people were taken.".to_owned())),
    }
}

/// What the rows would come to. Duplicates are counted with the taking over.
fn forecast(job: &Job, read: &Read, likely: Vec<Likely>, rules: &Rules, dialling: &Dialling) -> Forecast {
    let mut forecast = Forecast {
        callable: 0,
        suppressed: 0,
        without_zone: read.without_zone,
        without_consent: 0,
        blocked: std::collections::BTreeMap::new(),
        bad: read.staged.bad,
        not_reached: 0,
        first_call: None,
        last_call: None,
        rate: rate(job, dialling),
        cost_usd: 0.0,
        usd_a_person: 0.0,
    };
    let mut groups = Vec::new();
    for group in likely {
        match (group.because.as_deref(), group.window) {
            _ if group.suppressed => forecast.suppressed += group.people,
            (Some("no_consent"), _) => forecast.without_consent += group.people,
            (Some(rule), _) => *forecast.blocked.entry(rule.to_owned()).or_default() += group.people,
            (None, Some((from, until))) => {
                forecast.callable += group.people;
                let like = read.samples.get(&(from, until)).cloned().unwrap_or_default();
                groups.push(Group { from, until, like, people: group.people });
            }
            (None, None) => {}
        }
    }
    let span = forecast::play(groups, dialling, rules, forecast.rate, job.settings.schedule.end_at);
    forecast.first_call = span.first;
    forecast.last_call = span.last;
    forecast.not_reached = span.not_reached;
    forecast
}

/// As it is kept, with its sentence.
fn shown(forecast: &Forecast, job: &Job, now: Timestamp) -> Value {
    let zone = job.settings.schedule.timezone.as_deref().and_then(|zone| TimeZone::get(zone).ok());
    let zone = zone.unwrap_or(TimeZone::UTC);
    let mut shown = json!(forecast);
    shown["sentence"] = forecast.sentence(&zone, now).into();
    shown["timezone"] = zone.iana_name().unwrap_or("UTC").into();
    shown
}

/// The campaign's, or what the carrier's timetable leaves to campaigns, whichever is slower.
#[expect(clippy::cast_precision_loss, reason = "it is at most a thousand")]
fn rate(job: &Job, dialling: &Dialling) -> f64 {
    let kept = 1.0 / dialling.pace.kept.max(1) as f64;
    job.settings.rate.min(dialling.pace.rate * (1.0 - kept))
}

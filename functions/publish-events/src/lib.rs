//! Every minute: what happened is brought to whoever wants to know, the owner's endpoints and his bus. What was not taken is
//! tried again later, with the same id; nobody who is slow or away keeps another waiting.

use std::collections::HashMap;
use std::time::Duration;

use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::dialling::vendors_are_played;
use elevenwire::events::bus::Bus;
use elevenwire::events::endpoint::Poster;
use elevenwire::events::{Answer, pause};
use elevenwire::retry::Failure;
use elevenwire::store::Store;
use elevenwire::store::outbox::{Next, Try};
use elevenwire::telemetry::metrics;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

/// Where something was to do, it looks again so often.
const LOOK: Duration = Duration::from_secs(2);

/// Where nothing was to do for so long, the next minute's run is soon enough: that costs nothing.
const CALM: Duration = Duration::from_secs(10);

/// An endpoint that took nothing is left alone for so long.
const REST: Duration = Duration::from_secs(5);

/// No try begins later than this: one may take 15 s, and the function has a minute and a half.
const BEGINS_FOR: Duration = Duration::from_secs(55);

/// An event that waits longer wants a person: somebody does not take what is his.
const LONG: Duration = Duration::from_hours(1);

/// What the function needs.
pub struct App {
    /// The outbox.
    pub store: Store,
    /// Posts to endpoints.
    pub poster: Poster,
    /// The owner's bus.
    pub bus: Option<Bus>,
    /// Random bits for new ids.
    pub draw: Box<dyn Fn() -> [u8; 10] + Send + Sync>,
    /// A random number in 0..1.
    pub jitter: Box<dyn Fn() -> f64 + Send + Sync>,
    /// The clock.
    pub now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

/// What the function reads from its environment.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `EVENT_BUS_NAME`; none is no bus.
    pub bus_name: Option<String>,
    /// Whether both vendors are played on this machine: then so may be an endpoint.
    pub played: bool,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or malformed.
    pub fn from_env(mut env: Env) -> Result<Self, Misconfigured> {
        let config = Self {
            bus_name: env.optional("EVENT_BUS_NAME"),
            played: vendors_are_played(&env),
            database_url: env.secret("DATABASE_URL"),
        };
        env.finish(Some(config))
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Published {
    /// Tries that were taken.
    pub taken: usize,
    /// Tries that were not.
    pub refused: usize,
    /// Events that were given up at an endpoint.
    pub given_up: usize,
}

impl Published {
    fn add(&mut self, other: Self) {
        self.taken += other.taken;
        self.refused += other.refused;
        self.given_up += other.given_up;
    }
}

/// Brings out everything that is due. Where there was something, it goes on looking, for as long as `stays` at most: while
/// calls are made their events are seconds old. Safe to run twice at once.
///
/// # Errors
/// When the database does not answer. What was under way counts as lost then, and is tried again.
pub async fn publish(app: &App, stays: Duration) -> Result<Published, Failure> {
    let begun = Instant::now();
    let name = app.bus.as_ref().map(Bus::name);
    let id = elevenwire::store::intents::new_id((app.now)(), (app.draw)());
    app.store.keep_bus(name, id, (app.now)()).await?;
    let mut sum = Published::default();
    let mut found: Option<Instant> = None;
    // Endpoints that are busy, and those that rest until then because they took nothing.
    let mut quiet: HashMap<Uuid, Option<Instant>> = HashMap::new();
    let mut under_way = FuturesUnordered::new();
    loop {
        let mut ended = Vec::new();
        if begun.elapsed() < BEGINS_FOR {
            quiet.retain(|_, rests_until| rests_until.is_none_or(|until| Instant::now() < until));
            let but: Vec<Uuid> = quiet.keys().copied().collect();
            let tries = app.store.begin_tries(&but, (app.now)());
            for batch in by_endpoint(beside(&mut under_way, &mut ended, tries).await?) {
                found = Some(Instant::now());
                quiet.insert(batch[0].endpoint, None);
                under_way.push(bring(app, batch));
            }
        }
        if ended.is_empty() {
            let calm = found.is_none_or(|found| found.elapsed() > CALM);
            if under_way.is_empty() && (calm || begun.elapsed() + LOOK > stays) {
                break;
            }
            match timeout(LOOK, under_way.next()).await {
                Ok(Some(end)) => ended.push(end),
                Ok(None) => sleep(LOOK).await,
                Err(_) => {}
            }
        }
        for end in ended {
            let (endpoint, did) = end?;
            sum.add(did);
            quiet.remove(&endpoint);
            if did.taken == 0 {
                quiet.insert(endpoint, Some(Instant::now() + REST));
            }
        }
    }
    look_for_what_waits(app).await?;
    Ok(sum)
}

/// Does something while batches are under way. They must go on meanwhile: one of them may hold the connection to the
/// database that it waits for.
async fn beside<B: Future, T>(
    under_way: &mut FuturesUnordered<B>,
    ended: &mut Vec<B::Output>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            Some(end) = under_way.next() => ended.push(end),
        }
    }
}

/// Tries come in the order of their endpoints.
fn by_endpoint(tries: Vec<Try>) -> Vec<Vec<Try>> {
    let mut batches: Vec<Vec<Try>> = Vec::new();
    for tried in tries {
        match batches.last_mut() {
            Some(batch) if batch[0].endpoint == tried.endpoint => batch.push(tried),
            _ => batches.push(vec![tried]),
        }
    }
    batches
}

/// Brings a batch to its endpoint.
async fn bring(app: &App, batch: Vec<Try>) -> Result<(Uuid, Published), Failure> {
    let endpoint = batch[0].endpoint;
    let mut sum = Published::default();
    if batch[0].to_bus {
        let events: Vec<_> = batch.iter().map(|tried| &tried.event).collect();
        let answers = match &app.bus {
            Some(bus) if bus.name() == batch[0].target => bus.put(&events).await,
            _ => events.iter().map(|_| Answer::Refused("it is not this deployment's bus".to_owned(), None)).collect(),
        };
        for (tried, answer) in batch.iter().zip(answers) {
            sum.add(note(app, tried, answer).await?);
        }
    } else {
        let each = batch.iter().map(|tried| async move {
            let unix_now = (app.now)().as_second();
            let answer = app.poster.post(&tried.target, &tried.secrets, &tried.event, unix_now).await;
            note(app, tried, answer).await
        });
        for done in join_all(each).await {
            sum.add(done?);
        }
    }
    Ok((endpoint, sum))
}

/// Writes down what became of a try.
async fn note(app: &App, tried: &Try, answer: Answer) -> Result<Published, Failure> {
    let now = (app.now)();
    let (event, endpoint) = (tried.event.id.as_str(), tried.endpoint);
    match answer {
        Answer::Taken => {
            app.store.taken(endpoint, &[event], now).await?;
            metrics::count(metrics::EVENTS_PUBLISHED);
            Ok(Published { taken: 1, ..Published::default() })
        }
        Answer::Gone => {
            let because = "it answered 410 Gone";
            tracing::error!(alarm = "event_endpoint_disabled", endpoint.id = %endpoint, event.id = event, because, "an endpoint wants no events");
            app.store.disable_endpoint(endpoint, because, now).await?;
            metrics::count(metrics::EVENTS_REFUSED);
            Ok(Published { refused: 1, ..Published::default() })
        }
        Answer::Refused(why, wish) => {
            let again = pause(tried.number, wish, (app.jitter)()).and_then(|pause| now.checked_add(pause).ok());
            let next = again.map_or(Next::GivenUp, Next::Again);
            app.store.refused(tried, &why, next, now).await?;
            metrics::count(metrics::EVENTS_REFUSED);
            let given_up = usize::from(next == Next::GivenUp);
            if given_up > 0 {
                metrics::count(metrics::EVENTS_GIVEN_UP);
                tracing::error!(alarm = "event_given_up", endpoint.id = %endpoint, event.id = event, tries = tried.number, why, "an event was given up");
            } else {
                tracing::warn!(endpoint.id = %endpoint, event.id = event, tries = tried.number, why, "an event was not taken");
            }
            Ok(Published { refused: 1, given_up, ..Published::default() })
        }
    }
}

async fn look_for_what_waits(app: &App) -> Result<(), Failure> {
    let longest = app.store.longest_wait((app.now)()).await?;
    if let Some(wait) = longest.filter(|wait| *wait > LONG) {
        tracing::error!(alarm = "event_waits", minutes = wait.as_secs() / 60, "an event waits for its endpoint");
    }
    Ok(())
}

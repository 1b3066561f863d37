//! The course of a run: wishes are sent, time passes, PostgreSQL goes away and comes back, and when nothing more is to come
//! the judge looks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use elevenwire::dialling::Dialling;
use elevenwire::store::pace::Pace;
use serde_json::{Value, json};
use testkit::World;
use testkit::world::{AGENT_NUMBER, CALLER_ID};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::callers::{self, Drawer};
use crate::campaigns;
use crate::injected::{self, count};
use crate::judge::{self, Verdict};
use crate::pump;
use crate::restarts;
use crate::run::{Agent, Run};

/// What a run is to be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Half of it are single calls that are to come to an end: one that the carrier never had is given up, and another is
    /// placed in its stead. The other half are contacts of campaigns.
    pub calls: usize,
    /// All chance of the run comes from it.
    pub seed: u64,
    /// Every post-call webhook and every status callback is lost.
    pub drop_all_webhooks: bool,
    /// How often PostgreSQL goes away while calls are placed; twice more while they are settled.
    pub restarts: usize,
}

impl Settings {
    /// People whom campaigns call; some are in two campaigns.
    #[must_use]
    pub fn contacts(&self) -> usize {
        self.calls / 2
    }

    /// Calls that somebody wishes for.
    #[must_use]
    pub fn singles(&self) -> usize {
        self.calls - self.contacts()
    }
}

/// Calls a second of the carrier's space, by our settings. The run's own clock leaps, and the simulator's pace is in true
/// seconds: it is given twice that.
pub(crate) const RATE: f64 = 50.0;

/// A call's seconds pass this much faster than ours: about as fast as the run's own clock.
const TIME_SCALE: f64 = 200.0;

/// The run's own clock moves by this much at once, and not oftener than every [`TICK`].
const STEP: Duration = Duration::from_mins(1);
const TICK: Duration = Duration::from_millis(300);

/// Nothing is awaited for longer than this, in minutes of the run's own time: the product stops looking for a call after
/// 28 hours, and whoever is to be called again may have to wait for Monday.
const LONGEST: u64 = 5 * 24 * 60;

/// Runs. `say` is told now and then how far it is.
pub async fn run(settings: &Settings, say: &(dyn Fn(String) + Sync)) -> Verdict {
    Box::pin(run_and_change(settings, &[], say)).await
}

/// Runs, and changes our tables by hand before the judge looks: to see that it sees.
pub async fn run_and_change(settings: &Settings, by_hand: &[&str], say: &(dyn Fn(String) + Sync)) -> Verdict {
    let begun = Instant::now();
    let dialling = Dialling { pace: Pace::of(RATE), ..testkit::world::dialling() };
    let world = World::start_as(vendors(settings), dialling).await;
    prepare(&world, settings).await;
    let run = Arc::new(Run::new(world, settings.clone()));
    // What is committed must survive a killed server: its log is written, if not forced to the disk.
    run.write("alter role all set synchronous_commit = on").await;
    let pumps = pump::start(&run);
    let watch = progress(&run, begun, say);
    let course = async {
        campaigns::prepare(&run).await;
        place(&run).await;
        settle(&run).await;
    };
    tokio::select! {
        () = course => {}
        () = campaigns::disturb(&run) => {}
        () = watch => {}
    }
    run.over.store(true, Ordering::Relaxed);
    pumps.join_all().await;
    for sql in by_hand {
        run.write(sql).await;
    }
    judge::look(&run, begun.elapsed()).await
}

fn vendors(settings: &Settings) -> simulator::Config {
    simulator::Config {
        seed: settings.seed,
        time_scale: TIME_SCALE,
        calls_per_second: 2.0 * RATE,
        retry_enabled: settings.seed.is_multiple_of(2),
        ..simulator::Config::default()
    }
}

/// A second agent, which hangs up on machines, and a third one, which dials itself; every open question about the vendors drawn from the seed; the faults.
async fn prepare(world: &World, settings: &Settings) {
    let (watchful, trunk) = ("+15550002222", "+15550003333");
    let vendors = json!({
        "numbers": [
            { "number": AGENT_NUMBER, "agent_id": "agent_demo", "name": "Ava" },
            { "number": watchful, "agent_id": "agent_watchful", "name": "Bo" },
            { "number": trunk, "agent_id": "agent_trunk", "name": "Cy", "phone_number_id": "phnum_trunk" },
        ],
        "switches": "seed",
        "faults": injected::rules(settings.drop_all_webhooks),
    });
    world.vendors.configure(vendors).unwrap();
    let watchful = json!({ "elevenlabs_agent_id": "agent_watchful", "number": watchful, "caller_ids": [CALLER_ID],
        "max_concurrent": 1_000, "amd": "hang_up" });
    let trunk = json!({ "elevenlabs_agent_id": "agent_trunk", "number": trunk, "caller_ids": [CALLER_ID],
        "max_concurrent": 1_000, "connect": "trunk", "elevenlabs_phone_number_id": "phnum_trunk" });
    for (agent, body) in [(Agent::Watchful, watchful), (Agent::Trunk, trunk)] {
        let path = format!("/api/agents/{}", agent.name());
        let (status, answer) = world.send(reqwest::Method::PUT, &path, Some(&body), &[]).await;
        assert_eq!(status, 201, "{answer}");
    }
}

/// Sends all wishes, with time passing, restarts and calls from outside in between. What turns out to be unknown to the
/// carrier is replaced by another wish.
async fn place(run: &Arc<Run>) {
    let drawer = Arc::new(Mutex::new(Drawer::new(run)));
    let disturbed = disturb(run);
    loop {
        let sending = callers::send_all(run, &drawer);
        let passing = async {
            loop {
                minute(run, false).await;
            }
        };
        tokio::select! {
            () = sending => {}
            () = passing => {}
        }
        // Long enough for every answer of the carrier's to be written down, and for the first looks into its list.
        for _ in 0..12 {
            minute(run, true).await;
        }
        let wanted = run.settings.singles() + never_taken(run).await;
        if wanted <= run.taken() {
            break;
        }
        run.wanted.store(wanted, Ordering::Relaxed);
    }
    disturbed.await.unwrap();
}

/// Attempts without a clear answer that the carrier has no call of, by its own book.
async fn never_taken(run: &Run) -> usize {
    let unknown =
        run.rows("select id::text from calls where contact_id is null and 'unknown' in (state, outcome)").await;
    let known = run.world.vendors.book(judge::call_ids);
    unknown.iter().filter(|row| !known.contains_key(row.get::<_, &str>(0))).count()
}

/// Spread over the placing: PostgreSQL goes away, and somebody calls the agent.
fn disturb(run: &Arc<Run>) -> JoinHandle<()> {
    let run = Arc::clone(run);
    tokio::spawn(async move {
        let restarts = run.settings.restarts;
        let inbound = 2 + run.settings.calls / 50;
        let (mut restarted, mut called) = (0, 0);
        while restarted < restarts || called < inbound {
            let done = |part: usize, parts: usize| run.taken() * parts >= run.settings.singles() * (2 * part + 1) / 2;
            if restarted < restarts && done(restarted, restarts) {
                restarted += 1;
                restarts::begin(&run).await.unwrap();
            }
            if called < inbound && done(called, inbound) {
                callers::call_in(&run, called).await;
                called += 1;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
}

/// Lets time pass until nothing more is to come.
async fn settle(run: &Arc<Run>) {
    let begun = run.minutes.load(Ordering::Relaxed);
    let mut restart = None;
    while run.minutes.load(Ordering::Relaxed) < LONGEST && open(run).await > 0 {
        let passed = run.minutes.load(Ordering::Relaxed) - begun;
        if passed == 2 || passed == 20 {
            restart = Some(restarts::begin(run));
        }
        // After an hour only what is looked for every quarter of an hour is open; later whoever waits for another day.
        let step = match passed {
            0..60 => 1,
            60..360 => 5,
            _ => 30,
        };
        minutes(run, step, true).await;
    }
    if let Some(restart) = restart {
        restart.await.unwrap();
    }
    // What comes late must change nothing any more.
    run.world.vendors.wait_idle(Duration::from_secs(30)).await;
    for _ in 0..15 {
        minute(run, true).await;
    }
}

/// Calls that something is still to come for, and conversations that nobody placed and are not here.
async fn open(run: &Run) -> u64 {
    let calls =
        run.number("select count(*) from calls where settled_at is null and outcome is distinct from 'unknown'").await;
    let here = run
        .number("select count(*) from conversations where call_id = conversation_id and final and audio_at is null")
        .await;
    let contacts = campaigns::open(run).await;
    let there = run.world.vendors.book(|book| book.conversations.values().filter(|c| c.dial_sid.is_none()).count());
    calls + contacts + u64::try_from(there).unwrap_or(0).saturating_sub(here)
}

/// One minute of the run's own time: the schedules run, and the queues are worked off as far as the machine keeps up. With
/// `quiet`, all that is there to be done is done first.
async fn minute(run: &Run, quiet: bool) {
    minutes(run, 1, quiet).await;
}

async fn minutes(run: &Run, step: u32, quiet: bool) {
    let begun = Instant::now();
    loop {
        let waiting = run.count_waiting().await;
        let busy = quiet && (waiting > 0 || run.at_work.load(Ordering::Relaxed) > 0 || !idle(run).await);
        let behind = waiting > 60 || restarts::away();
        let patient = begun.elapsed() < Duration::from_secs(10);
        if !(behind || busy && patient) && (quiet || begun.elapsed() >= TICK) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    run.world.clock.advance(STEP * step);
    let minutes = run.minutes.fetch_add(step.into(), Ordering::Relaxed);
    let mut failed = run.world.try_watch().await.is_err();
    campaigns::insist(run).await;
    failed |= run.world.try_sweep().await.is_err();
    // The minute before may still be at work.
    let (one, other) = tokio::join!(run.world.try_tick(), run.world.other_tick());
    failed |= one.is_err() || other.is_err();
    if step >= 5 || minutes.is_multiple_of(5) {
        failed |= run.world.try_reconcile().await.is_err();
    }
    if failed {
        count(&run.counters.schedule_failed);
    }
}

async fn idle(run: &Run) -> bool {
    run.world.vendors.wait_idle(Duration::ZERO).await
}

async fn progress(run: &Run, begun: Instant, say: &(dyn Fn(String) + Sync)) {
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let settled = run.number("select count(*) from calls where settled_at is not null").await;
        let minutes = run.minutes.load(Ordering::Relaxed);
        say(format!(
            "{:>4} s   {} of {} taken, {settled} settled, {} contacts open, {} messages wait, PostgreSQL away {} times, {}:{:02} h have passed",
            begun.elapsed().as_secs(),
            run.taken(),
            run.wanted.load(Ordering::Relaxed),
            campaigns::open(run).await,
            run.waiting.load(Ordering::Relaxed),
            injected::read(&run.counters.restarts),
            minutes / 60,
            minutes % 60,
        ));
    }
}

/// The simulator's rules with how often each fired.
pub(crate) async fn rules(run: &Run) -> Value {
    control(run, "faults").await
}

/// How the vendors behaved where their documents are silent.
pub(crate) async fn switches(run: &Run) -> Value {
    control(run, "switches").await
}

async fn control(run: &Run, what: &str) -> Value {
    let url = format!("{}/control/{what}", run.world.vendors.url());
    run.world.http.get(url).send().await.unwrap().json().await.unwrap()
}

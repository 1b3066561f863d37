//! One campaign in fair weather, measured by the simulator's own book: how near to the carrier's rate and to the agents' limit
//! it stays, and what became of everybody.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_lambda_events::sqs::SqsEvent;
use elevenwire::dialling::Dialling;
use elevenwire::store::pace::Pace;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::json;
use testkit::World;
use testkit::lines::{Line, record};
use testkit::world::TOKEN;
use tokio::task::JoinSet;

use crate::judge;

/// Ticks of the trigger: a call's time is much shorter than in earnest, and so is the trigger's.
const TICK: Duration = Duration::from_millis(200);

/// What came of it.
#[derive(Debug, Default)]
pub struct Measured {
    /// Agent legs that were refused because all lines were taken.
    pub refused_legs: u32,
    /// Contacts, and those of them that are done.
    pub contacts: (usize, usize),
    /// Figures.
    pub lines: Vec<String>,
}

impl Measured {
    /// Whether everybody is accounted for, and no leg was refused.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.refused_legs == 0 && self.contacts.0 == self.contacts.1
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// Calls `contacts` people with `agents` conversations at once, `rate` calls a second, and calls that pass `speed` times as
/// fast as in earnest.
pub async fn measure(
    contacts: usize,
    agents: u32,
    (rate, speed): (f64, f64),
    say: &(dyn Fn(String) + Sync),
) -> Measured {
    let begun = Instant::now();
    let config = simulator::Config {
        time_scale: speed,
        calls_per_second: rate,
        agent_concurrency: agents as usize,
        ..simulator::Config::default()
    };
    let dialling = Dialling { pace: Pace::of(rate), concurrency: agents, ..Dialling::default() };
    let world = Arc::new(World::start_as(config, dialling).await);
    let over = Arc::new(AtomicBool::new(false));
    let workers = start(&world, &over);
    let campaign = campaign(&world, contacts, agents).await;
    let mut looked = Instant::now();
    loop {
        world.sweep().await;
        world.tick().await;
        tokio::time::sleep(TICK).await;
        if looked.elapsed() < Duration::from_secs(2) {
            continue;
        }
        looked = Instant::now();
        world.watch().await;
        world.reconcile().await;
        let view = world.get(&campaign).await;
        say(format!("{:>4} s   {}", begun.elapsed().as_secs(), view["progress"]));
        if view["state"] != "running" {
            break;
        }
    }
    over.store(true, Ordering::Relaxed);
    workers.join_all().await;
    let view = world.get(&campaign).await;
    let mut measured = look(&world, rate, agents).await;
    let progress = &view["progress"];
    let number = |name: &str| usize::try_from(progress[name].as_u64().unwrap_or(0)).unwrap_or(0);
    measured.contacts = (contacts, number("done"));
    measured.lines.push(format!(
        "contacts: {} of {contacts} done: {}; the campaign is {}, after {} s",
        number("done"),
        progress["outcomes"],
        view["state"],
        begun.elapsed().as_secs()
    ));
    measured
}

/// Half of them talk; others are busy, busy once, do not answer, decline, have a machine, say no for ever.
async fn campaign(world: &World, contacts: usize, agents: u32) -> String {
    let fates = ["01", "02", "03", "62", "51", "52", "50", "53", "54", "59"];
    let again = |most: u32| json!({ "delay_secs": 5, "most": most });
    let body = json!({ "name": "measured", "agent": "demo", "purpose": "informational", "rate": 100,
        "max_concurrent": agents, "retries": { "busy": again(3), "no_answer": again(2), "abandoned": again(1), "failed": again(2) } });
    let (status, made) = world.send(Method::POST, "/api/campaigns", Some(&body), &[]).await;
    assert_eq!(status, 201, "{made:#}");
    let path = format!("/api/campaigns/{}", made["id"].as_str().unwrap());
    let mut csv = "phone_number,consent_type,consent_at,first_name\n".to_owned();
    for nth in 0..contacts {
        let (place, fate) = (nth / fates.len(), fates[nth % fates.len()]);
        writeln!(csv, "+1415{:05}{fate},written,2026-01-05T10:00:00Z,Maria", 22000 + place).unwrap();
    }
    let request = world.http.post(format!("{}{path}/imports", world.url)).bearer_auth(TOKEN);
    let answer = request.header("Content-Type", "text/csv").body(csv).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    while world.get(&format!("{path}/imports")).await["imports"][0]["state"] != "done" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (status, said) = world.send(Method::POST, &format!("{path}/start"), None, &[]).await;
    assert_eq!(status, 200, "{said:#}");
    path
}

fn start(world: &Arc<World>, over: &Arc<AtomicBool>) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    for line in Line::ALL {
        for _ in 0..4 {
            let (world, over) = (Arc::clone(world), Arc::clone(over));
            workers.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    work_off(&world, line).await;
                }
            });
        }
    }
    workers
}

/// One message at a time, as a function with a batch of one.
async fn work_off(world: &World, line: Line) {
    let pair = world.pair(line);
    // The local queue answers who waits at it once a second; a slot is a fraction of that.
    let asked = pair.sqs().receive_message().queue_url(&pair.url).visibility_timeout(60);
    let messages = asked.send().await.unwrap().messages.unwrap_or_default();
    if messages.is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for message in messages {
        let mut batch = SqsEvent::default();
        batch.records.push(record(&message));
        if world.work(line, batch).await.batch_item_failures.is_empty() {
            let handle = message.receipt_handle().unwrap_or_default();
            pair.sqs().delete_message().queue_url(&pair.url).receipt_handle(handle).send().await.unwrap();
        }
    }
}

async fn look(world: &World, rate: f64, agents: u32) -> Measured {
    let mut dials: Vec<(String, Timestamp)> = world.vendors.book(|book| {
        let asked = |(id, dials): (String, Vec<simulator::book::Dial>)| {
            dials.into_iter().filter_map(|dial| dial.requested_at).map(|at| (id.clone(), at)).collect::<Vec<_>>()
        };
        judge::call_ids(book).into_iter().flat_map(asked).collect()
    });
    dials.sort_by_key(|(_, at)| *at);
    let client = world.database.client().await;
    let rows = client.query("select id::text, slot_at from calls where slot_at is not null", &[]);
    let slots: BTreeMap<String, Timestamp> = rows.await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut late: Vec<SignedDuration> =
        dials.iter().filter_map(|(id, at)| Some(at.duration_since(*slots.get(id)?))).collect();
    late.sort();
    let (legs, refused, queued) =
        world.vendors.book(|book| (book.max_concurrent_legs, book.refused_legs, book.max_queue_depth));
    let outcomes = "select coalesce(string_agg(o, ', '), '') from (select outcome || ' ' || count(*) as o from calls group by outcome) c";
    let outcomes: String = client.query_one(outcomes, &[]).await.unwrap().get(0);
    let attempts = "select max(n)::int8 from (select count(*) as n from calls where asks > 0 group by contact_id) c";
    let doubled = world.vendors.book(|book| book.overlapping().len());
    let share = |part: usize| late.get(late.len() * part / 100).map_or(0, SignedDuration::as_millis);
    let lines = vec![
        format!("calls by outcome: {outcomes}"),
        format!("dials: {}, two at once to one number: {doubled}", dials.len()),
        format!("agent legs: {legs} at once at most, limit {agents}; refused: {refused}"),
        seconds(&dials, rate),
        format!("the carrier's own queue: {queued} at most"),
        format!(
            "pacing error (asked for - slot): median {} ms, 95 % {} ms, largest {} ms, smallest {} ms",
            share(50),
            share(95),
            late.last().map_or(0, SignedDuration::as_millis),
            share(0)
        ),
        format!("attempts of one contact: {} at most", world.database.count(attempts).await),
    ];
    Measured { refused_legs: refused, lines, ..Measured::default() }
}

/// How many dials fell into each second of the clock.
fn seconds(dials: &[(String, Timestamp)], rate: f64) -> String {
    let mut by_second: BTreeMap<i64, usize> = BTreeMap::new();
    for (_, at) in dials {
        *by_second.entry(at.as_second()).or_default() += 1;
    }
    let mut counts: Vec<usize> = by_second.into_values().collect();
    let most = counts.iter().copied().max().unwrap_or(0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
    let above = counts.iter().filter(|count| **count > rate as usize).count();
    counts.sort_unstable();
    let median = counts.get(counts.len() / 2).copied().unwrap_or(0);
    format!(
        "calls in each second: {} seconds with calls, median {median}, most {most}, rate {rate}; above it: {above} seconds",
        counts.len()
    )
}

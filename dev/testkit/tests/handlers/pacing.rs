//! The carrier's rate and the agents' limit, as the vendors see them.

use std::time::Duration;

use elevenwire::dialling::Dialling;
use elevenwire::store::pace::Pace;
use jiff::Timestamp;
use serde_json::json;
use testkit::World;
use uuid::Uuid;

use crate::campaigning::{campaign, go, numbers, play, view};

/// When the carrier was asked for calls.
fn asked(world: &World) -> Vec<Timestamp> {
    let mut times: Vec<Timestamp> =
        world.vendors.book(|book| book.dials.values().filter_map(|dial| dial.requested_at).collect());
    times.sort();
    times
}

/// Most requests within any `window`.
fn most_within(times: &[Timestamp], window: Duration) -> usize {
    let within = |from: &Timestamp| times.iter().filter(|at| *at >= from && **at < *from + window).count();
    times.iter().map(within).max().unwrap_or(0)
}

/// Ticks as the trigger does and works the queues off meanwhile, until all campaigns have ended.
async fn run(world: &World, ids: &[Uuid]) {
    let (mut ticked, mut watched) = (None::<std::time::Instant>, None::<std::time::Instant>);
    for _ in 0..20_000 {
        if watched.is_none_or(|at| at.elapsed() > Duration::from_secs(2)) {
            world.watch().await;
            watched = Some(std::time::Instant::now());
            let mut running = 0;
            for id in ids {
                running += usize::from(view(world, *id).await["state"] == "running");
            }
            if running == 0 {
                return;
            }
        }
        if ticked.is_none_or(|at| at.elapsed() > Duration::from_secs(1)) {
            world.tick().await;
            world.sweep().await;
            ticked = Some(std::time::Instant::now());
        }
        world.pump().await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the campaigns never ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_campaigns_share_the_rate_and_the_carriers_queue_stays_short() {
    let rate = 5.0;
    let config = simulator::Config { time_scale: 200.0, calls_per_second: rate, ..simulator::Config::default() };
    let dialling = Dialling { pace: Pace::of(rate), concurrency: 1000, ..Dialling::default() };
    let world = World::start_as(config, dialling).await;
    let mut ids = Vec::new();
    for at in 0..5 {
        let people: Vec<String> =
            (0..8).map(|person| format!("+1415{:07}", 3_000_000 + at * 10_000 + person * 100 + 1)).collect();
        ids.push(campaign(&world, json!({}), &people).await);
    }
    for id in &ids {
        go(&world, *id, "start").await;
    }
    run(&world, &ids).await;
    let times = asked(&world);
    assert_eq!(times.len(), 40);
    // Four of five slots are for campaigns: 4 a second, and what comes up to 2 s late in one second.
    let most = most_within(&times, Duration::from_secs(1));
    assert!(most <= 4 + 8, "{most} in one second");
    let minute = most_within(&times, Duration::from_secs(5));
    assert!(minute <= 5 * 5 + 10, "{minute} in five seconds");
    // All begin in the first seconds: nobody waits for another to end.
    let first = "select count(distinct campaign_id) from calls where slot_at < (select min(slot_at) from calls) + interval '4 s'";
    assert_eq!(world.database.count(first).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_one_call_a_second_at_most_two_wait_at_the_carrier() {
    let config = simulator::Config { time_scale: 200.0, calls_per_second: 1.0, ..simulator::Config::default() };
    let world = World::start_as(config, Dialling { concurrency: 1000, ..Dialling::default() }).await;
    let id = campaign(&world, json!({}), &numbers(12, "01")).await;
    go(&world, id, "start").await;
    let singles = ["+14155550101", "+14155550201"];
    for number in singles {
        world.call(number).await;
    }
    run(&world, &[id]).await;
    let (dials, queued) = world.vendors.book(|book| (book.dials.len(), book.max_queue_depth));
    assert_eq!(dials, 14);
    assert!(queued <= 2, "{queued} waited at the carrier at once");
    let seconds = most_within(&asked(&world), Duration::from_secs(4));
    assert!(seconds <= 4 + 2, "{seconds} calls in four seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_call_does_not_wait_for_a_campaign() {
    let world = World::start_as(
        simulator::Config { time_scale: 200.0, calls_per_second: 1.0, ..simulator::Config::default() },
        Dialling { concurrency: 1000, ..Dialling::default() },
    )
    .await;
    let id = campaign(&world, json!({}), &numbers(60, "01")).await;
    go(&world, id, "start").await;
    let picked = world.tick().await;
    assert!((6..=10).contains(&picked.attempts), "{picked:?}: what ten seconds have room for");
    let call_id = world.call("+14155550101").await;
    let begun = std::time::Instant::now();
    world.until(call_id, |call| !call["placed_at"].is_null()).await;
    assert!(begun.elapsed() < Duration::from_secs(7), "every fifth slot is kept for single calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agents_limit_is_never_passed_by_campaigns_and_single_calls_together() {
    let config = simulator::Config {
        time_scale: 100.0,
        calls_per_second: 200.0,
        agent_concurrency: 10,
        ..simulator::Config::default()
    };
    let dialling = Dialling { pace: Pace::of(200.0), concurrency: 10, ..Dialling::default() };
    let world = World::start_as(config, dialling).await;
    let id = campaign(&world, json!({}), &numbers(80, "01")).await;
    go(&world, id, "start").await;
    let single = world.call("+14155550101").await;
    run(&world, &[id]).await;
    world.settled(single).await;
    let (legs, refused) = world.vendors.book(|book| (book.max_concurrent_legs, book.refused_legs));
    assert_eq!(refused, 0);
    assert!((5..=10).contains(&legs), "{legs} at once: the lines are used, and not more than there are");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_has_its_own_limit() {
    let config = simulator::Config { time_scale: 20.0, calls_per_second: 1000.0, ..simulator::Config::default() };
    let world = World::start_with(config).await;
    let agent = json!({ "elevenlabs_agent_id": "agent_demo", "number": testkit::world::AGENT_NUMBER,
        "caller_ids": [testkit::world::CALLER_ID], "max_concurrent": 2 });
    assert_eq!(world.send(http::Method::PUT, "/api/agents/demo", Some(&agent), &[]).await.0, 200);
    let id = campaign(&world, json!({}), &numbers(6, "01")).await;
    go(&world, id, "start").await;
    assert_eq!(world.tick().await.attempts, 2);
    let first = world.call("+14155550101").await;
    for _ in 0..5 {
        world.pump().await;
    }
    assert_eq!(world.vendors.book(|book| book.dials.len()), 2);
    assert_eq!(world.view(first).await["state"], "intent", "a single call holds to it as well");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_missed_minutes_do_not_make_a_burst() {
    let rate = 5.0;
    let config = simulator::Config { time_scale: 200.0, calls_per_second: rate, ..simulator::Config::default() };
    let world =
        World::start_as(config, Dialling { pace: Pace::of(rate), concurrency: 1000, ..Dialling::default() }).await;
    let id = campaign(&world, json!({}), &numbers(30, "01")).await;
    go(&world, id, "start").await;
    world.tick().await;
    // Nothing runs for ten minutes: neither the trigger nor place-call.
    world.clock.advance(Duration::from_mins(10));
    run(&world, &[id]).await;
    let times = asked(&world);
    assert!(most_within(&times, Duration::from_secs(1)) <= 12, "{times:?}");
    assert_eq!(view(&world, id).await["progress"]["done"], 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_are_sums_of_few_rows_however_often_contacts_move() {
    let world = World::start().await;
    let id = campaign(&world, json!({}), &numbers(30, "01")).await;
    go(&world, id, "start").await;
    play(&world, id).await;
    let counted = "select (select count(*) from contacts where status = 'done')::int8
        - (select sum(n) from contact_tallies where status = 'done')::int8";
    assert_eq!(world.database.count(counted).await, 0);
    let sum_up = world.database.store();
    for _ in 0..250 {
        let touch = "update contacts set status = 'done', outcome = case when outcome = 'answered' then 'busy' else 'answered' end";
        world.database.client().await.execute(touch, &[]).await.unwrap();
    }
    sum_up.sum_up_tallies().await.unwrap();
    assert!(world.database.count("select count(*) from contact_tallies").await <= 3);
    assert_eq!(world.database.count(counted).await, 0);
}

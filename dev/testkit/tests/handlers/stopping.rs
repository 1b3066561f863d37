//! What its owner stops, stops: new dials at once, what the carrier has queued, and live calls if asked.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use testkit::World;

use crate::campaigning::{campaign, go, numbers};

async fn stop(world: &World, body: &Value) -> Value {
    let (status, stop) = world.send(Method::POST, "/api/stop", Some(body), &[]).await;
    assert_eq!(status, 201, "{stop:#}");
    stop
}

/// Twenty on the line, five queued at the carrier, two hundred waiting.
async fn busy_world() -> World {
    let config = simulator::Config {
        time_scale: 1.0,
        calls_per_second: 1000.0,
        ring_secs: (0.1, 0.2),
        talk_secs: Some(600),
        agent_concurrency: 100,
        ..simulator::Config::default()
    };
    let world = World::start_with(config).await;
    let id = campaign(&world, json!({"max_concurrent": 25}), &numbers(225, "01")).await;
    go(&world, id, "start").await;
    world.tick().await;
    let live = "select count(*) from calls where state = 'in_progress'";
    let begun = Instant::now();
    while world.vendors.book(|book| book.dials.len()) < 20 {
        world.pump().await;
        assert!(begun.elapsed() < Duration::from_mins(1));
    }
    world.vendors.configure(json!({ "calls_per_second": 0.001 })).unwrap();
    while world.database.count(live).await < 20 || world.vendors.book(|book| book.dials.len()) < 25 {
        world.tick().await;
        world.pump().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let count = world.database.count(live).await;
        assert!(begun.elapsed() < Duration::from_mins(2), "{count} live");
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_of_everything_ends_dials_queue_and_lines() {
    let world = busy_world().await;
    let dials = || world.vendors.book(|book| book.dials.len());
    let before = dials();
    let stopped = stop(&world, &json!({"scope": "all", "hang_up": true, "reason": "wrong list"})).await;
    let begun = Instant::now();
    let lines =
        |world: &World| world.vendors.book(|book| book.dials.values().filter(|dial| dial.ended_at.is_none()).count());
    while lines(&world) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(15), "{} lines are still up", lines(&world));
        world.tick().await;
        world.pump().await;
    }
    assert_eq!(dials(), before, "nothing is dialled after a stop");
    // Every line is one or the other; which, changes while people pick up.
    let (hung_up, taken_back) = (stopped["hung_up"].as_u64().unwrap(), stopped["taken_back"].as_u64().unwrap());
    assert_eq!((hung_up + taken_back, hung_up >= 15, taken_back >= 3), (25, true, true), "{stopped:#}");
    // It survives whatever is redeployed: it is a row.
    assert_eq!(world.tick().await.attempts, 0);
    let single = json!({"to": "+14155550101", "agent": "demo"});
    assert_eq!(world.send(Method::POST, "/api/calls", Some(&single), &[("Idempotency-Key", "k")]).await.0, 202);
    world.pump().await;
    assert_eq!(dials(), before, "single calls wait as well");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_without_hanging_up_lets_people_finish() {
    let world = World::start_with(simulator::Config { time_scale: 30.0, ..simulator::Config::default() }).await;
    world.vendors.configure(json!({ "calls_per_second": 1000.0 })).unwrap();
    let call_id = world.call("+14155550101").await;
    world.until(call_id, |call| call["state"] == "in_progress").await;
    stop(&world, &json!({"scope": "agent", "value": "demo", "reason": "its prompt is wrong"})).await;
    let call = world.settled(call_id).await;
    assert_eq!((&call["outcome"], call["recording"].is_null()), (&"answered".into(), false), "{call:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_lifted_and_calls_go_on() {
    let world = World::start().await;
    let stop =
        stop(&world, &json!({"scope": "from", "value": testkit::world::CALLER_ID, "reason": "spam label"})).await;
    let call_id = world.call("+14155550101").await;
    world.pump().await;
    assert_eq!(world.view(call_id).await["state"], "intent");
    let path = format!("/api/stops/{}", stop["id"].as_str().unwrap());
    let (status, lifted) = world.send(Method::DELETE, &path, None, &[]).await;
    assert_eq!((status, lifted["lifted_by"].as_str()), (200, Some("test")));
    let all = world.get("/api/stops").await;
    assert_eq!(all["stops"][0]["id"], stop["id"]);
    world.clock.advance(Duration::from_secs(90));
    world.sweep().await;
    assert_eq!(world.settled(call_id).await["outcome"], "answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_is_taken_back_before_it_is_answered_and_hung_up_after() {
    let world = World::start_with(simulator::Config {
        time_scale: 5.0,
        calls_per_second: 1000.0,
        ..simulator::Config::default()
    })
    .await;
    let waiting = world.written_down("+14155550101").await;
    let (status, body) = world.send(Method::POST, &format!("/api/calls/{waiting}/cancel"), None, &[]).await;
    assert_eq!((status, &body["outcome"]), (200, &"canceled".into()), "{body:#}");

    let ringing = world.call("+14155550152").await;
    world.until(ringing, |call| call["state"] == "ringing" || call["state"] == "queued").await;
    assert_eq!(world.send(Method::POST, &format!("/api/calls/{ringing}/cancel"), None, &[]).await.0, 202);
    assert_eq!(world.settled(ringing).await["outcome"], "canceled");

    let talking = world.call("+14155550201").await;
    world.until(talking, |call| call["state"] == "in_progress").await;
    let connected =
        || world.vendors.book(|book| book.conversations.values().any(|said| said.external_number == "+14155550201"));
    while !connected() {
        world.pump().await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (status, problem) = world.send(Method::POST, &format!("/api/calls/{talking}/cancel"), None, &[]).await;
    assert_eq!(status, 409, "somebody is on the line: {problem:#}");
    assert_eq!(world.send(Method::POST, &format!("/api/calls/{talking}/hangup"), None, &[]).await.0, 202);
    assert_eq!(world.settled(talking).await["outcome"], "answered");
    assert_eq!(world.send(Method::POST, &format!("/api/calls/{talking}/hangup"), None, &[]).await.0, 409);
    let none = uuid::Uuid::new_v4();
    assert_eq!(world.send(Method::POST, &format!("/api/calls/{none}/hangup"), None, &[]).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_lost_is_sent_again_by_the_sweep() {
    let world = World::start_with(simulator::Config {
        time_scale: 2.0,
        calls_per_second: 1000.0,
        ..simulator::Config::default()
    })
    .await;
    let ringing = world.call("+14155550152").await;
    world.until(ringing, |call| call["state"] == "ringing").await;
    world.send(Method::POST, &format!("/api/calls/{ringing}/cancel"), None, &[]).await;
    world.cloud.sqs.purge_queue().queue_url(&world.cloud.calls.url).send().await.unwrap();
    world.clock.advance(Duration::from_secs(6));
    world.sweep().await;
    assert_eq!(world.settled(ringing).await["outcome"], "canceled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_still_waits_at_the_carrier_when_its_window_closes_is_taken_back() {
    let world = World::start_with(simulator::Config { calls_per_second: 0.001, ..simulator::Config::default() }).await;
    let first = world.call("+14155550151").await;
    let call_id = world.call("+14155550101").await;
    for _ in 0..5 {
        world.pump().await;
    }
    assert_eq!(world.view(call_id).await["state"], "queued");
    let until = "select lawful_until > now() from calls where lawful_until is not null limit 1";
    assert!(world.database.client().await.query_one(until, &[]).await.is_ok());
    world.clock.advance(Duration::from_hours(24));
    world.sweep().await;
    let call = world.until(call_id, |call| call["state"] == "ended").await;
    assert_eq!(call["outcome"], "canceled", "{call:#} {first}");
}

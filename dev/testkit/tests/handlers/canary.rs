//! The canary: a schedule's call to a number of the owner's, a call like any other, and what health says of it.

#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

use std::time::Duration;

use elevenwire::store::canary::{ASKER, GRACE_SECS};
use health::{Check, Report, Status};
use http::Method;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use testkit::World;
use uuid::Uuid;

use crate::measuring::{pulse, total};
use crate::settling::drop_all_webhooks;

const OWN: &str = "+14155550101";

async fn rung(world: &World, number: &str) -> Uuid {
    world.ring(number, "demo", world.clock.now()).await.unwrap().call_id
}

/// Moves on to the middle of the minute after a moment: its pulse tells what was settled then.
fn await_pulse(world: &World, at: Timestamp) {
    let middle = Timestamp::from_second(at.as_second().div_euclid(60) * 60 + 90).unwrap();
    world.clock.advance(Duration::try_from(middle.duration_since(world.clock.now())).unwrap_or_default());
}

fn check(report: &Report) -> &Check {
    report.checks.iter().find(|check| check.name == "canary").unwrap()
}

/// What health says, which fails by its canary alone.
async fn failing(world: &World) -> String {
    let report = world.check_canary().await;
    let wrong: Vec<&Check> = report.checks.iter().filter(|check| !check.ok).collect();
    assert_eq!((wrong.len(), report.status), (1, Status::Failing), "{wrong:?}");
    check(&report).detail.clone().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_is_delivered_twice_rings_once_and_health_tells_how_long_it_took() {
    let world = World::start().await;
    assert_eq!(check(&world.check_canary().await).detail.as_deref(), Some("none was rung yet"));
    let at = world.clock.now();
    let first = world.ring(OWN, "demo", at).await.unwrap();
    let second = world.ring(OWN, "demo", at).await.unwrap();
    assert_eq!((first.call_id, first.replayed, second.replayed), (second.call_id, false, true));
    let call = world.settled(first.call_id).await;
    assert_eq!((&call["outcome"], &call["metadata"]), (&json!("answered"), &json!({ "canary": at })), "{call:#}");
    let third = world.ring(OWN, "demo", at).await.unwrap();
    assert_eq!((third.call_id, third.replayed), (first.call_id, true));
    world.pump().await;
    assert_eq!(world.vendors.book(|book| book.dials.len()), 1);
    let asked = format!("select count(*) from calls where requested_by = '{ASKER}' and max_duration_secs = 120");
    assert_eq!(world.database.count(&asked).await, 1);

    let report = world.check_canary().await;
    let (canary, told) = (report.canary.clone().unwrap(), check(&report));
    assert!(told.ok && told.detail.as_ref().unwrap().starts_with("answered and home in "), "{told:?}");
    assert_eq!((canary.call_id, canary.agent_connected), (first.call_id, Some(true)));
    let parts = [canary.to_ringing_secs, canary.ringing_secs, canary.to_agent_secs, canary.to_settled_secs];
    let whole = canary.end_to_end_secs.unwrap();
    assert!(whole > 0.0 && parts.iter().all(Option::is_some), "{canary:?}");
    let served = world.get("/api/health").await;
    assert_eq!(served["canary"]["call_id"], json!(first.call_id));
    assert!(!served.to_string().contains("4155550101"), "its number is nobody's business");

    await_pulse(&world, canary.settled_at.unwrap());
    assert_eq!(pulse(&world).await["CanaryEndToEnd"], whole);
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(pulse(&world).await.get("CanaryEndToEnd"), None, "it is told once");
    let told = world.metrics();
    assert_eq!((total(&told, "health", "CanaryFailed"), total(&told, "initiate-call", "CanaryFailed")), (0.0, 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_canary_health_looks_at_none() {
    let world = World::start().await;
    world.settled(rung(&world, "+14155550152").await).await;
    let report = world.check_health().await;
    assert!(report.canary.is_none() && report.checks.iter().all(|check| check.name != "canary"), "{report:?}");
    assert_eq!(report.status, Status::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_holds_the_canary_and_the_next_one_that_comes_home_mends_health() {
    let world = World::start().await;
    let stop = json!({ "scope": "all", "reason": "wrong list" });
    let (status, stop) = world.send(Method::POST, "/api/stop", Some(&stop), &[]).await;
    assert_eq!(status, 201, "{stop:#}");
    let held = rung(&world, OWN).await;
    world.pump().await;
    assert!(check(&world.check_canary().await).ok, "it may wait for a while");
    world.clock.advance(Duration::from_mins(16));
    world.sweep().await;
    assert_eq!(world.settled(held).await["outcome"], "expired");
    let words = failing(&world).await;
    assert!(words.contains("ended as expired") && words.contains("A stop held it"), "{words}");
    assert!(words.contains(&format!("/api/calls/{held}")), "{words}");

    let lift = format!("/api/stops/{}", stop["id"].as_str().unwrap());
    assert_eq!(world.send(Method::DELETE, &lift, None, &[]).await.0, 200);
    let next = rung(&world, OWN).await;
    assert!(failing(&world).await.contains("A stop held it"), "one that is under way proves nothing");
    world.settled(next).await;
    let report = world.check_canary().await;
    assert!(check(&report).ok, "{report:?}");
    let told = world.metrics();
    assert_eq!((total(&told, "health", "CanaryFailed"), total(&told, "health", "OwnChecksFailed")), (2.0, 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_guard_forbids_is_not_dialled_and_is_the_canarys_result() {
    let world = World::start().await;
    let (status, _) =
        world.send(Method::POST, "/api/suppressions", Some(&json!({ "number": OWN, "reason": "asked" })), &[]).await;
    assert_eq!(status, 201);
    let call = world.settled(rung(&world, OWN).await).await;
    assert_eq!((&call["outcome"], &call["reason"]), (&json!("blocked"), &json!("suppressed")));
    let words = failing(&world).await;
    assert!(words.contains("ended as blocked (suppressed)"), "{words}");
    assert_eq!(world.vendors.book(|book| book.dials.len()), 0);
    await_pulse(&world, call["settled_at"].as_str().unwrap().parse().unwrap());
    assert_eq!(pulse(&world).await.get("CanaryEndToEnd"), None, "what did not come home took no time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_reaches_nobody_or_no_agent_or_a_machine_fails_with_its_own_mend() {
    let world = World::start().await;
    for (number, outcome, mend) in [
        ("+14155550152", "no_answer", "must answer by itself"),
        ("+14155550155", "abandoned", "The agent did not come"),
        ("+14155550150", "voicemail", "machine detection"),
    ] {
        assert_eq!(world.settled(rung(&world, number).await).await["outcome"], outcome);
        let words = failing(&world).await;
        assert!(words.contains(&format!("ended as {outcome}")) && words.contains(mend), "{words}");
        world.clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_is_not_settled_after_its_grace_fails() {
    let world = World::start().await;
    drop_all_webhooks(&world);
    let call_id = rung(&world, OWN).await;
    world.pump().await;
    assert!(check(&world.check_canary().await).ok);
    world.clock.advance(Duration::from_secs(GRACE_SECS.unsigned_abs().into()));
    let words = failing(&world).await;
    assert!(words.contains("is not settled") && words.contains(&call_id.to_string()), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_canary_from_being_written_down_is_said_and_counted() {
    let world = World::start().await;
    let now = world.clock.now();
    let refused = async |number: &str, agent: &str, at| world.ring(number, agent, at).await.unwrap_err().reason;
    for (words, reason) in [
        ("CanaryAgent is not registered.", refused(OWN, "nobody", now).await),
        ("CanaryNumber has no country code.", refused("4155550101", "demo", now).await),
        ("more than an hour ago", refused(OWN, "demo", now - 61.minutes()).await),
        ("Deploy with CanaryNumber and CanaryAgent, both.", world.ring_if(None, now).await.unwrap_err().reason),
    ] {
        assert!(reason.contains(words) && !reason.contains("4155550101"), "{reason}");
    }
    assert_eq!(world.database.count("select count(*) from calls").await, 0);
    let waiting = world.written_down(OWN).await;
    let busy = refused(OWN, "demo", now).await;
    assert!(busy.contains(&format!("/api/calls/{waiting}")), "{busy}");
    assert_eq!(total(&world.metrics(), "initiate-call", "CanaryFailed"), 5.0);
    world.metrics().iter().for_each(|told| assert!(!told.to_string().contains("4155550101")));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_sleeps_the_last_canary_is_that_of_the_check_before() {
    let world = World::start().await;
    world.cloud.make_rules().await;
    let call_id = rung(&world, "+14155550152").await;
    world.cloud.schedules().wake(&world.database.store(), world.clock.now()).await;
    assert_eq!(world.cloud.rules_on().await, [true, true]);
    world.settled(call_id).await;
    world.pump().await;
    let awake = failing(&world).await;
    world.clock.advance(Duration::from_mins(11));
    assert!(world.cloud.schedules().rest(&world.database.store(), world.clock.now()).await.unwrap());
    for _ in 0..2 {
        assert_eq!(failing(&world).await, awake);
    }
    let served: Value = world.http.get(format!("{}/api/health", world.url)).send().await.unwrap().json().await.unwrap();
    assert_eq!((&served["asleep"], &served["canary"]["call_id"]), (&json!(true), &json!(call_id)));
}

//! Health.

use std::time::Duration;

use serde_json::json;
use testkit::World;

#[tokio::test(flavor = "multi_thread")]
async fn health_serves_the_last_check_and_says_when_there_is_none_or_it_is_old() {
    let world = World::start().await;
    let get = async || world.http.get(format!("{}/api/health", world.url)).send().await.unwrap();
    assert_eq!(get().await.status(), 503, "nothing was checked yet");
    world.check_health().await;
    let answer = get().await;
    assert_eq!(answer.status(), 200);
    let report: serde_json::Value = answer.json().await.unwrap();
    let names: Vec<&str> =
        report["checks"].as_array().unwrap().iter().filter_map(|check| check["name"].as_str()).collect();
    for name in ["database", "bucket", "signalwire", "elevenlabs", "queue calls"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert!(report["warnings"][0].as_str().unwrap().contains("ALLOWED_IPS"), "the open address list is told");
    world.clock.advance(Duration::from_mins(16));
    assert_eq!(get().await.status(), 503, "an old result says nothing about now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_refuses_our_key_makes_health_fail_with_a_mend() {
    let world = World::start().await;
    world
        .vendors
        .configure(json!({ "faults": [
        { "where": "*", "kind": "http_status", "status": 401 },
    ] }))
        .unwrap();
    let report = world.check_health().await;
    assert_eq!(report.status, health::Status::Failing);
    let signalwire = report.checks.iter().find(|check| check.name == "signalwire").unwrap();
    assert!(!signalwire.ok && signalwire.detail.as_ref().unwrap().contains("SIGNALWIRE_API_TOKEN"), "{signalwire:?}");
    let answer = world.http.get(format!("{}/api/health", world.url)).send().await.unwrap();
    assert_eq!(answer.status(), 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_can_make_us_call_a_vendor() {
    let world = World::start().await;
    let deep = format!("{}/api/health?deep=1", world.url);
    assert_eq!(world.http.get(&deep).send().await.unwrap().status(), 401);
    assert!(world.vendors.book(|book| book.requests.is_empty()));
    assert_eq!(world.http.get(&deep).bearer_auth(testkit::world::TOKEN).send().await.unwrap().status(), 200);
    assert!(!world.vendors.book(|book| book.requests.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_versions_and_what_waits_and_what_was_put_aside() {
    let world = World::start().await;
    let report = world.check_health().await;
    let database = report.database.unwrap();
    assert_eq!((database.schema_version, report.oldest_due_secs), (database.schema_needed, None));
    assert!(database.server_version.starts_with(|c: char| c.is_ascii_digit()), "{database:?}");
    assert!(report.queues.iter().all(|queue| queue.dead == Some(0)), "{:?}", report.queues);
    world.written_down("+14155550101").await;
    world.clock.advance(Duration::from_mins(7));
    let cloud = &world.cloud;
    cloud.sqs.send_message().queue_url(&cloud.calls.dead_url).message_body("{}").send().await.unwrap();
    let report = world.check_health().await;
    assert!(report.oldest_due_secs.unwrap() >= 400, "{:?}", report.oldest_due_secs);
    let calls = report.queues.iter().find(|queue| queue.name == "calls").unwrap();
    assert_eq!(calls.dead, Some(1));
}

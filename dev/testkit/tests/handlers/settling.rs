//! Everything comes home, also when no webhook does.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::World;
use uuid::Uuid;

pub(crate) fn faults(world: &World, rules: &Value) {
    world.vendors.configure(json!({ "faults": rules })).unwrap();
}

/// No post-call webhook and no status callback arrives; voice and initiation do.
pub(crate) fn drop_all_webhooks(world: &World) {
    let rules = ["status_callback", "post_call_transcription", "post_call_audio", "call_initiation_failure"];
    let rules: Vec<Value> = rules.iter().map(|place| json!({ "where": place, "kind": "drop" })).collect();
    faults(world, &json!(rules));
}

/// Lets time pass, as much as a day, with the schedules running.
pub(crate) async fn let_time_pass(world: &World, call_id: Uuid, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..80 {
        world.pump().await;
        world.vendors.wait_idle(Duration::from_secs(5)).await;
        world.pump().await;
        let call = world.view(call_id).await;
        if wanted(&call) {
            return call;
        }
        world.clock.advance(Duration::from_mins(5));
        world.sweep().await;
        world.reconcile().await;
    }
    panic!("it never came as far: {:#}", world.view(call_id).await);
}

pub(crate) fn settled(call: &Value) -> bool {
    !call["settled_at"].is_null()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_webhook_lost_each_fate_still_ends_with_its_outcome_transcript_and_recording() {
    let world = World::start().await;
    drop_all_webhooks(&world);
    let fates = [
        ("+14155550101", "answered"),
        ("+14155550150", "voicemail"),
        ("+14155550151", "busy"),
        ("+14155550152", "no_answer"),
        ("+14155550154", "unreachable"),
        ("+14155550155", "abandoned"),
        ("+14155550158", "answered"),
        ("+14155550161", "screened"),
    ];
    let mut calls = Vec::new();
    for (to, outcome) in fates {
        calls.push((world.call(to).await, to, outcome));
    }
    for (call_id, to, outcome) in calls {
        let call = let_time_pass(&world, call_id, settled).await;
        assert_eq!(call["outcome"], outcome, "{to}: {call:#}");
        if outcome == "answered" && to.ends_with("01") {
            let recorded = world.vendors.book(|book| {
                let id = call["conversation"]["id"].as_str().unwrap();
                book.conversations[id].recording.clone().unwrap()
            });
            assert_eq!(call["recording"]["sha256"], recorded.sha256.as_str());
            assert_eq!(call["recording"]["source"], "api");
        }
    }
    let report = world.report().await;
    assert_eq!(
        (&report["placed"], &report["settled"], &report["double_dials"]),
        (&8.into(), &8.into(), &0.into()),
        "{report:#}"
    );
    assert!(report["healed"].as_i64().unwrap() >= 7, "{report:#}");
    assert_eq!(world.cloud.keys("reports/settlement/").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_whose_answer_and_callbacks_were_lost_is_found_in_the_carriers_list() {
    let world = World::start().await;
    faults(
        &world,
        &json!([
            { "where": "calls_create", "kind": "taken_but_no_answer", "how": "stall", "times": 1 },
            { "where": "status_callback", "kind": "drop" }, { "where": "voice", "kind": "drop" }, { "where": "fallback", "kind": "drop" },
        ]),
    );
    let call_id = world.call("+14155550151").await;
    let call = let_time_pass(&world, call_id, settled).await;
    assert_eq!(call["outcome"], "busy");
    assert_eq!(world.vendors.book(|book| book.dials.len()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_the_carrier_never_had_is_given_up_and_its_number_put_on_hold() {
    let world = World::start().await;
    faults(&world, &json!([{ "where": "calls_create", "kind": "http_status", "status": 502, "times": 1 }]));
    let call_id = world.call("+14155550101").await;
    let call = let_time_pass(&world, call_id, |call| call["outcome"] == "unknown").await;
    assert_eq!(call["settled_at"], Value::Null, "giving up is not settling");
    let given_up = "select count(*) from unsettled_calls where given_up";
    assert_eq!(world.database.count(given_up).await, 1);
    assert_eq!(world.database.count("select count(*) from numbers where hold_until is not null").await, 1);
    let refused = world.refused("demo", "+14155550101").await;
    assert_eq!(refused["because"][0]["rule"], "on_hold", "{refused:#}");
    assert_eq!(world.vendors.book(|book| book.dials.len()), 0);
    assert_eq!(world.report().await["given_up"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_turns_up_after_it_was_given_up_is_cancelled_before_it_rings() {
    let world = World::start().await;
    // One call a minute: the first one takes the slot, the second one waits in the carrier's hidden queue.
    world.vendors.configure(json!({ "calls_per_second": 1.0 / 60.0 })).unwrap();
    let first = world.call("+14155550151").await;
    world.settled(first).await;
    let lag = json!({ "where": "calls_list", "kind": "lag_ms", "ms": 1_000_000_000 });
    faults(&world, &json!([{ "where": "calls_create", "kind": "taken_but_no_answer", "how": "cut", "times": 1 }, lag]));
    let call_id = world.call("+14155550101").await;
    world.until(call_id, |call| call["state"] == "unknown").await;
    for _ in 0..50 {
        world.clock.advance(Duration::from_mins(5));
        world.reconcile().await;
    }
    assert_eq!(world.view(call_id).await["outcome"], "unknown");
    faults(&world, &json!([]));
    world.clock.advance(Duration::from_hours(1));
    world.reconcile().await;
    let call = world.settled(call_id).await;
    assert_eq!(call["outcome"], "canceled");
    let rung = world.vendors.book(|book| book.dials.values().filter(|dial| dial.rung_at.is_some()).count());
    assert_eq!(rung, 0, "the first one was busy, the second one taken back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_is_too_large_to_be_pushed_is_fetched() {
    let world = World::start().await;
    // Half an hour at 64 kbit/s: 14 MB, over the door's limit once it is base64.
    world.vendors.configure(json!({ "recording_secs": 1800, "recording_kbps": 64 })).unwrap();
    let call_id = world.call("+14155550101").await;
    let call = let_time_pass(&world, call_id, settled).await;
    let recorded = world.vendors.book(|book| book.conversations.values().next().unwrap().recording.clone().unwrap());
    assert!(recorded.bytes > 10_000_000);
    assert_eq!(
        (&call["recording"]["sha256"], &call["recording"]["source"]),
        (&recorded.sha256.as_str().into(), &"api".into())
    );
    let object = world.cloud.blobs().get(call["recording"]["storage_path"].as_str().unwrap()).await.unwrap();
    assert_eq!(object.len() as u64, recorded.bytes);
    assert!(world.cloud.keys("incoming/").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_the_vendor_does_not_have_is_absent_with_its_reason() {
    let world = World::start().await;
    faults(
        &world,
        &json!([{ "where": "post_call_audio", "kind": "drop" },
        { "where": "audio_get", "kind": "http_status", "status": 404, "json": true }]),
    );
    let call_id = world.call("+14155550101").await;
    let call = let_time_pass(&world, call_id, settled).await;
    assert_eq!(call["recording"], Value::Null);
    let sql = "select count(*) from calls where recording = 'absent' and recording_absent_because <> ''";
    assert_eq!(world.database.count(sql).await, 1);
    assert_eq!(world.report().await["absent"][0]["piece"], "recording");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_nobody_placed_is_found_by_list_and_what_is_final_is_not_fetched_again() {
    let world = World::start().await;
    drop_all_webhooks(&world);
    let inbound = json!({ "number": testkit::world::AGENT_NUMBER, "from": "+14155550177" });
    let asked =
        world.http.post(format!("{}/control/inbound", world.vendors.url())).json(&inbound).send().await.unwrap();
    assert_eq!(asked.status(), 202);
    world.vendors.wait_idle(Duration::from_secs(10)).await;
    world.clock.advance(Duration::from_mins(5));
    assert_eq!(world.reconcile().await.fetched, 1);
    world.pump().await;
    assert_eq!(world.database.count("select count(*) from conversations where source = 'api'").await, 1);
    assert_eq!(world.reconcile().await.fetched, 0, "it is stored as final");
    world.clock.advance(Duration::from_mins(15));
    world.reconcile().await;
    world.pump().await;
    assert_eq!(world.database.count("select count(*) from call_recordings").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn reconcile_changes_nothing_about_a_settled_call() {
    let world = World::start().await;
    let call_id = world.call("+14155550101").await;
    world.settled(call_id).await;
    // What it cost is all that is learnt after that, and once.
    world.clock.advance(Duration::from_mins(30));
    assert_eq!(world.reconcile().await.priced, 1);
    let before = world.view(call_id).await;
    for _ in 0..5 {
        world.clock.advance(Duration::from_mins(30));
        assert_eq!(world.reconcile().await.priced, 0);
        world.pump().await;
    }
    assert_eq!(world.view(call_id).await, before);
}

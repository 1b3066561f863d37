//! Answers that are none, and answers of ours that never arrive: what the chaos run has found.

use serde_json::json;
use testkit::World;

use crate::settling::{drop_all_webhooks, faults, let_time_pass, settled};

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_place_of_a_recording_is_not_stored_as_one() {
    let world = World::start().await;
    let garbled = json!({ "where": "audio_get", "kind": "taken_but_no_answer", "how": "garbled", "times": 1 });
    faults(&world, &json!([{ "where": "post_call_audio", "kind": "drop" }, garbled]));
    let call_id = world.call("+14155550101").await;
    let call = let_time_pass(&world, call_id, settled).await;
    let recorded = world.vendors.book(|book| book.conversations.values().next().unwrap().recording.clone().unwrap());
    assert_eq!(call["recording"]["sha256"], recorded.sha256.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_cannot_be_read_when_it_is_fetched_is_fetched_again() {
    let world = World::start().await;
    world.vendors.configure(json!({ "switches": { "transcript_format": "opentelemetry" } })).unwrap();
    let garbled = json!({ "where": "conversation_get", "kind": "taken_but_no_answer", "how": "garbled", "times": 1 });
    faults(&world, &json!([garbled]));
    let call_id = world.call("+14155550101").await;
    let call = let_time_pass(&world, call_id, settled).await;
    assert!(call["conversation"]["messages"].as_array().unwrap().len() > 3);
    assert_eq!(world.cloud.transcriptions.buried().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_meets_the_agent_twice_when_our_answer_to_its_leaving_is_lost() {
    let world = World::start().await;
    faults(&world, &json!([{ "where": "action", "kind": "taken_but_no_answer", "how": "cut" }]));
    let call_id = world.call("+14155550101").await;
    let call = world.settled(call_id).await;
    assert_eq!(call["outcome"], "answered");
    world.vendors.wait_idle(std::time::Duration::from_secs(10)).await;
    assert_eq!(world.vendors.book(|book| book.conversations.len()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_answered_is_abandoned_also_where_the_carrier_calls_it_failed() {
    let world = World::start().await;
    world.vendors.configure(json!({ "switches": { "voice_error_status": "failed" } })).unwrap();
    faults(&world, &json!([{ "where": "voice", "kind": "drop" }, { "where": "fallback", "kind": "drop" }]));
    let call_id = world.call("+14155550101").await;
    let call = let_time_pass(&world, call_id, settled).await;
    assert_eq!(call["outcome"], "abandoned");
}

#[tokio::test(flavor = "multi_thread")]
async fn why_nobody_answered_is_read_from_the_list_where_the_resource_is_silent() {
    let world = World::start().await;
    let switches = json!({ "call_object": "minimal", "declined_status": "no-answer" });
    world.vendors.configure(json!({ "switches": switches })).unwrap();
    faults(&world, &json!([{ "where": "status_callback", "kind": "drop", "event": "completed" }]));
    let call_id = world.call("+14155550153").await;
    let call = let_time_pass(&world, call_id, settled).await;
    assert_eq!((&call["outcome"], &call["sip_code"]), (&json!("declined"), &json!(603)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_number_is_known_by_its_code_also_when_it_stands_in_a_text() {
    let world = World::start().await;
    world.vendors.configure(json!({ "switches": { "error_shape": "texts" } })).unwrap();
    let call_id = world.call("+14155550160").await;
    assert_eq!(world.settled(call_id).await["outcome"], "unreachable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_cannot_be_fetched_does_not_keep_the_later_ones_away() {
    let world = World::start().await;
    drop_all_webhooks(&world);
    for from in ["+14155550177", "+14155550178"] {
        let inbound = json!({ "number": testkit::world::AGENT_NUMBER, "from": from });
        let asked = world.http.post(format!("{}/control/inbound", world.vendors.url())).json(&inbound).send().await;
        assert_eq!(asked.unwrap().status(), 202);
        world.vendors.wait_idle(std::time::Duration::from_secs(10)).await;
    }
    let first = world.vendors.book(|book| {
        let first = book.conversations.values().min_by_key(|conversation| conversation.started_at);
        first.unwrap().conversation_id.clone()
    });
    faults(&world, &json!([{ "where": "conversation_get", "kind": "http_status", "status": 500, "call": first }]));
    world.clock.advance(std::time::Duration::from_mins(5));
    let summary = world.reconcile().await;
    assert_eq!((summary.fetched, summary.failed), (1, 1));
    world.pump().await;
    faults(&world, &json!([]));
    assert_eq!(world.reconcile().await.fetched, 1, "the watermark has waited for it");
}

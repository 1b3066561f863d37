//! The scenarios: what the carrier made of the question × what of its news arrives.

use std::time::Duration;

use elevenwire::crash::Effect::{self, Commit, Copy, Delete, Http, Part, Put, Send, UploadBegin, UploadEnd, Write};
use serde_json::{Value, json};

use crate::walk::{Scenario, Walk};

const TALKS: &str = "+14155550101";
const BUSY: &str = "+14155550151";
const REFUSED: &str = "+14155550160";

fn rules(groups: &[Value]) -> Value {
    groups.iter().flat_map(|group| group.as_array().unwrap().clone()).collect()
}

/// Taken, and the answer is lost.
fn no_answer() -> Value {
    json!([{ "where": "calls_create", "kind": "taken_but_no_answer", "how": "cut", "times": 1 }])
}

/// No status callback and no post-call webhook arrives.
fn no_news() -> Value {
    let places = ["status_callback", "post_call_transcription", "post_call_audio", "call_initiation_failure"];
    places.iter().map(|place| json!({ "where": place, "kind": "drop" })).collect()
}

/// A call is in the list only ten minutes after it was taken.
fn list_lags() -> Value {
    json!([{ "where": "calls_list", "kind": "lag_ms", "ms": 600_000 }])
}

#[tokio::test(flavor = "multi_thread")]
async fn taken() {
    Walk::all(Scenario::of(TALKS, "answered", json!([]), &[Commit, Write, Http, Put, Send])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_and_no_news_arrives() {
    Walk::all(Scenario::of(TALKS, "answered", no_news(), &[Commit, Write, Http, Put, Send, Copy, Delete])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_and_no_news_arrives_and_the_list_lags() {
    let faults = rules(&[no_news(), list_lags()]);
    Walk::all(Scenario::of(BUSY, "busy", faults, &[Commit, Write, Http, Send])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused() {
    Walk::all(Scenario::of(REFUSED, "unreachable", json!([]), &[Commit, Http, Send])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_for_now_and_taken_when_asked_again() {
    let patience = json!([{ "where": "calls_create", "kind": "http_status", "status": 429, "times": 1 }]);
    Walk::all(Scenario::of(BUSY, "busy", patience, &[Commit, Http, Send])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_without_an_answer() {
    Walk::all(Scenario::of(TALKS, "answered", no_answer(), &[Commit, Write, Http, Put, Send])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_without_an_answer_and_no_news_arrives() {
    let faults = rules(&[no_answer(), no_news()]);
    Walk::all(Scenario::of(TALKS, "answered", faults, &[Commit, Write, Http, Put, Send, Copy, Delete])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_without_an_answer_and_no_news_arrives_and_the_list_lags() {
    let faults = rules(&[no_answer(), no_news(), list_lags()]);
    Walk::all(Scenario::of(BUSY, "busy", faults, &[Commit, Write, Http, Send])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn found_after_it_was_given_up_and_taken_back() {
    let lag = json!([{ "where": "calls_list", "kind": "lag_ms", "ms": 1_000_000_000 }]);
    Walk::all(Scenario {
        // The first call takes the carrier's slot, the second one waits in its hidden queue.
        vendors: json!({ "calls_per_second": 0.001 }),
        after_call_to: Some(BUSY),
        // Unknown, given up at the latest the second time, found; and time for whoever died then.
        steps: &[60, 15_000, 300, 3600, 60, 3600, 3600, 3600, 3600],
        later: Some((3, no_news())),
        patience: Duration::from_millis(10),
        only: &["place-call", "reconcile"],
        ..Scenario::of(TALKS, "canceled", rules(&[no_answer(), no_news(), lag]), &[Commit, Write, Http, Send])
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_hung_up_on() {
    Walk::all(Scenario {
        // Two hours of nominal time are seven seconds.
        vendors: json!({ "time_scale": 1000, "talk_secs": 7000 }),
        agent: json!({ "amd": "hang_up", "max_duration_secs": 7200 }),
        patience: Duration::from_millis(200),
        only: &["place-call", "call-status", "campaign-trigger", "signalwire-webhook status"],
        ..Scenario::of(TALKS, "voicemail", json!([]), &[Commit, Write, Http, Send])
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_recording_that_is_fetched_in_parts() {
    let no_push = json!([{ "where": "post_call_audio", "kind": "drop" }]);
    Walk::all(Scenario {
        vendors: json!({ "recording_secs": 1200, "recording_kbps": 64 }),
        only: &["audio-webhook"],
        ..Scenario::of(TALKS, "answered", no_push, &[Http, UploadBegin, Part, UploadEnd, Copy, Delete, Commit])
    })
    .await;
}

/// The agent's vendor dials itself.
fn trunk(to: &'static str, outcome: &'static str, faults: Value, effects: &'static [Effect]) -> Scenario {
    let number = testkit::world::CALLER_ID;
    Scenario {
        vendors: json!({ "numbers": [{ "number": number, "agent_id": "agent_demo", "phone_number_id": "phnum_demo" }] }),
        agent: json!({ "connect": "trunk", "number": number, "elevenlabs_phone_number_id": "phnum_demo",
            "ring_timeout_secs": 5 }),
        ..Scenario::of(to, outcome, faults, effects)
    }
}

/// As [`no_answer`], where the agent's vendor dials.
fn no_answer_of_trunk() -> Value {
    json!([{ "where": "outbound_call", "kind": "taken_but_no_answer", "how": "cut", "times": 1 }])
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_by_the_agents_vendor() {
    Walk::all(trunk(TALKS, "answered", json!([]), &[Commit, Http, Put, Send])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_by_the_agents_vendor_without_an_answer_and_no_news_arrives() {
    let faults = rules(&[no_answer_of_trunk(), no_news()]);
    Walk::all(trunk(TALKS, "answered", faults, &[Commit, Write, Http, Put, Send, Copy, Delete])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_by_the_agents_vendor_and_no_news_arrives_and_the_list_lags() {
    let lag = json!([{ "where": "conversations_list", "kind": "lag_ms", "ms": 600_000 }]);
    Walk::all(trunk(TALKS, "answered", rules(&[no_news(), lag]), &[Commit, Write, Http, Put, Send])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_for_now_by_the_agents_vendor_and_taken_when_asked_again() {
    let patience =
        json!([{ "where": "outbound_call", "kind": "http_status", "status": 429, "json": true, "times": 1 }]);
    Walk::all(trunk(BUSY, "busy", patience, &[Commit, Http, Send])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_by_the_agents_vendor() {
    let no = json!([{ "where": "outbound_call", "kind": "http_status", "status": 400, "json": true }]);
    Walk::all(trunk(TALKS, "failed", no, &[Commit, Http, Send])).await;
}

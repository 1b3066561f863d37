//! One dial at most, whatever the carrier answers.

use std::time::Duration;

use elevenwire::call::Connect;
use elevenwire::queue::CallCommand;
use elevenwire::store::claims::Claim;
use serde_json::{Value, json};
use testkit::World;

fn fault(world: &World, rule: &Value) {
    world.vendors.configure(json!({ "faults": [rule] })).unwrap();
}

fn dials(world: &World) -> usize {
    world.vendors.book(|book| book.dials.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_is_unknown_and_the_first_callback_adopts_the_call() {
    let world = World::start().await;
    for (number, how) in
        [("+14155550101", "cut"), ("+14155550102", "500"), ("+14155550103", "503"), ("+14155550104", "garbled")]
    {
        fault(&world, &json!({ "where": "calls_create", "kind": "taken_but_no_answer", "how": how, "times": 1 }));
        let before = dials(&world);
        let call_id = world.call(number).await;
        let call = world.settled(call_id).await;
        assert_eq!(call["outcome"], "answered", "{how}: {call:#}");
        assert!(call["carrier_sid"].is_string());
        assert_eq!(dials(&world), before + 1, "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_attempt_is_never_asked_again() {
    let world = World::start().await;
    // Nothing was taken, and nobody can know: a bare 503.
    fault(&world, &json!({ "where": "calls_create", "kind": "http_status", "status": 503, "times": 1 }));
    let call_id = world.call("+14155550101").await;
    world.until(call_id, |call| call["state"] == "unknown").await;
    for _ in 0..5 {
        world.clock.advance(Duration::from_mins(10));
        world.sweep().await;
        world.cloud.calls.queue().send(&CallCommand::Place { call_id }).await.unwrap();
        world.pump().await;
    }
    assert_eq!(dials(&world), 0);
    assert_eq!(world.view(call_id).await["state"], "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_carriers_own_word_that_nothing_happened_allows_another_question() {
    let world = World::start().await;
    fault(&world, &json!({ "where": "calls_create", "kind": "http_status", "status": 429, "times": 2 }));
    let call_id = world.call("+14155550101").await;
    world.until(call_id, |call| call["reason"].is_string()).await;
    assert_eq!(world.view(call_id).await["state"], "intent");
    for _ in 0..4 {
        world.clock.advance(Duration::from_secs(70));
        world.sweep().await;
        world.pump().await;
    }
    let call = world.settled(call_id).await;
    assert_eq!(call["outcome"], "answered");
    assert_eq!(dials(&world), 1);
    assert_eq!(world.database.count("select asks::bigint from calls").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_never_takes_it_ends_the_attempt_with_a_reason() {
    let world = World::start().await;
    fault(&world, &json!({ "where": "calls_create", "kind": "http_status", "status": 429 }));
    let call_id = world.call("+14155550101").await;
    for _ in 0..6 {
        world.pump().await;
        world.clock.advance(Duration::from_secs(70));
        world.sweep().await;
    }
    let call = world.settled(call_id).await;
    assert_eq!(call["outcome"], "failed");
    assert!(call["reason"].as_str().unwrap().contains("asked 4 times"), "{call:#}");
    assert_eq!(dials(&world), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_gives_a_reason_that_a_person_understands() {
    let world = World::start().await;
    let call_id = world.call("+14155550160").await;
    let call = world.settled(call_id).await;
    assert_eq!(call["outcome"], "unreachable");
    assert!(call["reason"].as_str().unwrap().len() > 20, "{call:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wake_up_that_comes_ten_times_dials_once() {
    let world = World::start().await;
    let call_id = world.call("+14155550101").await;
    for _ in 0..10 {
        world.cloud.calls.queue().send(&CallCommand::Place { call_id }).await.unwrap();
    }
    world.settled(call_id).await;
    world.pump().await;
    assert_eq!(dials(&world), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_wake_up_is_found_by_the_sweep() {
    let world = World::start().await;
    let call_id = world.written_down("+14155550101").await;
    assert_eq!(world.sweep().await, 0, "a fresh intent is given its time");
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(world.sweep().await, 1);
    assert_eq!(world.settled(call_id).await["outcome"], "answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_asker_died_is_unknown_and_not_asked_again() {
    let world = World::start().await;
    let call_id = world.call("+14155550101").await;
    let store = world.database.store();
    let claimed = store.claim(call_id, Connect::Sip, &testkit::world::dialling(), world.clock.now()).await.unwrap();
    assert!(matches!(claimed, Claim::Fresh(_)), "{claimed:?}");
    let again = store.claim(call_id, Connect::Sip, &testkit::world::dialling(), world.clock.now()).await.unwrap();
    assert!(matches!(again, Claim::Wait { .. }), "its asker may live: {again:?}");
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(world.sweep().await, 1);
    world.until(call_id, |call| call["state"] == "unknown").await;
    assert_eq!(dials(&world), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_attempts_to_one_number_are_never_live_at_once() {
    let world = World::start().await;
    let first = world.call("+14155550101").await;
    let client = world.database.client().await;
    let copy = "insert into calls select (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid()))).* from calls c returning id";
    let second: uuid::Uuid = client.query_one(copy, &[]).await.unwrap().get(0);
    let store = world.database.store();
    assert!(matches!(
        store.claim(first, Connect::Sip, &testkit::world::dialling(), world.clock.now()).await.unwrap(),
        Claim::Fresh(_)
    ));
    assert!(matches!(
        store.claim(second, Connect::Sip, &testkit::world::dialling(), world.clock.now()).await.unwrap(),
        Claim::Busy { .. }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suppressed_number_is_blocked_and_the_decision_is_kept() {
    let world = World::start().await;
    let call_id = world.call("+14155550101").await;
    let client = world.database.client().await;
    client
        .execute("update numbers set suppressed_at = created_at from calls where number = to_number", &[])
        .await
        .unwrap();
    let call = world.settled(call_id).await;
    assert_eq!((&call["outcome"], &call["reason"]), (&"blocked".into(), &"suppressed".into()));
    assert_eq!(dials(&world), 0);
    assert_eq!(world.database.count("select count(*) from guard_decisions where decision = 'block'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_command_to_hang_up_is_sent_again() {
    let world = World::start().await;
    world.vendors.configure(json!({ "time_scale": 2, "talk_secs": 600, "ring_secs": [0.1, 0.2] })).unwrap();
    let call_id = world.call("+14155550101").await;
    world.until(call_id, |call| call["state"] == "in_progress").await;
    assert!(world.database.store().want_hang_up(call_id, world.clock.now()).await.unwrap());
    world.clock.advance(Duration::from_secs(30));
    world.sweep().await;
    let call = world.until(call_id, |call| call["duration_secs"].is_number()).await;
    assert!(call["duration_secs"].as_i64().unwrap() < 600, "{call:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_whose_time_passed_expires() {
    let world = World::start().await;
    let call_id = world.call("+14155550101").await;
    world.clock.advance(Duration::from_mins(16));
    assert_eq!(world.settled(call_id).await["outcome"], "expired");
    assert_eq!(dials(&world), 0);
}

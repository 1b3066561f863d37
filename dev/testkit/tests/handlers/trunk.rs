//! Calls that ElevenLabs dials: one dial at most, and everything comes home, whatever is heard first.

use std::time::Duration;

use elevenwire::call::{Connect, Fact, InitiationFailure};
use elevenwire::queue::CallCommand;
use elevenwire::store::claims::Claim;
use serde_json::{Value, json};
use testkit::World;

use crate::settling::{faults, let_time_pass, settled};

const NUMBER: &str = "+15550002222";

/// A world with the agent `trunk` beside the usual one.
async fn world() -> World {
    that_rings(60).await
}

/// The same with an agent that lets ring for so many seconds.
async fn that_rings(secs: u32) -> World {
    let world = World::start().await;
    let usual = json!({ "number": testkit::world::AGENT_NUMBER, "agent_id": "agent_demo", "name": "Ava" });
    let dialled =
        json!({ "number": NUMBER, "agent_id": "agent_trunk", "name": "Theo", "phone_number_id": "phnum_trunk" });
    world.vendors.configure(json!({ "numbers": [usual, dialled] })).unwrap();
    let agent = json!({ "elevenlabs_agent_id": "agent_trunk", "number": NUMBER, "caller_ids": [testkit::world::CALLER_ID],
        "connect": "trunk", "elevenlabs_phone_number_id": "phnum_trunk", "ring_timeout_secs": secs, "max_concurrent": 10 });
    let (status, body) = world.send(http::Method::PUT, "/api/agents/trunk", Some(&agent), &[]).await;
    assert_eq!((status, &body["connect"]), (201, &"trunk".into()), "{body}");
    assert_eq!(world.get("/api/agents/trunk").await["elevenlabs_phone_number_id"], "phnum_trunk");
    world
}

fn dials(world: &World) -> usize {
    world.vendors.book(|book| book.dials.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answered_call_comes_home_with_its_transcript_and_its_recording() {
    let world = world().await;
    let call_id = world.call_by("trunk", "+14155550101").await;
    let call = world.settled(call_id).await;
    assert_eq!((&call["outcome"], &call["connect"]), (&"answered".into(), &"trunk".into()), "{call:#}");
    let said = world.vendors.book(|book| book.conversations.values().next().unwrap().clone());
    assert_eq!(call["conversation"]["id"], said.conversation_id.as_str());
    assert_eq!(call["conversation"]["messages"].as_array().unwrap().len(), said.turns.len());
    assert_eq!(call["recording"]["sha256"], said.recording.unwrap().sha256.as_str());
    assert!(call["carrier_sid"].as_str().unwrap().starts_with("SCL_") && call["answered_at"].is_string(), "{call:#}");
    let variables = &said.variables;
    assert_eq!((&variables["call_id"], &variables["first_name"]), (&json!(call_id), &json!("Maria")), "{variables}");
    assert_eq!((dials(&world), world.report().await["double_dials"].as_i64()), (1, Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_somebody_talks_it_is_in_progress_with_its_conversation_noted() {
    let world = world().await;
    world.vendors.configure(json!({ "time_scale": 50, "talk_secs": 600 })).unwrap();
    let call_id = world.call_by("trunk", "+14155550101").await;
    let call = world.until(call_id, |call| call["state"] == "in_progress").await;
    assert!(call["answered_at"].is_string() && call["outcome"].is_null(), "{call:#}");
    let noted = "select count(*) from calls where conversation_id like 'conv_%' and carrier_sid like 'SCL_%'";
    assert_eq!(world.database.count(noted).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_in_which_a_dial_comes_to_nothing_is_told_apart() {
    for order in ["after_answer", "before_answer"] {
        let world = world().await;
        world.vendors.configure(json!({ "switches": { "failure_order": order } })).unwrap();
        for (to, outcome, sip_code) in [
            ("+14155550151", "busy", 486),
            ("+14155550152", "no_answer", 487),
            ("+14155550153", "declined", 603),
            ("+14155550154", "unreachable", 404),
            ("+14155550156", "network_blocked", 607),
            ("+14155550157", "failed", 503),
        ] {
            let call_id = world.call_by("trunk", to).await;
            let call = world.settled(call_id).await;
            assert_eq!((&call["outcome"], &call["sip_code"]), (&outcome.into(), &sip_code.into()), "{order} {to}");
            assert!(call["reason"].as_str().unwrap().contains("in vain"), "{call:#}");
            world.pump().await;
            assert_eq!(world.view(call_id).await["outcome"], outcome, "{order} {to}");
        }
        assert_eq!(dials(&world), 6);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_is_told_before_the_answer_is_not_lost_when_the_answer_is() {
    let world = world().await;
    world.vendors.configure(json!({ "switches": { "failure_order": "before_answer" } })).unwrap();
    faults(&world, &json!([{ "where": "outbound_call", "kind": "taken_but_no_answer", "times": 1 }]));
    let call_id = world.call_by("trunk", "+14155550153").await;
    // The event is handled while the question is still open.
    let told = async {
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_millis(30)).await;
            world.pump().await;
        }
    };
    tokio::join!(world.pump(), told);
    assert_eq!(world.view(call_id).await["state"], "unknown");
    assert_eq!(world.database.count("select count(*) from initiation_failures").await, 1);
    let call = let_time_pass(&world, call_id, settled).await;
    assert_eq!((&call["outcome"], &call["sip_code"]), (&"declined".into(), &603.into()), "{call:#}");
    assert_eq!(dials(&world), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_unknown_and_the_call_is_found_by_its_variable_or_by_its_user_id() {
    for echoed in ["yes", "no"] {
        let world = world().await;
        world.vendors.configure(json!({ "switches": { "outbound_variables_echoed": echoed } })).unwrap();
        let lost = json!({ "where": "outbound_call", "kind": "taken_but_no_answer", "how": "502" });
        let silent = ["post_call_transcription", "post_call_audio", "call_initiation_failure"];
        let silent = silent.map(|place| json!({ "where": place, "kind": "drop" }));
        faults(&world, &json!([lost, silent[0], silent[1], silent[2]]));
        for (to, outcome) in [("+14155550101", "answered"), ("+14155550150", "voicemail"), ("+14155550151", "busy")] {
            let before = dials(&world);
            let call_id = world.call_by("trunk", to).await;
            world.until(call_id, |call| call["state"] == "unknown").await;
            let call = let_time_pass(&world, call_id, settled).await;
            assert_eq!(call["outcome"], outcome, "{echoed} {to}: {call:#}");
            assert_eq!(call["recording"].is_null(), outcome == "busy", "{echoed} {to}: {call:#}");
            assert_eq!(dials(&world), before + 1, "{echoed} {to}");
        }
        let strangers = "select count(*) from conversations v where not exists
            (select 1 from calls where id::text = v.call_id)";
        assert_eq!(world.database.count(strangers).await, 0, "{echoed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_answer_was_lost_is_found_while_it_goes_on() {
    let world = world().await;
    world.vendors.configure(json!({ "time_scale": 100, "talk_secs": 400 })).unwrap();
    faults(&world, &json!([{ "where": "outbound_call", "kind": "taken_but_no_answer", "how": "garbled" }]));
    let call_id = world.call_by("trunk", "+14155550101").await;
    world.until(call_id, |call| call["state"] == "unknown").await;
    world.clock.advance(Duration::from_mins(1));
    world.reconcile().await;
    let call = world.view(call_id).await;
    assert_eq!((&call["state"], &call["double_dial"]), (&"in_progress".into(), &false.into()), "{call:#}");
    assert_eq!(world.settled(call_id).await["outcome"], "answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_was_not_answered_in_time_is_never_put_again() {
    let world = that_rings(5).await;
    faults(&world, &json!([{ "where": "outbound_call", "kind": "taken_but_no_answer", "how": "stall" }]));
    let call_id = world.call_by("trunk", "+14155550151").await;
    world.until(call_id, |call| call["state"] == "unknown").await;
    for _ in 0..5 {
        world.clock.advance(Duration::from_mins(10));
        world.sweep().await;
        world.cloud.trunk_calls.queue().send(&CallCommand::Place { call_id }).await.unwrap();
        world.pump().await;
    }
    assert_eq!(dials(&world), 1);
    assert_eq!(world.database.count("select asks::bigint from calls").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_that_the_vendor_never_made_is_given_up_and_its_number_put_on_hold() {
    let world = world().await;
    faults(&world, &json!([{ "where": "outbound_call", "kind": "http_status", "status": 504, "times": 1 }]));
    let call_id = world.call_by("trunk", "+14155550101").await;
    let call = let_time_pass(&world, call_id, |call| call["outcome"] == "unknown").await;
    assert_eq!(call["settled_at"], Value::Null, "giving up is not settling");
    assert_eq!(world.database.count("select count(*) from numbers where hold_until is not null").await, 1);
    let refused = world.refused("trunk", "+14155550101").await;
    assert_eq!(refused["because"][0]["rule"], "on_hold", "{refused:#}");
    assert_eq!((dials(&world), &world.report().await["given_up"]), (0, &1.into()));
    let asked = world.vendors.book(|book| book.requests.keys().any(|endpoint| endpoint.contains("/Calls")));
    assert!(!asked, "the carrier knows nothing of such calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wake_up_that_comes_ten_times_dials_once_and_one_that_goes_astray_not_at_all() {
    let world = world().await;
    let call_id = world.call_by("trunk", "+14155550101").await;
    world.cloud.calls.queue().send(&CallCommand::Place { call_id }).await.unwrap();
    for _ in 0..10 {
        world.cloud.trunk_calls.queue().send(&CallCommand::Place { call_id }).await.unwrap();
    }
    // Two workers at once.
    tokio::join!(world.pump(), world.pump());
    world.settled(call_id).await;
    world.pump().await;
    assert_eq!(dials(&world), 1);
    assert_eq!(world.database.count("select count(*) from guard_decisions").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_vendors_own_word_that_nothing_happened_allows_another_question() {
    let world = world().await;
    let call_id = world.call_by("trunk", "+14155550101").await;
    for status in [429, 503] {
        let rule =
            json!({ "where": "outbound_call", "kind": "http_status", "status": status, "json": true, "times": 1 });
        faults(&world, &json!([rule]));
        let told = |call: &Value| call["reason"].as_str().is_some_and(|reason| reason.contains(&status.to_string()));
        let call = world.until(call_id, told).await;
        assert_eq!(call["state"], "intent", "{call:#}");
        world.clock.advance(Duration::from_secs(70));
        world.sweep().await;
    }
    assert_eq!(world.settled(call_id).await["outcome"], "answered");
    assert_eq!((dials(&world), world.database.count("select asks::bigint from calls").await), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_vendor_refuses_ends_at_once_with_its_reason() {
    let world = world().await;
    let agent = json!({ "elevenlabs_agent_id": "agent_trunk", "number": NUMBER, "caller_ids": [testkit::world::CALLER_ID],
        "connect": "trunk", "elevenlabs_phone_number_id": "phnum_that_is_not", "max_concurrent": 10 });
    let (status, _) = world.send(http::Method::PUT, "/api/agents/trunk", Some(&agent), &[]).await;
    assert_eq!(status, 200);
    let call_id = world.call_by("trunk", "+14155550101").await;
    let call = world.settled(call_id).await;
    assert_eq!(call["outcome"], "failed");
    assert!(call["reason"].as_str().unwrap().contains("404: phone_number_not_found"), "{call:#}");
    assert_eq!(dials(&world), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_lives_as_long_as_its_asker_waits_and_is_then_unknown() {
    let world = that_rings(5).await;
    let call_id = world.call_by("trunk", "+14155550101").await;
    let store = world.database.store();
    let elsewhere = store.claim(call_id, Connect::Sip, &testkit::world::dialling(), world.clock.now()).await.unwrap();
    assert_eq!(elsewhere, Claim::Elsewhere);
    let claimed = store.claim(call_id, Connect::Trunk, &testkit::world::dialling(), world.clock.now()).await.unwrap();
    assert!(matches!(claimed, Claim::Fresh(_)), "{claimed:?}");
    world.clock.advance(Duration::from_secs(140));
    assert_eq!(world.sweep().await, 0, "it may ring for 5 s, and be answered 90 s later");
    let again = store.claim(call_id, Connect::Trunk, &testkit::world::dialling(), world.clock.now()).await.unwrap();
    assert!(matches!(again, Claim::Wait { .. }), "{again:?}");
    world.clock.advance(Duration::from_secs(20));
    assert_eq!(world.sweep().await, 1);
    world.until(call_id, |call| call["state"] == "unknown").await;
    assert_eq!(dials(&world), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_conversation_under_the_id_of_a_call_is_a_double_dial_and_is_kept() {
    let world = world().await;
    let call_id = world.call_by("trunk", "+14155550101").await;
    world.settled(call_id).await;
    let twice = json!({ "type": "post_call_transcription", "event_timestamp": world.clock.now().as_second(), "data": {
        "agent_id": "agent_trunk", "conversation_id": "conv_twice", "status": "done",
        "transcript": [{ "role": "agent", "message": "Hello", "time_in_call_secs": 0 }],
        "metadata": { "start_time_unix_secs": world.clock.now().as_second(), "call_duration_secs": 3 },
        "conversation_initiation_client_data": { "dynamic_variables": { "call_id": call_id } } } });
    assert_eq!(world.post_webhook(&twice.to_string()).await, 200);
    let call = world.until(call_id, |call| call["double_dial"] == true).await;
    assert_eq!((&call["state"], &call["outcome"]), (&"ended".into(), &"answered".into()), "{call:#}");
    assert_eq!(world.report().await["double_dials"], 1);
    assert_eq!(world.database.count("select count(*) from conversations").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_vendor_never_explains_is_settled_by_its_silence() {
    let world = that_rings(5).await;
    let store = world.database.store();
    let failed = Fact::NotOriginated {
        conversation_id: None,
        sip_call_id: None,
        failure: InitiationFailure::Other,
        sip_code: None,
        reason: "ElevenLabs dialled in vain".to_owned(),
    };
    let answered = Fact::Originated { conversation_id: None, sip_call_id: None };
    for (to, said, outcome) in [("+14155550101", failed, "failed"), ("+14155550102", answered, "abandoned")] {
        let call_id = world.call_by("trunk", to).await;
        world.cloud.sqs.purge_queue().queue_url(&world.cloud.trunk_calls.url).send().await.unwrap();
        let claimed =
            store.claim(call_id, Connect::Trunk, &testkit::world::dialling(), world.clock.now()).await.unwrap();
        assert!(matches!(claimed, Claim::Fresh(_)), "{claimed:?}");
        store.carrier_answered(call_id, said, None, world.clock.now()).await.unwrap();
        assert!(!settled(&world.view(call_id).await), "its conversation may tell more");
        let call = let_time_pass(&world, call_id, settled).await;
        assert_eq!(call["outcome"], outcome, "{call:#}");
    }
    assert_eq!(dials(&world), 0);
}

//! Whole calls, from the wish to the last piece.

use serde_json::Value;
use testkit::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_answered_call_comes_home_with_its_transcript_word_for_word_and_its_recording_byte_for_byte() {
    let world = World::start().await;
    let call_id = world.call("+14155550101").await;
    let call = world.settled(call_id).await;

    assert_eq!((&call["state"], &call["outcome"]), (&"ended".into(), &"answered".into()));
    let (said, recorded) = world.vendors.book(|book| {
        let conversation = book.conversations.values().next().expect("the agent had a conversation").clone();
        (conversation.turns, conversation.recording.expect("it was recorded"))
    });
    let stored: Vec<(String, Option<String>)> = call["conversation"]["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|turn| (turn["role"].as_str().unwrap().to_owned(), turn["message"].as_str().map(str::to_owned)))
        .collect();
    assert_eq!(stored, said);
    assert!(said.iter().any(|(_, text)| text.as_deref().is_some_and(|text| text.contains("Maria"))), "{said:?}");
    assert_eq!(call["recording"]["sha256"], recorded.sha256.as_str());
    assert_eq!(call["recording"]["bytes"], recorded.bytes);
    let measured = call["recording"]["duration_secs"].as_f64().unwrap();
    assert!((measured - recorded.seconds).abs() < 0.1, "{measured} for {}", recorded.seconds);
    let object = world.cloud.blobs().get(call["recording"]["storage_path"].as_str().unwrap()).await.unwrap();
    assert_eq!(object.len() as u64, recorded.bytes);
    assert_eq!(call["missing"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fate_ends_with_its_outcome_and_settles() {
    let world = World::start().await;
    let fates = [
        ("+14155550150", "voicemail"),
        ("+14155550151", "busy"),
        ("+14155550152", "no_answer"),
        ("+14155550153", "declined"),
        ("+14155550154", "unreachable"),
        ("+14155550155", "abandoned"),
        ("+14155550156", "network_blocked"),
        ("+14155550158", "answered"),
        ("+14155550160", "unreachable"),
        ("+14155550161", "screened"),
        ("+14155550102", "answered"),
    ];
    let mut calls = Vec::new();
    for (to, outcome) in fates {
        calls.push((world.call(to).await, to, outcome));
    }
    for (call_id, to, outcome) in calls {
        let call = world.settled(call_id).await;
        assert_eq!(call["outcome"], outcome, "{to}: {call:#}");
        let with_agent = ["answered", "voicemail", "screened"].contains(&outcome);
        assert_eq!(call["conversation"].is_object(), with_agent, "{to}: {call:#}");
        // Whoever hangs up before a word was said leaves a conversation without audio.
        assert_eq!(call["recording"].is_object(), with_agent && to != "+14155550158", "{to}: {call:#}");
    }
    assert_eq!(world.vendors.book(|book| book.dials.len()), 10, "all but the refused one were dialled once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_asks_for_detection_is_hung_up_on_machines_at_once() {
    let world = World::start().await;
    let agent = serde_json::json!({ "elevenlabs_agent_id": "agent_demo", "number": testkit::world::AGENT_NUMBER,
        "caller_ids": [testkit::world::CALLER_ID], "amd": "hang_up", "max_concurrent": 10 });
    let (status, _) = world.send(http::Method::PUT, "/api/agents/demo", Some(&agent), &[]).await;
    assert_eq!(status, 200);
    // Slow enough that the machine is still talking when it is hung up on.
    world.vendors.configure(serde_json::json!({ "time_scale": 10, "talk_secs": 120 })).unwrap();
    let call_id = world.call("+14155550150").await;
    let call = world.settled(call_id).await;
    assert_eq!((&call["outcome"], &call["answered_by"]), (&"voicemail".into(), &"machine".into()));
    let hung_up =
        world.vendors.book(|book| book.requests.iter().any(|(endpoint, _)| endpoint.ends_with("/Calls/{sid}")));
    assert!(hung_up, "{:?}", world.vendors.book(|book| book.requests.clone()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_can_be_watched_while_it_lives() {
    let world = World::start().await;
    let call_id = world.call("+14155550103").await;
    let call = world.view(call_id).await;
    assert_eq!((&call["state"], &call["outcome"]), (&"intent".into(), &Value::Null));
    assert_eq!(call["missing"], serde_json::json!(["outcome", "transcript", "recording"]));
    let call = world.until(call_id, |call| call["state"] != "intent").await;
    assert!(call["carrier_sid"].is_string() && call["placed_at"].is_string(), "{call:#}");
}

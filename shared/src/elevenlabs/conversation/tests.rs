use proptest::prelude::*;
use serde_json::json;

use super::*;

const WEBHOOK: &str = include_str!("../fixtures/post_call_transcription.json");
const CALL_ID: &str = "01990c5e-7a3e-7c52-9f0e-1d2f3a4b5c6d";

fn of(data: &Value) -> Conversation {
    Conversation::from_api(data.to_string().as_bytes()).unwrap()
}

#[test]
fn a_whole_webhook_is_read() {
    let conversation = Conversation::from_webhook(WEBHOOK.as_bytes()).unwrap();
    assert_eq!(conversation.conversation_id, "conv_01k2x9demo");
    assert_eq!(
        (conversation.agent_id.as_deref(), conversation.agent_name.as_deref()),
        (Some("agent_01jz8demo"), Some("Ana"))
    );
    assert_eq!(conversation.status, Status::Done);
    assert_eq!(conversation.started_at.unwrap().to_string(), "2025-10-08T13:53:20Z");
    assert_eq!(
        (conversation.duration_secs, conversation.cost_credits, conversation.cost_fiat),
        (Some(47), Some(296), Some(0.0612))
    );
    assert_eq!(conversation.termination_reason.as_deref(), Some("end_call tool was called."));
    assert_eq!((&conversation.error, conversation.has_audio, conversation.voicemail), (&None, Some(true), false));
    assert_eq!(conversation.summary.as_deref(), Some("The callee confirmed Tuesday."));
    assert_eq!(
        (conversation.title.as_deref(), conversation.call_successful.as_deref()),
        (Some("Appointment confirmed"), Some("success"))
    );
    assert_eq!(conversation.analysis.as_ref().unwrap()["data_collection_results"]["day"]["value"], "Tuesday");
    assert_eq!((conversation.user_id.as_deref(), conversation.campaign_id.as_deref()), (Some(CALL_ID), Some("spring")));
    assert_eq!(conversation.dynamic_variables["first_name"], "Zoë");
    assert!(!conversation.dynamic_variables.contains_key("secret__token"));
    assert!(!conversation.text_mended);
    let latency = conversation.latencies["convai_llm_service_ttfb"];
    assert_eq!((latency.count, latency.max_secs, conversation.latencies.len()), (2, 0.61, 4));
    let phone = conversation.phone_call.as_ref().unwrap();
    assert_eq!((phone.kind.as_deref(), phone.direction.as_deref()), (Some("sip_trunking"), Some("inbound")));
    assert_eq!((phone.call_sid.as_deref(), phone.call_id.as_deref()), (Some(CALL_ID), None));
}

#[test]
fn messages_are_stored_word_for_word_and_without_secrets() {
    let messages = Conversation::from_webhook(WEBHOOK.as_bytes()).unwrap().messages();
    assert_eq!(messages[0], json!({"role": "agent", "message": "Hello Zoë, this is Ana.", "time_in_call_secs": 0}));
    assert_eq!(messages[2]["original_message"], "I am calling about your appointment on Tuesday at ten.");
    assert_eq!(
        (&messages[4]["message"], &messages[4]["tool_calls"][0]["tool_name"]),
        (&json!(null), &json!("confirm"))
    );
    assert_eq!(messages.as_array().unwrap().len(), 7);
    assert!(!messages.to_string().contains("not-for-the-database"));
}

#[test]
fn the_api_answers_the_same_shape() {
    let data = &serde_json::from_str::<Value>(WEBHOOK).unwrap()["data"];
    assert_eq!(of(data), Conversation::from_webhook(WEBHOOK.as_bytes()).unwrap());
}

#[test]
fn its_hints_come_in_the_order_in_which_they_bind() {
    let hints = Conversation::from_webhook(WEBHOOK.as_bytes()).unwrap().call_hints();
    let expected = CallHints {
        elevenwire_call: Some(CALL_ID.to_owned()),
        call_id_variable: Some(CALL_ID.to_owned()),
        carrier_ids: vec![CALL_ID.to_owned()],
        system_call_sid: Some(CALL_ID.to_owned()),
    };
    assert_eq!(hints, expected);
    assert_eq!(hints.in_order(), [CALL_ID]);
    assert_eq!(of(&json!({"conversation_id": "c"})).call_hints(), CallHints::default());
}

#[test]
fn everything_but_the_id_may_be_missing_null_or_of_another_type() {
    let bare = of(&json!({"conversation_id": "c"}));
    assert_eq!(
        (bare.status, bare.turns.len(), bare.has_audio, bare.duration_secs),
        (Status::Other(String::new()), 0, None, None)
    );
    let names = [
        "agent_id",
        "status",
        "transcript",
        "metadata",
        "analysis",
        "has_audio",
        "conversation_initiation_client_data",
        "user_id",
    ];
    for odd in [
        json!(null),
        json!(7),
        json!("x"),
        json!([]),
        json!([null, 1, "x", {}]),
        json!({}),
        json!({"a": [{}]}),
        json!(true),
    ] {
        for name in names {
            let mut data = json!({"conversation_id": "c"});
            data[name] = odd.clone();
            let conversation = of(&data);
            let _ = (conversation.messages(), conversation.call_hints());
        }
    }
}

#[test]
fn any_field_of_a_whole_webhook_may_change_its_type() {
    let whole: Value = serde_json::from_str(WEBHOOK).unwrap();
    for pointer in pointers(&whole["data"], String::new()) {
        for odd in [json!(null), json!("x"), json!(-1.5), json!([[]]), json!({"metrics": 1})] {
            let mut data = whole["data"].clone();
            *data.pointer_mut(&pointer).unwrap() = odd.clone();
            let read = Conversation::from_api(data.to_string().as_bytes());
            assert!(read.is_ok() || pointer == "/conversation_id", "{pointer} = {odd}");
            let _ = read.map(|conversation| (conversation.messages(), conversation.call_hints()));
        }
    }
}

fn pointers(value: &Value, at: String) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    let mut all: Vec<String> =
        inner.into_iter().flat_map(|(name, value)| pointers(value, format!("{at}/{name}"))).collect();
    if !at.is_empty() {
        all.push(at);
    }
    all
}

#[test]
fn a_body_that_names_no_conversation_is_unreadable() {
    assert!(matches!(Conversation::from_api(br#"{"conversation_id":""}"#), Err(Unreadable::NoId)));
    assert!(matches!(Conversation::from_webhook(br#"{"data":{}}"#), Err(Unreadable::NoId)));
    for body in [b"".as_slice(), b"[]", br#"{"data":[]}"#, br#"{"conversation_id":"c"}"#] {
        assert!(matches!(Conversation::from_webhook(body), Err(Unreadable::NotAnObject)), "{body:?}");
    }
}

#[test]
fn one_bad_escape_does_not_lose_the_transcript() {
    let body = br#"{"conversation_id":"c","transcript":[{"role":"user","message":"a\ud83d"},{"role":"agent","message":"b\u0000c"}]}"#;
    let conversation = Conversation::from_api(body).unwrap();
    assert!(conversation.text_mended);
    assert_eq!(conversation.turns[0].message.as_deref(), Some("a\u{fffd}"));
    assert_eq!(conversation.turns[1].message.as_deref(), Some("b\u{fffd}c"));
    assert!(!conversation.messages().to_string().contains("\\u0000"));
}

#[test]
fn voicemail_is_known_by_the_tools_result_or_by_the_reason_for_the_end() {
    let by_tool = json!({"conversation_id": "c", "transcript": [{"role": "agent", "tool_results": [
        {"tool_name": "voicemail_detection", "result": {"result_type": "voicemail_detection_success", "voicemail_message": null}}]}]});
    let by_reason =
        json!({"conversation_id": "c", "metadata": {"termination_reason": "voicemail_detection tool was called"}});
    assert!(of(&by_tool).voicemail && of(&by_reason).voicemail);
}

#[test]
fn errors_are_read() {
    for (error, code, reason) in [
        (json!({"code": 1011, "reason": "agent unavailable"}), Some(1011), Some("agent unavailable")),
        (json!({"code": "7", "reason": null}), Some(7), None),
        (json!("broken"), None, Some("broken")),
    ] {
        let conversation = of(&json!({"conversation_id": "c", "status": "failed", "metadata": {"error": error}}));
        assert_eq!(conversation.error, Some(CallError { code, reason: reason.map(str::to_owned) }));
        assert!(conversation.status.is_final());
    }
    assert_eq!(of(&json!({"conversation_id": "c", "metadata": {"error": {}}})).error, None);
}

#[test]
fn statuses_are_known_and_others_are_kept() {
    for (word, is_final) in [
        ("initiated", false),
        ("in-progress", false),
        ("processing", false),
        ("done", true),
        ("failed", true),
        ("new", false),
    ] {
        let status = Status::parse(word);
        assert_eq!((status.as_str(), status.is_final()), (word, is_final));
    }
}

#[test]
fn the_guides_flat_shape_is_a_conversation() {
    let conversation = Conversation::from_flat(include_bytes!("../fixtures/flat.json")).unwrap();
    assert_eq!(conversation.conversation_id, CALL_ID);
    assert_eq!(
        (conversation.agent_id.as_deref(), conversation.campaign_id.as_deref()),
        (Some("agent_01jz8demo"), Some("spring"))
    );
    assert_eq!((conversation.duration_secs, conversation.status.as_str()), (Some(42), "done"));
    assert_eq!(conversation.started_at.unwrap().as_second(), 1_759_931_600);
    assert_eq!(conversation.call_hints().call_id_variable.as_deref(), Some(CALL_ID));
    let expected = json!([
        {"role": "agent", "message": "Hello, this is Ana.", "time_in_call_secs": 0},
        {"role": "user", "message": "Hi Ana.", "time_in_call_secs": 3},
    ]);
    assert_eq!(conversation.messages(), expected);
}

#[test]
fn a_flat_conversation_may_have_its_own_id_and_little_else() {
    let read = |body: Value| Conversation::from_flat(body.to_string().as_bytes());
    let conversation =
        read(json!({"call_id": "k", "conversation": {"id": "c"}, "metadata": {"duration_seconds": "7"}})).unwrap();
    assert_eq!((conversation.conversation_id.as_str(), conversation.duration_secs), ("c", Some(7)));
    assert_eq!(read(json!({"call_id": "k", "conversation": [], "metadata": null})).unwrap().conversation_id, "k");
    assert_eq!(
        read(json!({"call_id": "k", "conversation": "x", "metadata": 5, "messages": ["hi"]})).unwrap().turns.len(),
        1
    );
    assert!(matches!(read(json!({"conversation": {"messages": []}})), Err(Unreadable::NoId)));
}

#[test]
fn debug_hides_what_was_said_and_to_whom() {
    let shown = format!("{:?}", Conversation::from_webhook(WEBHOOK.as_bytes()).unwrap());
    assert!(!shown.contains("Ana") && !shown.contains("987"), "{shown}");
}

proptest! {
    #[test]
    fn hostile_bytes_do_no_harm(body in "[\\[\\]{}\",:a-z0-9\\\\u ]{0,100}") {
        let _ = Conversation::from_webhook(body.as_bytes());
        let _ = Conversation::from_flat(body.as_bytes());
    }
}

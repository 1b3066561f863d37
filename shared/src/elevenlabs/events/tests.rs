use proptest::prelude::*;
use serde_json::json;

use super::*;

const MP3: &[u8] = b"ID3\x04\0\0\0\0\0\0\xff\xfb\x90\0";

#[track_caller]
fn peek(body: &Value) -> PostCall {
    PostCall::peek(body.to_string().as_bytes()).unwrap()
}

#[test]
fn every_kind_of_event_is_recognised() {
    for (body, kind, time, conversation_id, agent_id) in [
        (
            include_str!("../fixtures/post_call_transcription.json"),
            Kind::Transcription,
            Some(1_759_931_652),
            Some("conv_01k2x9demo"),
            Some("agent_01jz8demo"),
        ),
        (
            include_str!("../fixtures/post_call_transcription_otel.json"),
            Kind::TranscriptionOtel,
            Some(1_759_931_660),
            Some("conv_01k2x9demo"),
            Some("agent_01jz8demo"),
        ),
        (
            include_str!("../fixtures/post_call_audio.json"),
            Kind::Audio,
            Some(1_739_537_319),
            Some("conv_01k2x9demo"),
            Some("agent_01jz8demo"),
        ),
        (
            include_str!("../fixtures/call_initiation_failure_sip.json"),
            Kind::InitiationFailure,
            Some(1_759_931_652),
            Some("conv_01k2x9failsip"),
            Some("agent_01jz8demo"),
        ),
        (
            include_str!("../fixtures/call_initiation_failure_twilio.json"),
            Kind::InitiationFailure,
            Some(1_759_931_652),
            Some("conv_01k2x9failtwilio"),
            Some("agent_01jz8demo"),
        ),
        (include_str!("../fixtures/flat.json"), Kind::Flat, None, None, Some("agent_01jz8demo")),
    ] {
        let event = PostCall::peek(body.as_bytes()).unwrap();
        assert_eq!(
            (event.conversation_id.as_deref(), event.agent_id.as_deref()),
            (conversation_id, agent_id),
            "{kind:?}"
        );
        assert_eq!(event.event_timestamp, time, "{kind:?}");
        assert_eq!(event.call_id.is_some(), kind == Kind::Flat);
        assert_eq!(event.kind, kind);
    }
}

#[test]
fn unknown_kinds_and_odd_envelopes_are_kept() {
    for (body, name, path) in [
        (json!({"type": "voice_removed", "data": {"conversation_id": "c"}}), "voice_removed", "voice_removed"),
        (json!({"type": "a/../b", "data": {}}), "a/../b", "other"),
        (json!({"type": null, "data": {}}), "", "other"),
        (json!({"type": {"a": 1}}), "", "other"),
        (json!({}), "", "other"),
        (json!({"type": "x".repeat(2000), "data": {}}), "", "other"),
    ] {
        let event = peek(&body);
        assert_eq!(event.kind, Kind::Other(name.to_owned()), "{body}");
        assert_eq!(event.kind.as_str(), path);
    }
    let event = peek(&json!({"type": "post_call_transcription", "event_timestamp": "soon", "data": null}));
    assert_eq!((event.kind, event.event_timestamp, event.conversation_id), (Kind::Transcription, None, None));
    let event = peek(
        &json!({"type": "post_call_audio", "event_timestamp": 1_739_537_319.5, "data": {"conversation_id": 7, "agent_id": []}}),
    );
    assert_eq!(
        (event.event_timestamp, event.conversation_id.as_deref(), event.agent_id),
        (Some(1_739_537_319), Some("7"), None)
    );
}

#[test]
fn what_is_not_a_json_object_is_refused() {
    for body in [b"".as_slice(), b"[]", b"null", b"\"{}\"", b"{", b"{} {}", b"a=b", b"\xff\xfe"] {
        assert_eq!(PostCall::peek(body), Err(NotAnObject), "{body:?}");
        assert_eq!(audio(body), Err(NoAudio::NotAnObject), "{body:?}");
    }
}

#[test]
fn doubled_keys_and_broken_text_lose_no_event() {
    let body = br#"{"type":"x","type":"post_call_transcription","data":{"conversation_id":"c\ud800","transcript":["\ud800","a\u0000"]}}"#;
    let event = PostCall::peek(body).unwrap();
    assert_eq!((event.kind, event.conversation_id.as_deref()), (Kind::Transcription, Some("c\u{fffd}")));
    assert!(PostCall::peek(b"{\"type\":\"post_call_audio\",\"data\":{\"x\":\"\xff\"}}").is_ok());
}

#[test]
fn the_flat_shape_has_its_ids_in_several_places() {
    for body in [
        json!({"call_id": "k", "conversation_id": "c", "agent_id": "a", "conversation": {"messages": []}}),
        json!({"call_id": "k", "metadata": {"conversation_id": "c", "agent_id": "a"}, "audio": "SUQz"}),
        json!({"call_id": "k", "conversation": {"id": "c", "agent_id": "a", "messages": []}}),
        json!({"call_id": "k", "type": "conversation.completed", "conversation": {"conversation_id": "c"}, "metadata": {"agent_id": "a"}}),
    ] {
        let event = peek(&body);
        let ids = (event.call_id.as_deref(), event.conversation_id.as_deref(), event.agent_id.as_deref());
        assert_eq!((event.kind, ids), (Kind::Flat, (Some("k"), Some("c"), Some("a"))), "{body}");
    }
}

#[test]
fn a_recording_is_decoded_from_both_shapes() {
    let pushed = audio(include_bytes!("../fixtures/post_call_audio.json")).unwrap();
    assert_eq!(
        (pushed.conversation_id.as_deref(), pushed.agent_id.as_deref()),
        (Some("conv_01k2x9demo"), Some("agent_01jz8demo"))
    );
    assert_eq!(pushed.bytes, MP3);
    let flat = audio(include_bytes!("../fixtures/flat.json")).unwrap();
    assert_eq!(flat.conversation_id.as_deref(), Some("01990c5e-7a3e-7c52-9f0e-1d2f3a4b5c6d"));
    assert_eq!(flat.bytes, MP3);
    assert!(format!("{pushed:?}").len() < 200);
}

#[test]
fn base64_is_read_in_every_form() {
    for text in [
        "SUQzBAAAAAAAAP/7kAA=",
        "SUQzBAAAAAAAAP/7kAA",
        "SUQzBAAAAAAAAP_7kAA",
        "  SUQzBAAA\r\nAAAAAP/7\nkAA= ",
        "data:audio/mpeg;base64,SUQzBAAAAAAAAP/7kAA=",
    ] {
        let body = json!({"type": "post_call_audio", "data": {"conversation_id": "c", "full_audio": text}});
        assert_eq!(audio(body.to_string().as_bytes()).unwrap().bytes, MP3, "{text}");
    }
    let escaped = br#"{"type":"post_call_audio","data":{"full_audio":"SUQzBAAAAAAAAP\/7kAA="}}"#;
    assert_eq!(audio(escaped).unwrap().bytes, MP3);
}

#[test]
fn a_body_without_a_recording_says_so() {
    for (data, expected) in [
        (json!({"conversation_id": "c"}), NoAudio::Missing),
        (json!({"full_audio": null}), NoAudio::Missing),
        (json!({"full_audio": ""}), NoAudio::Missing),
        (json!({"full_audio": 5}), NoAudio::Missing),
        (json!({"full_audio": "!!!"}), NoAudio::NotBase64),
        (json!({"full_audio": "SUQzB"}), NoAudio::NotBase64),
        (json!({"full_audio": "data:audio/mpeg"}), NoAudio::NotBase64),
    ] {
        assert_eq!(audio(json!({"data": data}).to_string().as_bytes()), Err(expected), "{data}");
    }
}

#[test]
fn only_plain_ids_become_paths() {
    let longest = "a".repeat(128);
    for id in ["conv_01k2x9", "A-b_9", longest.as_str()] {
        assert_eq!(safe_id(id), Some(id));
    }
    let longer = "a".repeat(129);
    for id in ["", ".", "..", "a/b", "a.b", "a b", "é", "a\n", "%2e", longer.as_str()] {
        assert_eq!(safe_id(id), None, "{id}");
    }
}

proptest! {
    #[test]
    fn any_bytes_survive_the_way_through_base64(bytes in proptest::collection::vec(any::<u8>(), 1..500), url_safe: bool, padded: bool) {
        use base64::engine::general_purpose::{STANDARD as PADDED, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
        let engine = match (url_safe, padded) {
            (true, true) => URL_SAFE,
            (true, false) => URL_SAFE_NO_PAD,
            (false, true) => PADDED,
            (false, false) => STANDARD_NO_PAD,
        };
        let body = json!({"type": "post_call_audio", "data": {"full_audio": engine.encode(&bytes)}});
        prop_assert_eq!(audio(body.to_string().as_bytes()).unwrap().bytes, bytes);
    }

    #[test]
    fn hostile_bytes_do_no_harm(body in "[\\[\\]{}\",:a-z0-9\\\\u ]{0,100}") {
        let _ = PostCall::peek(body.as_bytes());
        let _ = audio(body.as_bytes());
    }
}

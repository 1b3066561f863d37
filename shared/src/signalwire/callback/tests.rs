use proptest::prelude::*;

use super::*;

const FORM: Option<&str> = Some("application/x-www-form-urlencoded; charset=utf-8");

fn form(body: &str) -> Callback {
    Callback::parse(FORM, body.as_bytes()).unwrap()
}

#[test]
fn a_status_callback_is_read() {
    let callback = form(
        "CallSid=b3877c40-da60-4998-90ad-b792e98472ca&Direction=outbound-api&From=%2B15551234567&To=%2B15559876543\
         &Timestamp=Thu%2C+04+Apr+2024+18%3A32%3A15+%2B0000&CallStatus=completed&CallDuration=94&SequenceNumber=3\
         &SipResultCode=200&HangupBy=&HangupDirection=inbound&AudioInMos=4.5",
    );
    assert_eq!(callback.call_sid(), "b3877c40-da60-4998-90ad-b792e98472ca");
    assert_eq!(callback.call_status(), Some(CallStatus::Completed));
    assert_eq!(
        (callback.call_duration(), callback.sequence_number(), callback.sip_result_code()),
        (Some(94), Some(3), Some(200))
    );
    assert_eq!(
        (callback.to(), callback.from(), callback.direction()),
        (Some("+15559876543"), Some("+15551234567"), Some("outbound-api"))
    );
    assert_eq!(callback.timestamp().unwrap().to_string(), "2024-04-04T18:32:15Z");
    assert_eq!((callback.hangup_by(), callback.hangup_direction()), (None, Some("inbound")));
    assert_eq!(callback.get("AudioInMos"), Some("4.5"));
    assert_eq!(callback.fields().len(), 12);
    assert!(!callback.text_mended());
}

#[test]
fn the_end_of_a_dial_is_read() {
    let callback = form(
        "CallSid=a&CallStatus=in-progress&DialCallSid=b&DialCallStatus=failed&DialSipResponseCode=503&DialCallDuration=0",
    );
    assert_eq!((callback.dial_call_status(), callback.dial_call_sid()), (Some(CallStatus::Failed), Some("b")));
    assert_eq!((callback.dial_sip_response_code(), callback.dial_call_duration()), (Some(503), Some(0)));
}

#[test]
fn flat_json_is_the_same_as_a_form() {
    let json =
        br#"{"CallSid":"a","CallStatus":"busy","SequenceNumber":2,"SipResultCode":486,"CallDuration":null,"X":true}"#;
    let callback = Callback::parse(Some("application/json"), json).unwrap();
    assert_eq!(
        (callback.call_status(), callback.sequence_number(), callback.sip_result_code()),
        (Some(CallStatus::Busy), Some(2), Some(486))
    );
    assert_eq!((callback.call_duration(), callback.get("X")), (None, Some("true")));
    assert_eq!(Callback::parse(None, json), Ok(callback));
}

#[test]
fn everything_but_the_call_may_be_missing_or_odd() {
    let callback = form("CallSid=a&SequenceNumber=-1&CallDuration=long&Timestamp=today&SipResultCode=99999&Odd");
    assert_eq!((callback.call_status(), callback.answered_by(), callback.sip_result_code()), (None, None, None));
    assert_eq!((callback.sequence_number(), callback.call_duration(), callback.timestamp()), (None, None, None));
    assert_eq!((callback.to(), callback.dial_call_status(), callback.get("Odd")), (None, None, None));
}

#[test]
fn a_body_that_names_no_call_is_refused() {
    let long = format!("CallSid={}", "a".repeat(129));
    for body in ["", "CallStatus=busy", "CallSid=", "CallSid=+", long.as_str()] {
        assert_eq!(Callback::parse(FORM, body.as_bytes()), Err(Malformed::NoCallSid), "{body}");
    }
    for body in ["", "[]", "{", "\"CallSid\"", "CallSid=a"] {
        assert_eq!(Callback::parse(Some("application/json"), body.as_bytes()), Err(Malformed::Unreadable), "{body}");
    }
}

#[test]
fn of_a_field_that_stands_twice_the_first_counts() {
    assert_eq!(form("CallSid=a&CallSid=b").call_sid(), "a");
}

#[test]
fn a_nul_is_replaced_and_marked() {
    let callback = form("CallSid=a&CallerName=x%00y");
    assert_eq!(callback.get("CallerName"), Some("x\u{fffd}y"));
    assert!(callback.text_mended());
}

#[test]
fn every_word_for_a_status_is_known_and_others_are_kept() {
    for word in [
        "queued",
        "initiated",
        "ringing",
        "answered",
        "in-progress",
        "completed",
        "busy",
        "no-answer",
        "failed",
        "canceled",
    ] {
        let status = CallStatus::parse(word);
        assert!(!matches!(status, CallStatus::Unknown(_)), "{word}");
        assert_eq!(status.as_str(), word);
        assert_eq!(
            status.is_final(),
            ["completed", "busy", "no-answer", "failed", "canceled"].contains(&word),
            "{word}"
        );
    }
    assert_eq!(CallStatus::parse("parked"), CallStatus::Unknown("parked".to_owned()));
    assert_eq!(CallStatus::parse("parked").as_str(), "parked");
}

#[test]
fn only_what_is_certainly_a_machine_is_one() {
    for (word, expected) in [
        ("human", AnsweredBy::Human),
        ("machine", AnsweredBy::Machine),
        ("machine_start", AnsweredBy::Machine),
        ("machine_end_beep", AnsweredBy::Machine),
        ("MACHINE_END_OTHER", AnsweredBy::Machine),
        ("fax", AnsweredBy::Machine),
        ("unknown", AnsweredBy::Unknown),
        ("not-a-machine", AnsweredBy::Unknown),
        ("", AnsweredBy::Unknown),
    ] {
        assert_eq!(AnsweredBy::parse(word), expected, "{word}");
    }
}

#[test]
fn debug_hides_the_numbers() {
    assert!(!format!("{:?}", form("CallSid=a&To=%2B15559876543")).contains("5559876543"));
}

proptest! {
    #[test]
    fn any_fields_come_through_a_form(fields in proptest::collection::btree_map("[A-Za-z_]{1,10}", "[^\\x00]{0,20}", 0..10)) {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("CallSid", "a");
        for (name, value) in &fields {
            body.append_pair(name, value);
        }
        let callback = Callback::parse(FORM, body.finish().as_bytes()).unwrap();
        for (name, value) in fields.iter().filter(|(name, _)| *name != "CallSid") {
            prop_assert_eq!(&callback.fields()[name], value);
        }
    }

    #[test]
    fn hostile_bytes_do_no_harm(body in proptest::collection::vec(any::<u8>(), 0..200), content_type in ".{0,20}") {
        if let Ok(callback) = Callback::parse(Some(&content_type), &body) {
            let _ = (callback.timestamp(), callback.call_status(), callback.answered_by(), callback.sip_result_code());
        }
    }
}

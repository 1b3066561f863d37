use super::*;

const CALL: &str = include_str!("../fixtures/call.json");

fn kind(answer: &CreateAnswer) -> &'static str {
    match answer {
        CreateAnswer::Placed { .. } => "placed",
        CreateAnswer::Refused { .. } => "refused",
        CreateAnswer::Again { .. } => "again",
        CreateAnswer::Unknown { .. } => "unknown",
    }
}

#[test]
fn every_answer_of_the_carrier_has_its_meaning() {
    let flat = |code: i64| format!(r#"{{"code":{code},"message":"m","status":400}}"#);
    let listed = |code: i64| format!(r#"{{"errors":[{{"code":"{code}","message":"m"}}]}}"#);
    let html = "<html>oops</html>".to_owned();
    for (status, body, expected) in [
        (200, CALL.to_owned(), "placed"),
        (201, r#"{"sid":"x"}"#.to_owned(), "placed"),
        (200, r#"{"sid":"x","status":"failed"}"#.to_owned(), "placed"),
        (200, String::new(), "unknown"),
        (200, "{".to_owned(), "unknown"),
        (200, r#"{"sid":null}"#.to_owned(), "unknown"),
        (204, String::new(), "unknown"),
        (301, html.clone(), "unknown"),
        (307, String::new(), "unknown"),
        (400, flat(21217), "refused"),
        (400, listed(30010), "refused"),
        (400, flat(99999), "refused"),
        (400, html.clone(), "refused"),
        (400, String::new(), "refused"),
        (401, flat(20003), "refused"),
        (403, html.clone(), "refused"),
        (404, html.clone(), "refused"),
        (422, r#"{"errors":["text"]}"#.to_owned(), "refused"),
        (413, String::new(), "refused"),
        (408, html.clone(), "unknown"),
        (409, flat(99999), "unknown"),
        (425, String::new(), "unknown"),
        (499, String::new(), "unknown"),
        (429, String::new(), "again"),
        (429, html.clone(), "again"),
        (429, flat(20429), "again"),
        (400, flat(20429), "again"),
        (400, listed(21611), "again"),
        (422, flat(21611), "again"),
        (400, flat(20001), "unknown"),
        (400, listed(31003), "unknown"),
        (422, flat(20504), "unknown"),
        (503, flat(20001), "unknown"),
        (503, flat(20504), "unknown"),
        (503, flat(31003), "unknown"),
        (503, flat(20429), "again"),
        (503, flat(20503), "again"),
        (503, String::new(), "unknown"),
        (503, html.clone(), "unknown"),
        (503, r#"{"message":"Service Unavailable"}"#.to_owned(), "unknown"),
        (503, r#"{"code":503,"message":"Service Unavailable"}"#.to_owned(), "unknown"),
        (503, r#"{"code":14,"message":"unavailable"}"#.to_owned(), "unknown"),
        (500, flat(21217), "unknown"),
        (500, String::new(), "unknown"),
        (502, html.clone(), "unknown"),
        (504, flat(20429), "unknown"),
        (520, html.clone(), "unknown"),
        (101, String::new(), "unknown"),
        (999, String::new(), "unknown"),
    ] {
        assert_eq!(kind(&judge(status, None, body.as_bytes())), expected, "{status} {body}");
    }
}

#[test]
fn a_placed_call_has_its_id_and_status() {
    let expected =
        CreateAnswer::Placed { sid: "b3877c40-da60-4998-90ad-b792e98472ca".to_owned(), status: CallStatus::Queued };
    assert_eq!(judge(200, None, CALL.as_bytes()), expected);
}

#[test]
fn a_refusal_has_its_code_and_a_reason_for_a_person() {
    let CreateAnswer::Refused { code, http_status, reason } = judge(400, None, br#"{"code":"21217","message":"x"}"#)
    else {
        panic!("not refused");
    };
    assert_eq!((code, http_status, reason.class), (Some(21217), Some(400), Class::BadNumber));
    assert!(reason.sentence.contains("correct it"));
}

#[test]
fn the_carriers_wait_is_kept_and_numbers_are_masked() {
    let answer = judge(429, Some(Duration::from_secs(3)), br#"{"code":20429,"message":"slow down +14155550123"}"#);
    let reason = "SignalWire answered HTTP 429, error 20429: slow down +*********23".to_owned();
    assert_eq!(answer, CreateAnswer::Again { retry_after: Some(Duration::from_secs(3)), reason });
}

#[test]
fn the_form_asks_for_what_the_design_says() {
    let (to, from) = (PhoneNumber::parse("+14155550123").unwrap(), PhoneNumber::parse("+14155550100").unwrap());
    let mut call = CreateCall {
        to: &to,
        from: &from,
        url: "https://api.example.com/api/webhooks/signalwire/voice/1?v=2",
        fallback_url: "https://api.example.com/api/webhooks/signalwire/fallback/1?v=2",
        status_callback: "https://api.example.com/api/webhooks/signalwire/status/1",
        amd_callback: None,
        timeout_secs: 60,
    };
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(call.form()).finish();
    assert!(form.starts_with("To=%2B14155550123&From=%2B14155550100&Url=https%3A%2F%2Fapi.example.com%2F"), "{form}");
    assert!(
        form.contains(
            "StatusCallbackEvent=initiated&StatusCallbackEvent=ringing&StatusCallbackEvent=completed&Timeout=60"
        ),
        "{form}"
    );
    assert!(!form.contains("Amd") && !form.contains("MachineDetection"), "{form}");
    call.amd_callback = Some("https://api.example.com/status/1?kind=amd");
    call.timeout_secs = 0;
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(call.form()).finish();
    assert!(form.contains("Timeout=1&MachineDetection=Enable&AsyncAmd=true&AsyncAmdStatusCallback=https"), "{form}");
}

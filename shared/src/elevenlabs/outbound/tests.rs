use super::*;
use crate::signalwire::wire::fake::{Fake, Then};

const AT_ONCE: Duration = Duration::from_millis(300);

fn trunk(address: &str) -> Trunk {
    Trunk::new(address, SecretString::from("xi-secret")).unwrap()
}

async fn ask(address: &str) -> OutboundAnswer {
    let to = PhoneNumber::parse("+14155550123").unwrap();
    let variables = json!({"first_name": "Maria", "call_id": "not mine"});
    let call = OutboundCall {
        agent_id: "agent_1",
        phone_number_id: "phnum_1",
        to: &to,
        call_id: "0192-call",
        campaign_id: Some("spring"),
        variables: &variables,
        ring_timeout_secs: 45,
    };
    trunk(address).call(&call, Duration::from_millis(500)).await
}

fn answer(status: u16, body: &str) -> Then {
    Then::Answer(status, "", body.to_owned())
}

#[tokio::test]
async fn the_question_holds_our_id_as_variable_and_as_user() {
    let said = r#"{"success":true,"message":"Success","conversation_id":"conv_1","sip_call_id":"SCL_1"}"#;
    let fake = Fake::start(vec![answer(200, said)]);
    let answered = ask(&fake.address).await;
    let (conversation_id, sip_call_id) = (Some("conv_1".to_owned()), Some("SCL_1".to_owned()));
    assert_eq!(answered, OutboundAnswer::Answered { conversation_id, sip_call_id });
    let request = &fake.requests()[0];
    assert!(request.starts_with("POST /v1/convai/sip-trunk/outbound-call HTTP/1.1"), "{request}");
    assert!(request.contains("xi-api-key: xi-secret"), "{request}");
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    let variables = json!({"first_name": "Maria", "call_id": "0192-call", "campaign_id": "spring"});
    let expected = json!({
        "agent_id": "agent_1", "agent_phone_number_id": "phnum_1", "to_number": "+14155550123",
        "conversation_initiation_client_data": {"dynamic_variables": variables, "user_id": "0192-call"},
        "telephony_call_config": {"ringing_timeout_secs": 45},
    });
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), expected);
}

#[tokio::test]
async fn only_a_connection_that_was_never_made_is_asked_again_without_an_answer() {
    assert!(matches!(ask(&Fake::nobody()).await, OutboundAnswer::Again { .. }));
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"success\":".to_vec();
    for then in [Then::Close, Then::Hang, Then::Raw(cut), answer(307, "")] {
        let fake = Fake::start(vec![then, answer(200, r#"{"success":true}"#)]);
        assert!(matches!(ask(&fake.address).await, OutboundAnswer::Unknown { .. }));
        assert_eq!(fake.requests().len(), 1, "asked once");
    }
}

fn kind(answer: &OutboundAnswer) -> &'static str {
    match answer {
        OutboundAnswer::Answered { .. } => "answered",
        OutboundAnswer::CameToNothing { .. } => "nothing",
        OutboundAnswer::Refused { .. } => "refused",
        OutboundAnswer::Again { .. } => "again",
        OutboundAnswer::Unknown { .. } => "unknown",
    }
}

#[test]
fn every_row_of_the_table_of_answers_holds() {
    let own = r#"{"detail":{"type":"service_unavailable","code":"system_busy","message":"Please try again"}}"#;
    let dialled =
        r#"{"detail":{"status":"unavailable","message":"twirp error: INVITE failed: sip status: 486: Busy here"}}"#;
    let schema = r#"{"detail":[{"type":"missing","loc":["body","agent_id"],"msg":"Field required"}]}"#;
    for (status, body, expected) in [
        (200, r#"{"success":true}"#, "answered"),
        (200, r#"{"success":"true","conversation_id":null}"#, "answered"),
        (200, r#"{"success":false,"message":"x"}"#, "nothing"),
        (200, "{}", "unknown"),
        (200, "<html>OK</html>", "unknown"),
        (202, "", "unknown"),
        (307, "", "unknown"),
        (400, own, "refused"),
        (400, dialled, "unknown"),
        (401, "", "refused"),
        (402, own, "refused"),
        (403, "<html>", "refused"),
        (404, own, "refused"),
        (408, own, "unknown"),
        (409, own, "unknown"),
        (422, schema, "refused"),
        (424, own, "unknown"),
        (425, own, "unknown"),
        (429, own, "again"),
        (429, "<html>", "again"),
        (429, dialled, "unknown"),
        (499, "", "unknown"),
        (500, own, "unknown"),
        (502, own, "unknown"),
        (503, own, "again"),
        (503, dialled, "unknown"),
        (503, r#"{"detail":"Service unavailable"}"#, "unknown"),
        (503, r#"{"message":"no healthy upstream"}"#, "unknown"),
        (503, "", "unknown"),
        (504, own, "unknown"),
    ] {
        assert_eq!(kind(&judge(status, None, body.as_bytes(), AT_ONCE)), expected, "{status} {body}");
    }
    for status in [400, 422, 429, 503] {
        let late = judge(status, None, own.as_bytes(), Duration::from_secs(30));
        assert_eq!(kind(&late), "unknown", "{status} after half a minute of ringing");
    }
}

#[test]
fn a_refused_number_is_told_from_a_refused_setup() {
    for (body, of_the_number) in [
        (r#"{"detail":[{"type":"value_error","loc":["body","to_number"],"msg":"bad"}]}"#, true),
        (r#"{"detail":{"code":"invalid","param":"to_number","message":"bad"}}"#, true),
        (r#"{"detail":{"code":"invalid","param":"agent_id","message":"bad"}}"#, false),
    ] {
        let OutboundAnswer::Refused { bad_number, .. } = judge(422, None, body.as_bytes(), AT_ONCE) else {
            panic!("{body}")
        };
        assert_eq!(bad_number, of_the_number, "{body}");
    }
}

#[test]
fn the_free_text_of_a_dial_in_vain_is_believed_where_it_names_a_cause() {
    use InitiationFailure::{Busy, NoAnswer, Other};
    for (message, expected) in [
        ("INVITE failed: sip status: 486: Busy here", (Busy, Some(486))),
        ("Call failed with SIP status 487", (NoAnswer, Some(487))),
        ("sip_status_code 603 decline", (Other, Some(603))),
        ("The line is busy", (Busy, None)),
        ("There was no answer", (NoAnswer, None)),
        ("System busy, error 503", (Other, None)),
        ("Call to +14155550123 failed", (Other, None)),
        ("", (Other, None)),
    ] {
        assert_eq!(cause(message), expected, "{message}");
    }
    let said = json!({"success": false, "message": "no route to +14155550123"}).to_string();
    let OutboundAnswer::CameToNothing { reason, .. } = judge(200, None, said.as_bytes(), AT_ONCE) else { panic!() };
    assert!(!reason.contains("4155550123"), "{reason}");
}

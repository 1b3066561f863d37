use super::super::reason::Class;
use super::super::wire::fake::{Fake, Then};
use super::*;

const CALL: &str = include_str!("../fixtures/call.json");
const PROJECT: &str = "b3877c40-da60-4998-90ad-b792e98472af";

fn client(address: &str) -> Client {
    let token = SecretString::from("PT-token");
    Client::new(SpaceUrl::parse(address).unwrap(), PROJECT.to_owned(), token, Duration::from_millis(900)).unwrap()
}

fn numbers() -> (PhoneNumber, PhoneNumber) {
    (PhoneNumber::parse("+14155550123").unwrap(), PhoneNumber::parse("+14155550100").unwrap())
}

async fn create(address: &str) -> CreateAnswer {
    let (to, from) = numbers();
    let call = CreateCall {
        to: &to,
        from: &from,
        url: "https://api.example.com/voice",
        fallback_url: "https://api.example.com/fallback",
        status_callback: "https://api.example.com/status",
        amd_callback: None,
        timeout_secs: 60,
    };
    client(address).create_call(&call).await
}

fn answer(status: u16, body: &str) -> Then {
    Then::Answer(status, "", body.to_owned())
}

#[tokio::test]
async fn a_call_is_asked_for_once_by_form_and_basic_auth() {
    let fake = Fake::start(vec![answer(200, CALL)]);
    let placed = create(&fake.address).await;
    assert!(matches!(placed, CreateAnswer::Placed { sid, .. } if sid == "b3877c40-da60-4998-90ad-b792e98472ca"));
    let requests = fake.requests();
    assert_eq!(requests.len(), 1);
    let request = requests[0].to_lowercase();
    assert!(request.starts_with(&format!("post /api/laml/2010-04-01/accounts/{PROJECT}/calls http/1.1")), "{request}");
    assert!(request.contains("content-type: application/x-www-form-urlencoded"), "{request}");
    assert!(request.contains("authorization: basic yjm4nzdjndat"), "{request}");
    assert!(
        request.contains("to=%2b14155550123&from=%2b14155550100&url=https%3a%2f%2fapi.example.com%2fvoice"),
        "{request}"
    );
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_never_asked_again() {
    let cut = format!("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{CALL}");
    for (name, then) in [
        ("closed", Then::Close),
        ("silent", Then::Hang),
        ("cut", Then::Raw(cut.into_bytes())),
        ("half a head", Then::Raw(b"HTTP/1.1 20".to_vec())),
        ("not http", Then::Raw(b"SSH-2.0-OpenSSH\r\n".to_vec())),
        ("empty", answer(200, "")),
        ("gateway", answer(502, "<html>")),
        ("bare", answer(503, "")),
        ("redirect", Then::Answer(307, "location: /elsewhere\r\n", String::new())),
    ] {
        let fake = Fake::start(vec![then, answer(200, CALL), answer(200, CALL)]);
        let answer = create(&fake.address).await;
        assert!(matches!(answer, CreateAnswer::Unknown { .. }), "{name}: {answer:?}");
        assert_eq!(fake.requests().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_connection_that_was_never_made_is_asked_again() {
    let answer = create(&Fake::nobody()).await;
    assert!(
        matches!(&answer, CreateAnswer::Again { retry_after: None, reason } if reason.contains("refused")),
        "{answer:?}"
    );
    // A TLS handshake that fails is a connection that was never made: nothing was sent over it.
    let fake = Fake::start(vec![Then::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())]);
    let answer = create(&fake.address.replace("http://", "https://")).await;
    assert!(matches!(answer, CreateAnswer::Again { .. }), "{answer:?}");
    let fake = Fake::start(vec![Then::Hang]);
    let answer = create(&fake.address.replace("http://", "https://")).await;
    assert!(matches!(answer, CreateAnswer::Again { .. }), "{answer:?}");
}

#[tokio::test]
async fn what_the_carrier_said_is_heard() {
    let throttled = Then::Answer(429, "retry-after: 7\r\n", r#"{"code":20429,"message":"slow"}"#.to_owned());
    let again = create(&Fake::start(vec![throttled]).address).await;
    assert!(matches!(again, CreateAnswer::Again { retry_after: Some(wait), .. } if wait == Duration::from_secs(7)));
    let refused =
        create(&Fake::start(vec![answer(400, r#"{"errors":[{"code":"21217","message":"no"}]}"#)]).address).await;
    assert!(
        matches!(&refused, CreateAnswer::Refused { code: Some(21217), reason, .. } if reason.class == Class::BadNumber)
    );
    let cut = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 500\r\n\r\n{".to_vec();
    let refused = create(&Fake::start(vec![Then::Raw(cut)]).address).await;
    assert!(
        matches!(refused, CreateAnswer::Refused { code: None, http_status: Some(400), .. }),
        "the status line speaks alone"
    );
}

#[tokio::test]
async fn every_page_of_the_list_is_read() {
    let page = |next: &str, sids: &[&str]| {
        let calls: Vec<Value> =
            sids.iter().map(|sid| serde_json::json!({"sid": sid, "status": "queued", "start_time": null})).collect();
        answer(200, &serde_json::json!({"calls": calls, "next_page_uri": if next.is_empty() { Value::Null } else { next.into() }}).to_string())
    };
    let fake = Fake::start(vec![page("/api/laml/x/Calls?Page=1&PageToken=PA1", &["a", "b"]), page("", &["c"])]);
    let (to, from) = numbers();
    let calls = client(&fake.address).list_calls(&to, &from).await.unwrap();
    assert_eq!(calls.iter().map(|call| call.sid.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    let requests = fake.requests();
    assert!(requests[0].contains("Calls?To=%2B14155550123&From=%2B14155550100&PageSize=1000 "), "{}", requests[0]);
    assert!(!requests[0].contains("StartTime"));
    assert!(
        requests[1].starts_with("GET /api/laml/x/Calls?Page=1&PageToken=PA1 ")
            && requests[1].contains("authorization: Basic")
    );
}

#[tokio::test]
async fn half_a_list_is_an_error() {
    let circle = r#"{"calls":[],"next_page_uri":"/p"}"#;
    for (name, script, later) in [
        ("leaves the space", vec![answer(200, r#"{"calls":[],"next_page_uri":"https://evil.example/p"}"#)], false),
        ("circle", vec![answer(200, circle), answer(200, circle)], true),
        ("second page fails", vec![answer(200, circle), answer(500, "")], true),
        ("no list", vec![answer(200, "{}")], true),
        ("not json", vec![answer(200, "<html>")], true),
        ("lost", vec![Then::Close], true),
    ] {
        let fake = Fake::start(script);
        let (to, from) = numbers();
        let failure = client(&fake.address).list_calls(&to, &from).await.unwrap_err();
        assert_eq!(failure.retry != crate::retry::Retry::Never, later, "{name}: {failure}");
        assert!(!failure.reason.contains("4155550123"), "{failure}");
    }
}

#[tokio::test]
async fn a_call_is_read_or_certainly_unknown() {
    let fake = Fake::start(vec![
        answer(200, CALL),
        answer(404, r#"{"code":"20404","message":"not found"}"#),
        answer(404, "<html>"),
    ]);
    let client = client(&fake.address);
    assert_eq!(client.fetch_call("x").await.unwrap().unwrap().status, CallStatus::Queued);
    assert_eq!(client.fetch_call("../x").await, Ok(None));
    assert!(client.fetch_call("x").await.is_err(), "a bare 404 is a wrong address");
    assert!(fake.requests()[1].contains("/Calls/..%2Fx "));
}

#[tokio::test]
async fn a_call_is_cancelled_or_hung_up() {
    let state = |code: i64| answer(400, &format!(r#"{{"code":{code},"message":"m"}}"#));
    let fake = Fake::start(vec![answer(200, CALL), state(10000), state(20404), state(99999), answer(503, "")]);
    let client = client(&fake.address);
    assert_eq!(client.update_call("x", CallChange::Cancel).await, Ok(ChangeAnswer::Changed(CallStatus::Queued)));
    assert_eq!(client.update_call("x", CallChange::HangUp).await, Ok(ChangeAnswer::WrongState));
    assert_eq!(client.update_call("x", CallChange::HangUp).await, Ok(ChangeAnswer::NotFound));
    assert_eq!(client.update_call("x", CallChange::HangUp).await.unwrap_err().retry, crate::retry::Retry::Never);
    assert_eq!(
        client.update_call("x", CallChange::HangUp).await.unwrap_err().retry,
        crate::retry::Retry::Later(ASK_AGAIN)
    );
    let requests = fake.requests();
    assert!(requests[0].ends_with("Status=canceled") && requests[1].ends_with("Status=completed"));
}

#[tokio::test]
async fn the_probe_tells_good_credentials_from_bad_ones() {
    let fake = Fake::start(vec![
        answer(200, r#"{"calls":[]}"#),
        answer(401, r#"{"code":20003,"message":"Authentication failed"}"#),
    ]);
    let client = client(&fake.address);
    assert_eq!(client.probe().await, Ok(()));
    let failure = client.probe().await.unwrap_err();
    assert_eq!(failure.retry, crate::retry::Retry::Later(ASK_AGAIN_AFTER_MENDING));
    assert_eq!(failure.reason, "SignalWire answered HTTP 401, error 20003: Authentication failed");
    assert!(fake.requests()[0].contains("Calls?PageSize=1 "));
    assert!(!format!("{client:?}").contains("PT-token"));
}

use super::*;
use crate::retry::Retry;
use crate::signalwire::wire::fake::{Fake, Then};

fn client(address: &str) -> Client {
    let http = reqwest::Client::builder().timeout(Duration::from_millis(500)).no_proxy().build().unwrap();
    Client::new(http, address, SecretString::from("xi-secret")).unwrap()
}

fn answer(status: u16, body: &str) -> Then {
    Then::Answer(status, "", body.to_owned())
}

#[test]
fn a_key_is_sent_to_safe_addresses_only() {
    let new = |url: &str| Client::new(reqwest::Client::new(), url, SecretString::from("k"));
    for url in [
        "https://api.elevenlabs.io",
        "https://api.eu.residency.elevenlabs.io/",
        "http://127.0.0.1:4010",
        "http://localhost:1/eleven",
    ] {
        assert!(new(url).is_ok(), "{url}");
    }
    for url in [
        "",
        "api.elevenlabs.io",
        "http://api.elevenlabs.io",
        "https://u@api.elevenlabs.io",
        "https://api.elevenlabs.io?x=1",
        "ftp://x",
    ] {
        assert!(new(url).is_err(), "{url}");
    }
    assert!(!format!("{:?}", new("https://api.elevenlabs.io")).contains("\"k\""));
}

#[tokio::test]
async fn a_conversation_is_fetched_as_it_is() {
    let fake = Fake::start(vec![answer(200, r#"{"conversation_id":"c"}"#)]);
    let body = client(&format!("{}/", fake.address)).get_conversation("c/1").await.unwrap().unwrap();
    assert_eq!(body, r#"{"conversation_id":"c"}"#);
    let request = &fake.requests()[0];
    assert!(request.starts_with("GET /v1/convai/conversations/c%2F1 HTTP/1.1"), "{request}");
    assert!(request.contains("xi-api-key: xi-secret"), "{request}");
}

#[tokio::test]
async fn only_the_vendors_own_404_says_that_there_is_none() {
    for (body, none) in [
        (r#"{"detail":{"status":"conversation_not_found","message":"m"}}"#, true),
        (r#"{"detail":{"type":"not_found","code":"conversation_not_found","message":"m"}}"#, true),
        (r#"{"detail":"Not Found"}"#, false),
        ("<html>", false),
        ("", false),
    ] {
        let fake = Fake::start(vec![answer(404, body), answer(404, body)]);
        let client = client(&fake.address);
        assert_eq!(client.get_conversation("c").await.is_ok_and(|found| found.is_none()), none, "{body}");
        assert_eq!(client.audio("c").await.is_ok_and(|found| found.is_none()), none, "{body}");
    }
}

#[tokio::test]
async fn errors_say_whether_to_try_again() {
    let script = vec![
        Then::Answer(
            429,
            "retry-after: 7\r\n",
            r#"{"detail":{"status":"too_many_concurrent_requests","message":"slow"}}"#.to_owned(),
        ),
        Then::Answer(503, "retry-after-ms: 250\r\n", String::new()),
        answer(500, "<html>"),
        answer(401, r#"{"detail":{"status":"payment_required","message":"credits"}}"#),
        answer(422, r#"{"detail":[{"loc":["query"],"msg":"bad cursor","type":"value_error"}]}"#),
        answer(400, r#"{"detail":"call +14155550123 odd"}"#),
        Then::Close,
        Then::Hang,
    ];
    let fake = Fake::start(script);
    let client = client(&fake.address);
    for (retry, reason) in [
        (Retry::Later(Duration::from_secs(7)), "HTTP 429: too_many_concurrent_requests: slow"),
        (Retry::Later(Duration::from_millis(250)), "HTTP 503"),
        (Retry::Later(ASK_AGAIN), "HTTP 500"),
        (Retry::Later(ASK_AGAIN_AFTER_MENDING), "HTTP 401: payment_required: credits"),
        (Retry::Never, "HTTP 422: value_error: bad cursor"),
        (Retry::Never, "HTTP 400: call +*********23 odd"),
        (Retry::Later(ASK_AGAIN), "no answer from ElevenLabs"),
        (Retry::Later(ASK_AGAIN), "no answer from ElevenLabs"),
    ] {
        let failure = client.get_conversation("c").await.unwrap_err();
        assert_eq!(failure.retry, retry, "{failure}");
        assert!(failure.reason.contains(reason), "{failure}");
    }
}

#[tokio::test]
async fn the_list_is_read_page_by_page() {
    let page = include_str!("../fixtures/conversations_page.json");
    let fake = Fake::start(vec![
        answer(200, page),
        answer(200, page),
        answer(200, r#"{"conversations":[],"has_more":false,"next_cursor":"x"}"#),
        answer(200, "{}"),
    ]);
    let client = client(&fake.address);
    let listing = Listing {
        agent_id: Some("agent_01jz8demo"),
        started_after: Timestamp::from_second(1_759_930_000).ok(),
        dynamic_variable: Some(("call_id", "0199")),
        oldest_first: true,
        ..Listing::default()
    };
    let first = client.list_conversations(&listing, None).await.unwrap();
    assert_eq!(first.conversations.len(), 2);
    assert_eq!((first.conversations[0].status.clone(), first.conversations[0].duration_secs), (Status::Done, Some(47)));
    assert_eq!(
        (first.conversations[1].conversation_id.as_str(), first.conversations[1].status.is_final()),
        ("conv_running", false)
    );
    assert_eq!(first.next.as_deref(), Some("next-page"));
    assert!(client.list_conversations(&listing, Some("next-page")).await.is_err(), "goes in circles");
    assert_eq!(client.list_conversations(&listing, Some("next-page")).await.unwrap().next, None);
    assert!(client.list_conversations(&listing, None).await.is_err());
    let requests = fake.requests();
    let query = "?page_size=100&agent_id=agent_01jz8demo&call_start_after_unix=1759930000&dynamic_variable_params=call_id%3Aeq%3A0199&sort_direction=asc";
    assert!(requests[0].contains(&format!("{query} ")), "{}", requests[0]);
    assert!(requests[1].contains("&cursor=next-page "), "{}", requests[1]);
}

#[tokio::test]
async fn a_recording_is_streamed_and_a_cut_one_is_an_error() {
    let whole = b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n3\r\nID3\r\n2\r\nxy\r\n0\r\n\r\n";
    let cut = b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ntransfer-encoding: chunked\r\n\r\n3\r\nID3\r\n9\r\nxy";
    let fake = Fake::start(vec![Then::Raw(whole.to_vec()), Then::Raw(cut.to_vec())]);
    let client = client(&fake.address);
    let mut audio = client.audio("c").await.unwrap().unwrap();
    assert_eq!((audio.content_type.as_deref(), audio.length), (Some("audio/mpeg"), None));
    let mut bytes = Vec::new();
    while let Some(chunk) = audio.chunk().await.unwrap() {
        bytes.extend_from_slice(&chunk);
    }
    assert_eq!(bytes, b"ID3xy");
    let mut audio = client.audio("c").await.unwrap().unwrap();
    let end = loop {
        match audio.chunk().await {
            Ok(Some(_)) => {}
            end => break end,
        }
    };
    assert!(end.is_err());
}

#[tokio::test]
async fn the_state_of_webhooks_is_read() {
    let fake = Fake::start(vec![answer(200, include_str!("../fixtures/webhooks.json"))]);
    let webhooks = client(&fake.address).webhooks().await.unwrap();
    assert_eq!(webhooks.len(), 2);
    assert_eq!(webhooks[0].url.as_deref(), Some("https://api.example.com/api/webhooks/elevenlabs"));
    assert!(webhooks[0].is_auto_disabled && !webhooks[0].is_disabled);
    assert_eq!(webhooks[0].most_recent_failure_error_code, Some(503));
    assert_eq!(webhooks[0].most_recent_failure_at.unwrap().as_second(), 1_759_931_600);
    assert!(webhooks[1].is_disabled && webhooks[1].most_recent_failure_at.is_none());
    assert!(fake.requests()[0].starts_with("GET /v1/workspace/webhooks?include_usages=true "));
}

#[tokio::test]
async fn the_probe_is_one_cheap_request() {
    let fake = Fake::start(vec![answer(200, r#"{"conversations":[]}"#), answer(404, r#"{"detail":"Not Found"}"#)]);
    let client = client(&fake.address);
    assert_eq!(client.probe().await, Ok(()));
    assert!(client.probe().await.is_err());
    assert!(fake.requests()[0].starts_with("GET /v1/convai/conversations?page_size=1 "));
}

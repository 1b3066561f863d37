//! The doors: what they let in, and what they answer.

use elevenwire::elevenlabs;
use serde_json::{Value, json};
use testkit::World;
use testkit::world::{AGENT_NUMBER, INITIATION_SECRET};

async fn raw(world: &World, body: &[u8], headers: &[(&str, &str)]) -> u16 {
    let mut request = world.http.post(format!("{}/api/webhooks/elevenlabs", world.url)).body(body.to_vec());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().status().as_u16()
}

fn signature(world: &World, secret: &str, offset: i64, body: &[u8]) -> String {
    elevenlabs::signature::header(&secret.into(), world.clock.now().as_second() + offset, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_old_or_unsigned_webhook_is_refused_and_nothing_is_stored() {
    let world = World::start().await;
    let body = br#"{"type":"post_call_transcription","data":{"conversation_id":"c"}}"#;
    let secret = world.vendors.config().webhook_secret.clone();
    let cases = [
        ("forged", signature(&world, "wrong", 0, body)),
        ("of another body", signature(&world, &secret, 0, b"{}")),
        ("too old", signature(&world, &secret, -3700, body)),
        ("from the future", signature(&world, &secret, 400, body)),
        ("malformed", "t=1,v0=zz".to_owned()),
    ];
    assert_eq!(raw(&world, body, &[]).await, 401);
    for (name, header) in cases {
        assert_eq!(raw(&world, body, &[("ElevenLabs-Signature", &header)]).await, 401, "{name}");
    }
    assert!(world.cloud.keys("").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_but_unknown_is_kept_and_what_is_no_object_is_refused() {
    let world = World::start().await;
    assert_eq!(
        world.post_webhook(r#"{"type":"brand_new_event","event_timestamp":"1790000000","data":null}"#).await,
        200
    );
    let keys = world.cloud.keys("raw/brand_new_event/2026/").await;
    assert_eq!(keys.len(), 1, "{keys:?}");
    for body in ["", "[]", "null", "{", "\"text\""] {
        assert_eq!(world.post_webhook(body).await, 400, "{body:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_before_it_is_stored() {
    let world = World::start().await;
    let body = vec![b' '; 20 * 1024 * 1024];
    let secret = world.vendors.config().webhook_secret.clone();
    let header = signature(&world, &secret, 0, &body);
    assert_eq!(raw(&world, &body, &[("ElevenLabs-Signature", &header)]).await, 413);
    assert!(world.cloud.keys("").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_bucket_or_the_queue_refuses_the_vendor_is_asked_to_try_again() {
    let world = World::start().await;
    let body = r#"{"type":"post_call_transcription","data":{"conversation_id":"c"}}"#;
    world.cloud.sqs.delete_queue().queue_url(&world.cloud.transcriptions.url).send().await.unwrap();
    assert_eq!(world.post_webhook(body).await, 503);
    world.cloud.empty_bucket().await;
    world.cloud.s3.delete_bucket().bucket(&world.cloud.bucket).send().await.unwrap();
    assert_eq!(world.post_webhook(body).await, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_pair_of_headers_is_a_second_form_of_the_same_check() {
    let world = World::start().await;
    let body = br#"{"type":"x","data":{}}"#;
    let t = world.clock.now().as_second();
    let hash = elevenlabs::signature::sign(&world.vendors.config().webhook_secret.clone().into(), t, body);
    let good = [("X-ElevenLabs-Signature", hash.as_str()), ("X-ElevenLabs-Timestamp", &t.to_string())];
    assert_eq!(raw(&world, body, &good).await, 200);
    let late = [("X-ElevenLabs-Signature", hash.as_str()), ("X-ElevenLabs-Timestamp", &(t + 1).to_string())];
    assert_eq!(raw(&world, body, &late).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_fetched_as_json() {
    let world = World::start().await;
    world.vendors.configure(json!({ "switches": { "transcript_format": "opentelemetry" } })).unwrap();
    let call_id = world.call("+14155550101").await;
    let call = world.settled(call_id).await;
    assert!(call["conversation"]["messages"].as_array().unwrap().len() > 3, "{call:#}");
    assert_eq!(world.cloud.keys("raw/post_call_transcription_otel/").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_request_of_the_carrier_is_refused() {
    let world = World::start().await;
    let call_id = world.written_down("+14155550101").await;
    for route in ["voice", "fallback", "action", "status"] {
        let url = format!("{}/api/webhooks/signalwire/{route}/{call_id}", world.url);
        let form = [("CallSid", "s1"), ("CallStatus", "completed")];
        let unsigned = world.http.post(&url).form(&form).send().await.unwrap();
        assert_eq!(unsigned.status(), 403, "{route}");
        let forged = world.http.post(&url).header("X-SignalWire-Signature", "AAAA").form(&form).send().await.unwrap();
        assert_eq!(forged.status(), 403, "{route}");
        assert_eq!(forged.text().await.unwrap(), "", "the answer does not say why");
    }
    world.pump().await;
    assert_eq!(world.database.count("select count(*) from call_events where kind = 'carrier'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_uncertain_form_of_signature_and_callback_is_understood() {
    let world = World::start().await;
    for (seed, number) in (1_u32..=8).zip(["01", "02", "03", "04", "05", "06", "07", "08"]) {
        world.vendors.configure(json!({ "seed": seed, "switches": "seed" })).unwrap();
        let call_id = world.call(&format!("+141555501{number}")).await;
        let call = world.settled(call_id).await;
        assert_eq!(call["outcome"], "answered", "seed {seed}: {call:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_of_the_carrier_that_is_not_known_is_kept_once_and_changes_nothing() {
    let world = World::start().await;
    let call_id = world.written_down("+14155550101").await;
    let url = format!("{}/api/webhooks/signalwire/status/{call_id}", world.url);
    let body = "CallSid=s1&CallStatus=brand-new";
    let key = world.vendors.config().signing_key.clone().into();
    let signature = elevenwire::signalwire::signature::sign_form(&key, &url, body.as_bytes());
    for _ in 0..3 {
        let request = world.http.post(&url).header("X-SignalWire-Signature", &signature);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded").body(body);
        assert_eq!(request.send().await.unwrap().status(), 204);
    }
    world.pump().await;
    assert_eq!(world.view(call_id).await["state"], "intent");
    let kept = "select count(*) from call_events where kind = 'not_understood' and raw->>'CallStatus' = 'brand-new'";
    assert_eq!(world.database.count(kept).await, 1);
}

async fn ask(world: &World, secret: &str, body: &Value) -> (u16, Value) {
    let request = world.http.post(format!("{}/api/webhooks/elevenlabs/initiation", world.url));
    let answer = request.header("X-Elevenwire-Secret", secret).json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_learns_the_variables_of_its_call_and_the_conversation_is_noted() {
    let world = World::start().await;
    let call_id = world.call("+14155550101").await;
    let question = json!({ "caller_id": "+14155550100", "called_number": AGENT_NUMBER, "agent_id": "agent_demo",
        "call_sid": call_id, "conversation_id": "conv_1" });
    let (status, answer) = ask(&world, INITIATION_SECRET, &question).await;
    assert_eq!((status, &answer["type"]), (200, &"conversation_initiation_client_data".into()));
    assert_eq!(answer["dynamic_variables"]["first_name"], "Maria");
    assert_eq!(answer["dynamic_variables"]["call_id"], call_id.to_string());
    assert_eq!(world.database.count("select count(*) from calls where conversation_id = 'conv_1'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_caller_gets_valid_empty_variables_and_a_stranger_nothing() {
    let world = World::start().await;
    let question =
        json!({ "caller_id": "+14155550177", "agent_id": "agent_demo", "conversation_id": "c", "call_sid": "SCL_1" });
    let (status, answer) = ask(&world, INITIATION_SECRET, &question).await;
    assert_eq!((status, &answer["dynamic_variables"]), (200, &json!({})));
    assert_eq!(ask(&world, "wrong", &question).await.0, 401);
    let call_id = world.call("+14155550101").await;
    let other = json!({ "agent_id": "agent_other", "call_sid": call_id, "conversation_id": "c" });
    assert_eq!(ask(&world, INITIATION_SECRET, &other).await.1["dynamic_variables"], json!({}), "not its call");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_the_agent_still_gets_what_the_headers_tell() {
    let app = personalize_call::App {
        store: elevenwire::store::Store::new("postgres://nobody@127.0.0.1:1/none".to_owned().into()),
        secrets: vec![INITIATION_SECRET.into()],
    };
    let call_id = uuid::Uuid::new_v4();
    let mut request = elevenwire::http::Inbound {
        body: json!({ "agent_id": "a", "sip_headers": { "x-elevenwire-call": call_id } }).to_string().into(),
        ..Default::default()
    };
    request.headers.insert(personalize_call::SECRET_HEADER, INITIATION_SECRET.parse().unwrap());
    let reply = personalize_call::personalize(&app, &request, testkit::world::Clock::default().now()).await;
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains(&call_id.to_string()), "{}", reply.body);
}

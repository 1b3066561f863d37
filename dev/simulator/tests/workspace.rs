//! What a set-up does at ElevenLabs, and what it reads at SignalWire.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod sink;

use serde_json::{Value, json};
use sink::Bench;

async fn ask(bench: &Bench, method: &str, path: &str, body: Value) -> (u16, Value) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let request = reqwest::Client::new().request(method, format!("{}{path}", bench.sim.url()));
    let answer = request.header("xi-api-key", &bench.sim.config().elevenlabs_api_key).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn an_agent_is_patched_part_by_part_and_asks_only_when_it_is_told_to() {
    let bench = Bench::start(json!({ "agents": [{ "agent_id": "agent_new", "name": "Nia" }] })).await;
    let path = "/v1/convai/agents/agent_new";
    let (_, new) = ask(&bench, "GET", path, Value::Null).await;
    let switch = "/platform_settings/overrides/enable_conversation_initiation_client_data_from_webhook";
    assert_eq!((new.pointer(switch), &new["name"]), (Some(&json!(false)), &json!("Nia")));
    let on = json!({ "enable_conversation_initiation_client_data_from_webhook": true });
    ask(&bench, "PATCH", path, json!({ "platform_settings": { "overrides": on } })).await;
    let (_, patched) =
        ask(&bench, "PATCH", path, json!({ "platform_settings": { "data_collection": { "a": 1 } } })).await;
    assert_eq!(patched.pointer(switch), Some(&json!(true)), "the rest stays");
    let prompt = json!({ "conversation_config": { "agent": { "prompt": { "tool_ids": ["tool_unknown"] } } } });
    assert_eq!(ask(&bench, "PATCH", path, prompt).await.0, 404);
    assert_eq!(ask(&bench, "GET", "/v1/convai/agents/agent_none", Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_secret_is_sent_and_never_shown() {
    let bench = Bench::start(json!({})).await;
    let secret = json!({ "type": "new", "name": "door", "value": "s3cret" });
    let (_, made) = ask(&bench, "POST", "/v1/convai/secrets", secret).await;
    let id = &made["secret_id"];
    let headers = json!({ "X-Door": { "secret_id": id } });
    let webhook = json!({ "conversation_initiation_client_data_webhook": { "url": "https://x.example", "request_headers": headers } });
    let (_, settings) = ask(&bench, "PATCH", "/v1/convai/settings", webhook).await;
    let shown = &settings["conversation_initiation_client_data_webhook"]["request_headers"];
    assert_eq!(*shown, json!({ "x-door": { "secret_id": id } }));
    assert_eq!(bench.sim.config().initiation_headers["x-door"], "s3cret");
    let (_, all) = ask(&bench, "GET", "/v1/convai/secrets", Value::Null).await;
    assert!(all["secrets"][0]["name"] == "door" && !all.to_string().contains("s3cret"));
}

#[tokio::test]
async fn owned_and_verified_numbers_are_listed_page_by_page_for_a_token_that_may() {
    let numbers = json!({ "owned_numbers": ["+14155550100", "+14155550101"], "verified_numbers": ["+14155550102"] });
    let bench = Bench::start(numbers).await;
    let config = bench.sim.config();
    let get = async |path: &str| {
        let request = reqwest::Client::new().get(format!("{}{path}", bench.sim.url()));
        request.basic_auth(&config.project_id, Some(&config.api_token)).send().await.unwrap()
    };
    let page: Value = get("/api/relay/rest/phone_numbers?page_size=1").await.json().await.unwrap();
    assert_eq!(page["data"][0]["number"], "+14155550100");
    let next: Value = get(page["links"]["next"].as_str().unwrap()).await.json().await.unwrap();
    assert_eq!((&next["data"][0]["number"], &next["links"]["next"]), (&json!("+14155550101"), &Value::Null));
    let verified: Value = get("/api/relay/rest/verified_caller_ids").await.json().await.unwrap();
    assert_eq!(verified["data"][0]["verified"], true);
    bench.sim.configure(json!({ "token_scopes": [] })).unwrap();
    assert_eq!(get("/api/relay/rest/phone_numbers").await.status(), 401);
}

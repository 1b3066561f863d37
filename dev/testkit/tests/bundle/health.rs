//! Health, as a monitor sees it.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::stack::{Stack, conversation_id, transcription};

const DEPENDENCIES: [&str; 10] = [
    "database",
    "bucket",
    "signalwire",
    "elevenlabs",
    "queue calls",
    "queue trunk-calls",
    "queue call-events",
    "queue transcriptions",
    "queue recordings",
    "queue imports",
];

#[tokio::test]
async fn health_names_every_dependency_and_checks_anew_only_for_a_token() {
    let stack = Stack::open().await;
    let id = conversation_id();
    stack.webhook(transcription(&id, "none").to_string()).send().await.unwrap();
    let stored = format!("select count(*) from deliveries where conversation_id = '{id}'");
    stack.until_count(&stored, 1, Duration::from_secs(10)).await;

    let unasked = stack.http.get(stack.url("/api/health?deep=1")).send().await.unwrap();
    assert_eq!(unasked.status(), 401);
    let deep = stack.request(Method::GET, "/api/health?deep=1").send().await.unwrap();
    assert_eq!(deep.status(), 200);
    let deep: Value = deep.json().await.unwrap();

    let cached = stack.http.get(stack.url("/api/health")).send().await.unwrap();
    assert_eq!(cached.status(), 200);
    let report: Value = cached.json().await.unwrap();
    assert!(report["checked_at"].as_str() >= deep["checked_at"].as_str(), "what was found is kept for everybody");
    for name in DEPENDENCIES {
        let found = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name);
        assert!(found.is_some_and(|check| check["ok"] == true && check["ms"].is_u64()), "{name}: {report:#}");
    }
    assert!(deep["last_webhook_age_secs"].as_i64().is_some_and(|age| (0..60).contains(&age)), "{deep:#}");
}

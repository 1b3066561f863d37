//! Metrics: each invocation tells its own, in CloudWatch's embedded metric format.

use std::collections::BTreeSet;
use std::time::Duration;

use elevenwire::telemetry::metrics::NAMESPACE;
use serde_json::{Value, json};
use testkit::World;

/// The rules of the embedded metric format that CloudWatch drops a document for.
fn follows_the_format(document: &Value) {
    let about = &document["_aws"];
    assert!(about["Timestamp"].as_i64().unwrap() > 1_600_000_000_000, "milliseconds: {about}");
    let directives = about["CloudWatchMetrics"].as_array().unwrap();
    assert!(!directives.is_empty());
    for directive in directives {
        assert_eq!(directive["Namespace"], NAMESPACE);
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()));
        for metric in metrics {
            let values = &document[metric["Name"].as_str().unwrap()];
            let all = values.as_array().map_or_else(|| vec![values.clone()], Clone::clone);
            assert!((1..=100).contains(&all.len()), "{metric}");
            assert!(all.iter().all(Value::is_number), "{metric}: {values}");
            assert!(["Count", "Seconds", "Milliseconds", "Percent"].contains(&metric["Unit"].as_str().unwrap()));
        }
        for dimension in directive["Dimensions"].as_array().unwrap().iter().flat_map(|set| set.as_array().unwrap()) {
            assert!(!document[dimension.as_str().unwrap()].as_str().unwrap().is_empty(), "{dimension}");
        }
    }
}

/// All that a function told of a metric, added up.
fn total(told: &[Value], function: &str, metric: &str) -> f64 {
    let of_it = told.iter().filter(|document| document["Function"] == function);
    of_it
        .filter_map(|document| match &document[metric] {
            Value::Array(values) => Some(values.iter().filter_map(Value::as_f64).sum()),
            value => value.as_f64(),
        })
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_tells_its_metrics_while_a_call_is_placed_and_brought_home() {
    let world = World::start().await;
    let call_id = world.call("+14155550123").await;
    world.settled(call_id).await;
    world.pump().await;
    world.get(&format!("/api/calls/{call_id}")).await;
    world.check_health().await;
    world.sweep().await;
    world.reconcile().await;
    world.publish().await;
    world.clock.advance(Duration::from_mins(1));
    world.measure().await;

    let told = world.metrics();
    told.iter().for_each(follows_the_format);
    let functions: BTreeSet<&str> = told.iter().filter_map(|document| document["Function"].as_str()).collect();
    for function in [
        "api",
        "audio-webhook",
        "call-status",
        "campaign-trigger",
        "elevenlabs-webhook",
        "health",
        "initiate-call",
        "personalize-call",
        "place-call",
        "publish-events",
        "reconcile",
        "signalwire-webhook",
        "transcription-webhook",
    ] {
        assert!(functions.contains(function), "{function} in {functions:?}");
        assert!(total(&told, function, "ProcessingTime") > 0.0, "{function}");
    }
    assert_eq!(total(&told, "initiate-call", "Requests"), 1.0);
    assert_eq!(total(&told, "place-call", "CallsPlaced"), 1.0);
    assert!(total(&told, "place-call", "PacingError") >= 0.0);
    assert!(total(&told, "call-status", "Messages") >= 3.0);
    assert_eq!(total(&told, "campaign-trigger", "CallsSettled"), 1.0);
    assert_eq!(total(&told, "campaign-trigger", "CallsAnswered"), 1.0);
    assert_eq!(total(&told, "campaign-trigger", "UnsettledCalls"), 0.0);
    assert_eq!(total(&told, "campaign-trigger", "SilentCalls"), 0.0, "webhooks came");
    assert_eq!(total(&told, "campaign-trigger", "SilentConversations"), 0.0);
    assert_eq!(total(&told, "reconcile", "AbandonmentRate"), 0.0);
    assert_eq!(total(&told, "health", "VendorChecksFailed"), 0.0);
    let words = told.iter().map(Value::to_string).collect::<String>();
    assert!(!words.contains("4155550123") && !words.contains(&call_id.to_string()), "no number, no id");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_webhook_is_counted_as_refused_at_every_door() {
    let world = World::start().await;
    for (path, function) in [
        ("/api/webhooks/elevenlabs", "elevenlabs-webhook"),
        ("/api/webhooks/elevenlabs/initiation", "personalize-call"),
        ("/api/webhooks/signalwire/status/01a20e11-3f0c-74fb-8cd0-7ea7e97d7b82", "signalwire-webhook"),
    ] {
        let answer = world.http.post(format!("{}{path}", world.url)).json(&json!({})).send().await.unwrap();
        assert!(answer.status().is_client_error(), "{path}");
        let told = world.metrics();
        assert_eq!(total(&told, function, "RefusedSignatures"), 1.0, "{function}");
        assert_eq!(total(&told, function, "ClientErrors"), 1.0, "{function}");
    }
    world.metrics().iter().for_each(follows_the_format);
}

#[tokio::test(flavor = "multi_thread")]
async fn vendors_that_refuse_our_key_are_counted_by_health() {
    let world = World::start().await;
    let fault = json!({ "where": "*", "kind": "http_status", "status": 401 });
    world.vendors.configure(json!({ "faults": [fault] })).unwrap();
    world.check_health().await;
    let told = world.metrics();
    assert_eq!(total(&told, "health", "VendorChecksFailed"), 2.0);
    assert_eq!(total(&told, "health", "OwnChecksFailed"), 0.0);
}

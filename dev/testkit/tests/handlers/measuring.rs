//! Metrics: each invocation tells its own, in CloudWatch's embedded metric format.

#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

use std::collections::BTreeSet;
use std::time::Duration;

use elevenwire::store::canary;
use elevenwire::store::pulse::{ABANDONMENT, OPEN, SETTLED, SILENCE};
use elevenwire::telemetry::metrics::NAMESPACE;
use serde_json::{Value, json};
use testkit::World;
use testkit::database::Database;
use testkit::listener::Listener;
use testkit::plenty::fill;

use super::reading_plans::assert_indexed;
use super::settling::{drop_all_webhooks, faults, let_time_pass, settled};

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
pub(crate) fn total(told: &[Value], function: &str, metric: &str) -> f64 {
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

/// What the last look at how things stand told.
pub(crate) async fn pulse(world: &World) -> Value {
    world.measure().await;
    world.metrics().pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_which_no_webhook_tells_is_silence_and_is_healed() {
    let world = World::start().await;
    faults(
        &world,
        &json!([{ "where": "status_callback", "kind": "drop" }, { "where": "voice", "kind": "drop" },
            { "where": "fallback", "kind": "drop" }]),
    );
    let call_id = world.call("+14155550101").await;
    world.pump().await;
    let now = pulse(&world).await;
    assert_eq!((&now["LiveCalls"], &now["UnsettledCalls"]), (&json!(1.0), &json!(1.0)));
    let_time_pass(&world, call_id, |call| call["state"] == "ended").await;
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(pulse(&world).await["SilentCalls"], 1.0);
    assert_eq!(total(&world.metrics(), "reconcile", "CallsHealed"), 1.0, "however often it was asked for");
    world.clock.advance(Duration::from_mins(20));
    assert_eq!(pulse(&world).await["SilentCalls"], 0.0, "only what ended lately is silence");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_was_fetched_and_never_pushed_is_silence_of_the_other_vendor() {
    let world = World::start().await;
    drop_all_webhooks(&world);
    let call_id = world.call("+14155550101").await;
    let_time_pass(&world, call_id, settled).await;
    let mut silent = 0.0;
    for _ in 0..30 {
        let now = pulse(&world).await;
        assert_eq!(now["SilentCalls"], 0.0, "the carrier asked for its document");
        silent = now["SilentConversations"].as_f64().unwrap().max(silent);
        world.clock.advance(Duration::from_mins(1));
    }
    assert_eq!(silent, 1.0);
    assert_eq!(pulse(&world).await["SilentConversations"], 0.0, "only what ended lately is silence");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_nobody_brings_home_grows_old() {
    let world = World::start().await;
    drop_all_webhooks(&world);
    let call_id = world.call("+14155550101").await;
    world.pump().await;
    assert_eq!(pulse(&world).await["OldestUnsettled"], 0.0, "it may still ring and talk");
    world.clock.advance(Duration::from_hours(2));
    let now = pulse(&world).await;
    assert!(now["OldestUnsettled"].as_f64().unwrap() > 3600.0, "{now}");
    assert_eq!(world.view(call_id).await["settled_at"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settled_call_tells_how_soon_the_agent_spoke_and_how_it_went() {
    let world = World::start().await;
    let call_id = world.call("+14155550123").await;
    world.settled(call_id).await;
    let sql = format!(
        r#"update conversations v set started_at = c.answered_at + interval '2 seconds', messages = '[
                {{ "role": "user", "message": "Hello?", "time_in_call_secs": 0 }},
                {{ "role": "agent", "message": null, "time_in_call_secs": 0 }},
                {{ "role": "agent", "message": "Hello.", "time_in_call_secs": 1 }},
                {{ "role": "agent", "message": "Bye.", "time_in_call_secs": 9 }}]',
            latencies = '{{ "convai_asr_trailing_service_latency": {{ "median_secs": 0.25 }},
                "convai_llm_service_ttf_sentence": {{ "median_secs": 0.5 }},
                "convai_tts_service_ttfb": {{ "median_secs": 0.125 }} }}',
            analysis = '{{ "data_collection_results": {{ "sentiment": {{ "value": "Negative" }} }} }}'
        from calls c where c.id = '{call_id}' and v.conversation_id = c.conversation_id"#
    );
    world.database.client().await.batch_execute(&sql).await.unwrap();
    world.clock.advance(Duration::from_mins(1));
    let now = pulse(&world).await;
    for (metric, value) in [
        ("AnswerToAgent", 2.0),
        ("AnswerToFirstWord", 3.0),
        ("AgentResponseTime", 0.875),
        ("SentimentNegative", 1.0),
        ("CallsSettled", 1.0),
    ] {
        assert_eq!(now[metric], value, "{metric}");
    }
    assert_eq!((now.get("SentimentPositive"), now.get("SentimentNeutral")), (None, None));
    follows_the_format(&now);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_without_turns_metrics_or_sentiment_tells_none() {
    let world = World::start().await;
    let call_id = world.call("+14155550123").await;
    world.settled(call_id).await;
    let sql = "update conversations set messages = null, latencies = '{}', analysis = null";
    world.database.client().await.batch_execute(sql).await.unwrap();
    world.clock.advance(Duration::from_mins(1));
    let now = pulse(&world).await;
    assert_eq!(now["CallsSettled"], 1.0);
    for metric in ["AnswerToFirstWord", "AgentResponseTime", "SentimentPositive", "SentimentNegative"] {
        assert_eq!(now.get(metric), None, "{metric}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_counted_by_what_became_of_their_tries() {
    let world = World::start().await;
    let client = world.database.client().await;
    let listener = Listener::start().await;
    let endpoint = json!({ "url": listener.url() });
    assert_eq!(world.send(http::Method::POST, "/api/event-endpoints", Some(&endpoint), &[]).await.0, 201);
    let emit = async |subject: &str| {
        client.execute("select emit('call.blocked', $1, $2, '{}')", &[&subject, &world.clock.now()]).await.unwrap();
        world.publish().await;
    };
    listener.answer(500);
    emit("a").await;
    let last = "update outbox_deliveries set attempts = 1000, next_at = $1";
    client.execute(last, &[&world.clock.now()]).await.unwrap();
    world.publish().await;
    listener.answer(200);
    emit("b").await;
    let told = world.metrics();
    for (metric, count) in [("EventsRefused", 2.0), ("EventsGivenUp", 1.0), ("EventsPublished", 1.0)] {
        assert_eq!(total(&told, "publish-events", metric), count, "{metric}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_every_minute_reads_no_whole_table() {
    let database = Database::create().await;
    let client = database.client().await;
    fill(&client).await;
    // The last of the calls that `fill` makes is of this hour.
    let (before, now) = ("'2026-10-05T17:59Z'::timestamptz", "'2026-10-05T18:00Z'::timestamptz");
    for (name, sql) in [
        ("open", OPEN.replace("$1", now)),
        ("silence", SILENCE.replace("$1", now)),
        ("settled", SETTLED.replace("$1", before).replace("$2", now)),
        ("abandonment", ABANDONMENT.replace("$1", now)),
        ("canaries that came home", canary::HOME.replace("$1", "'test'").replace("$2", before).replace("$3", now)),
        ("the last canary", canary::LAST.replace("$1", "'test'").replace("$2", now).replace("$3", "3600")),
    ] {
        let plan: Value = client.query_one(&format!("explain (format json) {sql}"), &[]).await.unwrap().get(0);
        assert_indexed(name, &plan);
    }
}

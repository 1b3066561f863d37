//! Single calls under the guard, and what it says when it is asked.

use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::World;

async fn post(world: &World, key: &str, body: &Value) -> (u16, Value) {
    world.send(Method::POST, "/api/calls", Some(body), &[("Idempotency-Key", key)]).await
}

/// A number in Guam and one in Hawaii: at least one of the two sleeps.
async fn asleep(world: &World) -> (String, Timestamp) {
    for number in ["+16715550101", "+18085550101"] {
        let said = world.get(&format!("/api/guard?phone_number={}", number.replace('+', "%2B"))).await;
        if said["decision"] == "defer" {
            return (number.to_owned(), said["until"].as_str().unwrap().parse().unwrap());
        }
    }
    panic!("it is day in Guam and in Hawaii");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_call_at_night_is_refused_until_the_morning_or_waits_for_it() {
    let world = World::start().await;
    let (number, morning) = asleep(&world).await;
    let wish = json!({"to": number, "agent": "demo"});
    let (status, problem) = post(&world, "now", &wish).await;
    assert_eq!((status, &problem["because"][0]["rule"]), (409, &"outside_hours".into()), "{problem:#}");
    let until: Timestamp = problem["until"].as_str().unwrap().parse().unwrap();
    assert_eq!(until, morning);
    assert_eq!(world.database.count("select count(*) from calls").await, 0, "nothing is written down");

    let wish = json!({"to": number, "agent": "demo", "when": "next_window"});
    let (status, call) = post(&world, "later", &wish).await;
    assert_eq!((status, call["due_at"].as_str().unwrap().parse::<Timestamp>().unwrap()), (202, morning));
    world.pump().await;
    world.sweep().await;
    assert_eq!(world.vendors.book(|book| book.dials.len()), 0);
    world
        .clock
        .advance(Duration::try_from(morning.duration_since(world.clock.now())).unwrap() + Duration::from_secs(30));
    world.sweep().await;
    let id = uuid::Uuid::parse_str(call["id"].as_str().unwrap()).unwrap();
    assert_eq!(world.settled(id).await["outcome"], "answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_can_never_be_called_lawfully_is_422_with_the_rule() {
    let world = World::start().await;
    for (number, rule) in [
        ("+18005550101", "toll_free"),
        ("+14165550101", "no_rules_for_country"),
        ("+442079460123", "no_rules_for_country"),
        ("+18765550101", "no_rules_for_country"),
    ] {
        let (status, problem) = post(&world, number, &json!({"to": number, "agent": "demo"})).await;
        assert_eq!((status, &problem["because"][0]["rule"]), (422, &rule.into()), "{number}: {problem:#}");
    }
    let marketing = json!({"to": "+14155550101", "agent": "demo", "purpose": "marketing", "consent_type": "express"});
    let (status, problem) = post(&world, "m", &marketing).await;
    assert_eq!((status, &problem["because"][0]["rule"]), (422, &"no_consent".into()));
    let (status, problem) = post(&world, "x", &json!({"to": "+14155550101", "agent": "demo", "state": "ZZ",
        "timezone": "Mars/Base", "consent_type": "maybe", "consent_at": "soon", "purpose": "fun", "when": "never", "postal_code": "1"})).await;
    let fields: Vec<&str> = problem["errors"].as_array().unwrap().iter().filter_map(|e| e["field"].as_str()).collect();
    assert_eq!((status, fields.len()), (422, 7), "{problem:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_tells_what_it_would_say_at_a_time_that_is_named() {
    let world = World::start().await;
    let ask = async |query: &str| world.get(&format!("/api/guard?{query}")).await;
    // Thursday, 2026-12-03, in San Francisco (UTC-8), where nine o'clock is the earliest.
    let noon = ask("phone_number=%2B14155550101&at=2026-12-03T20:00:00Z").await;
    assert_eq!((&noon["decision"], &noon["zones"]), (&"allow".into(), &json!(["America/Los_Angeles"])), "{noon:#}");
    assert!(noon["not_checked"].as_array().unwrap().contains(&"consent".into()), "{noon:#}");
    let night = ask("phone_number=+14155550101&at=2026-12-03T08:00:00Z").await;
    assert_eq!((&night["decision"], &night["until"]), (&"defer".into(), &"2026-12-03T17:00:00Z".into()), "{night:#}");
    let narrowed = ask("phone_number=%2B14155550101&at=2026-12-04T03:00:00Z&timezone=America/New_York").await;
    assert_eq!(narrowed["decision"], "defer", "it is ten in the evening in New York: {narrowed:#}");
    let marketing =
        ask("phone_number=%2B14155550101&at=2026-12-03T20:00:00Z&purpose=marketing&consent_type=express").await;
    assert_eq!((&marketing["decision"], &marketing["until"]), (&"block".into(), &Value::Null), "{marketing:#}");
    for (query, field) in [
        ("", "phone_number"),
        ("phone_number=911", "phone_number"),
        ("phone_number=%2B14155550101&at=noon", "at"),
        ("phone_number=%2B14155550101&colour=red", "colour"),
    ] {
        let (status, problem) = world.send(Method::GET, &format!("/api/guard?{query}"), None, &[]).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &field.into()), "{problem:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_number_is_called_at_night_and_the_evidence_says_so() {
    let mut dialling = testkit::world::dialling();
    dialling.own_numbers =
        ["+16715550101", "+18085550101"].map(|number| elevenwire::phone::PhoneNumber::parse(number).unwrap()).to_vec();
    let config = simulator::Config { time_scale: 200.0, calls_per_second: 1000.0, ..simulator::Config::default() };
    let world = World::start_as(config, dialling).await;
    for number in ["+16715550101", "+18085550101"] {
        let call_id = world.call(number).await;
        assert_eq!(world.settled(call_id).await["outcome"], "answered");
    }
    let own = "select count(*) from guard_decisions where inputs->'contact'->>'own' = 'true' and decision = 'allow'";
    assert_eq!(world.database.count(own).await, 2);
    // Never suppression.
    let body = json!({"number": "+16715550101", "reason": "asked"});
    world.send(Method::POST, "/api/suppressions", Some(&body), &[]).await;
    assert_eq!(world.refused("demo", "+16715550101").await["because"][0]["rule"], "suppressed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_used_up_its_day_is_429() {
    use elevenwire::auth::Caps;
    use elevenwire::store::intents::{IdempotencyKey, Recorded};
    let world = World::start().await;
    world.call("+14155550101").await;
    let store = world.database.store();
    let caps = Caps { calls_a_day: Some(1), spend_a_day: None };
    let row = "select id from calls limit 1";
    let id: uuid::Uuid = world.database.client().await.query_one(row, &[]).await.unwrap().get(0);
    let view = world.view(id).await;
    let call = testkit::world::new_call(&view, "+14155550201", world.clock.now());
    let key = IdempotencyKey { token: "test".into(), key: "second".into(), request_sha256: "x".into() };
    let recorded = store.record_intent(&call, &key, &caps, &json!({}), world.clock.now()).await.unwrap();
    assert_eq!(recorded, Recorded::OverCap("calls"));
    let caps = Caps { calls_a_day: Some(2), spend_a_day: None };
    let recorded = store.record_intent(&call, &key, &caps, &json!({}), world.clock.now()).await.unwrap();
    assert_eq!(recorded, Recorded::Fresh);
}

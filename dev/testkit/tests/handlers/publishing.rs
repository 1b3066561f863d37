//! Events out: each event comes in the end to everybody who wants it, signed, and nobody keeps another waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::World;
use testkit::listener::{Listener, Received};
use testkit::world::{CALL_TOKEN, dialling};

use crate::campaigning::{campaign, go, numbers};

/// Registers an endpoint; answers its view, which holds its secret.
async fn register(world: &World, url: &str, types: &[&str]) -> Value {
    let body = json!({ "url": url, "types": types });
    let (status, made) = world.send(Method::POST, "/api/event-endpoints", Some(&body), &[]).await;
    assert_eq!(status, 201, "{made:#}");
    made
}

fn path(endpoint: &Value, rest: &str) -> String {
    format!("/api/event-endpoints/{}{rest}", endpoint["id"].as_str().unwrap())
}

pub(crate) async fn suppress(world: &World, number: &str) {
    let body = json!({ "number": number, "reason": "asked by mail" });
    let (status, answer) = world.send(Method::POST, "/api/suppressions", Some(&body), &[]).await;
    assert!(status < 300, "{answer:#}");
}

/// HMAC-SHA256 written out (RFC 2104), to judge ours.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::digest([&padded(0x36), message].concat());
    Sha256::digest([&padded(0x5c)[..], &inner[..]].concat()).to_vec()
}

/// The signatures that a secret makes.
fn expected(secret: &str, received: &Received) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signed = format!("{}.{}.{}", received.id, received.timestamp, received.body);
    format!("v1,{}", STANDARD.encode(hmac(&key, signed.as_bytes())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_down_for_ten_minutes_gets_each_event_with_a_stable_id_in_the_end() {
    let world = World::start().await;
    let listener = Listener::start().await;
    let secret = register(&world, listener.url(), &[]).await["secret"].as_str().unwrap().to_owned();
    listener.answer(503);
    world.settled(world.call("+14155550101").await).await;
    suppress(&world, "+14155550999").await;
    let id = campaign(&world, json!({}), &numbers(1, "01")).await;
    go(&world, id, "start").await;
    go(&world, id, "pause").await;
    for _ in 0..10 {
        world.publish().await;
        world.clock.advance(Duration::from_mins(1));
    }
    assert!(listener.taken().is_empty());
    let first: BTreeMap<String, String> = listener.received().into_iter().map(|one| (one.id, one.body)).collect();
    assert_eq!(first.len(), 3);
    listener.answer(204);
    for _ in 0..45 {
        world.publish().await;
        world.clock.advance(Duration::from_mins(1));
    }
    let taken = listener.taken();
    assert_eq!(taken.len(), 3, "each once");
    for received in &taken {
        assert_eq!(first.get(&received.id), Some(&received.body), "it is the same event as at the first try");
        assert_eq!(received.signature, expected(&secret, received));
        assert!(received.timestamp > listener.received()[0].timestamp + 600, "the time is that of the try");
        assert_eq!(received.json()["id"], received.id.as_str());
    }
    let kinds: BTreeSet<String> = taken.iter().map(|one| one.json()["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["call.settled", "campaign.paused", "number.suppressed"].map(str::to_owned).into());
    let endpoint = &world.get("/api/event-endpoints").await["endpoints"][0];
    assert_eq!((&endpoint["waiting"], &endpoint["given_up"]), (&json!(0), &json!(0)));
    assert!(endpoint["last_success_at"].is_string() && endpoint["last_failure"] == "it answered 503", "{endpoint:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_gets_what_it_chose_and_what_happens_from_now_on() {
    let world = World::start().await;
    suppress(&world, "+14155550901").await;
    let (all, some) = (Listener::start().await, Listener::start().await);
    register(&world, all.url(), &[]).await;
    register(&world, some.url(), &["call.settled"]).await;
    suppress(&world, "+14155550902").await;
    world.publish().await;
    assert_eq!((all.taken().len(), some.taken().len()), (1, 0));
    assert_eq!(all.taken()[0].json()["data"]["number"], "+14155550902");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_publishers_at_once_lose_nothing() {
    let world = World::start().await;
    let listener = Listener::start().await;
    register(&world, listener.url(), &[]).await;
    listener.take(Duration::from_millis(20));
    for at in 0..60 {
        suppress(&world, &format!("+141555502{at:02}")).await;
    }
    let (one, other) = tokio::join!(world.publish(), world.other_publish());
    assert_eq!(one.taken + other.taken, 60);
    assert!(one.taken > 0 && other.taken > 0, "they share the work: {one:?} {other:?}");
    let ids: BTreeSet<String> = listener.taken().into_iter().map(|one| one.id).collect();
    assert_eq!((ids.len(), listener.received().len()), (60, 60), "each once while nobody dies");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_whose_publisher_died_is_made_again() {
    let world = World::start().await;
    let listener = Listener::start().await;
    register(&world, listener.url(), &[]).await;
    listener.take(Duration::from_secs(5));
    suppress(&world, "+14155550999").await;
    let died = tokio::time::timeout(Duration::from_secs(1), world.publish()).await;
    assert!(died.is_err());
    listener.take(Duration::ZERO);
    assert_eq!(world.other_publish().await.taken, 0, "it may be under way yet");
    world.clock.advance(Duration::from_mins(3));
    assert_eq!(world.other_publish().await.taken, 1);
    let last = listener.taken().pop().unwrap();
    assert!(listener.taken().iter().all(|one| one.id == last.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_or_away_keeps_nobody_waiting() {
    let world = World::start().await;
    let (slow, quick) = (Listener::start().await, Listener::start().await);
    slow.take(Duration::from_secs(3));
    register(&world, slow.url(), &[]).await;
    register(&world, "http://127.0.0.1:1/", &[]).await;
    register(&world, quick.url(), &[]).await;
    for at in 0..40 {
        suppress(&world, &format!("+141555502{at:02}")).await;
    }
    let begun = Instant::now();
    let publishing = world.publish();
    let watching = async {
        while quick.taken().len() < 40 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        begun.elapsed()
    };
    let (_, quick_after) = tokio::join!(publishing, tokio::time::timeout(Duration::from_secs(20), watching));
    let quick_after = quick_after.unwrap();
    assert!(quick_after < Duration::from_secs(3), "{quick_after:?}");
    assert_eq!(slow.taken().len(), 40);
    println!("40 events at the quick one after {quick_after:?}, at the slow one after {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_gone_gets_nothing_until_its_owner_enables_it() {
    let world = World::start().await;
    let listener = Listener::start().await;
    let endpoint = register(&world, listener.url(), &[]).await;
    listener.answer(410);
    suppress(&world, "+14155550901").await;
    world.publish().await;
    suppress(&world, "+14155550902").await;
    listener.answer(200);
    world.clock.advance(Duration::from_hours(1));
    world.publish().await;
    assert_eq!(listener.received().len(), 1);
    let known = world.get(&path(&endpoint, "")).await;
    assert_eq!((&known["state"], &known["because"]), (&json!("disabled"), &json!("it answered 410 Gone")));
    let (status, _) = world.send(Method::POST, &path(&endpoint, "/test"), None, &[]).await;
    assert_eq!(status, 409);
    let (status, enabled) = world.send(Method::POST, &path(&endpoint, "/enable"), None, &[]).await;
    assert_eq!((status, &enabled["state"]), (200, &json!("active")));
    world.publish().await;
    assert_eq!(listener.taken().len(), 1, "what had waited; what happened meanwhile is not told");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_three_days_an_event_is_given_up_and_its_owner_can_have_it_sent_again() {
    let world = World::start().await;
    let listener = Listener::start().await;
    let endpoint = register(&world, listener.url(), &[]).await;
    listener.answer(500);
    suppress(&world, "+14155550999").await;
    let mut given_up = 0;
    for _ in 0..11 {
        given_up += world.publish().await.given_up;
        world.clock.advance(Duration::from_hours(27));
    }
    assert_eq!((given_up, listener.received().len()), (1, 11));
    assert_eq!(world.get(&path(&endpoint, "")).await["given_up"], 1);
    let left = world.get(&path(&endpoint, "/undelivered")).await;
    assert_eq!(
        (&left["events"][0]["state"], &left["events"][0]["error"]),
        (&json!("failed"), &json!("it answered 500"))
    );
    assert_eq!(left["events"][0]["event_id"], listener.received()[0].id.as_str());
    listener.answer(200);
    assert_eq!(world.publish().await.taken, 0);
    let (status, due) = world.send(Method::POST, &path(&endpoint, "/redeliver"), None, &[]).await;
    assert_eq!((status, &due["due"]), (202, &json!(1)));
    assert_eq!(world.publish().await.taken, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_is_changed_both_sign_and_a_day_later_the_new_one_alone() {
    let world = World::start().await;
    let listener = Listener::start().await;
    let endpoint = register(&world, listener.url(), &[]).await;
    let old = endpoint["secret"].as_str().unwrap();
    let (status, rotated) = world.send(Method::POST, &path(&endpoint, "/rotate"), None, &[]).await;
    assert_eq!(status, 200);
    let new = rotated["secret"].as_str().unwrap();
    assert_ne!(old, new);
    let test = async || {
        let (status, sent) = world.send(Method::POST, &path(&endpoint, "/test"), None, &[]).await;
        assert_eq!(status, 202);
        world.publish().await;
        let received = listener.taken().pop().unwrap();
        assert_eq!((&received.json()["type"], &received.json()["id"]), (&json!("endpoint.test"), &sent["event_id"]));
        received
    };
    let received = test().await;
    assert_eq!(received.signature, format!("{} {}", expected(new, &received), expected(old, &received)));
    world.clock.advance(Duration::from_hours(25));
    let received = test().await;
    assert_eq!(received.signature, expected(new, &received));
    let shown =
        world.get(&path(&endpoint, "")).await.to_string() + &world.get("/api/event-endpoints").await.to_string();
    assert!(!shown.contains("whsec_"), "a secret is shown once");
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_are_an_administrators_and_lead_out_of_the_house() {
    let real = elevenwire::dialling::Dialling { played: false, ..dialling() };
    let world = World::start_as(simulator::Config::default(), real).await;
    for inside in ["http://example.com/", "https://127.0.0.1/", "https://169.254.169.254/", "https://localhost/"] {
        let body = json!({ "url": inside });
        let (status, problem) = world.send(Method::POST, "/api/event-endpoints", Some(&body), &[]).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("url")), "{inside}: {problem:#}");
    }
    for at in 0..20 {
        register(&world, &format!("https://example.com/{at}"), &[]).await;
    }
    let body = json!({ "url": "https://example.com/" });
    assert_eq!(world.send(Method::POST, "/api/event-endpoints", Some(&body), &[]).await.0, 409);
    let endpoint = &world.get("/api/event-endpoints").await["endpoints"][0];
    assert_eq!(world.send(Method::DELETE, &path(endpoint, ""), None, &[]).await.0, 204);
    assert_eq!(world.send(Method::DELETE, &path(endpoint, ""), None, &[]).await.0, 404);
    let url = format!("{}/api/event-endpoints", world.url);
    let asked = world.http.get(&url).bearer_auth(CALL_TOKEN).send().await.unwrap();
    assert_eq!(asked.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_gets_every_event_with_the_id_that_the_endpoints_get() {
    let world = World::start().await;
    let listener = Listener::start().await;
    register(&world, listener.url(), &[]).await;
    let queue = &world.cloud.call_events;
    let (events, bus) = (&world.cloud.events, &world.cloud.bus);
    events.create_event_bus().name(bus).send().await.unwrap();
    let pattern = json!({ "source": ["elevenwire"] }).to_string();
    events.put_rule().event_bus_name(bus).name("all").event_pattern(pattern).send().await.unwrap();
    let name = queue.url.rsplit('/').next().unwrap();
    let arn = format!("arn:aws:sqs:us-east-1:000000000000:{name}");
    let target = aws_sdk_eventbridge::types::Target::builder().id("queue").arn(arn).build().unwrap();
    let put = events.put_targets().event_bus_name(bus).rule("all").targets(target).send().await.unwrap();
    assert_eq!(put.failed_entry_count(), 0);
    // From its first run on, the bus is an endpoint like the others.
    world.publish_to_bus().await;
    for at in 0..23 {
        suppress(&world, &format!("+141555502{at:02}")).await;
    }
    assert_eq!(world.publish_to_bus().await.taken, 46);
    let mut on_bus = BTreeMap::new();
    for _ in 0..40 {
        let asked = world.cloud.sqs.receive_message().queue_url(&queue.url).max_number_of_messages(10);
        for message in asked.visibility_timeout(60).send().await.unwrap().messages() {
            let event: Value = serde_json::from_str(message.body().unwrap()).unwrap();
            assert_eq!((&event["source"], &event["detail-type"]), (&json!("elevenwire"), &json!("number.suppressed")));
            on_bus.insert(event["detail"]["id"].as_str().unwrap().to_owned(), event["detail"].clone());
        }
        if on_bus.len() == 23 {
            break;
        }
    }
    let posted: BTreeMap<String, Value> =
        listener.taken().into_iter().map(|one| (one.id.clone(), one.json())).collect();
    assert_eq!(on_bus, posted);
    let bus = world.get("/api/event-endpoints").await["endpoints"][1].clone();
    assert_eq!((&bus["kind"], &bus["waiting"]), (&json!("bus"), &json!(0)), "{bus:#}");
    assert_eq!(world.send(Method::DELETE, &path(&bus, ""), None, &[]).await.0, 409);
    // Without it in the deployment it is none any more.
    world.publish().await;
    assert_eq!(world.get(&path(&bus, "")).await["state"], "disabled");
}

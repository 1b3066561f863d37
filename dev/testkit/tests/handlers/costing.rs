//! What calls cost: told by both vendors, estimated before that, and kept within a budget.

use std::time::Duration;

use elevenwire::auth::Caps;
use elevenwire::cost::Tariff;
use elevenwire::store::intents::{IdempotencyKey, Recorded};
use http::Method;
use serde_json::{Value, json};
use testkit::World;
use uuid::Uuid;

use super::campaigning::{campaign, go, numbers, play, view};

/// What the carrier itself says that a call cost, with its legs.
async fn charged(world: &World, sid: &str) -> f64 {
    let config = world.vendors.config();
    let list =
        format!("{}/api/laml/2010-04-01/Accounts/{}/Calls?PageSize=1000", world.vendors.url(), config.project_id);
    let request = world.http.get(list).basic_auth(&config.project_id, Some(&config.api_token));
    let list: Value = request.send().await.unwrap().json().await.unwrap();
    let of_it = |call: &&Value| call["sid"] == sid || call["parent_call_sid"] == sid;
    list["calls"].as_array().unwrap().iter().filter(of_it).map(|call| call["price"].as_f64().unwrap()).sum()
}

/// Lets the time pass after which prices are looked up, and looks.
async fn look_up(world: &World, after: Duration) -> usize {
    world.clock.advance(after);
    world.reconcile().await.priced
}

fn part(call: &Value, name: &str) -> f64 {
    call["cost"][name].as_f64().unwrap_or_else(|| panic!("no {name}: {call:#}"))
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_over_costs_what_both_vendors_say() {
    let world = World::start().await;
    let id = world.call("+14155550101").await;
    let call = world.settled(id).await;
    let Tariff { carrier_minute, aws_call, .. } = Tariff::default();
    let minutes = (call["duration_secs"].as_f64().unwrap() / 60.0).ceil();
    assert!(near(part(&call, "carrier_usd"), minutes * carrier_minute), "an estimate at first: {call:#}");
    assert!(near(part(&call, "estimated_usd"), minutes * carrier_minute));

    assert_eq!(look_up(&world, Duration::from_mins(4)).await, 0, "it is not asked for at once");
    assert_eq!(look_up(&world, Duration::from_mins(2)).await, 1);
    let call = world.view(id).await;
    let carrier = charged(&world, call["carrier_sid"].as_str().unwrap()).await;
    assert!(carrier > 0.0 && near(part(&call, "carrier_usd"), carrier), "{carrier}: {call:#}");
    let sql = "select cost_fiat from conversations";
    let agent: f64 = world.database.client().await.query_one(sql, &[]).await.unwrap().get(0);
    assert!(agent > 0.0 && near(part(&call, "agent_usd"), agent), "{agent}: {call:#}");
    assert!(near(part(&call, "usd"), carrier + agent + aws_call), "{call:#}");
    assert!(near(part(&call, "estimated_usd"), 0.0), "{call:#}");
    assert_eq!(look_up(&world, Duration::from_hours(1)).await, 0, "it is asked for once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_nobody_answered_costs_nothing_but_its_share_of_aws() {
    let world = World::start().await;
    let id = world.call("+14155550152").await;
    let call = world.settled(id).await;
    assert_eq!((&call["outcome"], part(&call, "usd")), (&"no_answer".into(), Tariff::default().aws_call), "{call:#}");
    assert_eq!(look_up(&world, Duration::from_mins(6)).await, 1);
    assert!(near(part(&world.view(id).await, "carrier_usd"), 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_comes_late_is_found_and_one_that_never_comes_is_not_asked_for_for_ever() {
    let world = World::start().await;
    world.vendors.configure(json!({ "switches": { "call_price": "never", "call_object": "strings" } })).unwrap();
    let late = world.call("+14155550101").await;
    world.settled(late).await;
    assert_eq!(look_up(&world, Duration::from_mins(6)).await, 0);
    world.vendors.configure(json!({ "switches": { "call_price": "at_once" } })).unwrap();
    assert_eq!(look_up(&world, Duration::from_mins(4)).await, 0, "each time it is left alone for longer");
    assert_eq!(look_up(&world, Duration::from_mins(7)).await, 1);
    assert!(near(part(&world.view(late).await, "estimated_usd"), 0.0), "a price as a text, with a minus");

    world.vendors.configure(json!({ "switches": { "call_price": "never" } })).unwrap();
    let never = world.call("+14155550201").await;
    world.settled(never).await;
    for _ in 0..48 {
        assert_eq!(look_up(&world, Duration::from_mins(30)).await, 0);
    }
    let asked = "select count(*) from calls where price_looks = 8 and price_at is null and carrier_price is null";
    assert_eq!(world.database.count(asked).await, 1);
    assert!(part(&world.view(never).await, "estimated_usd") > 0.0, "it stays an estimate");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_list_tells_the_prices_of_a_whole_campaign() {
    let world = World::start().await;
    let id = campaign(&world, json!({}), &numbers(30, "01")).await;
    go(&world, id, "start").await;
    play(&world, id).await;
    assert_eq!(look_up(&world, Duration::from_mins(6)).await, 30);
    let spent = view(&world, id).await;
    let sql = "select sum(carrier_price), (select sum(cost_fiat) from conversations) from calls";
    let row = world.database.client().await.query_one(sql, &[]).await.unwrap();
    let (carrier, agent): (f64, f64) = (row.get(0), row.get(1));
    assert!(near(part(&spent, "carrier_usd"), carrier) && near(part(&spent, "agent_usd"), agent), "{spent:#}");
    assert!(near(part(&spent, "forecast_usd"), part(&spent, "usd")), "nobody is left: {spent:#}");

    // Whoever is imported next is expected to cost as much as those before.
    let next = campaign(&world, json!({}), &numbers(1, "02")).await;
    let import = &world.get(&format!("/api/campaigns/{next}/imports")).await["imports"][0];
    let a_person = import["forecast"]["usd_a_person"].as_f64().unwrap();
    assert!(near(a_person, part(&spent, "usd") / 30.0), "{import:#}");
    assert!(near(import["forecast"]["cost_usd"].as_f64().unwrap(), a_person), "{import:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_that_has_called_nobody_is_foretold_a_minute_of_talk_each() {
    let world = World::start().await;
    let id = campaign(&world, json!({}), &numbers(3, "01")).await;
    let import = &world.get(&format!("/api/campaigns/{id}/imports")).await["imports"][0];
    let three = 3.0 * Tariff::default().person();
    assert!(near(import["forecast"]["cost_usd"].as_f64().unwrap(), three), "{import:#}");
    let spent = view(&world, id).await;
    assert_eq!((part(&spent, "usd"), &spent["cost"]["forecast_usd"]), (0.0, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_of_money_counts_calls_on_the_line_and_pauses_before_it_is_spent_twice() {
    let world = World::start().await;
    let person = Tariff::default().person();
    let settings = json!({"budget": {"max_spend": 2.5 * person}, "max_concurrent": 3});
    let id = campaign(&world, settings, &numbers(20, "01")).await;
    go(&world, id, "start").await;
    world.tick().await;
    let spent = view(&world, id).await;
    assert!(
        near(part(&spent, "usd"), 3.0 * (person - Tariff::default().aws_call)),
        "each is held for a minute: {spent:#}"
    );
    world.watch().await;
    let paused = view(&world, id).await;
    assert_eq!((&paused["state"], &paused["decided_by"]), (&"paused".into(), &"breaker".into()), "{paused:#}");
    assert!(paused["because"].as_str().unwrap().starts_with("budget_spend"), "{paused:#}");

    // Those that were on their way come to an end, and what they cost in truth lets it go on.
    world.vendors.wait_idle(Duration::from_secs(5)).await;
    let path = format!("/api/campaigns/{id}");
    let more = json!({"budget": {"max_spend": 100}});
    assert_eq!(world.send(Method::PATCH, &path, Some(&more), &[]).await.0, 200);
    go(&world, id, "resume").await;
    assert_eq!(play(&world, id).await["state"], "finished");
    assert_eq!(world.vendors.book(|book| book.dials.len()), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_may_spend_so_much_a_day_cannot_ask_for_more_at_once() {
    let world = World::start().await;
    let first = world.call("+14155550152").await;
    let like = world.settled(first).await;
    let store = world.database.store();
    let caps = Caps { calls_a_day: None, spend_a_day: Some(1.5 * Tariff::default().person()) };
    let mut recorded = Vec::new();
    for at in 1..=3 {
        let call = testkit::world::new_call(&like, &format!("+1415555020{at}"), world.clock.now());
        let key = IdempotencyKey { token: "test".into(), key: Uuid::new_v4().to_string(), request_sha256: "x".into() };
        recorded.push(store.record_intent(&call, &key, &caps, &json!({}), world.clock.now()).await.unwrap());
    }
    assert_eq!(recorded, [Recorded::Fresh, Recorded::Fresh, Recorded::OverCap("spend")]);
}

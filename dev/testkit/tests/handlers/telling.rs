//! The outbox: each fact is written down once, and nothing personal with it.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::World;
use uuid::Uuid;

use crate::campaigning::{campaign, go, numbers};
use crate::publishing::suppress;

/// The facts in the outbox: types, and how many of each.
async fn outbox(world: &World) -> BTreeMap<String, i64> {
    let sql = "select type, count(*) from outbox group by 1";
    let rows = world.database.client().await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn one(world: &World, kind: &str) -> Value {
    let sql = "select data from outbox where type = $1";
    world.database.client().await.query_one(sql, &[&kind]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_settled_again_is_told_of_once_and_nothing_personal_is_told() {
    let world = World::start().await;
    let call = world.settled(world.call("+14155550101").await).await;
    let client = world.database.client().await;
    client
        .batch_execute("update calls set transcript = 'expected'; update calls set transcript = 'stored'")
        .await
        .unwrap();
    assert_eq!(outbox(&world).await, [("call.settled".to_owned(), 1)].into());
    let data = one(&world, "call.settled").await;
    assert_eq!((&data["call_id"], &data["outcome"]), (&call["id"], &json!("answered")));
    assert_eq!((&data["transcript"], &data["recording"]), (&json!(true), &json!(true)));
    assert_eq!(data["conversation_id"], call["conversation"]["id"]);
    assert_eq!(data["settled_at"].as_str().unwrap()[..19], call["settled_at"].as_str().unwrap()[..19]);
    let text = data.to_string();
    for personal in ["4155550101", "Maria", "Hello"] {
        assert!(!text.contains(personal), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unsettled_before_its_transaction_ends_is_not_told_of() {
    let world = World::start().await;
    let call = world.written_down("+14155550101").await;
    let client = world.database.client().await;
    let settle =
        format!("update calls set state = 'ended', outcome = 'failed', outcome_final = true where id = '{call}'");
    let unsettle = "update calls set agent_connected = true";
    client.batch_execute(&format!("begin; {settle}; {unsettle}; commit")).await.unwrap();
    assert_eq!(outbox(&world).await, BTreeMap::new());
    client.batch_execute("update calls set outcome = 'busy', agent_connected = false").await.unwrap();
    assert_eq!(one(&world, "call.settled").await["outcome"], "busy");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_will_never_be_called_is_told_of_once_whether_before_or_with_an_attempt() {
    let world = World::start().await;
    // Blocked at its claim: the call tells.
    let called = world.written_down("+14155550101").await;
    suppress(&world, "+14155550101").await;
    world.clock.advance(Duration::from_mins(1));
    world.sweep().await;
    world.until(called, |call| call["outcome"] == "blocked").await;
    let data = one(&world, "call.blocked").await;
    assert_eq!((&data["call_id"], &data["because"]), (&json!(called), &json!("suppressed")), "{data:#}");
    // Blocked at its pick: there is no call.
    let id = campaign(&world, json!({}), &numbers(1, "02")).await;
    suppress(&world, &numbers(1, "02")[0]).await;
    go(&world, id, "start").await;
    world.tick().await;
    let told = "select count(*) from outbox where type = 'call.blocked' and data->>'call_id' is null
        and data->>'campaign_id' = (select id::text from campaigns) and data->>'because' = 'suppressed'
        and (data->>'contact_id')::bigint = (select id from contacts)";
    assert_eq!(world.database.count(told).await, 1);
    world.database.client().await.batch_execute("update contacts set updated_at = now()").await.unwrap();
    let expected = [("call.blocked", 2), ("call.settled", 1), ("number.suppressed", 2)];
    assert_eq!(outbox(&world).await, expected.map(|(kind, n)| (kind.to_owned(), n)).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_whose_attempt_was_blocked_is_told_of_by_that_attempt_alone() {
    let world = World::start().await;
    let number = &numbers(1, "01")[0];
    let id = campaign(&world, json!({}), std::slice::from_ref(number)).await;
    go(&world, id, "start").await;
    assert_eq!(world.tick().await.attempts, 1);
    suppress(&world, number).await;
    for _ in 0..20 {
        world.pump().await;
        world.tick().await;
    }
    assert_eq!(world.database.count("select count(*) from contacts where outcome = 'blocked'").await, 1);
    let data = one(&world, "call.blocked").await;
    assert!(data["call_id"].is_string() && data["contact_id"].is_number(), "{data:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_lifted_and_suppressed_again_is_told_of_twice() {
    let world = World::start().await;
    for _ in 0..2 {
        suppress(&world, "+14155550999").await;
        suppress(&world, "+14155550999").await;
        world.clock.advance(Duration::from_secs(5));
        let reason = json!({ "reason": "a mistake" });
        let (status, _) = world.send(Method::DELETE, "/api/suppressions/+14155550999", Some(&reason), &[]).await;
        assert!(status < 300);
    }
    assert_eq!(outbox(&world).await, [("number.suppressed".to_owned(), 2)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_says_who_paused() {
    let world = World::start().await;
    let id = campaign(&world, json!({ "budget": { "max_calls": 1 } }), &numbers(3, "01")).await;
    go(&world, id, "start").await;
    for _ in 0..50 {
        world.tick().await;
        world.pump().await;
        world.watch().await;
        if world.get(&format!("/api/campaigns/{id}")).await["state"] == "paused" {
            break;
        }
    }
    let data = one(&world, "campaign.paused").await;
    assert_eq!((&data["campaign_id"], &data["decided_by"]), (&json!(id), &json!("breaker")), "{data:#}");
    assert!(data["because"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_follows_from_its_fact() {
    let world = World::start().await;
    let call = world.settled(world.call("+14155550151").await).await["id"].as_str().unwrap().to_owned();
    let fact = format!("call.settled {}", Uuid::parse_str(&call).unwrap());
    let id = format!("msg_{}", &hex::encode(Sha256::digest(fact))[..32]);
    assert_eq!(world.database.count(&format!("select count(*) from outbox where id = '{id}'")).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_list_each_number_is_told_of_that_was_not_on_it_before_and_nothing_else_of_it() {
    let world = World::start().await;
    let client = world.database.client().await;
    let endpoints = "insert into event_endpoints (id, kind, target, types, state, created_by, created_at, updated_at)
        select gen_random_uuid(), 'bus', target, types, state, 'test', now(), now() from (values
            ('all', '{}'::text[], 'active'), ('these', '{number.suppressed}', 'active'),
            ('others', '{call.settled}', 'active'), ('off', '{}', 'disabled')) e (target, types, state)";
    client.batch_execute(endpoints).await.unwrap();
    suppress(&world, "+14155550102").await;
    world.clock.advance(Duration::from_secs(5));
    let list = "+14155550101\n+14155550102\n+14155550103\n+14155550101\n".repeat(2);
    let url = format!("{}/api/suppressions/import", world.url);
    let request = world.http.post(url).bearer_auth(testkit::world::TOKEN).header("Content-Type", "text/csv").body(list);
    assert_eq!(request.send().await.unwrap().status(), 200);
    // What else changes in a row that is on the list is no news of it; a row that comes with it is.
    let more = "update numbers set hold_until = now(); insert into numbers (number) values ('+14155550103')
            on conflict (number) do update set number = excluded.number;
        insert into numbers (number, suppressed_at, suppressed_by) values ('+14155550104', now(), 'owner')";
    client.batch_execute(more).await.unwrap();
    let sql = "select data->>'number', data->>'source', subject = (data->>'number') || ' ' || (data->>'suppressed_at'),
            (select array_agg(e.target order by e.target) from outbox_deliveries d
                join event_endpoints e on e.id = d.endpoint_id where d.event_id = o.id)
        from outbox o where type = 'number.suppressed' order by 1";
    let told: Vec<(String, String, bool, Vec<String>)> =
        client.query(sql, &[]).await.unwrap().iter().map(|r| (r.get(0), r.get(1), r.get(2), r.get(3))).collect();
    let expected = [("01", "import"), ("02", "owner"), ("03", "import"), ("04", "owner")]
        .map(|(end, source)| (format!("+141555501{end}"), source.into(), true, vec!["all".into(), "these".into()]));
    assert_eq!(told, expected);
}

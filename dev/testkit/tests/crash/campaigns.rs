//! A contact of a campaign, from its pick to its end: whoever dies, it waits or has its one attempt, and is accounted for.

use elevenwire::crash::Effect::{Commit, Http, Send, Write};
use http::Method;
use serde_json::{Value, json};
use testkit::World;
use uuid::Uuid;

use crate::stage::Mark;
use crate::walk::{Course, Scenario, Walk};

const TALKS: &str = "+14155550101";
const BUSY: &str = "+14155550151";

/// A campaign with the scenario's callee for its only contact, started.
pub async fn start(walk: &Walk, settings: &Value) {
    let mut body = json!({ "name": "autumn", "agent": "demo", "purpose": "informational", "rate": 100 });
    body.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let (status, made) = walk.world.send(Method::POST, "/api/campaigns", Some(&body), &[]).await;
    assert_eq!(status, 201, "{made:#}");
    let id = Uuid::parse_str(made["id"].as_str().unwrap()).unwrap();
    let contact = "insert into contacts (campaign_id, number, consent_type, consent_at, variables, due_at, created_at, updated_at)
        values ($1, $2, 'written', $3, '{\"first_name\": \"Maria\"}', $3, $3, $3)";
    walk.database.execute(contact, &[&id, &walk.scenario.to, &walk.world.clock.now()]).await.unwrap();
    let (status, body) = walk.world.send(Method::POST, &format!("/api/campaigns/{id}/start"), None, &[]).await;
    assert_eq!(status, 200, "{body:#}");
}

/// What the trigger does in a minute.
pub async fn minute(world: &World) {
    world.watch().await;
    world.sweep().await;
    world.tick().await;
}

/// Whether every campaign is over. True where there is none.
pub async fn all_ended(walk: &Walk) -> bool {
    let sql = "select not exists (select 1 from campaigns where state in ('draft', 'running', 'paused'))";
    walk.database.query_one(sql, &[]).await.unwrap().get(0)
}

/// The contact has its one attempt, and its end; if the attempt may have been lost on the way to the carrier, it waits.
pub async fn check(walk: &Walk, course: &Course, died: Option<&Mark>, name: &str) {
    if walk.scenario.campaign.is_none() {
        return;
    }
    let sql = "select status, outcome, attempts, last_call from contacts";
    let row = walk.database.query_one(sql, &[]).await.unwrap();
    let contact = format!("{row:?}");
    assert_eq!(row.get::<_, Option<Uuid>>("last_call"), Some(course.call_id), "{name}: {contact}");
    let status: &str = row.get("status");
    if course.call["outcome"] == "unknown" {
        assert!(died.is_some_and(|mark| mark.turn.of.starts_with("place-call")), "{name}: {:#}", course.call);
        assert_ne!(status, "done", "{name}: {contact}");
        return;
    }
    let outcome: Option<&str> = row.get("outcome");
    assert_eq!((status, outcome), ("done", Some(walk.scenario.outcome)), "{name}: {contact}");
    assert_eq!(row.get::<_, i32>("attempts"), 1, "{name}: {contact}");
    let tallied = "select status, sum(n)::int8 from contact_tallies group by 1 having sum(n) <> 0";
    let tallied = walk.database.query(tallied, &[]).await.unwrap();
    let tallied: Vec<(&str, i64)> = tallied.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(tallied, [("done", 1)], "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_talks() {
    Walk::all(Scenario {
        campaign: Some(json!({})),
        only: &["campaign-trigger", "place-call"],
        ..Scenario::of(TALKS, "answered", json!([]), &[Commit, Write, Send, Http])
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_is_busy_and_no_news_arrives() {
    let dropped = json!([{ "where": "status_callback", "kind": "drop" }]);
    Walk::all(Scenario {
        campaign: Some(json!({ "retries": { "busy": null } })),
        only: &["campaign-trigger", "place-call", "reconcile"],
        ..Scenario::of(BUSY, "busy", dropped, &[Commit, Write, Send, Http])
    })
    .await;
}

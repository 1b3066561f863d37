//! Campaigns of a run: planned from the seed, imported and started in the same weather as everything else, paused and let go
//! on by their owner.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::World;
use testkit::world::TOKEN;
use uuid::Uuid;

use crate::course::Settings;
use crate::injected::count;
use crate::numbers;
use crate::run::{Agent, Run, dice};

/// Attempts that a contact is given.
pub(crate) const MAX_ATTEMPTS: i64 = 3;

/// People in one campaign, about.
const PEOPLE: usize = 80;

/// A campaign, as it was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) id: std::sync::OnceLock<Uuid>,
    pub(crate) agent: Agent,
    pub(crate) numbers: Vec<String>,
}

/// The owner's word: stand still from when to when, by the run's own clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pause {
    pub(crate) campaign: Uuid,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// Who is in which campaign. One person in five is in the campaign before as well.
pub(crate) fn plan(settings: &Settings) -> Vec<Plan> {
    let mut dice = dice(settings, 2);
    let contacts = settings.contacts();
    let campaigns = (contacts / PEOPLE).max(2);
    let mut next = 0;
    let mut plans: Vec<Plan> = Vec::new();
    for nth in 0..campaigns {
        let agent = [Agent::Bridged, Agent::Trunk, Agent::Watchful, Agent::Bridged][nth % 4];
        let people = contacts / campaigns + usize::from(nth < contacts % campaigns);
        let mut known: Vec<String> = plans.last().map(|before| before.numbers.clone()).unwrap_or_default();
        let mut numbers = Vec::new();
        for _ in 0..people {
            if !known.is_empty() && dice.random_bool(0.2) {
                numbers.push(known.swap_remove(dice.random_range(0..known.len())));
            } else {
                numbers.push(numbers::of(next, &mut dice));
                next += 1;
            }
        }
        plans.push(Plan { id: std::sync::OnceLock::new(), agent, numbers });
    }
    plans
}

/// Makes the campaigns, imports their people, and starts them.
pub(crate) async fn prepare(run: &Run) {
    for (nth, plan) in run.campaigns.iter().enumerate() {
        let again = |minutes: u64, most: u32| json!({ "delay_secs": minutes * 60, "most": most });
        let body = json!({
            "name": format!("campaign {nth}"), "agent": plan.agent.name(), "purpose": "informational",
            "rate": 20, "max_concurrent": 5, "max_attempts": MAX_ATTEMPTS,
            "ring_timeout_secs": if plan.agent == Agent::Trunk { 15 } else { 60 },
            // What was never found is not asked again: its number rests for a day.
            "retries": { "busy": again(5, 2), "no_answer": again(10, 1), "failed": again(5, 2), "abandoned": again(10, 1),
                "network_blocked": again(15, 1), "canceled": again(5, 2), "screened": null, "unknown": null },
        });
        let made = until(run, Method::POST, "/api/campaigns", Some(&body)).await;
        let id: Uuid = made["id"].as_str().unwrap_or_default().parse().unwrap_or_else(|_| panic!("{made:#}"));
        plan.id.set(id).unwrap();
        import(run, id, &plan.numbers).await;
    }
    for id in run.campaigns.iter().filter_map(|plan| plan.id.get()) {
        until(run, Method::POST, &format!("/api/campaigns/{id}/start"), None).await;
    }
}

async fn import(run: &Run, id: Uuid, numbers: &[String]) {
    let mut csv = "phone_number,consent_type,consent_at,first_name\n".to_owned();
    for number in numbers {
        writeln!(csv, "{number},written,2026-01-05T10:00:00Z,Chloé").unwrap();
    }
    let path = format!("/api/campaigns/{id}/imports");
    let request = run.world.http.post(format!("{}{path}", run.world.url)).bearer_auth(TOKEN);
    let answer = request.header("Content-Type", "text/csv").body(csv).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    for _ in 0..600 {
        let imports = until(run, Method::GET, &path, None).await;
        let import = &imports["imports"][0];
        if import["state"] == "done" {
            assert_eq!((&import["bad"], &import["taken"]), (&json!(0), &json!(numbers.len())), "{import:#}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Its worker may have died: reconcile wakes another.
        run.world.clock.advance(Duration::from_secs(10));
        let _ = run.world.try_reconcile().await;
    }
    panic!("an import never ended");
}

/// Asks until there is a clear answer; a conflict is one.
async fn until(run: &Run, method: Method, path: &str, body: Option<&Value>) -> Value {
    loop {
        let (status, answer) = try_send(&run.world, method.clone(), path, body).await;
        if (200..300).contains(&status) || status == 409 {
            return answer;
        }
        assert!(status == 0 || status >= 500, "{path} answers {status}: {answer:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn try_send(world: &World, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
    let mut request = world.http.request(method, format!("{}{path}", world.url)).bearer_auth(TOKEN);
    if let Some(body) = body {
        request = request.json(body);
    }
    let Ok(answer) = request.send().await else { return (0, Value::Null) };
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// Now and then its owner pauses a campaign, and lets it go on. Never ends by itself.
pub(crate) async fn disturb(run: &Run) {
    let mut dice = run.dice(3);
    loop {
        tokio::time::sleep(Duration::from_millis(dice.random_range(300..3000))).await;
        let plan = &run.campaigns[dice.random_range(0..run.campaigns.len())];
        let Some(campaign) = plan.id.get().copied() else { continue };
        let paused = until(run, Method::POST, &format!("/api/campaigns/{campaign}/pause"), None).await;
        // One that had paused itself goes on by itself ([`insist`]).
        if paused["state"] != "paused" || paused["decided_by"] != "owner" {
            continue;
        }
        let from = run.world.clock.now();
        tokio::time::sleep(Duration::from_millis(dice.random_range(300..1500))).await;
        run.pauses.lock().unwrap().push(Pause { campaign, from, to: run.world.clock.now() });
        until(run, Method::POST, &format!("/api/campaigns/{campaign}/resume"), None).await;
        count(&run.counters.paused);
    }
}

/// Lets what paused itself go on: its owner insists. What he paused himself, [`disturb`] lets go on.
pub(crate) async fn insist(run: &Run) {
    let rows = run.rows("select id from campaigns where state = 'paused' and decided_by = 'breaker'").await;
    for row in &rows {
        let path = format!("/api/campaigns/{}/resume", row.get::<_, Uuid>(0));
        until(run, Method::POST, &path, None).await;
        count(&run.counters.insisted);
    }
}

/// Contacts that are not done, and campaigns that have not ended.
pub(crate) async fn open(run: &Run) -> u64 {
    run.number(
        "select (select count(*) from contacts where status <> 'done')
            + (select count(*) from campaigns where state in ('running', 'paused'))",
    )
    .await
}

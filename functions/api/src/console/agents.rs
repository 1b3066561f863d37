//! Agents with their limits, and the health of the numbers that they call from.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use elevenwire::store::agents::{Agent, Amd};
use jiff::SignedDuration;
use maud::{Markup, html};
use serde_json::Value;

use super::errors::Shown;
use super::text;
use super::visit::{Tab, Visit};
use crate::App;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/console/agents", get(page))
}

const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

async fn page(State(app): State<Arc<App>>, visit: Visit) -> Shown {
    let agents = app.store.agents().await?;
    let numbers: Vec<String> = agents.iter().flat_map(|agent| agent.caller_ids.clone()).collect();
    let since = visit.now.checked_sub(WEEK).unwrap_or(visit.now);
    let health = app.store.caller_id_health(&numbers, since).await?;
    let health = health.as_array().map(Vec::as_slice).unwrap_or_default();
    let main = html! {
        h1 { "Agents" }
        @if agents.is_empty() { p class="none" { "None is registered yet: POST /api/agents." } }
        @for agent in &agents { (one(&visit, agent, health)) }
    };
    Ok(visit.page("Agents", Tab::Agents, &main))
}

fn one(visit: &Visit, agent: &Agent, health: &[Value]) -> Markup {
    let own: Vec<&Value> =
        health.iter().filter(|one| agent.caller_ids.iter().any(|number| one["number"] == number.as_str())).collect();
    html! { section id=(agent.name) {
        h2 { (text::plain(&agent.name)) }
        dl class="facts" {
            div { dt { "At once" } dd { @match agent.max_concurrent { Some(n) => (n), None => "the workspace's limit" } } }
            div { dt { "Ends after" } dd { (text::duration(i64::from(agent.max_duration_secs))) } }
            div { dt { "Rings for" } dd { @match agent.ring_timeout_secs { Some(n) => { (n) " s" }, None => "the deployment's time" } } }
            div { dt { "Machines" } dd { @match agent.amd { Amd::Off => "not looked for", Amd::HangUp => "hung up on" } } }
            div { dt { "Dialled by" } dd { @if agent.connect.as_str() == "trunk" { "ElevenLabs" } @else { "SignalWire" } } }
            div { dt { "ElevenLabs" } dd { code { (text::plain(&agent.elevenlabs_agent_id)) } } }
            div { dt { "Its calls" } dd { a href=(visit.to(&format!("calls?agent={}", text::escaped(&agent.name)))) { "All of them" } } }
        }
        table {
            caption { "Caller ids: their last 500 calls of seven days" }
            thead { tr { th scope="col" { "Number" } th scope="col" { "Health" } th scope="col" { "Calls" } th scope="col" { "Answered" } th scope="col" { "Refused by networks" } th scope="col" { "Last" } } }
            tbody { @for number in own { (caller_id(visit, number)) } }
        }
    } }
}

fn caller_id(visit: &Visit, one: &Value) -> Markup {
    let n = |name: &str| one[name].as_i64().unwrap_or(0);
    let rests = text::moment(&one["rests_until"]).filter(|until| *until > visit.now);
    html! { tr {
        (text::cell("Number", &html! { (text::number(&text::word(&one["number"]))) }))
        (text::cell("Health", &html! { @match rests {
            Some(until) => { span class="pill bad" { "rests" } " until " (text::when(until)) ", " (text::word(&one["because"])) },
            None if n("calls") > 0 && n("refused") * 10 >= n("calls") => span class="pill warn" { "often refused" },
            None => span class="pill good" { "well" },
        } }))
        (text::cell("Calls", &html! { (text::count(n("calls"))) }))
        (text::cell("Answered", &html! { (text::percent(n("answered"), n("calls"))) }))
        (text::cell("Refused by networks", &html! { (text::count(n("refused"))) }))
        (text::cell("Last", &text::when_of(&one["last"])))
    } }
}

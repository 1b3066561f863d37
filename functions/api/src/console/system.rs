//! The machinery: what waits and for how long, what was put aside, whether webhooks come, how each day was settled.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use elevenwire::guard::RULES_VERSION;
use elevenwire::store::migrations;
use elevenwire::store::reading::{DeliveryFilter, Slice};
use jiff::SignedDuration;
use maud::{Markup, html};
use serde_json::Value;

use super::errors::Shown;
use super::visit::{Tab, Visit};
use super::{dead_letters, text};
use crate::App;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/console/system", get(page))
}

/// Where health keeps its last result.
const HEALTH: &str = "health/latest.json";
const REFUSED: i64 = 15;

async fn page(State(app): State<Arc<App>>, visit: Visit) -> Shown {
    let back = |hours: i64| visit.now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(visit.now);
    let machinery = app.store.machinery(visit.now, back(24), back(7 * 24)).await?;
    let refused = DeliveryFilter { result: Some("refused".to_owned()), ..DeliveryFilter::default() };
    let refused = app.store.deliveries(&refused, &Slice::first(REFUSED)).await?;
    let refused: Vec<Value> = refused.into_iter().map(|entry| entry.view).collect();
    let schema = migrations::current(&app.store).await?;
    let dead = dead_letters::section(&app, &visit).await?;
    // The page is of use without it.
    let health = app
        .blobs
        .get(HEALTH)
        .await
        .ok()
        .and_then(|body| serde_json::from_slice::<Value>(&body).ok())
        .unwrap_or_default();
    let main = html! {
        h1 { "System" }
        div class="two" id="machinery" data-live="" {
            section { h2 { "Dependencies and queues" } (checks(&visit, &health)) }
            section { h2 { "Work that is overdue" } (overdue(&visit, &machinery)) (webhooks(&machinery)) }
        }
        section { (dead) }
        section { h2 { "Settlement of each day (UTC)" } (days(&machinery)) }
        section { h2 { "Deliveries that could not be used" } (put_aside(&refused)) }
        section { h2 { "Versions" } dl class="facts" {
            div { dt { "11Wire" } dd { (env!("CARGO_PKG_VERSION")) } }
            div { dt { "Rules of the guard" } dd { (RULES_VERSION) } }
            div { dt { "Schema" } dd { (schema) @if schema < migrations::newest() { ", but this program needs " (migrations::newest()) ": invoke migrate" } } }
        } }
    };
    Ok(visit.page("System", Tab::System, &main))
}

fn checks(visit: &Visit, health: &Value) -> Markup {
    let checks = health["checks"].as_array().cloned().unwrap_or_default();
    html! {
        @match text::moment(&health["checked_at"]) {
            Some(at) => p { (text::pill(&text::word(&health["status"]))) " checked " (text::ago(at, visit.now)) " ago" },
            None => p class="none" { "No check has run yet: one runs every 5 minutes." },
        }
        @if !checks.is_empty() { table {
            thead { tr { th scope="col" { "What" } th scope="col" { "State" } th scope="col" { "Took" } th scope="col" { "Detail" } } }
            tbody { @for check in &checks { tr {
                (text::cell("What", &html! { (text::word(&check["name"])) }))
                (text::cell("State", &text::pill(if check["ok"] == true { "ok" } else { "failing" })))
                (text::cell("Took", &html! { (check["ms"]) " ms" }))
                (text::cell("Detail", &html! { (text::word(&check["detail"])) }))
            } } }
        } }
        @for warning in health["warnings"].as_array().into_iter().flatten() { p class="hint" { (text::word(warning)) } }
    }
}

fn overdue(visit: &Visit, machinery: &Value) -> Markup {
    let kinds = [
        ("due", "Calls to place"),
        ("settling", "Calls to settle"),
        ("recordings", "Recordings to fetch"),
        ("imports", "Imports"),
    ];
    html! { table {
        thead { tr { th scope="col" { "Work" } th scope="col" { "Waits" } th scope="col" { "Oldest" } } }
        tbody { @for (name, what) in kinds { tr {
            (text::cell("Work", &html! { (what) }))
            (text::cell("Waits", &html! { (text::count(machinery[name]["count"].as_i64().unwrap_or(0))) }))
            (text::cell("Oldest", &html! { @match text::moment(&machinery[name]["oldest"]) { Some(at) => (text::ago(at, visit.now)), None => "–" } }))
        } } }
    } }
}

fn webhooks(machinery: &Value) -> Markup {
    let found = machinery["webhooks"].as_array().cloned().unwrap_or_default();
    html! {
        h2 { "Webhooks of the agents' vendor, 24 h" }
        @if found.is_empty() { p class="none" { "None came. Reconcile fetches what is missing; is the webhook switched on?" } }
        @else { table {
            thead { tr { th scope="col" { "Kind" } th scope="col" { "Became" } th scope="col" { "Count" } th scope="col" { "Last" } } }
            tbody { @for one in &found { tr {
                (text::cell("Kind", &html! { (text::spoken(&text::word(&one["event_type"]))) }))
                (text::cell("Became", &text::pill(&text::word(&one["result"]))))
                (text::cell("Count", &html! { (text::count(one["count"].as_i64().unwrap_or(0))) }))
                (text::cell("Last", &text::when_of(&one["last"])))
            } } }
        } }
    }
}

fn days(machinery: &Value) -> Markup {
    let days = machinery["days"].as_array().cloned().unwrap_or_default();
    let columns = [
        ("placed", "Placed"),
        ("settled", "Settled"),
        ("healed", "Healed"),
        ("given_up", "Given up"),
        ("double_dials", "Rang twice"),
    ];
    html! {
        @if days.is_empty() { p class="none" { "No call was placed in seven days." } } @else { table {
            thead { tr { th scope="col" { "Day" } @for (_, name) in columns { th scope="col" { (name) } } th scope="col" { "Open" } } }
            tbody { @for day in &days { tr {
                (text::cell("Day", &html! { (text::word(&day["day"])) }))
                @for (field, name) in columns { (text::cell(name, &html! { (text::count(day[field].as_i64().unwrap_or(0))) })) }
                @let open = day["placed"].as_i64().unwrap_or(0) - day["settled"].as_i64().unwrap_or(0);
                (text::cell("Open", &html! { @if open == 0 { span class="pill good" { "none" } } @else { span class="pill warn" { (text::count(open)) } } }))
            } } }
        } }
    }
}

fn put_aside(refused: &[Value]) -> Markup {
    html! {
        @if refused.is_empty() { p class="none" { "None." } } @else { table {
            thead { tr { th scope="col" { "Kind" } th scope="col" { "Why" } th scope="col" { "Came" } } }
            tbody { @for one in refused { tr {
                (text::cell("Kind", &html! { (text::spoken(&text::word(&one["event_type"]))) }))
                (text::cell("Why", &html! { (text::cut(&text::word(&one["reason"]), 200)) }))
                (text::cell("Came", &text::when_of(&one["received_at"])))
            } } }
        } }
    }
}

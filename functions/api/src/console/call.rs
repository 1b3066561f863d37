//! One call: the sentence that explains it, what was said, how it sounded, everything that happened, and why it was allowed.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderValue, header};
use axum::routing::{get, post};
use elevenwire::auth::Scope;
use elevenwire::guard;
use elevenwire::problem::Problem;
use maud::{Markup, html};
use serde_json::Value;

use super::errors::{POLICY, Shown, see_other};
use super::visit::{Fields, Tab, Visit, field};
use super::{text, transcript};
use crate::App;
use crate::calls::{LINK_VALID, id, link, missing};
use crate::imports::no_bucket;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/console/calls/{id}", get(page))
        .route("/console/calls/{id}/recording", get(recording))
        .route("/console/calls/{id}/raw", get(raw))
        .route("/console/calls/{id}/end", post(end))
}

/// Bytes of vendors' own words that a page shows, of each event and in all.
const LONGEST_RAW: usize = 1200;
const MOST_RAW: usize = 30_000;

async fn page(State(app): State<Arc<App>>, visit: Visit, Path(text_id): Path<String>) -> Shown {
    let id = id(&text_id)?;
    let view = app.store.call_view(id).await?.ok_or_else(missing)?;
    let timeline = app.store.timeline(id).await?.unwrap_or_default();
    let conversation = match view["conversation"]["id"].as_str() {
        Some(id) => app.store.conversation(id).await?.unwrap_or_default(),
        None => Value::Null,
    };
    let number = text::word(&view["to"]);
    let main = html! {
        p class="crumb" { a href=(visit.to("calls")) { "Calls" } }
        h1 { (text::number(&number)) " " (text::standing(&view)) }
        (explanation(&view))
        (facts(&visit, &view, &timeline))
        (ending(&visit, &view))
        div class="two" {
            section {
                h2 { "What was said" }
                (player(&visit, &view))
                @if view["conversation"].is_null() { p class="none" { "No conversation belongs to this call." } }
                @else { (transcript::conversation(&view["conversation"]["messages"])) }
            }
            section {
                (analysis(&view, &conversation))
                (decision(&timeline))
            }
        }
        section { h2 { "Everything that happened" } (events(&timeline)) }
    };
    let mut response = visit.page(&format!("Call to {}", text::number(&number)), Tab::Calls, &main);
    if !view["recording"].is_null() {
        let link = app.blobs.link_to_get("recordings/", LINK_VALID, "x").await.map_err(|error| no_bucket(&error))?;
        let policy = format!("{POLICY}; media-src 'self' {}", origin(&link));
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
    Ok(response)
}

/// Scheme, host and port of an address.
fn origin(address: &str) -> &str {
    let host = address.find("://").map_or(0, |at| at + 3);
    address[host..].find('/').map_or(address, |end| &address[..host + end])
}

fn explanation(view: &Value) -> Markup {
    let told = &view["explanation"];
    html! {
        div class="explained" id="explanation" {
            p class="lead" { (text::word(&told["what"])) }
            p { (text::word(&told["why"])) }
            @if !text::word(&told["next"]).is_empty() { p { span class="hint" { "What is next: " } (text::word(&told["next"])) } }
            @if !text::word(&told["who"]).is_empty() { p class="hint" { "Decided by: " (text::spoken(&text::word(&told["who"]))) "." } }
        }
    }
}

/// The zone of the person: as the owner knows it, else as the number tells.
fn zone(view: &Value, timeline: &Value) -> Option<String> {
    let known = timeline["guard"][0]["inputs"]["contact"]["timezone"].as_str().map(str::to_owned);
    let contact = guard::Contact { number: text::word(&view["to"]).into_owned(), ..guard::Contact::default() };
    known.or_else(|| guard::place(&contact).zones.into_iter().next())
}

fn facts(visit: &Visit, view: &Value, timeline: &Value) -> Markup {
    let began =
        ["answered_at", "ringing_at", "placed_at", "created_at"].iter().find_map(|name| text::moment(&view[*name]));
    let theirs = zone(view, timeline).zip(began).and_then(|(zone, at)| text::clock_at(at, &zone));
    let number = text::word(&view["to"]);
    let lasted = view["duration_secs"].as_i64().map_or_else(|| "–".to_owned(), text::duration);
    let agent = text::word(&view["agent"]);
    let missing: Vec<String> =
        view["missing"].as_array().into_iter().flatten().map(|piece| text::word(piece).into_owned()).collect();
    let campaign = view["campaign"].as_str();
    html! {
        dl class="facts" {
            div { dt { "Time" } dd { @if let Some(at) = began { (text::when(at)) } @if let Some(theirs) = theirs { span class="theirs" { (theirs) " for the callee" } } } }
            div { dt { "Lasted" } dd { (lasted) } }
            div { dt { "Number" } dd { a href=(visit.to(&format!("numbers/{}", text::escaped(&number)))) { "Everything about this number" } } }
            div { dt { "From" } dd { (text::number(&text::word(&view["from"]))) } }
            div { dt { "Agent" } dd { a href={ (visit.to("agents")) "#" (agent) } { (agent) } } }
            @if let Some(campaign) = campaign { div { dt { "Campaign" } dd {
                @if uuid::Uuid::parse_str(campaign).is_ok() { a href=(visit.to(&format!("campaigns/{campaign}"))) { "Its campaign" } } @else { (text::plain(campaign)) }
            } } }
            div { dt { "Settled" } dd { @if missing.is_empty() { (text::when_of(&view["settled_at"])) } @else { "not yet: " (missing.join(", ")) " awaited" } } }
            div { dt { "Cost" } dd { (cost(&view["cost"])) } }
            @if let Some(code) = view["sip_code"].as_i64() { div { dt { "SIP status" } dd { (code) } } }
            div { dt { "Id" } dd { code { (text::word(&view["id"])) } } }
        }
    }
}

/// All together, and whose part is how much.
fn cost(cost: &Value) -> Markup {
    let part = |name: &str| cost[name].as_f64().unwrap_or(0.0);
    let told = part("estimated_usd") == 0.0;
    html! {
        (text::dollars(part("usd")))
        span class="hint" {
            " carrier " (text::dollars(part("carrier_usd"))) ", agent " (text::dollars(part("agent_usd"))) ", AWS " (text::dollars(part("aws_usd")))
            @if !told { "; " (text::dollars(part("estimated_usd"))) " of it is an estimate" }
        }
    }
}

fn ending(visit: &Visit, view: &Value) -> Markup {
    let state = text::word(&view["state"]);
    let may = visit.may(Scope::Call) && state != "ended" && view["connect"] != "trunk";
    let talks = state == "in_progress";
    html! { @if may {
        form method="post" class="actions" action=(visit.to(&format!("calls/{}/end", text::word(&view["id"])))) {
            (visit.seal())
            @if talks { input type="hidden" name="hang_up" value="yes"; }
            button { @if talks { "Hang up" } @else { "Take back" } }
        }
    } }
}

fn player(visit: &Visit, view: &Value) -> Markup {
    let address = visit.to(&format!("calls/{}/recording", text::word(&view["id"])));
    html! { @if !view["recording"].is_null() {
        div class="player" {
            audio id="player" controls preload="none" src=(address) aria-label="Recording of the call" {}
            p class="hint" { "The words follow the recording; choose a time to hear it from there. "
                a href=(address) { "Download" } @if let Some(bytes) = view["recording"]["bytes"].as_i64() { ", " (text::count(bytes / 1024)) " kB" } }
        }
    } }
}

fn analysis(view: &Value, conversation: &Value) -> Markup {
    let summary = text::word(&view["conversation"]["summary"]);
    let id = text::word(&view["id"]);
    html! { @if !view["conversation"].is_null() {
        h2 { "Analysis" }
        @if let Some(word) = view["conversation"]["successful"].as_str() { p { "The agent's vendor judges: " (text::pill(word)) } }
        @if !summary.is_empty() { p dir="auto" { (text::cut(&summary, 2000)) } }
        dl class="facts" {
            @if let Some(reason) = view["conversation"]["termination_reason"].as_str() { div { dt { "Ended because" } dd { (text::plain(reason)) } } }
            @if let Some(credits) = conversation["cost"].as_i64() { div { dt { "Credits" } dd { (text::count(credits)) } } }
            div { dt { "Conversation" } dd { code { (text::word(&view["conversation"]["id"])) } } }
        }
        (json("Analysis and latencies", &serde_json::json!({ "analysis": conversation["analysis"], "latencies": conversation["latencies"] })))
        @if conversation["raw_key"].is_string() { p { a href={ "./" (id) "/raw" } { "Raw payload, as the vendor sent it" } } }
    } }
}

fn json(name: &str, value: &Value) -> Markup {
    let shown = serde_json::to_string_pretty(value).unwrap_or_default();
    html! { details { summary { (name) } pre tabindex="0" { (text::cut(&text::plain(&shown), LONGEST_RAW * 3)) } } }
}

fn decision(timeline: &Value) -> Markup {
    let decisions = timeline["guard"].as_array().map(Vec::as_slice).unwrap_or_default();
    html! {
        h2 { "What the guard said" }
        @if decisions.is_empty() { p class="none" { "It was not asked: nobody tried to place the call yet." } }
        @for one in decisions.iter().rev().take(5) {
            @let because = one["inputs"]["answer"]["because"].as_array().cloned().unwrap_or_default();
            div class="decision" {
                p { (text::pill(&text::word(&one["decision"]))) " " (text::when_of(&one["at"]))
                    @if let Some(until) = text::moment(&one["inputs"]["answer"]["until"]) { ", until " (text::when(until)) } }
                @if !because.is_empty() { ul { @for rule in &because {
                    li { b { (text::spoken(&text::word(&rule["rule"]))) } " (" (text::word(&rule["source"])) ")" }
                } } }
                p class="hint" { "Rules of " (text::word(&one["rules_version"])) }
                (json("Everything that it looked at", &one["inputs"]))
            }
        }
    }
}

fn events(timeline: &Value) -> Markup {
    let events = timeline["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut budget = MOST_RAW;
    let rows: Vec<Markup> = events.iter().take(80).map(|event| row(event, &mut budget)).collect();
    html! {
        @if events.is_empty() { p class="none" { "Nothing yet." } }
        ol class="timeline" { @for row in &rows { (row) } }
        @if events.len() > rows.len() { p class="hint" { (events.len() - rows.len()) " more: GET /api/calls/{id}/events has all." } }
    }
}

fn row(event: &Value, budget: &mut usize) -> Markup {
    let fact: Vec<String> =
        event["fact"].as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()).map(fact).collect();
    let raw = event["raw"].as_object().map(|raw| serde_json::to_string_pretty(raw).unwrap_or_default());
    let raw = raw.map(|raw| text::cut(&text::plain(&raw), LONGEST_RAW).into_owned()).filter(|raw| raw.len() <= *budget);
    *budget -= raw.as_deref().map_or(0, str::len);
    html! { li {
        span class="at" { (text::when_of(&event["at"])) }
        span { b { (text::spoken(&text::word(&event["kind"]))) } " " (text::cut(&fact.join(", "), 300)) }
        @if let Some(raw) = raw { details { summary { "In the vendor's words" } pre tabindex="0" { (raw) } } }
    } }
}

fn fact((name, value): (&String, &Value)) -> String {
    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("{}: {}", text::spoken(name), text::plain(&value))
}

async fn recording(State(app): State<Arc<App>>, _visit: Visit, Path(text_id): Path<String>) -> Shown {
    let (url, _) = link(&app, id(&text_id)?).await?;
    Ok(see_other(&url))
}

async fn raw(State(app): State<Arc<App>>, _visit: Visit, Path(text_id): Path<String>) -> Shown {
    let view = app.store.call_view(id(&text_id)?).await?.ok_or_else(missing)?;
    let none = || Problem::not_found("No raw payload belongs to this call.");
    let conversation = view["conversation"]["id"].as_str().ok_or_else(none)?;
    let conversation = app.store.conversation(conversation).await?.ok_or_else(none)?;
    let key = conversation["raw_key"].as_str().ok_or_else(none)?;
    let url =
        app.blobs.link_to_get(key, LINK_VALID, &format!("{text_id}.json")).await.map_err(|error| no_bucket(&error))?;
    Ok(see_other(&url))
}

async fn end(State(app): State<Arc<App>>, visit: Visit, Path(id): Path<String>, Form(fields): Form<Fields>) -> Shown {
    visit.check(Scope::Call, &fields)?;
    crate::stops::end(&app, &id, field(&fields, "hang_up") == "yes").await?;
    Ok(see_other(&format!("../{}?done=ended", text::escaped(&id))))
}

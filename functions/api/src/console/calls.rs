//! The list of calls: what is looked for stands in the address.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use elevenwire::call::{Outcome, State as CallState};
use elevenwire::store::reading::Entry;
use maud::{Markup, html};
use uuid::Uuid;

use super::errors::Shown;
use super::visit::{Tab, Visit};
use super::{layout, text};
use crate::App;
use crate::calls::{STATES, wanted};

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/console/calls", get(page))
}

const FILTERS: [&str; 8] = ["text", "number", "outcome", "state", "campaign", "agent", "from", "to"];

async fn page(State(app): State<Arc<App>>, visit: Visit) -> Shown {
    let mut pairs = visit.query.clone();
    // A field for a time has no zone: it is UTC, as the page says.
    for (_, value) in
        pairs.iter_mut().filter(|(name, value)| matches!(name.as_str(), "from" | "to") && value.len() == 16)
    {
        value.push_str(":00Z");
    }
    let (filter, slice) = wanted(pairs)?;
    let calls = app.store.calls(&filter, &slice).await?;
    let full = i64::try_from(calls.len()).is_ok_and(|count| count >= slice.most);
    let asked: Vec<(&str, &str)> = FILTERS.iter().map(|name| (*name, visit.asked(name))).collect();
    let first = visit.to(&format!("calls?{}", text::query(&asked)));
    let next = calls.last().filter(|_| full).map(|last| {
        format!(
            "{first}&{}",
            text::query(&[("cursor", &format!("{}_{}", last.at, last.id)), ("limit", visit.asked("limit"))])
        )
    });
    let main = html! {
        h1 { "Calls" }
        (search(&visit))
        @if calls.is_empty() { p class="none" { "No call is like this." } } @else { (table(&visit, "Calls, the newest first", &calls)) }
        (layout::further(next.as_deref(), slice.after.is_none(), &first))
    };
    Ok(visit.page("Calls", Tab::Calls, &main))
}

fn search(visit: &Visit) -> Markup {
    let field = |name: &str, label: &str, kind: &str, hint: &str| {
        html! { label { span { (label) } input type=(kind) name=(name) value=(visit.asked(name)) placeholder=[(!hint.is_empty()).then_some(hint)]; } }
    };
    html! {
        form method="get" action=(visit.to("calls")) class="filters" role="search" {
            (field("text", "Words that were said", "search", "\"do not call\""))
            (field("number", "Number", "tel", "+1 415 555 0101"))
            (choice("outcome", "Outcome", &Outcome::ALL.map(Outcome::as_str), visit.asked("outcome")))
            (choice("state", "State", &STATES.map(CallState::as_str), visit.asked("state")))
            (field("campaign", "Campaign's id", "text", ""))
            (field("agent", "Agent", "text", ""))
            (field("from", "From (UTC)", "datetime-local", ""))
            (field("to", "Until (UTC)", "datetime-local", ""))
            button { "Search" }
        }
    }
}

fn choice(name: &str, label: &str, words: &[&str], chosen: &str) -> Markup {
    html! { label { span { (label) } select name=(name) {
        option value="" { "any" }
        @for word in words { option value=(word) selected[*word == chosen] { (text::spoken(word)) } }
    } } }
}

/// Calls as a table, each with what became of it.
pub(super) fn table(visit: &Visit, caption: &str, entries: &[Entry<Uuid>]) -> Markup {
    html! {
        table class="calls" {
            caption class="hidden" { (caption) }
            thead { tr { th scope="col" { "Number" } th scope="col" { "Outcome" } th scope="col" { "What happened" } th scope="col" { "Time" } th scope="col" { "Lasted" } } }
            tbody { @for entry in entries { (row(visit, entry)) } }
        }
    }
}

fn row(visit: &Visit, entry: &Entry<Uuid>) -> Markup {
    let view = &entry.view;
    let duration = view["duration_secs"].as_i64();
    html! { tr {
        (text::cell("Number", &html! { a href=(visit.to(&format!("calls/{}", entry.id))) { (text::number(&text::word(&view["to"]))) } }))
        (text::cell("Outcome", &text::standing(view)))
        (text::cell("What happened", &html! { (text::cut(&text::word(&view["explanation"]["what"]), 120)) }))
        (text::cell("Time", &text::when(entry.at)))
        (text::cell("Lasted", &html! { @match duration { Some(seconds) => (text::duration(seconds)), None => "–" } }))
    } }
}

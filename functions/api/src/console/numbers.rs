//! The dossier of a number.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::get;
use elevenwire::guard;
use elevenwire::problem::Problem;
use elevenwire::store::reading::Entry;
use maud::{Markup, html};
use serde_json::Value;
use uuid::Uuid;

use super::errors::{Shown, see_other};
use super::visit::{Tab, Visit};
use super::{calls, campaign, suppressions, text};
use crate::App;
use crate::query::plus;
use crate::suppressions::number_of;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/console/numbers", get(search)).route("/console/numbers/{number}", get(page))
}

/// Entries of each list that a page shows; the API has up to 500.
const SHOWN: usize = 30;

fn form(visit: &Visit, number: &str) -> Markup {
    html! { form method="get" action=(visit.to("numbers")) class="filters" role="search" {
        label { span { "Number, with its country code" } input type="tel" name="number" value=(number) required placeholder="+1 415 555 0101"; }
        button { "Look it up" }
    } }
}

async fn search(visit: Visit) -> Shown {
    let asked = plus(visit.asked("number"));
    if !asked.is_empty() {
        let number = number_of(&asked).map_err(|error| Problem::fields(vec![error]))?;
        return Ok(see_other(&visit.to(&format!("numbers/{}", text::escaped(number.as_str())))));
    }
    let main = html! { h1 { "Numbers" } p class="lead" { "Everything that is known of a number: consent, attempts, what the guard said, and whether it may be called." } (form(&visit, "")) };
    Ok(visit.page("Numbers", Tab::Numbers, &main).into_response())
}

async fn page(State(app): State<Arc<App>>, visit: Visit, Path(number): Path<String>) -> Shown {
    let number = number_of(&number).map_err(|error| Problem::fields(vec![error]))?;
    let dossier = app.store.dossier(number.as_str()).await?;
    let place = guard::place(&guard::Contact { number: number.as_str().to_owned(), ..guard::Contact::default() });
    let clock = place.zones.first().and_then(|zone| text::clock_at(visit.now, zone));
    let list = |name: &str| dossier[name].as_array().cloned().unwrap_or_default();
    let (attempts, contacts, decisions) = (list("attempts"), list("contacts"), list("decisions"));
    let entries: Vec<Entry<Uuid>> = attempts.iter().take(SHOWN).filter_map(entry).collect();
    let shown = |name: &str, all: usize| html! { @if all > SHOWN { p class="hint" { "The " (SHOWN) " newest of " (all) "; GET /api/numbers/{number} has more " (name) "." } } };
    let main = html! {
        h1 { (text::number(number.as_str())) }
        (form(&visit, number.as_str()))
        @if dossier["known"] != true { p class="lead" { "This number was never heard of: never imported, never called." } }
        (suppressions::of_number(&visit, number.as_str(), &dossier["suppression"]))
        dl class="facts" {
            @if let Some(clock) = clock { div { dt { "Their clock" } dd { (clock) } } }
            div { dt { "Place" } dd { (place.states.iter().map(guard::StateCode::as_str).collect::<Vec<_>>().join(", ")) " " (place.country.unwrap_or_default()) } }
            @if !dossier["hold"].is_null() { div { dt { "On hold" } dd { "until " (text::when_of(&dossier["hold"]["until"])) ": " (text::word(&dossier["hold"]["because"])) } } }
        }
        h2 { "Attempts" }
        @if entries.is_empty() { p class="none" { "None." } } @else { (calls::table(&visit, "Attempts", &entries)) (shown("attempts", attempts.len())) }
        h2 { "In campaigns" }
        @if contacts.is_empty() { p class="none" { "In none." } } @else { (campaign::contacts(&visit, &contacts[..contacts.len().min(SHOWN)])) (consents(&contacts)) (shown("contacts", contacts.len())) }
        h2 { "What the guard said" }
        @if decisions.is_empty() { p class="none" { "It was never asked." } } @else { (said(&visit, &decisions)) (shown("decisions", decisions.len())) }
    };
    Ok(visit.page(&text::number(number.as_str()), Tab::Numbers, &main))
}

fn entry(view: &Value) -> Option<Entry<Uuid>> {
    let id = Uuid::parse_str(view["id"].as_str()?).ok()?;
    Some(Entry { at: text::moment(&view["created_at"])?, id, view: view.clone() })
}

fn consents(contacts: &[Value]) -> Markup {
    let given = contacts.iter().filter(|contact| !contact["consent"].is_null()).take(SHOWN);
    html! { ul { @for contact in given {
        li { "Consent: " (text::spoken(&text::word(&contact["consent"]["type"]))) ", given " (text::when_of(&contact["consent"]["at"]))
            @if let Some(source) = contact["consent"]["source"].as_str() { ", recorded in " (text::plain(source)) }
            " (campaign " (text::word(&contact["campaign"]["name"])) ")" }
    } } }
}

fn said(visit: &Visit, decisions: &[Value]) -> Markup {
    let rules = |one: &Value| {
        let rules = one["because"].as_array().into_iter().flatten();
        rules
            .map(|rule| format!("{} ({})", text::spoken(&text::word(&rule["rule"])), text::word(&rule["source"])))
            .collect::<Vec<_>>()
            .join("; ")
    };
    html! { table {
        thead { tr { th scope="col" { "Said" } th scope="col" { "Because" } th scope="col" { "Rules of" } th scope="col" { "Time" } } }
        tbody { @for one in decisions.iter().take(SHOWN) { tr {
            (text::cell("Said", &html! { (text::pill(&text::word(&one["decision"]))) @if let Some(call) = one["call_id"].as_str() { " " a href=(visit.to(&format!("calls/{call}"))) { "call" } } }))
            (text::cell("Because", &html! { @let rules = rules(one); @if rules.is_empty() { "nothing stands in the way" } @else { (rules) } }))
            (text::cell("Rules of", &html! { (text::word(&one["rules_version"])) }))
            (text::cell("Time", &text::when_of(&one["at"])))
        } } }
    } }
}

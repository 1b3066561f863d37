//! The first page: how everything stands, and what needs somebody.

use std::sync::Arc;

use axum::extract::State;
use elevenwire::auth::Scope;
use elevenwire::store::reading::{CallFilter, Entry, HourCount, Slice};
use elevenwire::store::stops::Stop;
use elevenwire::store::{Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use serde_json::Value;
use uuid::Uuid;

use super::errors::Shown;
use super::visit::{Tab, Visit};
use super::{calls, charts, figures, layout, stop, text};
use crate::App;

const HOURS: i64 = 24;
const LISTED: i64 = 6;
const FAILURES: [&str; 4] = ["failed", "abandoned", "network_blocked", "unreachable"];
/// Those that hold come first.
const STOPS: i64 = 50;

pub(super) async fn page(State(app): State<Arc<App>>, visit: Visit) -> Shown {
    let now = visit.now;
    let this_hour = now.as_second() - now.as_second().rem_euclid(3600);
    let from = Timestamp::from_second(this_hour - (HOURS - 1) * 3600).unwrap_or(now);
    let later = now.checked_add(SignedDuration::from_hours(1)).unwrap_or(now);
    let counts = app.store.outcomes_by_hour(from, later).await?;
    let standing = app.store.overview(now, from).await?;
    let stops: Vec<Stop> =
        app.store.stops(&Slice::first(STOPS)).await?.into_iter().filter(|stop| stop.lifted_at.is_none()).collect();
    let failed = failed(&app.store).await?;
    let latest = app.store.calls(&CallFilter::default(), &Slice::first(LISTED)).await?;
    let main = html! {
        h1 { "Overview" }
        div id="standing" data-live="" {
            (attention(&visit, &standing, &stops))
            (figures_of(&visit, &standing, &counts, app.dialling.concurrency))
        }
        div class="two" {
            section id="hours" data-live="" {
                (charts::bars("Calls by hour, the last 24 (UTC)", &figures::SERIES, &figures::hours(&counts, from, HOURS)))
            }
            section id="agents" data-live="" { h2 { "Live calls" } (agents(&visit, &standing)) }
        }
        (list(&visit, "failed", "Calls that failed last", &FAILURES.map(|word| (format!("calls?outcome={word}"), format!("All {}", text::spoken(word)))), &failed))
        (list(&visit, "latest", "Calls that were made last", &[
            ("calls".to_owned(), "All calls".to_owned()), ("calls?outcome=answered".to_owned(), "Those that worked: listen".to_owned()),
        ], &latest))
    };
    Ok(visit.page("Overview", Tab::Overview, &main))
}

/// What went wrong last, of every kind.
async fn failed(store: &Store) -> Result<Vec<Entry<Uuid>>, StoreError> {
    let mut found = Vec::new();
    for outcome in FAILURES {
        let filter = CallFilter { outcome: Some(outcome.to_owned()), ..CallFilter::default() };
        found.extend(store.calls(&filter, &Slice::first(LISTED)).await?);
    }
    found.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.id)));
    found.truncate(usize::try_from(LISTED).unwrap_or(0));
    Ok(found)
}

/// Calls, and where there are more: address and words.
fn list(visit: &Visit, id: &str, title: &str, more: &[(String, String)], entries: &[Entry<Uuid>]) -> Markup {
    html! {
        section id=(id) data-live="" {
            h2 { (title) }
            @if entries.is_empty() { p class="none" { "None." } } @else {
                (calls::table(visit, title, entries))
                p class="further" { @for (address, words) in more { a href=(visit.to(address)) { (words) } } }
            }
        }
    }
}

fn attention(visit: &Visit, standing: &Value, stops: &[Stop]) -> Markup {
    let list = |name: &str| standing[name].as_array().cloned().unwrap_or_default();
    html! {
        @for one in stops { (stop::holds(visit, one)) }
        @for campaign in list("breakers") {
            p class="notice warn" { "The breaker paused "
                a href=(visit.to(&format!("campaigns/{}", text::word(&campaign["id"])))) { (text::word(&campaign["name"])) }
                ": " (text::word(&campaign["because"])) }
        }
        @for resting in list("resting") {
            p class="notice warn" { "The caller id " (text::number(&text::word(&resting["number"]))) " rests until "
                (text::when_of(&resting["until"])) ": " (text::word(&resting["because"])) }
        }
        @if standing["reviews"].as_i64().unwrap_or(0) > 0 {
            p class="notice" { a href=(visit.to("suppressions")) { (text::count(standing["reviews"].as_i64().unwrap_or(0))) " doubtful opt-outs" }
                @if visit.may(Scope::Call) { " wait for your word." } @else { " wait for somebody's word." } }
        }
    }
}

fn figures_of(visit: &Visit, standing: &Value, counts: &[HourCount], limit: u32) -> Markup {
    let (answered, dialled) = figures::dialled(counts);
    let n = |value: &Value| value.as_i64().unwrap_or(0);
    let live: i64 =
        standing["agents"].as_array().map_or(0, |agents| agents.iter().map(|agent| n(&agent["live"])).sum());
    let spend: f64 = ["fiat", "carrier"].iter().filter_map(|part| standing["spend"][*part].as_f64()).sum();
    let oldest = text::moment(&standing["unsettled"]["oldest"]);
    html! {
        dl class="figures" {
            (layout::figure("Live calls", &html! { (live) small { " of " (limit) } }, &html! { (n(&standing["waiting"])) " waiting" }))
            (layout::figure("Answer rate, 24 h", &html! { (text::percent(answered, dialled)) },
                &html! { (text::count(answered)) " of " (text::count(dialled)) " dialled" }))
            (layout::figure("Not settled", &html! { (text::count(n(&standing["unsettled"]["calls"]))) },
                &html! { @match oldest { Some(at) => { "oldest for " (text::ago(at, visit.now)) }, None => "all came home" } }))
            (layout::figure("Spend, 24 h", &html! { (text::dollars(spend)) },
                &html! { (text::count(n(&standing["spend"]["credits"]))) " credits, " (text::count(n(&standing["spend"]["conversations"]))) " talks" }))
            (layout::figure("Campaigns running", &html! { (n(&standing["running"])) },
                &html! { a href=(visit.to("campaigns")) { "All campaigns" } }))
        }
    }
}

fn agents(visit: &Visit, standing: &Value) -> Markup {
    let agents = standing["agents"].as_array().cloned().unwrap_or_default();
    html! {
        @if agents.is_empty() { p class="none" { "No agent is registered yet: POST /api/agents." } }
        @else { table {
            thead { tr { th scope="col" { "Agent" } th scope="col" { "Live" } th scope="col" { "Its limit" } } }
            tbody { @for agent in &agents { tr {
                (text::cell("Agent", &html! { a href={ (visit.to("agents")) "#" (text::word(&agent["name"])) } { (text::word(&agent["name"])) } }))
                (text::cell("Live", &html! { (agent["live"]) }))
                (text::cell("Its limit", &html! { @match agent["max_concurrent"].as_i64() { Some(n) => (n), None => "the workspace's" } }))
            } } }
        } }
    }
}

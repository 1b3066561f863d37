//! The stop: everything, a campaign, an agent or a caller id, with a reason; and what was stopped, until it is lifted.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::routing::{get, post};
use elevenwire::auth::Scope;
use elevenwire::campaign;
use elevenwire::problem::Problem;
use elevenwire::store::reading::Slice;
use elevenwire::store::stops::Stop;
use maud::{Markup, html};
use serde_json::json;
use uuid::Uuid;

use super::errors::{Shown, see_other};
use super::text;
use super::visit::{Fields, Tab, Visit, field};
use crate::App;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/console/stop", get(page).post(stop)).route("/console/stops/{id}/lift", post(lift))
}

/// Campaigns that can be chosen: the newest.
const CHOICE: i64 = 50;
/// Those that hold come first.
const STOPS: i64 = 100;

async fn page(State(app): State<Arc<App>>, visit: Visit) -> Shown {
    let agents = app.store.agents().await?;
    let campaigns = app.store.campaigns(&Slice::first(CHOICE)).await?;
    let open =
        campaigns.iter().filter(|one| !matches!(one.state, campaign::State::Canceled | campaign::State::Finished));
    let mut scopes = vec![("all/".to_owned(), "everything".to_owned())];
    scopes.extend(open.map(|one| (format!("campaign/{}", one.id), format!("campaign {}", one.name))));
    scopes.extend(agents.iter().map(|one| (format!("agent/{}", one.name), format!("agent {}", one.name))));
    let callers = agents.iter().flat_map(|agent| &agent.caller_ids);
    scopes.extend(callers.map(|number| (format!("from/{number}"), format!("caller id {}", text::number(number)))));
    let stops = app.store.stops(&Slice::first(STOPS)).await?;
    let main = html! {
        h1 { "Stop" }
        @if visit.may(Scope::Call) { (form(&visit, &scopes)) } @else { p { "Your token may only look." } }
        h2 { "What is stopped" }
        @for one in stops.iter().filter(|stop| stop.lifted_at.is_none()) { (holds(&visit, one)) }
        @if stops.iter().all(|stop| stop.lifted_at.is_some()) { p class="none" { "Nothing." } }
        (lifted(&stops))
    };
    Ok(visit.page("Stop", Tab::Overview, &main))
}

fn form(visit: &Visit, scopes: &[(String, String)]) -> Markup {
    let chosen = visit.asked("what");
    html! {
        p class="lead" { "From the moment that you send this, no call that it covers is placed, and calls that nobody has answered are taken back." }
        form method="post" action=(visit.to("stop")) class="stack narrow danger" {
            (visit.seal())
            label { span { "Stop" } select name="what" { @for (value, name) in scopes { option value=(value) selected[value == chosen] { (text::plain(name)) } } } }
            label { span { "Why" } input name="reason" required maxlength="400" placeholder="Somebody will ask tomorrow"; }
            label class="check" { input type="checkbox" name="hang_up" value="yes"; span { "Hang up on everybody who is talking now" } }
            button class="stop" { "Stop now" }
        }
    }
}

/// A stop that holds, with what lifts it.
pub(super) fn holds(visit: &Visit, stop: &Stop) -> Markup {
    html! {
        div class="notice bad" {
            p { b { "Stopped: " (covers(stop)) "." } " " (text::plain(&stop.reason)) " – " (text::plain(&stop.by)) ", " (text::when(stop.at)) }
            @if visit.may(Scope::Call) {
                form method="post" action=(visit.to(&format!("stops/{}/lift", stop.id))) { (visit.seal()) button { "Lift" } }
            }
        }
    }
}

fn covers(stop: &Stop) -> String {
    match stop.scope.parts() {
        (_, None) => "everything".to_owned(),
        ("from", Some(number)) => format!("caller id {}", text::number(number)),
        (word, Some(value)) => format!("{word} {}", text::plain(value)),
    }
}

fn lifted(stops: &[Stop]) -> Markup {
    let over: Vec<&Stop> = stops.iter().filter(|stop| stop.lifted_at.is_some()).take(20).collect();
    html! { @if !over.is_empty() {
        h2 { "What was stopped before" }
        table {
            thead { tr { th scope="col" { "What" } th scope="col" { "Why" } th scope="col" { "By" } th scope="col" { "From" } th scope="col" { "Lifted" } } }
            tbody { @for one in over { tr {
                (text::cell("What", &html! { (covers(one)) }))
                (text::cell("Why", &html! { (text::plain(&one.reason)) }))
                (text::cell("By", &html! { (text::plain(&one.by)) }))
                (text::cell("From", &text::when(one.at)))
                (text::cell("Lifted", &html! { @if let Some(at) = one.lifted_at { (text::when(at)) } }))
            } } }
        }
    } }
}

async fn stop(State(app): State<Arc<App>>, visit: Visit, Form(fields): Form<Fields>) -> Shown {
    visit.check(Scope::Call, &fields)?;
    let (scope, value) = field(&fields, "what").split_once('/').unwrap_or_default();
    let mut wish =
        json!({ "scope": scope, "reason": field(&fields, "reason"), "hang_up": field(&fields, "hang_up") == "yes" });
    if !value.is_empty() {
        wish["value"] = value.into();
    }
    crate::stops::carry_out(&app, visit.caller.name.clone(), &wish).await?;
    Ok(see_other(&visit.to("stop?done=stopped")))
}

async fn lift(State(app): State<Arc<App>>, visit: Visit, Path(id): Path<String>, Form(fields): Form<Fields>) -> Shown {
    visit.check(Scope::Call, &fields)?;
    let missing = || Problem::not_found("There is no such stop.");
    let id = Uuid::parse_str(&id).map_err(|_| missing())?;
    app.store.lift(id, &visit.caller.name, visit.now).await?.ok_or_else(missing)?;
    tracing::warn!(stop.id = %id, by = visit.caller.name, "lifted by its owner");
    Ok(see_other(&visit.to("stop?done=lifted")))
}

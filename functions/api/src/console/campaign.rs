//! One campaign: how far it is, what it came to, when people answer, who is next; and what moves it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::routing::{get, post};
use elevenwire::auth::Scope;
use elevenwire::campaign::State as Standing;
use elevenwire::cost::Spend;
use elevenwire::guard::{self, TimeZoneName};
use elevenwire::problem::Problem;
use elevenwire::store::campaigns::{Campaign, Progress};
use elevenwire::store::reading::{CallFilter, ContactFilter, DueHour, PlaceHour, Slice};
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde_json::Value;

use super::charts::{self, Column, Week};
use super::errors::{Shown, see_other};
use super::visit::{Fields, Tab, Visit, field};
use super::{calls, campaigns, imports, layout, text};
use crate::App;
use crate::campaigns::{known, moved, spend, take_back, wake};

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/console/campaigns/{id}", get(page))
        .route("/console/campaigns/{id}/people", get(people))
        .route("/console/campaigns/{id}/move", post(go))
}

const LISTED: i64 = 10;
const IMPORTS: i64 = 100;
const PEOPLE: i64 = 50;

async fn page(State(app): State<Arc<App>>, visit: Visit, Path(id): Path<String>) -> Shown {
    let campaign = known(&app, &id).await?;
    let progress = app.store.progress(campaign.id).await?;
    let results = app.store.campaign_results(campaign.id).await?;
    let spend = spend(&app, &campaign, &progress).await?;
    let week = week(&app.store.attempts_by_place(campaign.id).await?);
    let due = app.store.due_by_hour(campaign.id).await?;
    let imports = app.store.imports(campaign.id, &Slice::first(IMPORTS)).await?.unwrap_or_default();
    let filter = CallFilter { campaign: Some(campaign.id.to_string()), ..CallFilter::default() };
    let latest = app.store.calls(&filter, &Slice::first(LISTED)).await?;
    let main = html! {
        p class="crumb" { a href=(visit.to("campaigns")) { "Campaigns" } }
        h1 { (text::plain(&campaign.name)) " " span id="state" data-live="" { (text::pill(campaign.state.as_str())) } }
        @if let Some(because) = &campaign.because { p class="lead" { (text::plain(because)) } }
        (actions(&visit, &campaign))
        div id="figures" data-live="" { (figures(&progress, &results, &spend)) }
        div class="two" {
            section id="funnel" data-live="" { (charts::funnel("From the list to a talk", &steps(&progress, &results))) }
            section id="week" data-live="" { (charts::heat("Answer rate by weekday and hour, in the callee's time", &week)) }
            section id="due" data-live="" { (ahead(&due)) }
            section { (settings(&visit, &campaign)) }
        }
        (imports::section(&visit, &campaign, &imports))
        section id="latest" data-live="" {
            h2 { "Its last calls" }
            @if latest.is_empty() { p class="none" { "None yet." } } @else { (calls::table(&visit, "Its last calls", &latest)) }
            p class="further" { a href=(visit.to(&format!("calls?campaign={}", campaign.id))) { "All its calls" }
                a href={ "./" (campaign.id) "/people" } { "Its people" } }
        }
    };
    Ok(visit.page(&campaign.name, Tab::Campaigns, &main))
}

fn actions(visit: &Visit, campaign: &Campaign) -> Markup {
    let verbs: &[(&str, &str)] = match campaign.state {
        Standing::Draft => &[("start", "Start"), ("cancel", "Cancel")],
        Standing::Running => &[("pause", "Pause"), ("cancel", "Cancel")],
        Standing::Paused => &[("resume", "Resume"), ("cancel", "Cancel")],
        Standing::Canceled | Standing::Finished => &[],
    };
    html! { @if visit.may(Scope::Call) && !verbs.is_empty() {
        form method="post" class="actions" action=(visit.to(&format!("campaigns/{}/move", campaign.id))) {
            (visit.seal())
            label class="grow" { span class="hidden" { "Reason" } input name="reason" maxlength="400" placeholder="Reason (may be left out)"; }
            @for (verb, name) in verbs { button name="verb" value=(verb) { (name) } }
            a class="stop" href=(visit.to(&format!("stop?what=campaign/{}", campaign.id))) { "Stop this campaign" }
        }
    } }
}

fn figures(progress: &Progress, results: &Value, spend: &Spend) -> Markup {
    let n = |name: &str| results[name].as_i64().unwrap_or(0);
    let answered = progress.outcomes.get("answered").copied().unwrap_or(0);
    html! { dl class="figures" {
        (layout::figure("People done", &html! { (campaigns::bar(progress)) }, &html! { (text::count(progress.calling)) " calling, " (text::count(progress.waiting)) " waiting" }))
        (layout::figure("Answered", &html! { (text::percent(answered, progress.done)) }, &html! { (text::count(answered)) " of " (text::count(progress.done)) " done" }))
        (layout::figure("Attempts", &html! { (text::count(n("attempts"))) }, &html! { (text::duration(n("seconds"))) " of talk" }))
        (layout::figure("Judged a success", &html! { (text::percent(n("successful"), n("judged"))) }, &html! { (text::count(n("judged"))) " judged" }))
        (layout::figure("Spend", &html! { (text::dollars(spend.cost.usd)) }, &html! {
            @match spend.forecast_usd.filter(|_| progress.done < progress.contacts) {
                Some(usd) => { "about " (text::dollars(usd)) " in the end" },
                None => { (text::count(n("credits"))) " credits" },
            }
        }))
    } }
}

fn steps(progress: &Progress, results: &Value) -> Vec<(&'static str, i64)> {
    let of = |words: &[&str]| words.iter().filter_map(|word| progress.outcomes.get(*word)).sum::<i64>();
    let never = of(&["blocked", "expired", "canceled"]);
    vec![
        ("On the list", progress.contacts),
        ("Done or being called", progress.contacts - progress.waiting),
        ("Not kept from it by guard or owner", progress.contacts - progress.waiting - never),
        ("Somebody or something picked up", of(&["answered", "abandoned", "voicemail", "screened"])),
        ("Talked with the agent", of(&["answered"])),
        ("Judged a success", results["successful"].as_i64().unwrap_or(0)),
    ]
}

/// Attempts by hour of the week at the callee's place; where that is not known, they are left out.
fn week(attempts: &[PlaceHour]) -> Week {
    let mut zones: HashMap<String, Option<TimeZone>> = HashMap::new();
    let mut week = Week::default();
    for one in attempts {
        let key = one.zone.clone().unwrap_or_else(|| one.number.chars().take(5).collect());
        let zone = zones.entry(key).or_insert_with(|| zone(one));
        let Some(zone) = zone else { continue };
        let local = one.hour.to_zoned(zone.clone());
        let day = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
        let cell = &mut week[day][usize::try_from(local.hour()).unwrap_or(0)];
        *cell = (cell.0 + one.calls, cell.1 + one.answered);
    }
    week
}

fn zone(one: &PlaceHour) -> Option<TimeZone> {
    let timezone = one.zone.as_deref().and_then(|name| TimeZoneName::parse(name).ok());
    let contact = guard::Contact { number: one.number.clone(), timezone, ..guard::Contact::default() };
    let name = one.zone.clone().or_else(|| guard::place(&contact).zones.into_iter().next())?;
    TimeZone::get(&name).ok()
}

fn ahead(due: &[DueHour]) -> Markup {
    let column = |at: usize, one: &DueHour| {
        let label = if at.is_multiple_of(4) { one.hour.strftime("%-H").to_string() } else { String::new() };
        Column { name: text::when(one.hour), label, values: vec![one.first, one.again] }
    };
    let columns: Vec<Column> = due.iter().enumerate().map(|(at, one)| column(at, one)).collect();
    html! {
        @if columns.is_empty() { h2 { "Who is next" } p class="none" { "Nobody waits." } }
        @else { (charts::bars("Who is next, by hour (UTC)", &[("s-soft", "First attempt"), ("s-calm", "Again")], &columns)) }
    }
}

fn settings(visit: &Visit, campaign: &Campaign) -> Markup {
    let wish = &campaign.settings;
    html! {
        h2 { "What its owner asked for" }
        dl class="facts" {
            div { dt { "Agent" } dd { a href={ (visit.to("agents")) "#" (campaign.agent) } { (text::plain(&campaign.agent)) } } }
            div { dt { "Purpose" } dd { (campaign.purpose.as_str()) } }
            div { dt { "At once" } dd { (wish.max_concurrent) } }
            div { dt { "A second" } dd { (wish.rate) } }
            div { dt { "Attempts each" } dd { (wish.max_attempts) } }
            @if let Some(at) = campaign.started_at { div { dt { "Started" } dd { (text::when(at)) } } }
            @if let Some(at) = campaign.ended_at { div { dt { "Ended" } dd { (text::when(at)) } } }
            div { dt { "Id" } dd { code { (campaign.id) } } }
        }
    }
}

async fn people(State(app): State<Arc<App>>, visit: Visit, Path(id): Path<String>) -> Shown {
    let campaign = known(&app, &id).await?;
    let word = |name: &str| Some(visit.asked(name).to_owned()).filter(|word| !word.is_empty() && !word.contains('\0'));
    let filter = ContactFilter { status: word("status"), outcome: word("outcome"), number: None };
    let after = word("after");
    let found = app.store.contacts_explained(campaign.id, &filter, after.as_deref(), PEOPLE).await?;
    let full = i64::try_from(found.len()).is_ok_and(|count| count >= PEOPLE);
    let kept = |after: &str| {
        format!(
            "people?{}",
            text::query(&[("status", visit.asked("status")), ("outcome", visit.asked("outcome")), ("after", after)])
        )
    };
    let next = found.last().filter(|_| full).and_then(|last| last["number"].as_str()).map(kept);
    let main = html! {
        p class="crumb" { a href=(visit.to("campaigns")) { "Campaigns" } " / " a href=(visit.to(&format!("campaigns/{}", campaign.id))) { (text::plain(&campaign.name)) } }
        h1 { "People of " (text::plain(&campaign.name)) }
        p class="further" { @for (status, name) in [("", "All"), ("waiting", "Waiting"), ("calling", "Calling"), ("done", "Done")] {
            a href={ "people?status=" (status) } aria-current=[(status == visit.asked("status")).then_some("page")] { (name) }
        } }
        @if found.is_empty() { p class="none" { "Nobody." } } @else { (contacts(&visit, &found)) }
        (layout::further(next.as_deref(), after.is_none(), &kept("")))
    };
    Ok(visit.page("People", Tab::Campaigns, &main))
}

/// People as a table, each with why.
pub(super) fn contacts(visit: &Visit, found: &[Value]) -> Markup {
    html! { table {
        thead { tr { th scope="col" { "Number" } th scope="col" { "Status" } th scope="col" { "Why" } th scope="col" { "Attempts" } th scope="col" { "Due" } } }
        tbody { @for one in found { tr {
            @let number = text::word(&one["number"]);
            (text::cell("Number", &html! { a href=(visit.to(&format!("numbers/{}", text::escaped(&number)))) { (text::number(&number)) } }))
            (text::cell("Status", &text::pill(&one["outcome"].as_str().map_or_else(|| text::word(&one["status"]), Into::into))))
            (text::cell("Why", &html! { (text::cut(&text::word(&one["explanation"]["what"]), 110)) " " (text::cut(&text::word(&one["explanation"]["why"]), 110)) }))
            (text::cell("Attempts", &html! { @match one["last_call"].as_str() { Some(call) => a href=(visit.to(&format!("calls/{call}"))) { (one["attempts"]) }, None => { (one["attempts"]) } } }))
            (text::cell("Due", &text::when_of(&one["due_at"])))
        } } }
    } }
}

async fn go(State(app): State<Arc<App>>, visit: Visit, Path(id): Path<String>, Form(fields): Form<Fields>) -> Shown {
    visit.check(Scope::Call, &fields)?;
    let (to, done) = match field(&fields, "verb") {
        "start" => (Standing::Running, "started"),
        "resume" => (Standing::Running, "resumed"),
        "pause" => (Standing::Paused, "paused"),
        "cancel" => (Standing::Canceled, "canceled"),
        _ => {
            return Err(Problem::new(
                422,
                "Unprocessable Content",
                "A campaign starts, pauses, resumes or is canceled.",
            )
            .into());
        }
    };
    let reason = Some(field(&fields, "reason").trim()).filter(|reason| !reason.is_empty());
    if reason.is_some_and(|reason| reason.len() > 500 || reason.contains('\0')) {
        return Err(Problem::new(422, "Unprocessable Content", "The reason is too long.").into());
    }
    moved(&app, &id, to, reason).await?;
    let campaign = crate::campaigns::id(&id)?;
    match done {
        "resumed" => wake(&app, campaign).await,
        "canceled" => take_back(&app, campaign).await?,
        _ => {}
    }
    Ok(see_other(&format!("../{campaign}?done={done}")))
}

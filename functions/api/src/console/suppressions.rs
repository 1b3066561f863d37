//! Numbers that are not called, and opt-outs that a person has to look at.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::routing::{get, post};
use elevenwire::auth::Scope;
use elevenwire::problem::Problem;
use elevenwire::store::reading::Slice;
use elevenwire::store::suppressions::{Decision, Resolved, Review, Suppressed};
use maud::{Markup, html};
use serde_json::{Value, json};
use uuid::Uuid;

use super::errors::{Shown, see_other};
use super::visit::{Fields, Tab, Visit, field};
use super::{layout, text};
use crate::App;
use crate::query::{Asked, Pairs};
use crate::suppressions::{cursor, number_of, reason_of, slice_of};

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/console/suppressions", get(page).post(add))
        .route("/console/suppressions/remove", post(remove))
        .route("/console/reviews/{call_id}", post(decide))
}

const PAGE: i64 = 50;
const REVIEWS: i64 = 25;

async fn page(State(app): State<Arc<App>>, visit: Visit, Query(query): Query<Pairs>) -> Shown {
    let mut asked = Asked::of(query, &["cursor"]);
    let slice = Slice { most: PAGE, ..slice_of(&mut asked) };
    let slice = asked.done(slice)?;
    let reviews = app.store.opt_out_reviews(true, &Slice::first(REVIEWS)).await?;
    let found = app.store.suppressions(&slice).await?;
    let full = i64::try_from(found.len()).is_ok_and(|count| count >= PAGE);
    let next = found
        .last()
        .filter(|_| full)
        .map(|last| visit.to(&format!("suppressions?cursor={}", text::escaped(&cursor(last)))));
    let main = html! {
        h1 { "Do not call" }
        h2 { "To look at" }
        @if reviews.is_empty() { p class="none" { "No doubtful opt-out waits." } }
        @for one in &reviews { (review(&visit, one)) }
        h2 { "Numbers that are not called" }
        @if visit.may(Scope::Call) { (adding(&visit, "")) }
        @if found.is_empty() { p class="none" { "None." } } @else { (list(&visit, &found)) }
        (layout::further(next.as_deref(), slice.after.is_none(), &visit.to("suppressions")))
    };
    Ok(visit.page("Do not call", Tab::Suppressions, &main))
}

fn adding(visit: &Visit, number: &str) -> Markup {
    html! { form method="post" action=(visit.to("suppressions")) class="filters" {
        (visit.seal())
        label { span { "Number" } input type="tel" name="number" value=(number) required placeholder="+1 415 555 0101"; }
        label { span { "Why" } input name="reason" required maxlength="200"; }
        button { "Do not call it" }
    } }
}

fn review(visit: &Visit, one: &Review) -> Markup {
    html! { div class="notice warn" {
        p { a href=(visit.to(&format!("calls/{}", one.call_id))) { (text::number(&one.number)) } " said: "
            q dir="auto" { bdi { (text::plain(one.words.as_deref().unwrap_or("(no words)"))) } } " – " (text::spoken(&one.rule)) ", " (text::when(one.created_at)) }
        p class="hint" { "It is not called meanwhile." }
        @if visit.may(Scope::Call) {
            form method="post" class="actions" action=(visit.to(&format!("reviews/{}", one.call_id))) {
                (visit.seal())
                label class="grow" { span class="hidden" { "Why, for " (one.number) } input name="reason" required maxlength="200" placeholder="Why"; }
                button name="decision" value="keep" { "Keep it so" }
                @if visit.may(Scope::Admin) { button name="decision" value="remove" { "It was none" } }
            }
        }
    } }
}

fn list(visit: &Visit, found: &[Suppressed]) -> Markup {
    html! { table {
        thead { tr { th scope="col" { "Number" } th scope="col" { "Why" } th scope="col" { "By" } th scope="col" { "Since" } } }
        tbody { @for one in found { tr {
            (text::cell("Number", &html! { a href=(visit.to(&format!("numbers/{}", text::escaped(&one.number)))) { (text::number(&one.number)) } }))
            (text::cell("Why", &html! { (text::plain(one.reason.as_deref().unwrap_or("–"))) }))
            (text::cell("By", &html! { (text::spoken(one.source.as_deref().unwrap_or("–"))) @if let Some(call) = one.call_id { " " a href=(visit.to(&format!("calls/{call}"))) { "call" } } }))
            (text::cell("Since", &text::when(one.suppressed_at)))
        } } }
    } }
}

/// Whether a number is called, in its dossier, with what changes it.
pub(super) fn of_number(visit: &Visit, number: &str, known: &Value) -> Markup {
    let now = &known["now"];
    let history = known["history"].as_array().cloned().unwrap_or_default();
    html! {
        @if now.is_null() { @if visit.may(Scope::Call) { details { summary { "Do not call this number" } (adding(visit, number)) } } }
        @else { div class="notice bad" {
            p { b { "Not called" } " since " (text::when_of(&now["suppressed_at"])) ": " (text::word(&now["reason"])) }
            @if visit.may(Scope::Admin) {
                form method="post" class="actions" action=(visit.to("suppressions/remove")) {
                    (visit.seal())
                    input type="hidden" name="number" value=(number);
                    label class="grow" { span class="hidden" { "Why it may be called again" } input name="reason" required maxlength="200" placeholder="Why it may be called again"; }
                    button { "Let it be called" }
                }
            }
        } }
        @if !history.is_empty() { details { summary { "How it came to that" } ul { @for step in history.iter().take(30) {
            li { (text::when_of(&step["at"])) ": " (text::spoken(&text::word(&step["action"]))) " by " (text::spoken(&text::word(&step["source"]))) " – " (text::word(&step["reason"])) }
        } } } }
    }
}

async fn add(State(app): State<Arc<App>>, visit: Visit, Form(fields): Form<Fields>) -> Shown {
    visit.check(Scope::Call, &fields)?;
    let number = number_of(field(&fields, "number")).map_err(|error| Problem::fields(vec![error]))?;
    let reason =
        reason_of(&json!({ "reason": field(&fields, "reason") })).map_err(|error| Problem::fields(vec![error]))?;
    let fresh = app.store.suppress(number.as_str(), &reason, &visit.caller.name, visit.now).await?;
    tracing::info!(fresh, by = visit.caller.name, "suppressed");
    let done = if fresh { "suppressed" } else { "known" };
    Ok(see_other(&visit.to(&format!("numbers/{}?done={done}", text::escaped(number.as_str())))))
}

async fn remove(State(app): State<Arc<App>>, visit: Visit, Form(fields): Form<Fields>) -> Shown {
    visit.check(Scope::Admin, &fields)?;
    let number = number_of(field(&fields, "number")).map_err(|error| Problem::fields(vec![error]))?;
    let reason =
        reason_of(&json!({ "reason": field(&fields, "reason") })).map_err(|error| Problem::fields(vec![error]))?;
    if !app.store.unsuppress(number.as_str(), &reason, &visit.caller.name, visit.now).await? {
        return Err(Problem::not_found("This number is not suppressed.").into());
    }
    tracing::info!(by = visit.caller.name, "may be called again");
    Ok(see_other(&visit.to(&format!("numbers/{}?done=allowed", text::escaped(number.as_str())))))
}

async fn decide(
    State(app): State<Arc<App>>,
    visit: Visit,
    Path(call): Path<String>,
    Form(fields): Form<Fields>,
) -> Shown {
    let (decision, scope, done) = match field(&fields, "decision") {
        "remove" => (Decision::Remove, Scope::Admin, "removed"),
        _ => (Decision::Keep, Scope::Call, "kept"),
    };
    visit.check(scope, &fields)?;
    let reason =
        reason_of(&json!({ "reason": field(&fields, "reason") })).map_err(|error| Problem::fields(vec![error]))?;
    let missing = || Problem::not_found("There is no review of this call.");
    let call_id = Uuid::parse_str(&call).map_err(|_| missing())?;
    match app.store.resolve_opt_out(call_id, decision, &reason, &visit.caller.name, visit.now).await? {
        Resolved::Done { suppressed, .. } => {
            tracing::info!(call.id = %call_id, decision = decision.as_str(), suppressed, by = visit.caller.name, "reviewed");
            Ok(see_other(&visit.to(&format!("suppressions?done={done}"))))
        }
        Resolved::Otherwise(_) => Err(Problem::new(409, "Conflict", "Somebody decided it otherwise before.").into()),
        Resolved::Missing => Err(missing().into()),
    }
}

//! Dead letters: what no function could do anything with, why, whose it is, and back with it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::routing::post;
use elevenwire::auth::Scope;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::queue::Letter;
use elevenwire::store::StoreError;
use elevenwire::store::reading::Owner;
use maud::{Markup, html};
use uuid::Uuid;

use super::errors::{Shown, see_other};
use super::text;
use super::visit::{Fields, Visit, field};
use crate::App;
use crate::dead_letters::{found, no_queue, sent_back};
use crate::openapi::pages::DeadQueue;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/console/dead-letters/{queue}/redrive", post(redrive))
}

/// Of all queues, as a part of the system's page.
pub(super) async fn section(app: &App, visit: &Visit) -> Result<Markup, StoreError> {
    let queues = match found(app).await {
        Ok(queues) => queues,
        Err(error) => {
            // The rest of the page is of use without it, and says more of what is wrong.
            no_queue(&error);
            return Ok(html! { (title()) p class="notice bad" { "The queues do not answer." } });
        }
    };
    let letters = || queues.iter().flat_map(|queue| &queue.letters);
    let ids: Vec<Uuid> = letters().filter_map(|letter| letter.id).collect();
    let names = letters().flat_map(|letter| [letter.conversation_id.clone(), letter.digest.clone()]);
    let names: Vec<String> = names.flatten().filter(|name| !name.contains('\0')).collect();
    let owners = if ids.is_empty() && names.is_empty() { Vec::new() } else { app.store.owners(&ids, &names).await? };
    Ok(html! {
        (title())
        (done(visit))
        @if queues.is_empty() { p class="none" { "None: no message was put aside." } } @else {
            p { "No function could do anything with these messages. A call's own page says how the call stands; what is missing of it, reconcile fetches from the vendors." }
        }
        @for queue in &queues { (of_queue(visit, queue, &owners)) }
    })
}

fn title() -> Markup {
    html! { h2 id="dead-letters" { "Dead letters" } }
}

/// What a change of this page says of itself.
fn done(visit: &Visit) -> Markup {
    let sent = visit.asked("sent").parse::<i64>().ok();
    html! { @if let Some(sent) = sent { p class="notice good" role="status" {
        @match sent { 0 => "Nothing was sent back: it was not there any more, or somebody else holds it.", 1 => "1 message was sent back.", _ => { (text::count(sent)) " messages were sent back." } }
        " What fails again comes back here with its reason."
    } } }
}

fn of_queue(visit: &Visit, queue: &DeadQueue, owners: &[Owner]) -> Markup {
    let count = text::count(i64::try_from(queue.count).unwrap_or(i64::MAX));
    let shown = queue.letters.len();
    html! {
        h3 { (text::spoken(&queue.queue).replace('-', " ")) " " span class="pill bad" { (count) } }
        table {
            thead { tr { th scope="col" { "Kind" } th scope="col" { "Put aside" } th scope="col" { "Why" } th scope="col" { "Belongs to" } th scope="col" { "Tries" } } }
            tbody { @for letter in &queue.letters { (row(visit, letter, owners)) } }
        }
        @if queue.count > shown as u64 { p class="hint" { "These are " (shown) " of about " (count) "." } }
        @if visit.may(Scope::Admin) {
            details {
                summary { "Send them back…" }
                form method="post" class="actions" action=(visit.to(&format!("dead-letters/{}/redrive", queue.queue))) {
                    (visit.seal())
                    label class="check" { input type="checkbox" name="mended" value="yes" required; span { "The cause is mended" } }
                    button { "Send back to " (queue.queue) }
                }
                p class="hint" { "They are worked on again at once, 500 at a time. Doing it twice is harmless. A call whose time has passed is not dialled." }
            }
        }
    }
}

fn row(visit: &Visit, letter: &Letter, owners: &[Owner]) -> Markup {
    let id = letter.id.map(|id| id.to_string());
    let names = [id.as_ref(), letter.digest.as_ref(), letter.conversation_id.as_ref()];
    let known = || names.iter().flatten().filter_map(|name| owners.iter().find(|owner| owner.name == **name));
    let owner = known().find(|owner| owner.call_id.is_some()).or_else(|| known().next());
    let reason = letter.reason.as_deref().or_else(|| known().find_map(|owner| owner.reason.as_deref()));
    html! { tr {
        (text::cell("Kind", &html! { (text::spoken(&letter.kind)) }))
        (text::cell("Put aside", &html! { (text::ago(letter.at, visit.now)) " ago" }))
        (text::cell("Why", &html! { (text::cut(&text::plain(reason.unwrap_or("It was tried too often: the log of its function says why.")), 300)) }))
        (text::cell("Belongs to", &html! { (belongs(visit, letter, owner)) }))
        (text::cell("Tries", &html! { (letter.tries) }))
    } }
}

fn belongs(visit: &Visit, letter: &Letter, owner: Option<&Owner>) -> Markup {
    let call = owner.and_then(|owner| owner.call_id);
    let campaign = owner.and_then(|owner| owner.campaign.as_deref());
    html! {
        @if let Some(call) = call { a href=(visit.to(&format!("calls/{call}"))) { "a call" } }
        @if let Some(campaign) = campaign {
            @if call.is_some() { " of " }
            @if Uuid::parse_str(campaign).is_ok() { a href=(visit.to(&format!("campaigns/{campaign}"))) { "a campaign" } } @else { (text::plain(campaign)) }
        }
        @if call.is_none() && campaign.is_none() { @match (&letter.conversation_id, letter.id) {
            (Some(conversation), _) => { "conversation " code { (text::plain(conversation)) } ", no call of ours" },
            (None, Some(id)) if letter.kind == "export" => { "export " code { (id) } },
            (None, Some(id)) => { "not known here: " code { (id) } },
            (None, None) => "it names nothing",
        } }
    }
}

async fn redrive(
    State(app): State<Arc<App>>,
    visit: Visit,
    Path(queue): Path<String>,
    Form(fields): Form<Fields>,
) -> Shown {
    visit.check(Scope::Admin, &fields)?;
    if field(&fields, "mended") != "yes" {
        let mend = "Mend the cause first, then tick the box: what fails again comes back.";
        let error = FieldError::new("mended", "is not ticked", mend);
        return Err(Problem::fields(vec![error]).into());
    }
    let sent = sent_back(&app, &queue, &visit.caller.name).await?;
    Ok(see_other(&visit.to(&format!("system?sent={sent}#dead-letters"))))
}

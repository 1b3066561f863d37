//! All campaigns, and a new one.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use elevenwire::auth::Scope;
use elevenwire::store::campaigns::{Campaign, Progress};
use elevenwire::store::reading::Slice;
use jiff::Timestamp;
use maud::{Markup, html};
use uuid::Uuid;

use super::errors::Shown;
use super::visit::{Tab, Visit};
use super::{layout, text};
use crate::App;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/console/campaigns", get(page))
}

const PAGE: i64 = 25;

async fn page(State(app): State<Arc<App>>, visit: Visit) -> Shown {
    let cursor = visit.asked("cursor").split_once('_');
    let after: Option<(Timestamp, Uuid)> =
        cursor.and_then(|(at, id)| Some((at.parse().ok()?, Uuid::parse_str(id).ok()?)));
    let campaigns = app.store.campaigns(&Slice { after, most: PAGE }).await?;
    let mut rows = Vec::new();
    for campaign in campaigns {
        let progress = app.store.progress(campaign.id).await?;
        rows.push((campaign, progress));
    }
    let full = rows.len() == usize::try_from(PAGE).unwrap_or(0);
    let next = rows.last().filter(|_| full).map(|(last, _)| {
        visit.to(&format!("campaigns?{}", text::query(&[("cursor", &format!("{}_{}", last.created_at, last.id))])))
    });
    let main = html! {
        h1 { "Campaigns" }
        @if visit.may(Scope::Call) { p class="further" { a class="button" href=(visit.to("campaigns/new")) { "New campaign" } } }
        @if rows.is_empty() { p class="none" { "None yet. A campaign is an agent, a purpose and a list of people." } }
        @else { div id="campaigns" data-live="" { (table(&visit, &rows)) } }
        (layout::further(next.as_deref(), after.is_none(), &visit.to("campaigns")))
    };
    Ok(visit.page("Campaigns", Tab::Campaigns, &main))
}

fn table(visit: &Visit, rows: &[(Campaign, Progress)]) -> Markup {
    html! { table {
        thead { tr { th scope="col" { "Name" } th scope="col" { "State" } th scope="col" { "Progress" } th scope="col" { "Answered" } th scope="col" { "Agent" } th scope="col" { "Made" } } }
        tbody { @for (campaign, progress) in rows { tr {
            (text::cell("Name", &html! { a href=(visit.to(&format!("campaigns/{}", campaign.id))) { (text::plain(&campaign.name)) } }))
            (text::cell("State", &text::pill(campaign.state.as_str())))
            (text::cell("Progress", &bar(progress)))
            (text::cell("Answered", &html! { (text::count(progress.outcomes.get("answered").copied().unwrap_or(0))) }))
            (text::cell("Agent", &html! { (text::plain(&campaign.agent)) }))
            (text::cell("Made", &text::when(campaign.created_at)))
        } } }
    } }
}

/// How many of a campaign's people are done.
pub(super) fn bar(progress: &Progress) -> Markup {
    html! { span class="progress" {
        progress max=(progress.contacts.max(1)) value=(progress.done) aria-label="People who are done" {}
        span { (text::count(progress.done)) " of " (text::count(progress.contacts)) }
    } }
}

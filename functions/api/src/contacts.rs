//! `GET /api/campaigns/{id}/contacts`: who is in it, how far each of them is, and why.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::routing::get;
use elevenwire::auth::Scope;
use elevenwire::store::reading::{ContactFilter, contact_outcomes};
use serde_json::Value;

use crate::campaigns::known;
use crate::openapi::pages;
use crate::query::{Asked, Paging, Pairs, listed};
use crate::{Answer, Answered, App, authorize, unavailable};

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(list))]
pub(crate) struct Doc;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/campaigns/{id}/contacts", get(list))
}

/// A Lambda answer ends at 6 MB: a page whose people have many variables ends before.
const LARGEST_PAGE: usize = 3 * 1024 * 1024;

/// Which contacts, behind which number, how many.
fn wanted(pairs: Pairs) -> Result<(ContactFilter, Option<String>, i64), Answer> {
    let mut asked = Asked::of(pairs, &["status", "outcome", "number", "cursor", "limit"]);
    let filter = ContactFilter {
        status: asked.word("status", &["waiting", "calling", "done"]),
        outcome: asked.word("outcome", &contact_outcomes()),
        number: asked.number("number"),
    };
    let (after, most) = (asked.behind_number(), asked.limit());
    asked.done((filter, after, most))
}

/// Who is in a campaign, and how far each of them is; by number.
#[utoipa::path(
    get, path = "/api/campaigns/{id}/contacts", tag = "campaigns", operation_id = "listContacts",
    params(("id" = Uuid, Path, description = "Its id."), ContactFilter, Paging),
    responses((status = 200, description = "The answer.", body = pages::Contacts)),
    security(("token" = ["read"]))
)]
async fn list(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let (filter, after, most) = wanted(query)?;
    let campaign = known(&app, &id).await?;
    let found = app.store.contacts_explained(campaign.id, &filter, after.as_deref(), most).await;
    let mut contacts = found.map_err(|error| unavailable(&error))?;
    let fitting = fitting(&contacts);
    let most = if fitting < contacts.len() { i64::try_from(fitting).unwrap_or(most) } else { most };
    contacts.truncate(fitting);
    Ok(listed("contacts", &contacts, most, |last: &Value| last["number"].as_str().unwrap_or_default().to_owned()))
}

/// How many of them an answer holds; at least one.
fn fitting(contacts: &[Value]) -> usize {
    let mut bytes = 0;
    let fits = |contact: &&Value| {
        bytes += contact.to_string().len();
        bytes <= LARGEST_PAGE
    };
    contacts.iter().take_while(fits).count().max(1).min(contacts.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_ends_before_a_lambda_answer_would() {
        let heavy = json!({ "number": "+14155550123", "variables": { "text": "x".repeat(LARGEST_PAGE / 2) } });
        assert_eq!(fitting(&vec![heavy.clone(); 3]), 1);
        assert_eq!(fitting(&[]), 0);
    }

    #[test]
    fn a_page_begins_behind_a_number_whose_plus_may_have_become_a_blank() {
        let pairs = vec![("cursor".to_owned(), " 14155550123".to_owned()), ("limit".to_owned(), "2".to_owned())];
        let (_, after, most) = wanted(pairs).unwrap_or_else(|_| unreachable!());
        assert_eq!((after.as_deref(), most), (Some("+14155550123"), 2));
    }
}

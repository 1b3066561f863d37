//! `GET /api/campaigns/{id}/contacts`: who is in it, and how far each of them is.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::routing::get;
use elevenwire::auth::Scope;
use elevenwire::http::Reply;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::store::contacts_list::Listed;
use serde::Deserialize;
use serde_json::json;

use crate::campaigns::known;
use crate::{Answered, App, authorize, unavailable, wrong};

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/campaigns/{id}/contacts", get(list))
}

/// Contacts of a page.
const PAGE: i64 = 100;
/// A Lambda answer ends at 6 MB: a page whose people have many variables ends before.
const LARGEST_PAGE: usize = 3 * 1024 * 1024;

#[derive(Debug, Default, Deserialize)]
struct Asked {
    cursor: Option<String>,
    limit: Option<String>,
    status: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Wanted<'a> {
    after: i64,
    limit: i64,
    status: Option<&'a str>,
}

impl Asked {
    fn read(&self) -> Result<Wanted<'_>, Problem> {
        let mut errors = Vec::new();
        let number = |text: &Option<String>, default: i64, most: i64| match text {
            None => Some(default),
            Some(text) => text.parse().ok().filter(|number| (1..=most).contains(number)),
        };
        let after = number(&self.cursor, 0, i64::MAX);
        if after.is_none() {
            let mend = "Send the `next` of the page before, as it was answered.";
            errors.push(FieldError::new("cursor", "is not one of ours", mend));
        }
        let limit = number(&self.limit, PAGE, PAGE);
        if limit.is_none() {
            let mend = format!("Send a whole number from 1 to {PAGE}.");
            errors.push(FieldError::new("limit", "is out of bounds", mend));
        }
        let status = self.status.as_deref();
        if status.is_some_and(|status| !["waiting", "calling", "done"].contains(&status)) {
            let mend = "Use waiting, calling or done, or leave it out.";
            errors.push(FieldError::new("status", "is not a status of a contact", mend));
        }
        match (after, limit) {
            (Some(after), Some(limit)) if errors.is_empty() => Ok(Wanted { after, limit, status }),
            _ => Err(Problem::fields(errors)),
        }
    }
}

async fn list(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let wanted = asked.read().map_err(wrong)?;
    let campaign = known(&app, &id).await?;
    let found = app.store.contacts(campaign.id, wanted.status, wanted.after, wanted.limit).await;
    let mut contacts = found.map_err(|error| unavailable(&error))?;
    let full = i64::try_from(contacts.len()).is_ok_and(|count| count == wanted.limit);
    let fitting = fitting(&contacts);
    let cut = fitting < contacts.len();
    contacts.truncate(fitting);
    let next = contacts.last().filter(|_| full || cut).map(|last| last.id.to_string());
    Ok(Reply::json(200, &json!({ "contacts": contacts, "next": next })).into())
}

/// How many of them an answer holds; at least one.
fn fitting(contacts: &[Listed]) -> usize {
    let mut bytes = 0;
    let fits = |contact: &&Listed| {
        bytes += contact.variables.to_string().len() + 500;
        bytes <= LARGEST_PAGE
    };
    contacts.iter().take_while(fits).count().max(1).min(contacts.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(cursor: &str, limit: &str, status: &str) -> Asked {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Asked { cursor: given(cursor), limit: given(limit), status: given(status) }
    }

    #[test]
    fn a_page_has_its_defaults_and_its_bounds() {
        assert_eq!(asked("", "", "").read().unwrap(), Wanted { after: 0, limit: PAGE, status: None });
        assert_eq!(asked("7", "2", "done").read().unwrap(), Wanted { after: 7, limit: 2, status: Some("done") });
        let wrong = asked("x", "101", "lost").read().unwrap_err().errors;
        let fields: Vec<&str> = wrong.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["cursor", "limit", "status"]);
    }

    #[test]
    fn a_page_ends_before_a_lambda_answer_would() {
        let heavy = Listed {
            id: 1,
            number: "+14155550123".into(),
            status: "waiting".into(),
            outcome: None,
            because: None,
            due_at: None,
            attempts: 0,
            last_call: None,
            variables: json!({ "text": "x".repeat(LARGEST_PAGE / 2) }),
        };
        assert_eq!(fitting(&vec![heavy.clone(); 3]), 1);
        assert_eq!(fitting(&[]), 0);
    }
}

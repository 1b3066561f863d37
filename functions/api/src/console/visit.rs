//! Somebody who is signed in looks at a page: who, where, and what their forms must carry.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};
use elevenwire::auth::{Caller, Scope};
use elevenwire::problem::Problem;
use jiff::Timestamp;
use maud::{Markup, html};

use super::errors::Refused;
use super::session;
use super::{layout, text};
use crate::App;

/// Where a page lies, for relative addresses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(usize);

impl Place {
    pub(super) fn of(path: &str) -> Self {
        let below = path.find("/console").map_or("", |at| &path[at + "/console".len()..]);
        Self(below.matches('/').count())
    }

    /// What an address below the console begins with.
    pub(super) fn root(self) -> &'static str {
        ["console/", "./", "../", "../../", "../../../", "../../../../"][self.0.min(5)]
    }

    /// The console itself; without a slash at its end, which would be another address.
    pub(super) fn home(self) -> &'static str {
        ["console", "../console", "../../console", "../../../console", "../../../../console", "../../../../../console"]
            [self.0.min(5)]
    }
}

/// A page of the console, in its list of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Calls,
    Campaigns,
    Numbers,
    Suppressions,
    Agents,
    System,
}

/// A visit.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) caller: Caller,
    /// What every form that changes something carries.
    pub(super) csrf: String,
    pub(super) place: Place,
    /// The query, as pairs.
    pub(super) query: Vec<(String, String)>,
    pub(super) now: Timestamp,
}

/// Fields of a form.
pub(super) type Fields = Vec<(String, String)>;

impl FromRequestParts<Arc<App>> for Visit {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        let place = Place::of(parts.uri.path());
        let query = parts.uri.query().unwrap_or_default();
        match session::of(app, &parts.headers).await? {
            Some((caller, csrf)) => {
                let query = text::pairs(query);
                Ok(Self { caller, csrf, place, query, now: (app.now)() })
            }
            None => Err(Refused::SignIn(session::sign_in_address(place, parts.uri.path(), query))),
        }
    }
}

impl Visit {
    /// An address below the console.
    pub(super) fn to(&self, path: &str) -> String {
        format!("{}{path}", self.place.root())
    }

    /// Whether a change is allowed, so that no button is shown that would be refused.
    pub(super) fn may(&self, scope: Scope) -> bool {
        self.caller.scope >= scope
    }

    /// Refuses a change that the token does not allow, or that comes from a form which is not ours.
    pub(super) fn check(&self, scope: Scope, fields: &Fields) -> Result<(), Refused> {
        if !self.may(scope) {
            let word = format!("{scope:?}").to_lowercase();
            let detail = format!("This needs a token with the scope `{word}`; yours is `{}`.", self.caller.name);
            return Err(Problem::new(403, "Forbidden", detail).into());
        }
        if session::same(field(fields, "csrf"), &self.csrf) {
            return Ok(());
        }
        let detail = "This form is not of your session: it was open since before you signed in. Load its page again.";
        Err(Problem::new(403, "Forbidden", detail).into())
    }

    /// A parameter of the query; empty when it is not there.
    pub(super) fn asked(&self, name: &str) -> &str {
        field(&self.query, name)
    }

    /// The hidden field of every form that changes something.
    pub(super) fn seal(&self) -> Markup {
        html! { input type="hidden" name="csrf" value=(self.csrf); }
    }

    /// A whole page.
    pub(super) fn page(&self, title: &str, tab: Tab, main: &Markup) -> Response {
        Html(layout::page(self, title, tab, main).into_string()).into_response()
    }
}

/// A field of a form or a query; empty when it is not there.
pub(super) fn field<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_relative_to_where_the_page_lies() {
        for (path, root, home) in [
            ("/console", "console/", "console"),
            ("/console/", "./", "../console"),
            ("/console/calls", "./", "../console"),
            ("/console/calls/1", "../", "../../console"),
            ("/_aws/execute-api/elevenwire/console/campaigns/1/imports", "../../", "../../../console"),
        ] {
            let place = Place::of(path);
            assert_eq!((place.root(), place.home()), (root, home), "{path}");
        }
    }
}

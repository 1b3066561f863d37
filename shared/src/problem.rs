//! Errors of the HTTP API as problem documents (RFC 9457) that name the field and the mend.

use jiff::Timestamp;
use serde::Serialize;

use crate::guard::Reason;

/// One field that is wrong, why, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Path of the field, such as `variables.first_name`.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to send instead.
    pub mend: String,
}

impl FieldError {
    /// A wrong field.
    pub fn new(field: impl Into<String>, problem: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into(), mend: mend.into() }
    }
}

/// A problem document, `application/problem+json`. `type` is omitted, which RFC 9457 reads as `about:blank`: the title
/// then is the phrase of the status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Short, the same for every problem of this kind.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// One or two sentences for this case.
    pub detail: String,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Address of the thing that stands in the way (a live call, for one).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What the guard said.
    #[serde(flatten)]
    pub guard: Option<Box<Refusal>>,
}

/// The guard's no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Refusal {
    /// The rules that stand in the way.
    #[schema(required = false)]
    pub because: Vec<Reason>,
    /// When the same request is answered otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Problem {
    /// A problem with a sentence of its own.
    pub fn new(status: u16, title: &str, detail: impl Into<String>) -> Self {
        Self { title: title.to_owned(), status, detail: detail.into(), errors: Vec::new(), link: None, guard: None }
    }

    /// 422: the body is well formed, but fields in it are wrong.
    #[must_use]
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let names: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        let detail = format!("Mend {}: see `errors`.", names.join(", "));
        Self { errors, ..Self::new(422, "Unprocessable Content", detail) }
    }

    /// 401: no token, or one that nobody issued.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Send a token: `Authorization: Bearer <token>`.")
    }

    /// 503: a part of ours does not answer. `what` names it, without its reason.
    #[must_use]
    pub fn unavailable(what: &str) -> Self {
        Self::new(503, "Service Unavailable", format!("{what} does not answer. Nothing was changed; send it again."))
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, "Not Found", detail)
    }

    /// The guard says no: `until`, if it is a matter of time.
    #[must_use]
    pub fn guarded(because: Vec<Reason>, until: Option<Timestamp>) -> Self {
        let rules: Vec<&str> = because.iter().map(|reason| reason.rule).collect();
        let rules = rules.join(", ");
        let (status, title, detail) = match until {
            Some(until) => {
                let mend = "Ask again then, or send `\"when\": \"next_window\"` to let it wait.";
                (409, "Conflict", format!("This number may not be called before {until} ({rules}). {mend}"))
            }
            None => (422, "Unprocessable Content", format!("This number may not be called ({rules}): see `because`.")),
        };
        Self { guard: Some(Box::new(Refusal { because, until })), ..Self::new(status, title, detail) }
    }

    /// Adds a link to what stands in the way.
    #[must_use]
    pub fn with_link(mut self, link: String) -> Self {
        self.link = Some(link);
        self
    }
}

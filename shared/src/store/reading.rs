//! Lists and single things as the API shows them: JSON that the database builds, a statement a list. Each list has a filter,
//! and is read page by page behind a cursor: a time and an id, the newest first.

mod calls;
mod contacts;
mod conversations;
mod deliveries;
mod exported;
mod figures;
mod letters;
mod number;
mod overview;
pub mod shapes;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};

pub use calls::{CallFilter, Recording};
pub use contacts::{ContactFilter, contact_outcomes};
pub use conversations::ConversationFilter;
pub use deliveries::DeliveryFilter;
pub use exported::{Cells, Exported, ExportedContacts, Place, Portion, WHATS};
pub use figures::{DueHour, LAST_ATTEMPTS, PlaceHour};
pub use letters::Owner;
pub use number::DOSSIER_MOST;
pub use overview::HourCount;

/// An entry of a list, and its place in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<I> {
    /// As the API shows it.
    pub view: Value,
    /// Its time.
    pub at: Timestamp,
    /// Its id.
    pub id: I,
}

/// Which part of a list: behind `after`, `most` entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<I> {
    /// The last entry of the page before.
    pub after: Option<(Timestamp, I)>,
    /// How many.
    pub most: i64,
}

impl<I> Slice<I> {
    /// The first page.
    #[must_use]
    pub const fn first(most: i64) -> Self {
        Self { after: None, most }
    }
}

/// Times from `from` on, before `to`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct Span {
    /// The first moment, RFC 3339.
    #[param(example = "2026-11-24T00:00:00Z")]
    pub from: Option<Timestamp>,
    /// The first moment that is left out; later than `from`.
    #[param(example = "2026-11-25T00:00:00Z")]
    pub to: Option<Timestamp>,
}

/// Conditions with their values. Only what is asked for stands in the statement, so that the planner sees which index fits.
#[derive(Default)]
struct Conditions {
    clauses: Vec<String>,
    values: Vec<(Box<dyn ToSql + Sync + Send>, Type)>,
}

impl Conditions {
    /// Keeps a value; answers its name in the statement.
    fn value(&mut self, value: impl ToSql + Sync + Send + 'static, kind: Type) -> String {
        self.values.push((Box::new(value), kind));
        format!("${}", self.values.len())
    }

    /// A condition in which `:value` stands for the value, if there is one.
    fn and(&mut self, clause: &str, value: Option<impl ToSql + Sync + Send + 'static>, kind: Type) {
        if let Some(value) = value {
            let name = self.value(value, kind);
            self.clauses.push(clause.replace(":value", &name));
        }
    }

    fn text(&mut self, clause: &str, value: Option<&String>) {
        self.and(clause, value.cloned(), Type::TEXT);
    }

    fn within(&mut self, column: &str, span: Span) {
        self.and(&format!("{column} >= :value"), span.from, Type::TIMESTAMPTZ);
        self.and(&format!("{column} < :value"), span.to, Type::TIMESTAMPTZ);
    }

    /// Behind the last entry of the page before.
    fn behind<I: ToSql + Sync + Send + 'static>(&mut self, columns: &str, after: Option<(Timestamp, I)>, kind: Type) {
        if let Some((at, id)) = after {
            let at = self.value(at, Type::TIMESTAMPTZ);
            let id = self.value(id, kind);
            self.clauses.push(format!("({columns}) < ({at}, {id})"));
        }
    }

    /// All of them.
    fn sql(&self) -> String {
        if self.clauses.is_empty() { "true".to_owned() } else { self.clauses.join(" and ") }
    }

    fn typed(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.values.iter().map(|(value, kind)| (value.as_ref() as &(dyn ToSql + Sync), kind.clone())).collect()
    }
}

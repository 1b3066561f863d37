//! Rows for a file: the same filters as the lists, columns in a fixed order, read portion by portion and never held. What
//! was written after the export was asked for is not in it; each row is as it stands when it is read.

mod columns;

use std::pin::pin;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::{CallFilter, Conditions, ContactFilter, ConversationFilter, DeliveryFilter, Span};
use crate::export::{Column, Format, Kind};
use crate::store::{Store, StoreError};

/// What can be exported.
pub const WHATS: [&str; 5] = ["calls", "conversations", "contacts", "suppressions", "deliveries"];

/// What is exported, with its filters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", content = "filters", rename_all = "snake_case")]
pub enum Exported {
    /// Calls, the newest first.
    Calls(CallFilter),
    /// Conversations with what was said, the newest first.
    Conversations(ConversationFilter),
    /// Contacts, by campaign and number.
    Contacts(ExportedContacts),
    /// Suppressed numbers, the newest first; a span of `suppressed_at`.
    Suppressions(Span),
    /// Deliveries, the newest first.
    Deliveries(DeliveryFilter),
}

/// Contacts of a campaign, or of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExportedContacts {
    /// Only of this campaign.
    pub campaign: Option<Uuid>,
    /// As the list of a campaign has it.
    #[serde(flatten)]
    pub filter: ContactFilter,
}

/// Where a row stands in the order of its export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place(String, String);

/// What a portion came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// Rows that were taken.
    pub rows: u64,
    /// The last of them.
    pub last: Option<Place>,
    /// Nothing is behind it.
    pub over: bool,
}

/// How the rows of an export are found.
struct Order {
    /// The large table under its filters; its columns stand in the order.
    from: &'static str,
    /// Joined after the limit, under the same name.
    join: &'static str,
    key: [&'static str; 2],
    by: &'static str,
    /// Behind the place :a, :b.
    behind: &'static str,
}

impl Exported {
    /// As it is asked for.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match self {
            Self::Calls(_) => WHATS[0],
            Self::Conversations(_) => WHATS[1],
            Self::Contacts(_) => WHATS[2],
            Self::Suppressions(_) => WHATS[3],
            Self::Deliveries(_) => WHATS[4],
        }
    }

    /// Its filters, by the names of the lists' parameters.
    #[must_use]
    pub fn filters(&self) -> Value {
        let mut filters = json!(self)["filters"].take();
        if let Some(filters) = filters.as_object_mut() {
            filters.retain(|_, value| !value.is_null());
        }
        filters
    }

    /// As it was kept.
    #[must_use]
    pub fn of(what: &str, filters: &Value) -> Option<Self> {
        serde_json::from_value(json!({ "what": what, "filters": filters })).ok()
    }

    /// Its columns.
    #[must_use]
    pub fn columns(&self) -> &'static [Column] {
        match self {
            Self::Calls(_) => columns::CALLS,
            Self::Conversations(_) => columns::CONVERSATIONS,
            Self::Contacts(_) => columns::CONTACTS,
            Self::Suppressions(_) => columns::SUPPRESSIONS,
            Self::Deliveries(_) => columns::DELIVERIES,
        }
    }

    /// Rows that are asked for at once. Of those that are not taken any more nothing is kept, so few of the large ones.
    #[must_use]
    pub fn portion(&self) -> i64 {
        if matches!(self, Self::Conversations(_)) { 200 } else { 2000 }
    }

    fn conditions(&self, as_of: Timestamp) -> Conditions {
        let (mut conditions, written) = match self {
            Self::Calls(filter) => (filter.conditions(), "c.created_at"),
            Self::Conversations(filter) => (filter.conditions(), "v.created_at"),
            Self::Contacts(wanted) => {
                let mut conditions = wanted.filter.conditions();
                conditions.and("k.campaign_id = :value", wanted.campaign, Type::UUID);
                (conditions, "k.created_at")
            }
            Self::Suppressions(span) => {
                let mut conditions = Conditions::default();
                conditions.clauses.push("n.suppressed_at is not null".to_owned());
                conditions.within("n.suppressed_at", *span);
                (conditions, "n.suppressed_at")
            }
            Self::Deliveries(filter) => (filter.conditions(), "d.received_at"),
        };
        conditions.and(&format!("{written} <= :value"), Some(as_of), Type::TIMESTAMPTZ);
        conditions
    }

    fn order(&self) -> Order {
        match self {
            Self::Calls(_) => Order {
                from: "calls c",
                // With a limit, so that each call is looked up: joined, the planner may read all calls for a portion.
                join: "cross join lateral (select * from report_calls where call_id = c.id limit 1) r",
                key: ["c.created_at", "c.id"],
                by: "c.created_at desc, c.id desc",
                behind: "(c.created_at, c.id) < (:a::timestamptz, :b::uuid)",
            },
            Self::Conversations(_) => Order {
                from: "conversations v",
                join: "left join lateral (select * from call_recordings where conversation_id = v.conversation_id limit 1) r
                    on true",
                key: ["v.created_at", "v.id"],
                by: "v.created_at desc, v.id desc",
                behind: "(v.created_at, v.id) < (:a::timestamptz, :b::integer)",
            },
            Self::Contacts(_) => Order {
                from: "contacts k",
                join: "join campaigns m on m.id = k.campaign_id",
                key: ["k.campaign_id", "k.number"],
                by: "k.campaign_id, k.number",
                behind: "(k.campaign_id, k.number) > (:a::uuid, :b)",
            },
            Self::Suppressions(_) => Order {
                from: "numbers n",
                join: "",
                key: ["n.suppressed_at", "n.number"],
                by: "n.suppressed_at desc, n.number",
                behind: "n.suppressed_at <= :a::timestamptz and (n.suppressed_at < :a::timestamptz or n.number > :b)",
            },
            Self::Deliveries(_) => Order {
                from: "deliveries d",
                join: "",
                key: ["d.received_at", "d.digest"],
                by: "d.received_at desc, d.digest desc",
                behind: "(d.received_at, d.digest) < (:a::timestamptz, :b)",
            },
        }
    }

    fn statement(&self, format: Format, as_of: Timestamp, after: Option<&Place>) -> (String, Conditions) {
        let mut conditions = self.conditions(as_of);
        let Order { from, join, key: [first, second], by, behind } = self.order();
        if let Some(Place(a, b)) = after {
            let (a, b) = (conditions.value(a.clone(), Type::TEXT), conditions.value(b.clone(), Type::TEXT));
            conditions.clauses.push(behind.replace(":a", &a).replace(":b", &b));
        }
        let most = conditions.value(self.portion(), Type::INT8);
        let (cells, wanted) = (cells(self.columns(), format), conditions.sql());
        let (table, alias) = from.split_once(' ').unwrap_or((from, ""));
        // Limited before anything is joined.
        let sql = format!(
            "select {cells}, {first}::text, {second}::text
             from (select * from {table} {alias} where {wanted} order by {by} limit {most}) {alias} {join}
             order by {by}"
        );
        (sql, conditions)
    }
}

/// Of a CSV the text of each column, of JSON Lines the object.
fn cells(columns: &[Column], format: Format) -> String {
    let each = columns.iter().map(|column| {
        let value = match column.kind {
            Kind::Time => {
                format!("to_char({} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')", column.sql)
            }
            _ => format!("({})", column.sql),
        };
        match format {
            Format::Csv => format!("{value}::text"),
            Format::Jsonl => format!("{value} as \"{}\"", column.name),
        }
    });
    let each: Vec<String> = each.collect();
    match format {
        Format::Csv => each.join(", "),
        Format::Jsonl => format!("(select row_to_json(x) from (select {}) x)::text", each.join(", ")),
    }
}

/// The cells of a row, as text; of JSON Lines one, the object.
pub type Cells<'r> = &'r mut dyn Iterator<Item = Option<&'r str>>;

impl Store {
    /// Reads rows behind `after` and hands each to `take`, until a portion is read or `take` says that it is enough.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn export_rows(
        &self,
        exported: &Exported,
        format: Format,
        as_of: Timestamp,
        after: Option<&Place>,
        take: &mut (dyn for<'r> FnMut(Cells<'r>) -> bool + Send),
    ) -> Result<Portion, StoreError> {
        let (sql, conditions) = exported.statement(format, as_of, after);
        let mut session = self.session().await?;
        let values = conditions.typed();
        let rows = session.client()?.query_typed_raw::<&(dyn ToSql + Sync), _>(&sql, values).await?;
        let mut rows = pin!(rows);
        let mut portion = Portion { rows: 0, last: None, over: false };
        while let Some(row) = rows.try_next().await? {
            let cells = row.len() - 2;
            let enough = take(&mut (0..cells).map(|at| row.get::<_, Option<&str>>(at)));
            portion.rows += 1;
            portion.last = Some(Place(row.get(cells), row.get(cells + 1)));
            if enough {
                return Ok(portion);
            }
        }
        portion.over = i64::try_from(portion.rows).is_ok_and(|rows| rows < exported.portion());
        Ok(portion)
    }

    /// How the database goes about a portion, for the tests of the indexes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn plan_of_export(
        &self,
        exported: &Exported,
        as_of: Timestamp,
        after: Option<&Place>,
    ) -> Result<Value, StoreError> {
        let (sql, conditions) = exported.statement(Format::Csv, as_of, after);
        let mut session = self.session().await?;
        let sql = format!("explain (format json) {sql}");
        Ok(session.client()?.query_typed_one(&sql, &conditions.typed()).await?.get(0))
    }
}

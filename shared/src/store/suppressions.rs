//! Do-not-call. The row of `numbers` says whether, `suppression_events` how it came to that.
//!
//! Every writer locks the number's row first and a call's row, if it needs one, after it: the order of the claim. A number
//! keeps the time and the reason of its first suppression; what an owner lifted is suppressed again by the next opt-out.

mod bulk;
mod heard;
mod reviews;

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::reading::Slice;
use super::{Store, StoreError, commit};

pub use bulk::Wanted;
pub use heard::{OptOut, ToolCall};
pub(super) use heard::{lock_numbers, note};
pub use reviews::{Decision, Resolved, Review};

/// Where a suppression comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The owner, one number.
    Owner,
    /// The owner, a list.
    Import,
    /// The agent, during the call.
    AgentTool,
    /// What was said, as the transcript has it.
    Transcript,
}

impl Source {
    /// As it stands in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Import => "import",
            Self::AgentTool => "agent_tool",
            Self::Transcript => "transcript",
        }
    }
}

/// A number that is not called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Suppressed {
    /// In E.164 form.
    pub number: String,
    /// Since when.
    pub suppressed_at: Timestamp,
    /// By what: `owner`, `import`, `agent_tool` or `transcript`.
    pub source: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The call in which it was heard.
    pub call_id: Option<Uuid>,
}

/// One step in the history of a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SuppressionStep)]
pub struct Step {
    /// `added` or `removed`.
    pub action: String,
    /// `owner`, `import`, `agent_tool`, `transcript` or `review`.
    pub source: String,
    /// Why.
    pub reason: String,
    /// Name of the token.
    pub by: Option<String>,
    /// The call in which it was heard.
    pub call_id: Option<Uuid>,
    /// When.
    pub at: Timestamp,
}

const COLUMNS: &str = "number, suppressed_at, suppressed_by, suppressed_because, suppressed_call";

impl Store {
    /// Suppresses a number by its owner's wish; whether it was called until now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn suppress(
        &self,
        number: &str,
        reason: &str,
        by_whom: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let wanted = [Wanted { number: number.to_owned(), reason: reason.to_owned() }];
        let added = self.suppress_all(&wanted, Source::Owner, by_whom, now).await?;
        Ok(added > 0)
    }

    /// Lets a number be called again; whether it was suppressed. Its open reviews are over with it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unsuppress(
        &self,
        number: &str,
        reason: &str,
        by_whom: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        lock_numbers(&tx, &[number.to_owned()]).await?;
        let lifted = lift(&tx, number).await?;
        if lifted {
            let removal = Removal { source: Source::Owner.as_str(), call_id: None, reason, by_whom };
            removal.keep(&tx, number, now).await?;
            let over = "update opt_out_reviews set resolved_at = $2, resolution = 'remove', resolved_by = $3,
                            resolved_because = $4
                        where number = $1 and resolved_at is null";
            let typed = [
                (&number as _, Type::TEXT),
                (&now as _, Type::TIMESTAMPTZ),
                (&by_whom as _, Type::TEXT),
                (&reason as _, Type::TEXT),
            ];
            tx.execute_typed(over, &typed).await?;
        }
        commit(tx).await?;
        Ok(lifted)
    }

    /// A number's suppression, and its history from the newest step back.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn suppression(&self, number: &str) -> Result<(Option<Suppressed>, Vec<Step>), StoreError> {
        let mut session = self.session().await?;
        let client = session.client()?;
        let sql = format!("select {COLUMNS} from numbers where number = $1 and suppressed_at is not null");
        let now = client.query_typed_opt(&sql, &[(&number, Type::TEXT)]).await?;
        let sql = "select action, source, because, by_whom, call_id, at from suppression_events where number = $1
                   order by at desc, id desc limit 100";
        let steps = client.query_typed(sql, &[(&number, Type::TEXT)]).await?;
        Ok((now.as_ref().map(suppressed), steps.iter().map(step).collect()))
    }

    /// Suppressed numbers, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn suppressions(&self, slice: &Slice<String>) -> Result<Vec<Suppressed>, StoreError> {
        let sql = format!(
            "select {COLUMNS} from numbers
             where suppressed_at is not null
                 and ($1::timestamptz is null or (suppressed_at <= $1 and (suppressed_at < $1 or number > $2)))
             order by suppressed_at desc, number limit $3"
        );
        let (at, number) = slice.after.as_ref().map(|(at, number)| (*at, number.as_str())).unzip();
        let typed = [(&at as _, Type::TIMESTAMPTZ), (&number as _, Type::TEXT), (&slice.most as _, Type::INT8)];
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(&sql, &typed).await?;
        Ok(rows.iter().map(suppressed).collect())
    }
}

fn suppressed(row: &Row) -> Suppressed {
    Suppressed {
        number: row.get(0),
        suppressed_at: row.get(1),
        source: row.get(2),
        reason: row.get(3),
        call_id: row.get(4),
    }
}

fn step(row: &Row) -> Step {
    Step {
        action: row.get(0),
        source: row.get(1),
        reason: row.get(2),
        by: row.get(3),
        call_id: row.get(4),
        at: row.get(5),
    }
}

/// Lifts a suppression, under the number's lock; whether there was one.
async fn lift(tx: &Transaction<'_>, number: &str) -> Result<bool, StoreError> {
    let sql = "update numbers set suppressed_at = null, suppressed_because = null, suppressed_by = null,
                   suppressed_call = null
               where number = $1 and suppressed_at is not null";
    Ok(tx.execute_typed(sql, &[(&number, Type::TEXT)]).await? > 0)
}

/// That a suppression was lifted.
struct Removal<'r> {
    source: &'r str,
    call_id: Option<Uuid>,
    reason: &'r str,
    by_whom: &'r str,
}

impl Removal<'_> {
    async fn keep(&self, tx: &Transaction<'_>, number: &str, now: Timestamp) -> Result<(), StoreError> {
        let sql = "insert into suppression_events (number, action, source, because, by_whom, call_id, at)
                   values ($1, 'removed', $2, $3, $4, $5, $6)";
        let typed = [
            (&number as _, Type::TEXT),
            (&self.source as _, Type::TEXT),
            (&self.reason as _, Type::TEXT),
            (&self.by_whom as _, Type::TEXT),
            (&self.call_id as _, Type::UUID),
            (&now as _, Type::TIMESTAMPTZ),
        ];
        tx.execute_typed(sql, &typed).await?;
        Ok(())
    }
}

//! Doubtful opt-outs: the number is suppressed already, and a person says whether it stays so.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::super::reading::Slice;
use super::super::{Store, StoreError, commit};
use super::{Removal, lift, lock_numbers};

/// A doubtful opt-out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Review {
    /// The call in which it was heard.
    pub call_id: Uuid,
    /// The number that is suppressed for it.
    pub number: String,
    /// The conversation to read.
    pub conversation_id: Option<String>,
    /// The rule that doubts.
    pub rule: String,
    /// The words that it rests on.
    pub words: Option<String>,
    /// When it was heard.
    pub created_at: Timestamp,
    /// When somebody decided.
    pub resolved_at: Option<Timestamp>,
    /// `keep` or `remove`.
    pub resolution: Option<String>,
    /// Name of the token.
    pub resolved_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// What a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It stays suppressed.
    Keep,
    /// It was no opt-out.
    Remove,
}

impl Decision {
    /// As it stands in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Remove => "remove",
        }
    }
}

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// It holds, now or since it was sent first; whether the number may not be called still.
    Done {
        /// The review.
        review: Review,
        /// Something else suppresses the number as well, or the decision was to keep it so.
        suppressed: bool,
    },
    /// Somebody decided otherwise before.
    Otherwise(Review),
    /// There is no such review.
    Missing,
}

const REVIEW: &str =
    "select call_id, number, conversation_id, rule, words, created_at, resolved_at, resolution, resolved_by,
    resolved_because from opt_out_reviews";

/// What else suppresses the number: an event since it was last lifted that is not this one.
const ANOTHER: &str = "
select source, because, call_id, at from suppression_events e
where number = $1 and action = 'added' and (call_id is distinct from $2 or source <> 'transcript')
    and id > coalesce((select max(id) from suppression_events r where r.number = $1 and r.action = 'removed'), 0)
order by id limit 1";

impl Store {
    /// Reviews, the oldest first: those that wait for somebody, or all. A page begins behind its slice.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn opt_out_reviews(&self, open_only: bool, slice: &Slice<Uuid>) -> Result<Vec<Review>, StoreError> {
        let sql = format!(
            "{REVIEW} where (not $1 or resolved_at is null) and ($2::timestamptz is null or (created_at, call_id) > ($2, $3))
             order by created_at, call_id limit $4"
        );
        let (at, call_id) = slice.after.unzip();
        let typed = [
            (&open_only as _, Type::BOOL),
            (&at as _, Type::TIMESTAMPTZ),
            (&call_id as _, Type::UUID),
            (&slice.most as _, Type::INT8),
        ];
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(&sql, &typed).await?;
        Ok(rows.iter().map(review).collect())
    }

    /// Decides about a review. Lifting takes back only what this call brought.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn resolve_opt_out(
        &self,
        call_id: Uuid,
        decision: Decision,
        reason: &str,
        by_whom: &str,
        now: Timestamp,
    ) -> Result<Resolved, StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let of = "select number from opt_out_reviews where call_id = $1";
        let Some(row) = tx.query_typed_opt(of, &[(&call_id, Type::UUID)]).await? else { return Ok(Resolved::Missing) };
        let number: String = row.get(0);
        lock_numbers(&tx, std::slice::from_ref(&number)).await?;
        let sql =
            "update opt_out_reviews set resolved_at = $2, resolution = $3, resolved_by = $4, resolved_because = $5
                   where call_id = $1 and resolved_at is null";
        let word = decision.as_str();
        let typed = [
            (&call_id as _, Type::UUID),
            (&now as _, Type::TIMESTAMPTZ),
            (&word as _, Type::TEXT),
            (&by_whom as _, Type::TEXT),
            (&reason as _, Type::TEXT),
        ];
        let decided = tx.execute_typed(sql, &typed).await? > 0;
        if decided && decision == Decision::Remove {
            let removal = Removal { source: "review", call_id: Some(call_id), reason, by_whom };
            take_back(&tx, &number, &removal, now).await?;
        }
        let one = format!("{REVIEW} where call_id = $1");
        let review = review(&tx.query_typed_one(&one, &[(&call_id, Type::UUID)]).await?);
        let still = "select suppressed_at is not null from numbers where number = $1";
        let suppressed = tx.query_typed_one(still, &[(&number, Type::TEXT)]).await?.get(0);
        commit(tx).await?;
        if review.resolution.as_deref() == Some(word) {
            Ok(Resolved::Done { review, suppressed })
        } else {
            Ok(Resolved::Otherwise(review))
        }
    }
}

/// Lifts the suppression, unless something else suppresses the number as well: then that is why, from now on.
async fn take_back(
    tx: &Transaction<'_>,
    number: &str,
    removal: &Removal<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let typed = [(&number as _, Type::TEXT), (&removal.call_id as _, Type::UUID)];
    let Some(another) = tx.query_typed_opt(ANOTHER, &typed).await? else {
        if lift(tx, number).await? {
            removal.keep(tx, number, now).await?;
        }
        return Ok(());
    };
    let sql = "update numbers set suppressed_by = $2, suppressed_because = $3, suppressed_call = $4, suppressed_at = $5
               where number = $1 and suppressed_at is not null";
    let (source, because): (String, String) = (another.get(0), another.get(1));
    let (call_id, at): (Option<Uuid>, Timestamp) = (another.get(2), another.get(3));
    let typed = [
        (&number as _, Type::TEXT),
        (&source as _, Type::TEXT),
        (&because as _, Type::TEXT),
        (&call_id as _, Type::UUID),
        (&at as _, Type::TIMESTAMPTZ),
    ];
    tx.execute_typed(sql, &typed).await?;
    Ok(())
}

fn review(row: &Row) -> Review {
    Review {
        call_id: row.get(0),
        number: row.get(1),
        conversation_id: row.get(2),
        rule: row.get(3),
        words: row.get(4),
        created_at: row.get(5),
        resolved_at: row.get(6),
        resolution: row.get(7),
        resolved_by: row.get(8),
        reason: row.get(9),
    }
}

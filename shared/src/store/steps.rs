//! What became of a contact's attempt decides its next step: another attempt, or its end.

use jiff::Timestamp;
use tokio_postgres::types::{Json, Type};
use tokio_postgres::{Row, Transaction};

use super::{Store, StoreError, commit};
use crate::call::Outcome;
use crate::campaign::{Attempted, Settings, Step, step};

/// A call whose outcome may still be refined is given this long before its contact is called again.
const OUTCOME_GRACE_MINUTES: i64 = 10;

impl Store {
    /// Contacts whose attempt is over go on: to another attempt, or to their end. Answers how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn go_on(&self, most: i64, now: Timestamp) -> Result<usize, StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let grace = i32::try_from(OUTCOME_GRACE_MINUTES).unwrap_or(10);
        let typed = [(&now as _, Type::TIMESTAMPTZ), (&grace as _, Type::INT4), (&most as _, Type::INT8)];
        let rows = tx.query_typed(ENDED, &typed).await?;
        let mut moved = 0;
        for row in &rows {
            moved += usize::from(move_on(&tx, row, now).await?);
        }
        if moved > 0 {
            commit(tx).await?;
        }
        Ok(moved)
    }
}

/// Known is what nothing more is awaited for; that a machine answered, and no person, may stand in the transcript only.
const ENDED: &str = "
select k.id, m.settings, m.state as campaign_state, c.outcome, known.known, c.asks > 0 as asked, c.ended_at, c.reason,
    (select count(*) from calls o where o.contact_id = k.id and o.asks > 0) as attempts,
    (select count(*) from calls o where o.contact_id = k.id and o.outcome = c.outcome and o.asks > 0) as same_outcome
from contacts k join calls c on c.id = k.last_call join campaigns m on m.id = k.campaign_id
cross join lateral (select c.outcome_final and (c.outcome <> 'answered' or c.transcript <> 'expected')) known (known)
where k.status = 'calling' and c.state = 'ended' and c.outcome is not null
    and (known.known or coalesce(c.ended_at, c.updated_at) <= $1::timestamptz - make_interval(mins => $2))
order by known.known desc, c.ended_at limit $3 for update of k skip locked";

/// Says whether it went on: its end waits for the last word, another attempt does not ([`Store::pick`] looks whether it
/// came).
async fn move_on(tx: &Transaction<'_>, row: &Row, now: Timestamp) -> Result<bool, StoreError> {
    let id: i64 = row.get("id");
    let Json(settings): Json<Settings> = row.get("settings");
    let asked: bool = row.get("asked");
    let attempts = i32::try_from(row.get::<_, i64>("attempts")).unwrap_or(i32::MAX);
    let word: &str = row.get::<_, Option<&str>>("outcome").unwrap_or("unknown");
    let attempted = Attempted {
        outcome: Outcome::parse(word).unwrap_or(Outcome::Unknown),
        asked,
        same_outcome: u32::try_from(row.get::<_, i64>("same_outcome")).unwrap_or(u32::MAX),
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        ended_at: row.get::<_, Option<Timestamp>>("ended_at").unwrap_or(now),
    };
    let over = matches!(row.get("campaign_state"), "canceled" | "finished");
    let next = step(&attempted, &settings);
    if !row.get::<_, bool>("known") && (over || matches!(next, Step::Done { .. })) {
        return Ok(false);
    }
    let (status, outcome, due_at) = match next {
        Step::Again { .. } if over => ("done", Some("canceled"), None),
        Step::Again { at, .. } => ("waiting", None, Some(at)),
        Step::Done { outcome } => ("done", Some(outcome), None),
    };
    // A block's word is the guard's rule, every other's the outcome itself.
    let because = if word == "blocked" { row.get::<_, Option<&str>>("reason").unwrap_or(word) } else { word };
    let sql =
        "update contacts set status = $2, outcome = $3, due_at = $4, because = $5, attempts = $6, last_outcome = $7,
               updated_at = $8 where id = $1";
    let typed = [
        (&id as _, Type::INT8),
        (&status as _, Type::TEXT),
        (&outcome as _, Type::TEXT),
        (&due_at as _, Type::TIMESTAMPTZ),
        (&because as _, Type::TEXT),
        (&attempts as _, Type::INT4),
        (&word as _, Type::TEXT),
        (&now as _, Type::TIMESTAMPTZ),
    ];
    tx.execute_typed(sql, &typed).await?;
    Ok(true)
}

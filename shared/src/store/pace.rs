//! One timetable for the whole space at the carrier, which dials `rate` calls a second and silently queues what is more.
//!
//! Slots are counted from the epoch: slot `n` is at `n / rate` seconds. Every [`KEPT`](Pace::kept)-th one is kept for single
//! calls, so that a campaign cannot keep a person waiting; a single call also takes any other that no campaign has
//! taken yet. Two cursors say what is given away: of the kept slots everything up to `single_slot`, of the others
//! everything up to `campaign_slot`.

use jiff::Timestamp;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::StoreError;

/// How fast the carrier dials, and how much of that is kept for single calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Calls a second of the carrier's space.
    pub rate: f64,
    /// Every `kept`-th slot is for single calls; 2 or more.
    pub kept: i64,
}

impl Pace {
    /// A rate, with every fifth slot kept for single calls.
    #[must_use]
    pub fn of(rate: f64) -> Self {
        Self { rate, kept: 5 }
    }

    /// The first slot that does not lie in the past.
    fn first(&self, now: Timestamp) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "slots of a year 9999 fit")]
        let slot = (as_seconds(now) * self.rate).ceil() as i64;
        slot
    }

    /// When a slot is.
    #[must_use]
    pub fn time(&self, slot: i64) -> Timestamp {
        #[expect(clippy::cast_precision_loss, reason = "slots are far below 2^52")]
        let seconds = slot as f64 / self.rate;
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a year 9999 fit")]
        let millis = (seconds * 1000.0).ceil() as i64;
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }

    /// How many slots a campaign may still have until `horizon`: those that are not kept.
    #[must_use]
    pub fn campaign_slots(&self, seconds: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let kept = self.kept as f64;
        seconds * self.rate * (kept - 1.0) / kept
    }
}

fn as_seconds(now: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds are far below 2^52")]
    let millis = now.as_millisecond() as f64;
    millis / 1000.0
}

/// Gives the next slot to a single call. Locks the timetable until the transaction ends.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn reserve_single(tx: &Transaction<'_>, pace: Pace, now: Timestamp) -> Result<Timestamp, StoreError> {
    // The next kept slot, or the next of the others, whichever is earlier.
    let sql = "with free as (
            select one,
                (greatest(single_slot + 1, $1) + $2 - 1) / $2 * $2 as kept,
                greatest(campaign_slot + 1, $1) + (case when greatest(campaign_slot + 1, $1) % $2 = 0 then 1 else 0 end) as other
            from pace for update
        )
        update pace set
            single_slot = case when kept < other then kept else single_slot end,
            campaign_slot = case when kept < other then campaign_slot else other end
        from free where pace.one = free.one
        returning least(free.kept, free.other)";
    let typed = [(&pace.first(now) as _, Type::INT8), (&pace.kept as _, Type::INT8)];
    Ok(pace.time(tx.query_typed_one(sql, &typed).await?.get(0)))
}

/// Gives the next `n` slots to campaigns, in order. Locks the timetable until the transaction ends.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn reserve_campaign(
    tx: &Transaction<'_>,
    pace: Pace,
    n: i64,
    now: Timestamp,
) -> Result<Vec<Timestamp>, StoreError> {
    // Of the slots that are not kept, number r (1, 2, …) is slot r + (r - 1) / (kept - 1).
    let sql = "with free as (
            select one, first - 1 - (first - 1) / $2 as given
            from (select one, greatest(campaign_slot + 1, $1) as first from pace for update) p
        )
        update pace set campaign_slot = given + $3 + (given + $3 - 1) / ($2 - 1)
        from free where pace.one = free.one and $3 > 0
        returning given";
    let typed = [(&pace.first(now) as _, Type::INT8), (&pace.kept as _, Type::INT8), (&n as _, Type::INT8)];
    let Some(row) = tx.query_typed_opt(sql, &typed).await? else { return Ok(Vec::new()) };
    let given: i64 = row.get(0);
    Ok((given + 1..=given + n).map(|r| pace.time(r + (r - 1) / (pace.kept - 1))).collect())
}

//! What a claim holds against besides the guard: its owner's stops, room on the line, a slot in the carrier's timetable.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::StoreError;
use super::claims::later;
use super::pace;
use crate::call::OwnEnd;
use crate::dialling::Dialling;

/// A claim may come this long before its slot; its asker then waits on the line for it.
pub const EARLY: Duration = Duration::from_millis(1500);

/// A slot that is older is lost: calls that come late would pile up at the carrier. At one call a second, three at once
/// is the most then: one is dialled, two wait.
const FRESH: Duration = Duration::from_secs(2);

/// After this long an attempt that found no room, or a stop, is looked at again.
const NO_ROOM_SECS: i64 = 5;
pub(super) const STOPPED_SECS: i64 = 60;

/// What the owner says about an attempt now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// Nothing against it.
    Open,
    /// Not now.
    Closed { until: Timestamp, because: &'static str },
    /// Not any more.
    Over { end: OwnEnd, reason: &'static str },
}

/// Its own times, its campaign, and the stops.
pub(super) fn owner(row: &Row, now: Timestamp) -> Passage {
    let over = |end, reason| Passage::Over { end, reason };
    let closed = |until, because| Passage::Closed { until, because };
    if row.get("taken_back") {
        return over(OwnEnd::Canceled, "its owner took it back");
    }
    match row.get::<_, Option<&str>>("campaign_state") {
        Some("canceled") => return over(OwnEnd::Canceled, "its campaign was canceled"),
        Some("finished") => return over(OwnEnd::Canceled, "its campaign is over"),
        _ => {}
    }
    if row.get::<_, Option<Timestamp>>("ends_at").is_some_and(|end| now >= end) {
        return over(OwnEnd::Expired, "its campaign has ended");
    }
    if now >= row.get::<_, Timestamp>("expires_at") {
        return over(OwnEnd::Expired, "its time passed before it could be placed");
    }
    if row.get("stopped") {
        return closed(later(now, STOPPED_SECS), "stopped");
    }
    if row.get::<_, Option<&str>>("campaign_state").is_some_and(|state| state != "running") {
        return closed(later(now, STOPPED_SECS), "campaign_paused");
    }
    let starts = row.get::<_, Option<Timestamp>>("starts_at").unwrap_or(Timestamp::MIN);
    let due = row.get::<_, Timestamp>("due_at").max(starts);
    if now < due { closed(due, "not_due") } else { Passage::Open }
}

/// Which calls take a line, at the time of parameter `now`: an attempt without a clear answer takes one for as long as it
/// could last.
pub(super) fn takes_a_line(now: &str) -> String {
    format!(
        "(state in ('placing', 'unknown', 'queued', 'ringing', 'in_progress') and (state <> 'unknown'
            or claimed_at > {now}::timestamptz - make_interval(secs => ring_timeout_secs + max_duration_secs + 60)))"
    )
}

/// Whether there is room for one more call at both vendors, and its slot: now or in a moment. Else when to ask again.
/// Takes the lock of the timetable, so that two claims at once do not take the same room.
pub(super) async fn room_and_slot(
    tx: &Transaction<'_>,
    call_id: Uuid,
    row: &Row,
    dialling: &Dialling,
    now: Timestamp,
) -> Result<Result<Timestamp, (Timestamp, &'static str)>, StoreError> {
    let slot_at = row.get::<_, Option<Timestamp>>("slot_at");
    if let Some(slot) = slot_at.filter(|slot| plus(now, EARLY) < *slot) {
        return Ok(Err((slot, "its slot comes later")));
    }
    tx.execute_typed("select 1 from pace for update", &[]).await?;
    if let Some(because) = no_room(tx, row, dialling, now).await? {
        return Ok(Err((later(now, NO_ROOM_SECS), because)));
    }
    if let Some(slot) = slot_at.filter(|slot| now <= plus(*slot, FRESH)) {
        return Ok(Ok(slot));
    }
    let slot = if row.get::<_, Option<i64>>("contact_id").is_some() {
        pace::reserve_campaign(tx, dialling.pace, 1, now).await?.first().copied().unwrap_or(now)
    } else {
        pace::reserve_single(tx, dialling.pace, now).await?
    };
    let sql = "update calls set slot_at = $2 where id = $1";
    tx.execute_typed(sql, &[(&call_id, Type::UUID), (&slot, Type::TIMESTAMPTZ)]).await?;
    Ok(if plus(now, EARLY) < slot { Err((slot, "its slot comes later")) } else { Ok(slot) })
}

async fn no_room(
    tx: &Transaction<'_>,
    row: &Row,
    dialling: &Dialling,
    now: Timestamp,
) -> Result<Option<&'static str>, StoreError> {
    let (agent, campaign) = (row.get::<_, &str>("agent"), row.get::<_, Option<&str>>("campaign_id"));
    let typed = [(&agent as _, Type::TEXT), (&campaign as _, Type::TEXT), (&now as _, Type::TIMESTAMPTZ)];
    let sql = format!(
        "select count(*), count(*) filter (where agent = $1), count(*) filter (where campaign_id = $2)
         from calls where {}",
        takes_a_line("$3")
    );
    let live = tx.query_typed_one(&sql, &typed).await?;
    let full = |at: usize, limit: Option<i64>| limit.is_some_and(|limit| live.get::<_, i64>(at) >= limit);
    let limit = |column: &str| row.get::<_, Option<i32>>(column).map(i64::from);
    Ok(if full(0, Some(i64::from(dialling.concurrency))) {
        Some("the agents' vendor holds no more calls")
    } else if full(1, limit("agent_limit")) {
        Some("the agent holds no more calls")
    } else if full(2, limit("campaign_limit")) {
        Some("the campaign holds no more calls")
    } else {
        None
    })
}

fn plus(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_add(duration).unwrap_or(time)
}

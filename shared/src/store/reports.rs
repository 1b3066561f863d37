//! Figures over many calls.

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::types::Type;

use super::{Store, StoreError};

const SETTLEMENT: &str = "
with day as (
    select * from calls where coalesce(claimed_at, created_at) >= $1 and coalesce(claimed_at, created_at) < $2
), placed as (
    select * from day where asks > 0
)
select jsonb_build_object(
    'intents', (select count(*) from day),
    'placed', count(*),
    'settled', count(*) filter (where settled_at is not null),
    'healed', count(*) filter (where healed_at is not null),
    'unknown', count(*) filter (where state = 'unknown'),
    'given_up', count(*) filter (where outcome = 'unknown'),
    'double_dials', count(*) filter (where double_dial),
    'live', count(*) filter (where state in ('placing', 'queued', 'ringing', 'in_progress')),
    'outcomes', (select coalesce(jsonb_object_agg(outcome, calls), '{}') from
        (select outcome, count(*) as calls from placed where outcome is not null group by outcome) o),
    'absent', (select coalesce(jsonb_agg(jsonb_build_object('piece', piece, 'reason', reason, 'calls', calls)), '[]') from
        (select p.piece, p.reason, count(*) as calls from placed, lateral (values
            ('transcript', transcript, transcript_absent_because),
            ('recording', recording, recording_absent_because)) as p (piece, known, reason)
         where p.known = 'absent' group by p.piece, p.reason order by p.piece, p.reason) a),
    'unsettled', (select coalesce(jsonb_agg(jsonb_build_object('id', u.id, 'missing', u.missing, 'since', u.since)
            order by u.since), '[]')
        from (select u.* from unsettled_calls u join placed p on p.id = u.id order by u.since limit 1000) u))
from placed";

/// What waits longest, and who keeps it all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// Version of the database server.
    pub server_version: String,
    /// When the oldest attempt was due that is due and not claimed.
    pub oldest_due: Option<Timestamp>,
    /// When the call ended that waits longest for its transcript or recording.
    pub oldest_unsettled: Option<Timestamp>,
}

impl Store {
    /// What waits longest.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        // By calls_due and calls_unsettled.
        let sql = "select current_setting('server_version'),
            (select min(due_at) from calls where state = 'intent' and due_at <= $1),
            (select min(ended_at) from calls where settled_at is null)";
        let mut session = self.session().await?;
        let row = session.client()?.query_typed_one(sql, &[(&now, Type::TIMESTAMPTZ)]).await?;
        Ok(Backlog { server_version: row.get(0), oldest_due: row.get(1), oldest_unsettled: row.get(2) })
    }

    /// The settlement of the calls that the carrier was asked for in a span of time, as JSON.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn settlement(&self, from: Timestamp, to: Timestamp) -> Result<Value, StoreError> {
        let mut session = self.session().await?;
        let typed = [(&from as _, Type::TIMESTAMPTZ), (&to as _, Type::TIMESTAMPTZ)];
        Ok(session.client()?.query_typed_one(SETTLEMENT, &typed).await?.get(0))
    }
}

//! Figures for whoever looks at everything at once: what is live and what stands still, outcomes by hour, what it costs.

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::types::Type;

use crate::store::{Store, StoreError};

/// So many calls of an hour came to this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourCount {
    /// The hour's beginning.
    pub hour: Timestamp,
    /// What became of them; `None` while it is open.
    pub outcome: Option<String>,
    /// How many.
    pub calls: i64,
}

const HOURS: &str = "
select date_bin('1 hour', created_at, timestamptz '1970-01-01 00:00:00Z'), outcome, count(*)
from calls where created_at >= $1 and created_at < $2 group by 1, 2";

const OVERVIEW: &str = "
select jsonb_build_object(
    'agents', (select coalesce(jsonb_agg(jsonb_build_object('name', a.name, 'max_concurrent', a.max_concurrent,
            'live', coalesce(l.n, 0)) order by a.name), '[]')
        from agents a left join (select agent, count(*) as n from calls
            where state in ('placing', 'unknown', 'queued', 'ringing', 'in_progress') group by agent) l on l.agent = a.name),
    'waiting', (select count(*) from calls where state = 'intent'),
    'unsettled', (select jsonb_build_object('calls', count(*), 'oldest', min(created_at))
        from calls where settled_at is null and state <> 'intent'),
    'running', (select count(*) from campaigns where state = 'running'),
    'breakers', (select coalesce(jsonb_agg(jsonb_build_object('id', id, 'name', name, 'because', because,
            'since', updated_at) order by updated_at desc), '[]')
        from campaigns where state = 'paused' and decided_by = 'breaker'),
    'resting', (select coalesce(jsonb_agg(jsonb_build_object('number', number, 'until', rests_until, 'because', because)
            order by number), '[]') from caller_ids where rests_until > $1),
    'reviews', (select count(*) from opt_out_reviews where resolved_at is null),
    'spend', (select jsonb_build_object('fiat', coalesce(sum(cost_fiat), 0), 'credits', coalesce(sum(cost), 0),
            'conversations', count(*), 'carrier', (select coalesce(sum(carrier_price), 0) from calls where created_at >= $2))
        from conversations where created_at >= $2))";

impl Store {
    /// Calls by the hour in which they were written down and by outcome.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn outcomes_by_hour(&self, from: Timestamp, to: Timestamp) -> Result<Vec<HourCount>, StoreError> {
        let typed = [(&from as _, Type::TIMESTAMPTZ), (&to as _, Type::TIMESTAMPTZ)];
        let rows = self.session().await?.client()?.query_typed(HOURS, &typed).await?;
        Ok(rows.iter().map(|row| HourCount { hour: row.get(0), outcome: row.get(1), calls: row.get(2) }).collect())
    }

    /// How everything stands: live calls of each agent, what waits, what is not settled, what stands still and why, and what
    /// both vendors have charged since `since`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn overview(&self, now: Timestamp, since: Timestamp) -> Result<Value, StoreError> {
        let typed = [(&now as _, Type::TIMESTAMPTZ), (&since as _, Type::TIMESTAMPTZ)];
        let mut session = self.session().await?;
        Ok(session.client()?.query_typed_one(OVERVIEW, &typed).await?.get(0))
    }
}

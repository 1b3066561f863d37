//! How the calls stand, in numbers: for metrics, every minute.

use jiff::{Timestamp, ToSpan};
use tokio_postgres::types::Type;

use super::{Store, StoreError, canary};
use crate::telemetry::metrics::{self, Metric};

/// What is open, by `calls_unsettled` and the indexes of what is pending. A call that was given up is counted apart.
pub const OPEN: &str = "
with open as (
    select state, outcome is not distinct from 'unknown' as given_up,
        coalesce(ended_at, claimed_at + make_interval(secs => ring_timeout_secs + max_duration_secs)) as over_at
    from calls where settled_at is null and asks > 0
)
select (count(*) filter (where not given_up))::float8,
    coalesce(greatest(0, extract(epoch from $1 - min(over_at) filter (where not given_up))), 0)::float8,
    (count(*) filter (where state in ('placing', 'queued', 'ringing', 'in_progress')))::float8,
    (count(*) filter (where state = 'unknown'))::float8,
    (count(*) filter (where state = 'queued'))::float8,
    (select count(*) from outbox_deliveries where state = 'pending')::float8,
    (select coalesce(greatest(0, extract(epoch from $1 - min(created_at))), 0)
        from outbox_deliveries where state = 'pending')::float8
from open";

const OPEN_METRICS: [Metric; 7] = [
    metrics::UNSETTLED_CALLS,
    metrics::OLDEST_UNSETTLED,
    metrics::LIVE_CALLS,
    metrics::UNKNOWN_CALLS,
    metrics::CARRIER_QUEUE,
    metrics::EVENTS_WAITING,
    metrics::OLDEST_EVENT,
];

/// Silence: calls that ended lately, as reconcile had to find out, when not one of them was told by a webhook. A fact with
/// the vendor's own words came by one. By `calls_asked_at`: an older call is not looked at.
pub const SILENCE: &str = "
with recent as (
    select id, connect, carrier_sid, conversation_id, agent_connected, ended_at from calls
    where coalesce(claimed_at, created_at) > $1 - interval '6 hours' and ended_at > $1 - interval '30 minutes'
), carrier as (
    select exists (select 1 from call_events e where e.call_id = r.id and e.raw is not null) as told from recent r
    where r.connect = 'sip' and r.carrier_sid is not null
        and r.ended_at between $1 - interval '15 minutes' and $1 - interval '1 minute'
), agent as (
    select exists (select 1 from deliveries d where d.conversation_id = r.conversation_id
        and d.event_type <> 'api_conversation') as told from recent r
    where r.agent_connected and r.ended_at between $1 - interval '30 minutes' and $1 - interval '10 minutes'
)
select (select case when bool_or(told) then 0 else count(*) end from carrier)::float8,
    (select case when bool_or(told) then 0 else count(*) end from agent)::float8";

/// Calls that were settled in a span of time; those that were asked for more than six hours earlier are left out. The
/// agent's response is the sum of the vendor's steps between the person's last word and the agent's first sound, by their
/// medians; its analysis tells the sentiment where it collects an item of that name.
pub const SETTLED: &str = "
select c.outcome, lower(v.analysis #>> '{data_collection_results,sentiment,value}'), c.duration_secs::float8,
    extract(epoch from v.started_at - c.answered_at)::float8,
    extract(epoch from v.started_at - c.answered_at)::float8 + (
        select min((turn ->> 'time_in_call_secs')::float8)
        from jsonb_array_elements(case jsonb_typeof(v.messages) when 'array' then v.messages else '[]' end) turn
        where turn ->> 'role' = 'agent' and turn ->> 'message' <> ''
    ),
    coalesce((v.latencies #>> '{convai_asr_trailing_service_latency,median_secs}')::float8, 0)
        + (v.latencies #>> '{convai_llm_service_ttf_sentence,median_secs}')::float8
        + (v.latencies #>> '{convai_tts_service_ttfb,median_secs}')::float8,
    v.duration_seconds::float8
from calls c left join conversations v on v.conversation_id = c.conversation_id
where coalesce(c.claimed_at, c.created_at) > $2 - interval '6 hours' and c.asks > 0
    and c.settled_at >= $1 and c.settled_at < $2";

const SETTLED_METRICS: [Metric; 5] = [
    metrics::CALL_DURATION,
    metrics::ANSWER_TO_AGENT,
    metrics::ANSWER_TO_FIRST_WORD,
    metrics::AGENT_RESPONSE_TIME,
    metrics::CONVERSATION_LENGTH,
];

/// Of the people who answered a campaign's calls in thirty days, the share that heard no agent: of the campaign with the
/// largest, among those that a hundred answered, as its breaker counts. By `calls_people`.
pub const ABANDONMENT: &str = "
select coalesce(max(percent), 0)::float8 from (
    select 100.0 * count(*) filter (where outcome = 'abandoned') / count(*) as percent from calls
    where campaign_id is not null and outcome in ('answered', 'abandoned') and ended_at > $1 - interval '30 days'
    group by campaign_id having count(*) >= 100) c";

impl Store {
    /// Adds how things stand to the metrics of this invocation, and what was settled in the last full minute.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_pulse(&self, now: Timestamp) -> Result<(), StoreError> {
        let minute = Timestamp::from_second(now.as_second().div_euclid(60) * 60).unwrap_or(now);
        let before = minute.checked_sub(1.minute()).unwrap_or(minute);
        let mut session = self.session().await?;
        let client = session.client()?;
        let open = client.query_typed_one(OPEN, &[(&now, Type::TIMESTAMPTZ)]).await?;
        for (place, metric) in OPEN_METRICS.into_iter().enumerate() {
            metrics::add(metric, open.get::<_, f64>(place));
        }
        let silence = client.query_typed_one(SILENCE, &[(&now, Type::TIMESTAMPTZ)]).await?;
        metrics::add(metrics::SILENT_CALLS, silence.get::<_, f64>(0));
        metrics::add(metrics::SILENT_CONVERSATIONS, silence.get::<_, f64>(1));
        let span = [(&before as _, Type::TIMESTAMPTZ), (&minute as _, Type::TIMESTAMPTZ)];
        for row in client.query_typed(SETTLED, &span).await? {
            metrics::count(metrics::CALLS_SETTLED);
            metrics::count(of_outcome(row.get(0)));
            if let Some(sentiment) = of_sentiment(row.get(1)) {
                metrics::count(sentiment);
            }
            for (place, metric) in SETTLED_METRICS.into_iter().enumerate() {
                if let Some(seconds) = row.get::<_, Option<f64>>(place + 2) {
                    // The two vendors' clocks differ.
                    metrics::add(metric, seconds.max(0.0));
                }
            }
        }
        let [from, to] = span;
        for row in client.query_typed(canary::HOME, &[(&canary::ASKER as _, Type::TEXT), from, to]).await? {
            metrics::add(metrics::CANARY_END_TO_END, row.get::<_, f64>(0));
        }
        Ok(())
    }

    /// Adds the share of the abandoned to the metrics of this invocation.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_abandonment(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut session = self.session().await?;
        let row = session.client()?.query_typed_one(ABANDONMENT, &[(&now, Type::TIMESTAMPTZ)]).await?;
        metrics::add(metrics::ABANDONMENT_RATE, row.get::<_, f64>(0));
        Ok(())
    }
}

fn of_sentiment(word: Option<&str>) -> Option<Metric> {
    match word? {
        "positive" => Some(metrics::SENTIMENT_POSITIVE),
        "neutral" => Some(metrics::SENTIMENT_NEUTRAL),
        "negative" => Some(metrics::SENTIMENT_NEGATIVE),
        _ => None,
    }
}

fn of_outcome(outcome: Option<&str>) -> Metric {
    match outcome {
        Some("answered") => metrics::CALLS_ANSWERED,
        Some("abandoned") => metrics::CALLS_ABANDONED,
        Some("voicemail" | "screened") => metrics::CALLS_MACHINE,
        Some("busy" | "no_answer" | "declined") => metrics::CALLS_NOT_REACHED,
        _ => metrics::CALLS_FAILED,
    }
}

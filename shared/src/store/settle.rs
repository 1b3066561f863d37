//! What is not settled: which calls to look at, what was found, and what is known not to exist.

use jiff::{Timestamp, ToSpan};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::calls::{News, learn};
use super::{Store, StoreError, commit};
use crate::call::{Connect, Event, Fact, State};
use crate::telemetry::metrics;

/// How long an attempt without a clear answer is looked for, every few minutes, before it is given up. The carrier's queue
/// holds at most 10,000 calls at one a second: 2.8 hours.
pub const LOOK_FOR_HOURS: i64 = 4;

/// How long the number of such an attempt stays on hold after that. It is looked for every hour meanwhile.
pub const HOLD_HOURS: i64 = 24;

/// A call that is not settled, as reconcile sees it.
#[derive(Debug, Clone)]
pub struct Unsettled {
    /// Id of the attempt.
    pub call_id: Uuid,
    /// Where it stands.
    pub state: State,
    /// It was given up before.
    pub given_up: bool,
    /// Nothing more is awaited that decides the outcome.
    pub outcome_final: bool,
    /// Who was called.
    pub to: String,
    /// Caller id.
    pub from: String,
    /// When the carrier was asked.
    pub claimed_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The carrier's id.
    pub carrier_sid: Option<String>,
    /// ElevenLabs' id of its agent.
    pub elevenlabs_agent_id: String,
    /// Who dialled.
    pub connect: Connect,
    /// The conversation that was noted for it.
    pub conversation_id: Option<String>,
    /// Its transcript is awaited.
    pub transcript_expected: bool,
    /// How often it was looked at in vain.
    pub looks: u32,
    /// Seconds after which it is ended.
    pub max_duration_secs: i32,
}

impl Store {
    /// Calls whose time to be looked at has come, longest overdue first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn to_settle(&self, now: Timestamp, most: i64) -> Result<Vec<Unsettled>, StoreError> {
        let sql =
            "select id, state, coalesce(outcome = 'unknown', false), outcome_final, to_number, from_number, claimed_at,
                       ended_at, carrier_sid, elevenlabs_agent_id, conversation_id,
                       agent_connected is not false and transcript = 'expected', looks, connect, max_duration_secs
                   from calls where settle_at <= $1 order by settle_at limit $2";
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(sql, &[(&now, Type::TIMESTAMPTZ), (&most, Type::INT8)]).await?;
        Ok(rows
            .iter()
            .map(|row| Unsettled {
                call_id: row.get(0),
                state: State::parse(row.get(1)).unwrap_or(State::Intent),
                given_up: row.get(2),
                outcome_final: row.get(3),
                to: row.get(4),
                from: row.get(5),
                claimed_at: row.get(6),
                ended_at: row.get(7),
                carrier_sid: row.get(8),
                elevenlabs_agent_id: row.get(9),
                conversation_id: row.get(10),
                transcript_expected: row.get(11),
                looks: u32::try_from(row.get::<_, i32>(12)).unwrap_or(0),
                connect: Connect::parse(row.get(13)),
                max_duration_secs: row.get(14),
            })
            .collect())
    }

    /// Notes that a call was looked at: `next` is when to look again; `None` when nothing can be found any more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn looked(&self, call_id: Uuid, next: Option<Timestamp>) -> Result<(), StoreError> {
        let sql = "update calls set settle_at = $2, looks = looks + 1 where id = $1 and settled_at is null";
        let mut session = self.session().await?;
        session.write(sql, &[(&call_id, Type::UUID), (&next, Type::TIMESTAMPTZ)]).await?;
        Ok(())
    }

    /// Adds facts that reconcile found, through the same fold as every webhook, and marks the call as healed.
    ///
    /// # Errors
    /// As [`learn`].
    pub async fn heal(&self, call_id: Uuid, news: &[News], now: Timestamp) -> Result<State, StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let call = learn(&tx, call_id, news, now).await?;
        let sql = "update calls set healed_at = $2 where id = $1 and healed_at is null";
        let healed = tx.execute_typed(sql, &[(&call_id, Type::UUID), (&now, Type::TIMESTAMPTZ)]).await?;
        commit(tx).await?;
        if healed > 0 {
            metrics::count(metrics::CALLS_HEALED);
        }
        Ok(call.state)
    }

    /// Gives an attempt up that was never found, and puts its number on hold. The attempt is not settled by that.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn give_up(&self, call: &Unsettled, reason: &str, now: Timestamp) -> Result<(), StoreError> {
        let hold_until = now.checked_add(HOLD_HOURS.hours()).unwrap_or(now);
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        // The number's row first, as everywhere.
        let hold = "update numbers set hold_until = greatest(hold_until, $2), hold_because = $3 where number = $1";
        let because = "an attempt without a clear answer was never found again";
        tx.execute_typed(hold, &[(&call.to, Type::TEXT), (&hold_until, Type::TIMESTAMPTZ), (&because, Type::TEXT)])
            .await?;
        let fact = Fact::GivenUp { reason: reason.to_owned() };
        learn(&tx, call.call_id, &[Event::new(fact, now).into()], now).await?;
        commit(tx).await?;
        metrics::count(metrics::CALLS_GIVEN_UP);
        Ok(())
    }

    /// Notes that the vendor has no transcript of a call, and so no recording.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn transcript_absent(&self, call_id: Uuid, reason: &str, now: Timestamp) -> Result<(), StoreError> {
        let sql = "update calls set transcript = 'absent', transcript_absent_because = $2,
                recording = case when recording = 'expected' then 'absent' else recording end,
                recording_absent_because = case when recording = 'expected' then $2 else recording_absent_because end,
                updated_at = $3
            where id = $1 and transcript = 'expected'";
        let mut session = self.session().await?;
        let typed = [(&call_id as _, Type::UUID), (&reason as _, Type::TEXT), (&now as _, Type::TIMESTAMPTZ)];
        session.write(sql, &typed).await?;
        Ok(())
    }

    /// Which of these carrier ids are bound to a call already.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn bound_sids(&self, sids: &[String]) -> Result<Vec<String>, StoreError> {
        // Every sid that was ever heard of, not only the one that stands in the row.
        let sql = "select distinct fact->>'sid' from call_events where fact ? 'sid' and fact->>'sid' = any ($1)";
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(sql, &[(&sids, Type::TEXT_ARRAY)]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Which of these conversations are stored as final: they are not fetched again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn final_conversations(&self, ids: &[String]) -> Result<Vec<String>, StoreError> {
        let sql = "select conversation_id from conversations where final and conversation_id = any ($1)";
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(sql, &[(&ids, Type::TEXT_ARRAY)]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Conversations whose recording was not pushed in time: id and agent.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audio_wanted(&self, now: Timestamp, most: i64) -> Result<Vec<(String, Option<String>)>, StoreError> {
        let sql = "select conversation_id, agent_id from conversations where audio_at <= $1 order by audio_at limit $2";
        let mut session = self.session().await?;
        let client = session.client()?;
        let rows = client.query_typed(sql, &[(&now, Type::TIMESTAMPTZ), (&most, Type::INT8)]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Notes that a recording was asked for, and when to ask again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audio_asked(&self, conversation_id: &str, next: Timestamp) -> Result<(), StoreError> {
        let sql = "update conversations set audio_at = $2, audio_looks = audio_looks + 1
                   where conversation_id = $1 and audio_at is not null";
        let typed = [(&conversation_id as _, Type::TEXT), (&next as _, Type::TIMESTAMPTZ)];
        self.session().await?.write(sql, &typed).await?;
        Ok(())
    }

    /// When a conversation is known to have ended at the latest, and whether its recording is still wanted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audio_wanted_since(&self, conversation_id: &str) -> Result<Option<Timestamp>, StoreError> {
        let sql = "select created_at from conversations where conversation_id = $1 and audio_at is not null";
        let mut session = self.session().await?;
        let row = session.client()?.query_typed_opt(sql, &[(&conversation_id, Type::TEXT)]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Notes that the vendor has no recording of a conversation.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recording_absent(
        &self,
        conversation_id: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "with asked as (
                update conversations set audio_at = null where conversation_id = $1 returning call_id
            )
            update calls set recording = 'absent', recording_absent_because = $2, updated_at = $3
            from asked where calls.id::text = asked.call_id and calls.recording = 'expected'";
        let typed = [(&conversation_id as _, Type::TEXT), (&reason as _, Type::TEXT), (&now as _, Type::TIMESTAMPTZ)];
        self.session().await?.write(sql, &typed).await?;
        Ok(())
    }

    /// The agents whose conversations are listed, each with how far its list was read.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn watermarks(&self) -> Result<Vec<(String, Option<Timestamp>)>, StoreError> {
        let sql = "select a.id, w.read_until
            from (select elevenlabs_agent_id as id from agents union select elevenlabs_agent_id from calls
                where created_at > (select max(created_at) from calls) - interval '30 days') a
            left join reconcile_watermarks w on w.elevenlabs_agent_id = a.id order by w.read_until nulls first";
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(sql, &[]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Moves an agent's watermark forward, never back.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn move_watermark(&self, agent_id: &str, read_until: Timestamp) -> Result<(), StoreError> {
        let sql = "insert into reconcile_watermarks values ($1, $2) on conflict (elevenlabs_agent_id)
                   do update set read_until = greatest(reconcile_watermarks.read_until, excluded.read_until)";
        let typed = [(&agent_id as _, Type::TEXT), (&read_until as _, Type::TIMESTAMPTZ)];
        self.session().await?.write(sql, &typed).await?;
        Ok(())
    }
}

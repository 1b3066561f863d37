//! Calls: the events of an attempt, and the row that is folded from them.

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::types::{Json, Type};
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::claims::{ASKER_LIVES_SECS, TRUNK_ASKER_LIVES_SECS};
use super::costs::PRICED_AFTER_MINUTES;
use super::{Store, StoreError, commit};
use crate::call::fold::{Folded, fold};
use crate::call::{AnsweredBy, Connect, Event, Fact, State};

/// Something new about a call, with the vendor's own words where there are some.
#[derive(Debug, Clone)]
pub struct News {
    /// The fact and its time.
    pub event: Event,
    /// The vendor's own words.
    pub raw: Option<Value>,
}

impl From<Event> for News {
    fn from(event: Event) -> Self {
        Self { event, raw: None }
    }
}

/// Adds events to a call and folds its row anew, inside the caller's transaction. Takes the lock of the row, so that two
/// writers of one call come after each other.
///
/// # Errors
/// [`StoreError::Missing`] when there is no such call, [`StoreError::Busy`] when the new state would make a second live
/// attempt to its number.
pub async fn learn(tx: &Transaction<'_>, call_id: Uuid, news: &[News], now: Timestamp) -> Result<Folded, StoreError> {
    let locked = tx.query_typed_opt("select 1 from calls where id = $1 for update", &[(&call_id, Type::UUID)]).await?;
    if locked.is_none() {
        return Err(StoreError::Missing("such call"));
    }
    append(tx, call_id, news, now).await?;
    let rows = tx.query_typed("select fact, at from call_events where call_id = $1", &[(&call_id, Type::UUID)]).await?;
    let events: Vec<Event> = rows
        .iter()
        // A fact that this version does not know was written by a newer one: it is kept, and skipped here.
        .filter_map(|row| Some(Event::new(serde_json::from_value(row.get::<_, Value>(0)).ok()?, row.get(1))))
        .collect();
    let folded = fold(&events);
    write(tx, call_id, &folded, now).await?;
    Ok(folded)
}

async fn append(tx: &Transaction<'_>, call_id: Uuid, news: &[News], now: Timestamp) -> Result<(), StoreError> {
    for News { event, raw } in news {
        let kind = kind(&event.fact);
        // The same fact again: of two times the earlier one holds, whichever came first.
        tx.execute_typed(
            "insert into call_events (call_id, key, kind, fact, at, received_at, raw) values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (call_id, key) do update set at = excluded.at where excluded.at < call_events.at",
            &[
                (&call_id, Type::UUID),
                (&event.fact.key(), Type::TEXT),
                (&kind, Type::TEXT),
                (&Json(&event.fact), Type::JSONB),
                (&event.at, Type::TIMESTAMPTZ),
                (&now, Type::TIMESTAMPTZ),
                (raw, Type::JSONB),
            ],
        )
        .await?;
    }
    Ok(())
}

fn kind(fact: &Fact) -> String {
    let value = serde_json::to_value(fact).unwrap_or_default();
    value["kind"].as_str().unwrap_or_default().to_owned()
}

async fn write(tx: &Transaction<'_>, call_id: Uuid, call: &Folded, now: Timestamp) -> Result<(), StoreError> {
    let integer = |value: Option<u32>| value.and_then(|value| i32::try_from(value).ok());
    let answered_by = call.answered_by.map(|who| if who == AnsweredBy::Machine { "machine" } else { "person" });
    // Only when something differs: a doubled delivery changes no row.
    tx.execute_typed(
        "update calls set state = $2, outcome = $3, outcome_final = $4, reason = $5, asks = $6, carrier_sid = $7,
             double_dial = $8, agent_connected = $9, placed_at = $10, ringing_at = $11, answered_at = $12, ended_at = $13,
             duration_secs = $14, sip_code = $15, answered_by = $16, updated_at = $17,
             -- What the carrier charged is looked up a while after the end, and again when a second dial is found.
             price_at = case
                 when $2 <> 'ended' or $7::text is null or connect <> 'sip' then price_at
                 when $8 and not double_dial then $17::timestamptz + make_interval(mins => $18)
                 when carrier_price is null and price_looks = 0
                     then coalesce(price_at, $17::timestamptz + make_interval(mins => $18))
                 else price_at end
         where id = $1 and (state, outcome, outcome_final, reason, asks, carrier_sid, double_dial, agent_connected,
             placed_at, ringing_at, answered_at, ended_at, duration_secs, sip_code, answered_by)
             is distinct from ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        &[
            (&call_id, Type::UUID),
            (&call.state.as_str(), Type::TEXT),
            (&call.outcome.map(crate::call::Outcome::as_str), Type::TEXT),
            (&call.outcome_final, Type::BOOL),
            (&call.reason, Type::TEXT),
            (&integer(Some(call.asks)), Type::INT4),
            (&call.carrier_sid, Type::TEXT),
            (&call.double_dial, Type::BOOL),
            (&call.agent_connected, Type::BOOL),
            (&call.placed_at, Type::TIMESTAMPTZ),
            (&call.ringing_at, Type::TIMESTAMPTZ),
            (&call.answered_at, Type::TIMESTAMPTZ),
            (&call.ended_at, Type::TIMESTAMPTZ),
            (&integer(call.duration_secs), Type::INT4),
            (&call.sip_code.map(i32::from), Type::INT4),
            (&answered_by, Type::TEXT),
            (&now, Type::TIMESTAMPTZ),
            (&PRICED_AFTER_MINUTES, Type::INT4),
        ],
    )
    .await?;
    Ok(())
}

/// What personalize-call answers with.
#[derive(Debug, Clone, PartialEq)]
pub struct Personal {
    /// The call.
    pub call_id: Uuid,
    /// Its campaign.
    pub campaign_id: Option<String>,
    /// Its variables, a JSON object.
    pub variables: Value,
}

/// An attempt that waits to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overdue {
    /// Its id.
    pub call_id: Uuid,
    /// An intent, or a claim whose asker died.
    pub state: State,
    /// Who dials it, and so which queue it is woken through.
    pub connect: Connect,
}

impl Store {
    /// Adds events to a call, in a transaction of its own.
    ///
    /// # Errors
    /// As [`learn`].
    pub async fn learn(&self, call_id: Uuid, news: &[News], now: Timestamp) -> Result<Folded, StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let folded = learn(&tx, call_id, news, now).await?;
        commit(tx).await?;
        Ok(folded)
    }

    /// Notes the conversation id of a call, if the call has that agent and is still free, and returns its variables: one
    /// statement, while somebody is on the line.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn personalize(
        &self,
        call_id: Uuid,
        agent_id: &str,
        conversation_id: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Personal>, StoreError> {
        let sql = "with found as (
                select id, campaign_id, variables from calls where id = $1 and elevenlabs_agent_id = $2
            ), noted as (
                update calls set conversation_id = $3, updated_at = $4 from found
                where calls.id = found.id and calls.conversation_id is null and $3 is not null
                    and not exists (select 1 from calls other where other.conversation_id = $3)
            )
            select id, campaign_id, variables from found";
        let mut session = self.session().await?;
        let values = [
            (&call_id as _, Type::UUID),
            (&agent_id as _, Type::TEXT),
            (&conversation_id as _, Type::TEXT),
            (&now as _, Type::TIMESTAMPTZ),
        ];
        let row = session.write_returning(sql, &values).await?;
        Ok(row.map(|row| Personal { call_id: row.get(0), campaign_id: row.get(1), variables: row.get(2) }))
    }

    /// Notes that a live call shall be hung up, and says whether there is one. The command itself goes to place-call.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn want_hang_up(&self, call_id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "update calls set hang_up_at = coalesce(hang_up_at, $2), updated_at = $2
                   where id = $1 and state <> 'ended'";
        let mut session = self.session().await?;
        let changed = session.write(sql, &[(&call_id, Type::UUID), (&now, Type::TIMESTAMPTZ)]).await?;
        Ok(changed > 0)
    }

    /// The carrier's id of a call that shall be hung up and still lives.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn to_hang_up(&self, call_id: Uuid) -> Result<Option<String>, StoreError> {
        let sql = "select carrier_sid from calls where id = $1 and hang_up_at is not null and state <> 'ended' and connect = 'sip'";
        let mut session = self.session().await?;
        let row = session.client()?.query_typed_opt(sql, &[(&call_id, Type::UUID)]).await?;
        Ok(row.and_then(|row| row.get(0)))
    }

    /// The carrier's id of a call that is queued or rings.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn to_cancel(&self, call_id: Uuid) -> Result<Option<String>, StoreError> {
        let sql = "select carrier_sid from calls where id = $1 and state in ('queued', 'ringing') and connect = 'sip'";
        let mut session = self.session().await?;
        let row = session.client()?.query_typed_opt(sql, &[(&call_id, Type::UUID)]).await?;
        Ok(row.and_then(|row| row.get(0)))
    }

    /// Live calls that were to be hung up longer ago than `grace_secs`: the command was lost.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn not_hung_up(&self, now: Timestamp, grace_secs: i64) -> Result<Vec<Uuid>, StoreError> {
        let sql = "select id from calls
                   where hang_up_at <= $1::timestamptz - make_interval(secs => $2) and connect = 'sip'
                       and state in ('queued', 'ringing', 'in_progress')";
        let grace = f64::from(i32::try_from(grace_secs).unwrap_or(i32::MAX));
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(sql, &[(&now, Type::TIMESTAMPTZ), (&grace, Type::FLOAT8)]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Calls that were found after they were given up, longer ago than `grace_secs`, and still may ring: the command that takes
    /// them back was lost.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn not_taken_back(&self, now: Timestamp, grace_secs: i64) -> Result<Vec<Uuid>, StoreError> {
        let sql = "select id from calls
                   where state in ('queued', 'ringing') and connect = 'sip'
                       and updated_at <= $1::timestamptz - make_interval(secs => $2)
                       and exists (select 1 from call_events where call_id = id and key = 'given_up')";
        let grace = f64::from(i32::try_from(grace_secs).unwrap_or(i32::MAX));
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(sql, &[(&now, Type::TIMESTAMPTZ), (&grace, Type::FLOAT8)]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Attempts whose time has come and whose wake-up may be lost: due for longer than `grace_secs`, or claimed by somebody who
    /// must be dead by now; oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn overdue(&self, now: Timestamp, grace_secs: i64, most: i64) -> Result<Vec<Overdue>, StoreError> {
        let sql = "select id, state, connect from calls
                   where (state = 'intent' and due_at <= $1::timestamptz - make_interval(secs => $2))
                      or (state = 'placing' and claimed_at <= $1::timestamptz - make_interval(secs =>
                          case connect when 'trunk' then ring_timeout_secs + $4 else $5 end))
                   order by due_at limit $3";
        let grace = f64::from(i32::try_from(grace_secs).unwrap_or(i32::MAX));
        let typed = [
            (&now as _, Type::TIMESTAMPTZ),
            (&grace as _, Type::FLOAT8),
            (&most as _, Type::INT8),
            (&TRUNK_ASKER_LIVES_SECS as _, Type::INT8),
            (&ASKER_LIVES_SECS as _, Type::INT8),
        ];
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(sql, &typed).await?;
        let state = |name: &str| if name == "placing" { State::Placing } else { State::Intent };
        let overdue =
            |row: &Row| Overdue { call_id: row.get(0), state: state(row.get(1)), connect: Connect::parse(row.get(2)) };
        Ok(rows.iter().map(overdue).collect())
    }
}

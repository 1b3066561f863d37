//! Intents: a wish to call somebody, written down once however often it is sent.

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Transaction;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

use super::costs::{CONVERSATION, parts};
use super::{Store, StoreError, commit};
use crate::auth::Caps;
use crate::call::Connect;
use crate::call::callee::Callee;
use crate::cost::Tariff;
use crate::phone::PhoneNumber;

/// An attempt to be written down.
#[derive(Debug, Clone)]
pub struct NewCall {
    /// Its id, which stands in every URL, header and variable.
    pub id: Uuid,
    /// Who is called.
    pub to: PhoneNumber,
    /// Caller id, one of the agent's.
    pub from: String,
    /// Our name of the agent.
    pub agent: String,
    /// ElevenLabs' id of the agent.
    pub elevenlabs_agent_id: String,
    /// Who dials.
    pub connect: Connect,
    /// ElevenLabs' id of the agent's number, where ElevenLabs dials.
    pub elevenlabs_phone_number_id: Option<String>,
    /// Campaign, if it belongs to one.
    pub campaign: Option<String>,
    /// Variables for the agent: a JSON object.
    pub variables: Value,
    /// The owner's own notes: a JSON object.
    pub metadata: Value,
    /// Name of the token that asked for it.
    pub requested_by: String,
    /// Seconds to let it ring.
    pub ring_timeout_secs: u32,
    /// Seconds after which it is ended.
    pub max_duration_secs: u32,
    /// Not before.
    pub due_at: Timestamp,
    /// Not after.
    pub expires_at: Timestamp,
    /// The contact of a campaign that it is for.
    pub contact_id: Option<i64>,
    /// Who is called, as the guard is told.
    pub callee: Callee,
}

/// A version 7 UUID of the given time, so that ids sort by age. `draw` are random bits.
#[must_use]
pub fn new_id(now: Timestamp, draw: [u8; 10]) -> Uuid {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &draw).into_uuid()
}

/// An idempotency key, with the digest of the request that came with it.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    /// Name of the token: keys of two tokens never meet.
    pub token: String,
    /// The key.
    pub key: String,
    /// SHA-256 of the request's body, hex.
    pub request_sha256: String,
}

/// What became of a wish.
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    /// It is written down now.
    Fresh,
    /// It was written down before: the answer of then.
    Done {
        /// Its attempt.
        call_id: Uuid,
        /// The answer of then.
        response: Value,
    },
    /// The same key came with another body.
    KeyReused,
    /// The same key is being worked on right now.
    StillRunning,
    /// Another attempt to this number is waiting or live.
    NumberBusy {
        /// That attempt.
        call_id: Uuid,
    },
    /// The token has used up its day: which cap.
    OverCap(&'static str),
}

impl Store {
    /// What became of a wish with this key before, if there was one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn intent_of(&self, key: &IdempotencyKey) -> Result<Option<Recorded>, StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        seen_before(&tx, key).await
    }

    /// Writes an intent down together with the answer to its idempotency key: both or neither.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn record_intent(
        &self,
        call: &NewCall,
        key: &IdempotencyKey,
        caps: &Caps,
        response: &Value,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        if let Some(known) = seen_before(&tx, key).await? {
            return Ok(known);
        }
        // Makes the number's row if need be, and locks it either way.
        let lock =
            "insert into numbers (number) values ($1) on conflict (number) do update set number = excluded.number";
        tx.execute_typed(lock, &[(&call.to.as_str(), Type::TEXT)]).await?;
        let live = "select id from calls where to_number = $1 and state <> 'ended' order by created_at desc limit 1";
        if let Some(row) = tx.query_typed_opt(live, &[(&call.to.as_str(), Type::TEXT)]).await? {
            return Ok(Recorded::NumberBusy { call_id: row.get(0) });
        }
        if let Some(cap) = over_cap(&tx, &call.requested_by, caps, &self.tariff, now).await? {
            return Ok(Recorded::OverCap(cap));
        }
        insert(&tx, call, now).await?;
        let remember = "insert into idempotency_keys (token, key, request_sha256, call_id, response, created_at)
                        values ($1, $2, $3, $4, $5, $6)";
        tx.execute_typed(
            remember,
            &[
                (&key.token, Type::TEXT),
                (&key.key, Type::TEXT),
                (&key.request_sha256, Type::TEXT),
                (&call.id, Type::UUID),
                (&Json(response), Type::JSONB),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await?;
        commit(tx).await?;
        Ok(Recorded::Fresh)
    }
}

async fn seen_before(tx: &Transaction<'_>, key: &IdempotencyKey) -> Result<Option<Recorded>, StoreError> {
    // Held until the transaction ends, so that a key at work is told apart from one that is done.
    let lock = "select pg_try_advisory_xact_lock(hashtextextended($1 || '/' || $2, 0))";
    let named = [(&key.token as _, Type::TEXT), (&key.key as _, Type::TEXT)];
    if !tx.query_typed_one(lock, &named).await?.get::<_, bool>(0) {
        return Ok(Some(Recorded::StillRunning));
    }
    let known = "select request_sha256, call_id, response from idempotency_keys where token = $1 and key = $2";
    let row = tx.query_typed_opt(known, &named).await?;
    Ok(row.map(|row| {
        if row.get::<_, &str>(0) == key.request_sha256 {
            Recorded::Done { call_id: row.get(1), response: row.get(2) }
        } else {
            Recorded::KeyReused
        }
    }))
}

/// Which cap of its day a token has used up. The lock makes two requests at once see each other.
async fn over_cap(
    tx: &Transaction<'_>,
    token: &str,
    caps: &Caps,
    tariff: &Tariff,
    now: Timestamp,
) -> Result<Option<&'static str>, StoreError> {
    if caps.calls_a_day.is_none() && caps.spend_a_day.is_none() {
        return Ok(None);
    }
    let lock = "select pg_advisory_xact_lock(hashtextextended('day/' || $1, 0))";
    tx.query_typed_one(lock, &[(&token, Type::TEXT)]).await?;
    let usd = parts(tariff, "$2").usd();
    let sql = format!(
        "select count(*), coalesce(sum({usd}), 0)::float8 from calls c {CONVERSATION}
         where c.requested_by = $1 and c.created_at >= date_trunc('day', $2::timestamptz, 'UTC')"
    );
    let row = tx.query_typed_one(&sql, &[(&token, Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await?;
    if caps.calls_a_day.is_some_and(|most| row.get::<_, i64>(0) >= i64::from(most)) {
        return Ok(Some("calls"));
    }
    Ok(caps.spend_a_day.filter(|most| row.get::<_, f64>(1) >= *most).map(|_| "spend"))
}

pub(super) async fn insert(tx: &Transaction<'_>, call: &NewCall, now: Timestamp) -> Result<(), StoreError> {
    let seconds = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    tx.execute_typed(
        "insert into calls (id, to_number, from_number, agent, elevenlabs_agent_id, campaign_id, variables, metadata,
             requested_by, ring_timeout_secs, max_duration_secs, due_at, expires_at, state, outcome_final, asks,
             double_dial, created_at, updated_at, connect, elevenlabs_phone_number_id, contact_id, callee)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'intent', false, 0, false, $14, $14, $15, $16, $17, $18)",
        &[
            (&call.id, Type::UUID),
            (&call.to.as_str(), Type::TEXT),
            (&call.from, Type::TEXT),
            (&call.agent, Type::TEXT),
            (&call.elevenlabs_agent_id, Type::TEXT),
            (&call.campaign, Type::TEXT),
            (&Json(&call.variables), Type::JSONB),
            (&Json(&call.metadata), Type::JSONB),
            (&call.requested_by, Type::TEXT),
            (&seconds(call.ring_timeout_secs), Type::INT4),
            (&seconds(call.max_duration_secs), Type::INT4),
            (&call.due_at, Type::TIMESTAMPTZ),
            (&call.expires_at, Type::TIMESTAMPTZ),
            (&now, Type::TIMESTAMPTZ),
            (&call.connect.as_str(), Type::TEXT),
            (&call.elevenlabs_phone_number_id, Type::TEXT),
            (&call.contact_id, Type::INT8),
            (&Json(&call.callee), Type::JSONB),
        ],
    )
    .await?;
    Ok(())
}

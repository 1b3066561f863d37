//! Calls that ElevenLabs dials. What is heard of such a call names a conversation, and comes in any order: the answer to
//! our question, the event of a failed dial, the finished conversation, a list. Here each finds its call.

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Transaction;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

use super::calls::{News, learn};
use super::conversations::lock;
use super::{Store, StoreError, commit};
use crate::call::fold::Folded;
use crate::call::{Event, Fact, State};
use crate::telemetry::metrics;

/// Ties a conversation to a call that has none yet, and answers what was heard of it before. Takes the conversation's lock:
/// whoever hears of it at the same moment waits, and then finds the call.
pub(super) async fn tie(
    tx: &Transaction<'_>,
    call_id: Uuid,
    conversation_id: &str,
    now: Timestamp,
) -> Result<Vec<News>, StoreError> {
    lock(tx, conversation_id).await?;
    let sql = "update calls set conversation_id = $2, updated_at = $3 where id = $1 and conversation_id is null
               and not exists (select 1 from calls other where other.conversation_id = $2)";
    let typed = [(&call_id as _, Type::UUID), (&conversation_id as _, Type::TEXT), (&now as _, Type::TIMESTAMPTZ)];
    tx.execute_typed(sql, &typed).await?;
    heard_before(tx, call_id).await
}

/// What was heard of a call's conversation before it was tied to the call.
pub(super) async fn heard_before(tx: &Transaction<'_>, call_id: Uuid) -> Result<Vec<News>, StoreError> {
    let sql = "select f.fact, f.at from initiation_failures f join calls c on c.conversation_id = f.conversation_id
               where c.id = $1";
    let rows = tx.query_typed(sql, &[(&call_id, Type::UUID)]).await?;
    let fact = |row: &tokio_postgres::Row| serde_json::from_value(row.get::<_, Value>(0)).ok();
    Ok(rows.iter().filter_map(|row| Some(Event::new(fact(row)?, row.get(1)).into())).collect())
}

impl Store {
    /// Takes in that a call could not be initiated. The call is found by its conversation, else by the carrier's id; while
    /// neither is known the fact waits for whoever ties the conversation to its call, and there is no answer.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn not_initiated(
        &self,
        conversation_id: &str,
        call_sid: Option<&str>,
        event: Event,
        now: Timestamp,
    ) -> Result<Option<(Uuid, Folded)>, StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        lock(&tx, conversation_id).await?;
        let ours = call_sid.and_then(|sid| Uuid::parse_str(sid).ok());
        let sql = "select id from calls where conversation_id = $1 or carrier_sid = $2 or id = $3
                   order by conversation_id = $1 desc nulls last, id = $3 desc nulls last limit 1";
        let typed = [(&conversation_id as _, Type::TEXT), (&call_sid as _, Type::TEXT), (&ours as _, Type::UUID)];
        let learnt = if let Some(row) = tx.query_typed_opt(sql, &typed).await? {
            let id = row.get(0);
            Some((id, learn(&tx, id, &[event.into()], now).await?))
        } else {
            set_aside(&tx, conversation_id, &event, now).await?;
            None
        };
        commit(tx).await?;
        Ok(learnt)
    }

    /// Takes in that the vendor lists a conversation as this call's; `since` is when it began, once somebody has answered.
    ///
    /// # Errors
    /// As [`learn`].
    pub async fn found_conversation(
        &self,
        call_id: Uuid,
        conversation_id: &str,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<State, StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let mut news = tie(&tx, call_id, conversation_id, now).await?;
        if let Some(since) = since {
            let fact = Fact::Originated { conversation_id: Some(conversation_id.to_owned()), sip_call_id: None };
            news.push(Event::new(fact, since).into());
        }
        let call = learn(&tx, call_id, &news, now).await?;
        let sql = "update calls set healed_at = coalesce(healed_at, $2) where id = $1";
        tx.execute_typed(sql, &[(&call_id, Type::UUID), (&now, Type::TIMESTAMPTZ)]).await?;
        commit(tx).await?;
        Ok(call.state)
    }
}

async fn set_aside(
    tx: &Transaction<'_>,
    conversation_id: &str,
    event: &Event,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql =
        "insert into initiation_failures (conversation_id, key, fact, at, received_at) values ($1, $2, $3, $4, $5)
               on conflict do nothing";
    let typed = [
        (&conversation_id as _, Type::TEXT),
        (&event.fact.key() as _, Type::TEXT),
        (&Json(&event.fact) as _, Type::JSONB),
        (&event.at as _, Type::TIMESTAMPTZ),
        (&now as _, Type::TIMESTAMPTZ),
    ];
    tx.execute_typed(sql, &typed).await?;
    Ok(())
}

/// Whether a finished conversation is a second one under the id of a call that the vendor dialled: somebody was rung twice.
/// The call learns of it, and the conversation stays one that belongs to no call. Answers
/// that call.
pub(super) async fn second_dial(
    tx: &Transaction<'_>,
    ids: &[Uuid],
    agent_id: &str,
    event: Event,
    now: Timestamp,
) -> Result<Option<Uuid>, StoreError> {
    let sql = "select id from calls where id = any ($1) and connect = 'trunk' and elevenlabs_agent_id = $2
               and conversation_id is not null limit 1";
    let typed = [(&ids as _, Type::UUID_ARRAY), (&agent_id as _, Type::TEXT)];
    let Some(row) = tx.query_typed_opt(sql, &typed).await? else { return Ok(None) };
    let call_id: Uuid = row.get(0);
    metrics::count(metrics::DOUBLE_DIALS);
    tracing::error!(call.id = %call_id, alarm = "double_dial", "the agents' vendor has two conversations of one call");
    learn(tx, call_id, &[event.into()], now).await?;
    Ok(Some(call_id))
}

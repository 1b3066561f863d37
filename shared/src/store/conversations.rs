//! Conversations: a transcript comes home, is tied to its call, and completes it.

mod tie;

use jiff::{Timestamp, ToSpan};
use serde_json::Value;
use tokio_postgres::Transaction;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

use super::calls::learn;
use super::deliveries::{self, Delivery};
use super::suppressions::{self, OptOut};
use super::{Store, StoreError, commit, trunk};
use crate::call::fold::Folded;
use crate::call::{Event, Fact, InitiationFailure};
use crate::elevenlabs::conversation::{Conversation, Status};
use crate::elevenlabs::outbound;
use crate::opt_out::{self, Heard, Rules};
use tie::{Found, Hints, tie};

/// How long a recording is given to be pushed.
const AUDIO_GRACE_MINUTES: i64 = 10;

/// A conversation and where it came from.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// What was said.
    pub conversation: &'a Conversation,
    /// The guide's flat shape: it names our call itself, and may have no id of its own.
    pub flat: bool,
    /// The vendor's time of the event, seconds; orders two copies of the same conversation.
    pub event_timestamp: i64,
    /// The delivery that it came in.
    pub delivery: Delivery<'a>,
    /// `webhook` or `api`.
    pub source: &'static str,
    /// What is taken for a wish not to be called any more.
    pub opt_out: &'a Rules,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The call that it belongs to; `None` for a conversation that nobody placed.
    pub call_id: Option<Uuid>,
    /// Whether the row changed: not when this copy, or a fuller one, was here already.
    pub changed: bool,
    /// What was heard in it of a wish not to be called any more, of the call's number.
    pub opt_out: Option<OptOut>,
}

/// A call that a conversation can be tied to.
pub(super) struct Tied {
    pub(super) call_id: Uuid,
    pub(super) campaign: Option<String>,
    /// The conversation id under which the call's pieces are stored.
    pub(super) stored_as: String,
}

impl Store {
    /// Stores a conversation, ties it to its call, and lets the call learn that it is over: one transaction, the one
    /// writer for webhook, backfill and replay.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn bring_home(&self, arrival: &Arrival<'_>, now: Timestamp) -> Result<Stored, StoreError> {
        let conversation = arrival.conversation;
        let hints = Hints::of(arrival);
        let last = conversation.status.is_final();
        let heard = if last { opt_out::listen(conversation, arrival.opt_out) } else { None };
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        lock(&tx, &conversation.conversation_id).await?;
        // The numbers come before the call's row, as in the claim: both ways round they would wait for each other.
        let locked = if heard.is_some() { hints.lock_numbers(&tx).await? } else { Vec::new() };
        let Found { tied, second_dial_of } = tie(&tx, arrival, &hints, now).await?;
        let id = tied.as_ref().map_or(conversation.conversation_id.as_str(), |tied| tied.stored_as.as_str());
        let changed = upsert(&tx, arrival, id, tied.as_ref(), now).await?;
        if changed {
            let here = "update conversations set audio_at = null where conversation_id = $1 and audio_at is not null
                        and exists (select 1 from call_recordings where conversation_id = $1)";
            tx.execute_typed(here, &[(&id, Type::TEXT)]).await?;
        }
        let mut said_in = second_dial_of.map(|call_id| (call_id, None));
        if let Some(tied) = &tied {
            adopt(&tx, tied, now).await?;
            if last {
                said_in = Some((tied.call_id, complete(&tx, arrival, tied, now).await?.outcome));
            }
        }
        let mut opt_out = None;
        if let (Some((call_id, outcome)), Some(heard)) = (said_in, heard)
            && let Some(heard) = heard.weighed(outcome, conversation.voicemail)
        {
            opt_out = Some(suppress(&tx, call_id, id, &heard, &locked, now).await?);
        }
        deliveries::note(&tx, &arrival.delivery, if changed { "stored" } else { "superseded" }, now).await?;
        commit(tx).await?;
        Ok(Stored { call_id: tied.map(|tied| tied.call_id), changed, opt_out })
    }
}

/// Suppresses the number of the call in which something was heard.
async fn suppress(
    tx: &Transaction<'_>,
    call_id: Uuid,
    conversation_id: &str,
    heard: &Heard,
    locked: &[String],
    now: Timestamp,
) -> Result<OptOut, StoreError> {
    let sql = "select to_number from calls where id = $1";
    let number: String = tx.query_typed_one(sql, &[(&call_id, Type::UUID)]).await?.get(0);
    if !locked.contains(&number) {
        // The call was told by something that was learnt since the numbers were locked.
        return Err(StoreError::Down("a call changed while its transcript was stored".to_owned()));
    }
    suppressions::note(tx, call_id, &number, conversation_id, heard, now).await
}

/// Serialises the writers of one conversation: a transcript and a recording that arrive at once must see each other.
pub(super) async fn lock(tx: &Transaction<'_>, conversation_id: &str) -> Result<(), StoreError> {
    let sql = "select pg_advisory_xact_lock(hashtextextended('conversation/' || $1, 0))";
    tx.query_typed(sql, &[(&conversation_id, Type::TEXT)]).await?;
    Ok(())
}

/// The call that a conversation was noted for, if any.
pub(super) async fn noted(tx: &Transaction<'_>, conversation_id: &str) -> Result<Option<Tied>, StoreError> {
    let sql = "select id, campaign_id from calls where conversation_id = $1 for update";
    let row = tx.query_typed_opt(sql, &[(&conversation_id, Type::TEXT)]).await?;
    Ok(row.map(|row| Tied { call_id: row.get(0), campaign: row.get(1), stored_as: conversation_id.to_owned() }))
}

/// A call by our own id, as the guide's flat shape names it. Its pieces stand under the agent's conversation id where one
/// was noted.
pub(super) async fn by_call_id(tx: &Transaction<'_>, call_id: &str) -> Result<Option<Tied>, StoreError> {
    let Ok(id) = Uuid::parse_str(call_id) else { return Ok(None) };
    let sql = "select id, campaign_id, conversation_id from calls where id = $1 for update";
    let row = tx.query_typed_opt(sql, &[(&id, Type::UUID)]).await?;
    Ok(row.map(|row| Tied {
        call_id: row.get(0),
        campaign: row.get(1),
        stored_as: row.get::<_, Option<String>>(2).unwrap_or_else(|| call_id.to_owned()),
    }))
}

const UPSERT: &str = "
insert into conversations (conversation_id, call_id, agent_id, campaign_id, duration_seconds, messages, created_at,
    updated_at, status, final, turns, event_timestamp, started_at, summary, successful, analysis, cost, cost_fiat,
    latencies, termination_reason, has_audio, user_id, text_mended, raw_key, source, audio_at)
values ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)
on conflict (conversation_id) do update set
    call_id = excluded.call_id, agent_id = excluded.agent_id, campaign_id = excluded.campaign_id,
    duration_seconds = excluded.duration_seconds, messages = excluded.messages, updated_at = excluded.updated_at,
    status = excluded.status, final = excluded.final, turns = excluded.turns, event_timestamp = excluded.event_timestamp,
    started_at = excluded.started_at, summary = excluded.summary, successful = excluded.successful,
    analysis = excluded.analysis, cost = excluded.cost, cost_fiat = excluded.cost_fiat, latencies = excluded.latencies,
    termination_reason = excluded.termination_reason, has_audio = coalesce(excluded.has_audio, conversations.has_audio),
    user_id = excluded.user_id, text_mended = excluded.text_mended, raw_key = excluded.raw_key, source = excluded.source,
    audio_at = excluded.audio_at
where (excluded.final, excluded.turns, excluded.event_timestamp)
    > (conversations.final, conversations.turns, conversations.event_timestamp)
returning 1";

async fn upsert(
    tx: &Transaction<'_>,
    arrival: &Arrival<'_>,
    id: &str,
    tied: Option<&Tied>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let conversation = arrival.conversation;
    // A conversation that nobody placed is stored under its own id; the flat shape of another system, under that call's.
    let named = if arrival.flat { conversation.call_hints().call_id_variable } else { None };
    let call_id = tied.map_or_else(|| named.unwrap_or_else(|| id.to_owned()), |tied| tied.call_id.to_string());
    let campaign = tied.map_or(conversation.campaign_id.as_deref(), |tied| tied.campaign.as_deref());
    let integer = |value: i64| i32::try_from(value).unwrap_or(i32::MAX);
    let turns = i32::try_from(conversation.turns.len()).unwrap_or(i32::MAX);
    // A recording that is pushed comes within moments; what has not come by then is asked for.
    let expected = conversation.status.is_final() && conversation.has_audio != Some(false);
    let audio_at = expected.then(|| now.checked_add(AUDIO_GRACE_MINUTES.minutes()).unwrap_or(now));
    let latencies = serde_json::to_value(&conversation.latencies).unwrap_or(Value::Null);
    let written = tx
        .query_typed_opt(
            UPSERT,
            &[
                (&id, Type::TEXT),
                (&call_id, Type::VARCHAR),
                (&conversation.agent_id, Type::VARCHAR),
                (&campaign, Type::VARCHAR),
                (&conversation.duration_secs.map(integer), Type::INT4),
                (&Json(conversation.messages()), Type::JSONB),
                (&now, Type::TIMESTAMPTZ),
                (&conversation.status.as_str(), Type::TEXT),
                (&conversation.status.is_final(), Type::BOOL),
                (&turns, Type::INT4),
                (&arrival.event_timestamp, Type::INT8),
                (&conversation.started_at, Type::TIMESTAMPTZ),
                (&conversation.summary, Type::TEXT),
                (&conversation.call_successful, Type::TEXT),
                (&conversation.analysis, Type::JSONB),
                (&conversation.cost_credits, Type::INT8),
                (&conversation.cost_fiat, Type::FLOAT8),
                (&Json(&latencies), Type::JSONB),
                (&conversation.termination_reason, Type::TEXT),
                (&conversation.has_audio, Type::BOOL),
                (&conversation.user_id, Type::TEXT),
                (&conversation.text_mended, Type::BOOL),
                (&arrival.delivery.raw_key, Type::TEXT),
                (&arrival.source, Type::TEXT),
                (&audio_at, Type::TIMESTAMPTZ),
            ],
        )
        .await?;
    Ok(written.is_some())
}

/// A recording that came before its transcript was stored without its call, and so was an earlier copy of a conversation
/// whose call could not be told yet: now the call is known.
async fn adopt(tx: &Transaction<'_>, tied: &Tied, now: Timestamp) -> Result<(), StoreError> {
    for table in ["conversations", "call_recordings"] {
        let sql = format!(
            "update {table} set call_id = $2, campaign_id = $3, updated_at = $4
             where conversation_id = $1 and call_id <> $2"
        );
        tx.execute_typed(
            &sql,
            &[
                (&tied.stored_as, Type::TEXT),
                (&tied.call_id.to_string(), Type::VARCHAR),
                (&tied.campaign, Type::VARCHAR),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await?;
    }
    Ok(())
}

async fn complete(
    tx: &Transaction<'_>,
    arrival: &Arrival<'_>,
    tied: &Tied,
    now: Timestamp,
) -> Result<Folded, StoreError> {
    let mut news = trunk::heard_before(tx, tied.call_id).await?;
    news.push(Event::new(meaning(arrival.conversation), ended_at(arrival, now)).into());
    let call = learn(tx, tied.call_id, &news, now).await?;
    let sql = "update calls set
            transcript = 'stored',
            recording = case
                when recording = 'stored' or exists (select 1 from call_recordings where conversation_id = $2) then 'stored'
                when $3 then 'absent' else recording end,
            recording_absent_because = case when $3 and recording = 'expected' then 'the conversation has no audio'
                else recording_absent_because end,
            healed_at = case when $5 then coalesce(healed_at, $4) else healed_at end,
            updated_at = $4
        where id = $1 and (transcript <> 'stored' or recording = 'expected'
            and ($3 or exists (select 1 from call_recordings where conversation_id = $2)))";
    let silent = arrival.conversation.has_audio == Some(false);
    tx.execute_typed(
        sql,
        &[
            (&tied.call_id, Type::UUID),
            (&tied.stored_as, Type::TEXT),
            (&silent, Type::BOOL),
            (&now, Type::TIMESTAMPTZ),
            (&(arrival.source == "api"), Type::BOOL),
        ],
    )
    .await?;
    Ok(call)
}

/// What a conversation says about its call. One that failed before a word was said is no conversation.
fn meaning(conversation: &Conversation) -> Fact {
    let conversation_id = conversation.conversation_id.clone();
    if conversation.status == Status::Failed && conversation.turns.is_empty() {
        let (failure, sip_code) = match &conversation.phone_call {
            Some(call) if call.direction.as_deref() == Some("outbound") => why(conversation),
            _ => (InitiationFailure::Other, None),
        };
        return Fact::NotInitiated { conversation_id, failure, sip_code };
    }
    Fact::Conversed {
        conversation_id,
        voicemail: conversation.voicemail,
        screened: conversation.screened,
        duration_secs: conversation.duration_secs.and_then(|seconds| seconds.try_into().ok()).unwrap_or(0),
    }
}

/// Why the vendor's own dial came to nothing, as far as its words tell.
fn why(conversation: &Conversation) -> (InitiationFailure, Option<u16>) {
    let error = conversation.error.as_ref().and_then(|error| error.reason.as_deref()).unwrap_or_default();
    outbound::cause(&format!("{error} {}", conversation.termination_reason.as_deref().unwrap_or_default()))
}

fn ended_at(arrival: &Arrival<'_>, now: Timestamp) -> Timestamp {
    let duration = arrival.conversation.duration_secs.unwrap_or(0);
    let end = arrival.conversation.started_at.map(|start| start.as_second().saturating_add(duration));
    end.and_then(|second| Timestamp::from_second(second).ok()).unwrap_or(now)
}

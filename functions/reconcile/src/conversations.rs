//! Conversations at the agents' vendor: of one call, and by list.

use std::time::Duration;

use bytes::Bytes;
use elevenwire::elevenlabs::client::{Listed, Listing};
use elevenwire::elevenlabs::conversation::Conversation;
use elevenwire::elevenlabs::events::safe_id;
use elevenwire::queue::{API_CONVERSATION, ConversationArrived};
use elevenwire::retry::Failure;
use elevenwire::store::settle::Unsettled;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sha2::{Digest, Sha256};

use crate::{App, Budget};

/// A list is read again from this long before its newest entry: conversations appear late, and run for hours.
const OVERLAP_HOURS: i64 = 3;

/// After this many conversations that could not be fetched, the rest of a list waits for the next run.
const MOST_FAILURES: usize = 10;

/// How far back the first reading of an agent's list goes.
const FIRST_READING_DAYS: i64 = 1;

/// Fetches the conversation of a call, by the id that was noted, else by our own id among its variables. Whether the vendor
/// has it, finished or not.
pub async fn fetch_for(app: &App, call: &Unsettled, now: Timestamp) -> Result<bool, Failure> {
    if let Some(id) = &call.conversation_id {
        return fetch(app, id, now).await;
    }
    let call_id = call.call_id.to_string();
    let listing = Listing {
        agent_id: Some(&call.elevenlabs_agent_id),
        dynamic_variable: Some(("call_id", &call_id)),
        ..Listing::default()
    };
    let page = app.elevenlabs.list_conversations(&listing, None).await?;
    match page.conversations.first() {
        Some(listed) => fetch(app, &listed.conversation_id, now).await,
        None => Ok(false),
    }
}

/// Fetches one conversation, and keeps it once it is final. Whether the vendor has it.
async fn fetch(app: &App, conversation_id: &str, now: Timestamp) -> Result<bool, Failure> {
    let Some(id) = safe_id(conversation_id) else { return Ok(false) };
    let Some(body) = app.elevenlabs.get_conversation(id).await? else { return Ok(false) };
    // An answer of 200 that is none is an answer that was lost: the next run asks again.
    let unread = |error| Failure::later(Duration::from_mins(1), format!("the vendor's answer: {error}"));
    let conversation = Conversation::from_api(&body).map_err(unread)?;
    if conversation.status.is_final() {
        keep(app, &conversation, body, now).await?;
    }
    Ok(true)
}

/// Keeps the API's answer like a webhook's body, and hands it to the same consumer.
pub async fn keep(app: &App, conversation: &Conversation, body: Bytes, now: Timestamp) -> Result<(), Failure> {
    let digest = hex::encode(Sha256::digest(&body));
    let day = conversation.started_at.unwrap_or(now).to_zoned(TimeZone::UTC).strftime("%Y/%m/%d").to_string();
    let raw_key = format!("raw/{API_CONVERSATION}/{day}/{}-{digest}.json", conversation.conversation_id);
    app.blobs.put(&raw_key, "application/json", body).await?;
    let arrived = ConversationArrived { raw_key, digest, event_type: API_CONVERSATION.to_owned(), received_at: now };
    Ok(app.transcriptions.send(&arrived).await?)
}

/// What one reading of a list came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    /// Conversations that were fetched.
    pub fetched: usize,
    /// Conversations that could not be fetched now.
    pub failed: usize,
}

/// Reads an agent's list from its watermark on, oldest first, and fetches what is not stored as final: also calls that
/// nobody placed. The watermark moves after each page's work is durable, and never past a conversation that still runs or
/// could not be fetched. One that fails does not stop the others; several are a vendor that is away.
pub async fn read_list(
    app: &App,
    agent_id: &str,
    read_until: Option<Timestamp>,
    now: Timestamp,
    budget: Budget,
) -> Result<Reading, Failure> {
    let newest = now.checked_sub(OVERLAP_HOURS.hours()).unwrap_or(now);
    let first = || now.checked_sub((FIRST_READING_DAYS * 24).hours()).unwrap_or(now);
    // A second earlier, because the vendor's "after" may not include its bound.
    let from = read_until.unwrap_or_else(first).checked_sub(1.second()).unwrap_or(now);
    let listing =
        Listing { agent_id: Some(agent_id), started_after: Some(from), oldest_first: true, ..Listing::default() };
    let (mut cursor, mut reading, mut unfinished) = (None::<String>, Reading::default(), None::<Timestamp>);
    while !budget.is_over() {
        let page = app.elevenlabs.list_conversations(&listing, cursor.as_deref()).await?;
        for listed in wanted(app, &page.conversations).await? {
            let last = listed.status.is_final();
            let done = if last { fetch(app, &listed.conversation_id, now).await.map(drop) } else { Ok(()) };
            if last && done.is_ok() {
                reading.fetched += 1;
                continue;
            }
            unfinished = unfinished.or(listed.started_at);
            let Err(failure) = done else { continue };
            tracing::warn!(error = failure.reason, "a conversation could not be fetched now");
            reading.failed += 1;
            if reading.failed >= MOST_FAILURES {
                return Err(failure);
            }
        }
        let read = page.conversations.last().and_then(|listed| listed.started_at);
        let reached = [read, unfinished, Some(newest)].into_iter().flatten().min();
        if let Some(reached) = reached.filter(|_| read.is_some()) {
            app.store.move_watermark(agent_id, reached).await?;
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    Ok(reading)
}

/// What is not stored as final.
async fn wanted<'p>(app: &App, page: &'p [Listed]) -> Result<Vec<&'p Listed>, Failure> {
    let ids: Vec<String> = page.iter().map(|listed| listed.conversation_id.clone()).collect();
    let stored = app.store.final_conversations(&ids).await?;
    Ok(page.iter().filter(|listed| !stored.contains(&listed.conversation_id)).collect())
}

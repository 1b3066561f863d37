//! Calls that ElevenLabs dialled: the carrier lists them under ids of the trunk's, so only ElevenLabs can be asked.

use std::time::Duration;

use bytes::Bytes;
use elevenwire::call::{Event, Fact, State};
use elevenwire::elevenlabs::client::Listing;
use elevenwire::elevenlabs::conversation::{Conversation, Status};
use elevenwire::retry::Failure;
use elevenwire::store::settle::Unsettled;
use elevenwire::telemetry::metrics;
use jiff::{Timestamp, ToSpan};

use crate::calls::{AGENT_ABSENT_AFTER_HOURS, after, not_found};
use crate::{App, conversations};

/// A list that holds more than this under one id of ours was not filtered: what stands in it is not read through.
const MOST_CANDIDATES: usize = 5;

/// Looks at a call that is unknown, live, or was given up.
pub async fn look_at(app: &App, call: &Unsettled, now: Timestamp) -> Result<(), Failure> {
    let known = call.conversation_id.is_some() && conversations::fetch_for(app, call, now).await?;
    if known || find(app, call, now).await? {
        return Ok(());
    }
    if call.state == State::InProgress { absent(app, call, now).await } else { not_found(app, call, now).await }
}

/// Finds the call's conversations, and takes in what they say. Whether there is one.
pub async fn find(app: &App, call: &Unsettled, now: Timestamp) -> Result<bool, Failure> {
    let found = ours(app, call).await?;
    if found.len() > 1 {
        metrics::count(metrics::DOUBLE_DIALS);
        tracing::error!(call.id = %call.call_id, alarm = "double_dial", found = found.len(), "the agents' vendor has several conversations of one call");
    }
    for (conversation, body) in &found {
        let talking = matches!(conversation.status, Status::InProgress | Status::Processing);
        let since = talking.then(|| conversation.started_at.filter(|at| *at <= now).unwrap_or(now));
        let id = &conversation.conversation_id;
        let state = app.store.found_conversation(call.call_id, id, since, now).await?;
        tracing::info!(call.id = %call.call_id, call.state = state.as_str(), "found at the agents' vendor");
        if conversation.status.is_final() {
            conversations::keep(app, conversation, body.clone(), now).await?;
        }
    }
    Ok(!found.is_empty())
}

/// The conversations that carry our id, oldest first: as the variable `call_id`, else as user id. Each is read and compared,
/// because an API that does not know a filter lists everything.
async fn ours(app: &App, call: &Unsettled) -> Result<Vec<(Conversation, Bytes)>, Failure> {
    let call_id = call.call_id.to_string();
    let listing = Listing { agent_id: Some(&call.elevenlabs_agent_id), oldest_first: true, ..Listing::default() };
    let by_variable = Listing { dynamic_variable: Some(("call_id", &call_id)), ..listing };
    let by_user = Listing { user_id: Some(&call_id), ..listing };
    for listing in [by_variable, by_user] {
        let page = app.elevenlabs.list_conversations(&listing, None).await?;
        let mut found = Vec::new();
        for listed in page.conversations.iter().take(MOST_CANDIDATES) {
            let Some(body) = app.elevenlabs.get_conversation(&listed.conversation_id).await? else { continue };
            // An answer of 200 that is none is an answer that was lost: not to be taken for "there is none".
            let unread = |error| Failure::later(Duration::from_mins(1), format!("the vendor's answer: {error}"));
            let conversation = Conversation::from_api(&body).map_err(unread)?;
            let variable = conversation.call_hints().call_id_variable;
            if [variable.as_deref(), conversation.user_id.as_deref()].contains(&Some(&call_id)) {
                found.push((conversation, body));
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// Somebody answered, and long after the call must have ended there is no conversation.
async fn absent(app: &App, call: &Unsettled, now: Timestamp) -> Result<(), Failure> {
    let asked_at = call.claimed_at.unwrap_or(now);
    let over_by = after(asked_at, i64::from(call.max_duration_secs).seconds());
    if now >= after(over_by, AGENT_ABSENT_AFTER_HOURS.hours()) {
        let fact = Fact::AgentAbsent { reason: "the agent's vendor knows of no conversation".to_owned() };
        app.store.heal(call.call_id, &[Event::new(fact, over_by).into()], now).await?;
    }
    Ok(())
}

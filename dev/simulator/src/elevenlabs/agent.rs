//! The agent on the line: takes an INVITE, holds the conversation, hangs up, sends what there is to send.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use super::{conversation::Conversation, initiation, tool, webhook};
use crate::{
    book::{ConversationEntry, RecordingEntry},
    clock,
    config::ImportedNumber,
    dice::Dice,
    line::fate::Fate,
    mp3::Recording,
    script::{self, Cast, REMOTE},
    sign,
    signalwire::cxml::Sip,
    switches::{INIT_FAILURE, REFUSED_LEG_CODE, X_CALL_ID_IN},
    world::World,
};

/// An INVITE that reaches ElevenLabs.
#[derive(Debug)]
pub struct Invite {
    pub sip: Sip,
    /// The number in its `From`.
    pub from: String,
    pub headers: Vec<(String, String)>,
    /// Whom the agent will speak with; for faults and the book.
    pub callee: String,
    pub dial_sid: Option<String>,
    pub fate: Fate,
    pub dice: Dice,
}

/// The agent is on the line.
#[derive(Debug)]
pub struct Accepted {
    pub conversation_id: String,
    /// Nominal seconds that the conversation will last.
    pub secs: f64,
    pub callee_leaves: bool,
}

/// The agent is not.
#[derive(Debug)]
pub struct Refusal {
    pub sip: u16,
}

/// Takes or refuses an INVITE. Counts the leg until [`hang_up`].
///
/// # Errors
/// With the SIP code: 404 unknown number, 403 wrong credentials, 486 or 503 no slot, 500 failed initiation.
pub async fn invite(world: &Arc<World>, invite: Invite) -> Result<Accepted, Refusal> {
    let number = admit(world, &invite.sip)?;
    let mut conversation = open(world, &number, &invite);
    enroll(world, &conversation, &Map::new());
    let asked = initiation::ask(world, &conversation, &invite.headers).await;
    if asked.is_none() && world.is(INIT_FAILURE, "prevents") {
        prevented(world, conversation);
        return Err(Refusal { sip: 500 });
    }
    let data = asked.unwrap_or_default();
    conversation.fetched = data.variables;
    conversation.user_id = data.user_id;
    Ok(begin(world, conversation, invite.fate, invite.dice))
}

/// Books a slot for a leg.
fn admit(world: &World, sip: &Sip) -> Result<ImportedNumber, Refusal> {
    let mut state = world.state();
    let Some(number) = state.config.imported(&sip.user).cloned() else {
        return Err(Refusal { sip: 404 });
    };
    let refused = |sip| Refusal { sip };
    if sip.transport.as_deref() == Some("udp") {
        return Err(refused(503));
    }
    if !number.username.is_empty() && (number.username != sip.username || number.password != sip.password) {
        return Err(refused(403));
    }
    if !take_slot(&mut state) {
        let code = state.switches.get(REFUSED_LEG_CODE).parse().unwrap_or(486);
        return Err(refused(code));
    }
    Ok(number)
}

/// Takes a conversation slot; a refusal is booked.
pub(super) fn take_slot(state: &mut crate::world::State) -> bool {
    if state.live_legs >= state.config.agent_concurrency {
        state.book.refused_legs += 1;
        return false;
    }
    state.live_legs += 1;
    state.book.max_concurrent_legs = state.book.max_concurrent_legs.max(state.live_legs);
    true
}

fn open(world: &World, number: &ImportedNumber, invite: &Invite) -> Conversation {
    let header = |wanted: &str| {
        invite.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.clone())
    };
    let placement = world.at(X_CALL_ID_IN);
    let given_id = header("X-CALL-ID");
    let own_sid = format!("SCL_{}", world.fresh().token(12));
    let (sid, header_id) = match placement {
        "call_sid" => (given_id.unwrap_or(own_sid), None),
        "call_id" => (own_sid, given_id),
        "both" => (given_id.clone().unwrap_or(own_sid), given_id),
        _ => (own_sid, None),
    };
    Conversation {
        id: format!("conv_{}", world.fresh().token(28)),
        agent_id: number.agent_id.clone(),
        agent_name: number.name.clone(),
        phone_number_id: number.phone_number_id.clone(),
        agent_number: number.number.clone(),
        external_number: header("X-CALLER-ID").unwrap_or_else(|| invite.from.clone()),
        direction: "inbound",
        call_sid: sid,
        call_id: header_id,
        sip_variables: sip_variables(&invite.headers, placement == "variables_only"),
        given: Map::new(),
        fetched: Map::new(),
        user_id: None,
        callee: invite.callee.clone(),
        dial_sid: invite.dial_sid.clone(),
        started: clock::now(),
        status: "in-progress",
        plan: script::compose(
            &Cast { fate: Fate::EarlyHangup, agent: "", variables: &Map::new() },
            invite.dice.clone(),
            None,
        ),
        recording: None,
        error: None,
    }
}

/// `X-Foo-Bar` becomes `sip_foo_bar`; the two reserved headers only where nothing else takes them.
fn sip_variables(headers: &[(String, String)], reserved: bool) -> BTreeMap<String, String> {
    let variable = |(name, value): &(String, String)| {
        let bare = name.strip_prefix("X-").or_else(|| name.strip_prefix("x-"))?;
        let name = match bare.to_ascii_lowercase().as_str() {
            "call-id" if reserved => "sip_callid".to_owned(),
            "caller-id" if reserved => "sip_callerid".to_owned(),
            "call-id" | "caller-id" => return None,
            other => format!("sip_{}", other.replace('-', "_")),
        };
        Some((name, value.clone()))
    };
    headers.iter().filter_map(variable).collect()
}

/// Starts a conversation whose variables are known: composes it, shows it as `in-progress`, books it.
pub(super) fn begin(world: &Arc<World>, mut conversation: Conversation, fate: Fate, dice: Dice) -> Accepted {
    let variables = conversation.spoken_with();
    let cast = Cast { fate, agent: &conversation.agent_name, variables: &variables };
    conversation.plan = script::compose(&cast, dice, world.config().talk_secs);
    conversation.started = clock::now();
    let accepted = Accepted {
        conversation_id: conversation.id.clone(),
        secs: conversation.plan.secs,
        callee_leaves: conversation.plan.callee_leaves,
    };
    let wants_no_more = (fate == Fate::OptOut).then(|| conversation.clone());
    keep(world, conversation, &variables);
    if let Some(conversation) = wants_no_more {
        tool::use_later(world, &conversation);
    }
    accepted
}

/// Enters a conversation in the book, or its start and variables once they are known.
fn enroll(world: &World, conversation: &Conversation, variables: &Map<String, Value>) {
    let mut state = world.state();
    let entry = state.book.conversations.entry(conversation.id.clone()).or_insert_with(|| ConversationEntry {
        conversation_id: conversation.id.clone(),
        agent_id: conversation.agent_id.clone(),
        dial_sid: conversation.dial_sid.clone(),
        external_number: conversation.external_number.clone(),
        status: String::new(),
        started_at: conversation.started,
        duration: 0,
        variables: Value::Null,
        turns: Vec::new(),
        termination_reason: String::new(),
        recording: None,
        deliveries: Vec::new(),
    });
    conversation.status.clone_into(&mut entry.status);
    entry.started_at = conversation.started;
    entry.variables = Value::Object(variables.clone());
    entry.termination_reason.clone_from(&conversation.plan.termination_reason);
}

/// From here on the API shows the conversation.
pub(super) fn keep(world: &World, conversation: Conversation, variables: &Map<String, Value>) {
    enroll(world, &conversation, variables);
    let mut state = world.state();
    state.conversation_order.push(conversation.id.clone());
    state.conversations.insert(conversation.id.clone(), conversation);
}

/// A conversation that its initiation webhook prevented: `failed`, without a word, without a recording.
fn prevented(world: &World, mut conversation: Conversation) {
    conversation.status = "failed";
    conversation.plan.secs = 0.0;
    conversation.error = Some("Failed to fetch conversation initiation data from the webhook".into());
    conversation.plan.termination_reason = "Conversation initiation webhook failed".into();
    keep(world, conversation, &Map::new());
    let mut state = world.state();
    state.live_legs = state.live_legs.saturating_sub(1);
}

/// Ends a conversation: cut at `at` nominal seconds (by the callee or from outside), or as planned. What follows
/// (processing, recording, webhooks) runs in the background.
pub fn hang_up(world: &Arc<World>, id: &str, at: Option<f64>, by_callee: bool) {
    {
        let mut state = world.state();
        state.live_legs = state.live_legs.saturating_sub(1);
        let Some(conversation) = state.conversations.get_mut(id) else { return };
        if let Some(at) = at {
            conversation.plan.cut(at, if by_callee { REMOTE } else { "Client disconnected" });
        }
        conversation.status = "processing";
        let duration = conversation.duration();
        state.book.conversation(id, |entry| {
            "processing".clone_into(&mut entry.status);
            entry.duration = duration;
        });
    }
    let (shared, id) = (Arc::clone(world), id.to_owned());
    world.spawn(async move { settle(&shared, &id).await });
}

async fn settle(world: &Arc<World>, id: &str) {
    let config = world.config();
    let (low, high) = config.processing_secs;
    world.nap(world.dice(&["processing", id]).between(low, high)).await;
    let Some((recording, digest)) = record(world, id).await else { return };
    {
        let mut state = world.state();
        let Some(conversation) = state.conversations.get_mut(id) else { return };
        conversation.status = "done";
        conversation.recording.clone_from(&recording);
        let plan = conversation.plan.clone();
        let duration = conversation.duration();
        state.book.conversation(id, |entry| {
            "done".clone_into(&mut entry.status);
            entry.duration = duration;
            entry.turns = plan.turns.iter().map(|t| (t.role.word().to_owned(), t.message.clone())).collect();
            entry.termination_reason = plan.termination_reason;
            entry.recording = recording.as_ref().zip(digest).map(|(recording, sha256)| RecordingEntry {
                sha256,
                bytes: recording.len(),
                seconds: recording.secs(),
            });
        });
    }
    webhook::post_call(world, id);
}

/// Describes the recording and digests it; none when nobody said anything.
async fn record(world: &World, id: &str) -> Option<(Option<Recording>, Option<String>)> {
    let (secs, utterances, config) = {
        let state = world.state();
        let conversation = state.conversations.get(id)?;
        let plan = &conversation.plan;
        let spoken = plan.turns.iter().any(|t| t.message.is_some());
        (spoken.then_some(plan.secs), plan.utterances(), Arc::clone(&state.config))
    };
    let Some(secs) = secs else { return Some((None, None)) };
    let secs = config.recording_secs.map_or(secs.ceil(), f64::from);
    let recording = Recording::new(id, secs, config.recording_kbps, utterances);
    let copy = recording.clone();
    let digest = tokio::task::spawn_blocking(move || sign::sha256_hex(copy.chunks())).await.ok()?;
    Some((Some(recording), Some(digest)))
}

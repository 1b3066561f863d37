//! `POST /v1/convai/sip-trunk/outbound-call`: ElevenLabs dials through its SIP trunk and does not answer until the
//! callee does.

use std::{collections::BTreeMap, sync::Arc};

use axum::{body::Bytes, extract::State, response::Response};
use serde_json::{Map, Value, json};

use super::{
    agent,
    conversation::Conversation,
    errors::ApiError,
    webhook::{self, Content},
};
use crate::{
    book::Dial,
    clock,
    config::ImportedNumber,
    dice::Dice,
    line::{
        fate::Fate,
        ring::{self, Answer},
    },
    script::{self, Cast},
    signalwire::{create::is_e164, errors::json_answer},
    switches::{FAILURE_NUMBER, FAILURE_ORDER, SIP_CALL_ID},
    world::World,
};

/// What the body asks for.
struct Wanted {
    number: ImportedNumber,
    to: String,
    variables: Map<String, Value>,
    user_id: Option<String>,
    /// Whether client data came along; else the initiation webhook is asked.
    has_client_data: bool,
    ringing: u32,
}

/// The endpoint.
pub async fn call(State(world): State<Arc<World>>, body: Bytes) -> Response {
    let wanted = match read(&world, &body) {
        Ok(wanted) => wanted,
        Err(error) => return error.answer(&world),
    };
    if !agent::take_slot(&mut world.state()) {
        return ApiError::no_slot().answer(&world);
    }
    // The dial goes on when the client does not wait for it.
    let (tell, told) = tokio::sync::oneshot::channel();
    let shared = Arc::clone(&world);
    world.spawn(async move {
        let shared = shared;
        place(&shared, wanted, tell).await;
    });
    match told.await {
        Ok(answer) => json_answer(200, &answer),
        Err(_) => ApiError::not_found("call_lost").answer(&world),
    }
}

fn read(world: &World, body: &[u8]) -> Result<Wanted, ApiError> {
    let body: Value = serde_json::from_slice(body).map_err(|_| ApiError::schema("body"))?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).ok_or_else(|| ApiError::schema(name));
    let (agent_id, number_id, to) = (text("agent_id")?, text("agent_phone_number_id")?, text("to_number")?);
    if !is_e164(to) {
        return Err(ApiError::schema("to_number"));
    }
    let config = world.config();
    let number = config.numbers.iter().find(|n| n.phone_number_id == number_id);
    let mut number = number.cloned().ok_or_else(|| ApiError::not_found("phone_number_not_found"))?;
    agent_id.clone_into(&mut number.agent_id);
    let client = body.get("conversation_initiation_client_data").filter(|v| !v.is_null());
    let variables = client.and_then(|c| c.get("dynamic_variables")).and_then(Value::as_object).cloned();
    let user_id = client.and_then(|c| c.get("user_id")).and_then(Value::as_str).map(str::to_owned);
    let ringing = body.pointer("/telephony_call_config/ringing_timeout_secs").and_then(Value::as_u64).unwrap_or(60);
    Ok(Wanted {
        number,
        to: to.to_owned(),
        variables: variables.unwrap_or_default(),
        user_id,
        has_client_data: client.is_some(),
        ringing: u32::try_from(ringing.clamp(1, 999)).unwrap_or(60),
    })
}

type Tell = tokio::sync::oneshot::Sender<Value>;

async fn place(world: &Arc<World>, wanted: Wanted, tell: Tell) {
    let (nth, mut dice) = next_dice(world, &wanted.to);
    let fate = Fate::of(&wanted.to).at(nth);
    let mut conversation = conversation(world, &wanted, &dice);
    let sid = conversation.dial_sid.clone().unwrap_or_default();
    let (id, call_sid) = (conversation.id.clone(), conversation.call_sid.clone());
    open_dial(world, &sid, &wanted, fate);
    let plan = ring::plan(world, fate, wanted.ringing, &mut dice);
    world.nap(plan.setup).await;
    if let Some(ringing) = plan.ringing {
        note(world, &sid, "ringing", |dial| dial.rung_at = Some(clock::now()));
        world.nap(ringing).await;
    }
    if plan.result != Answer::Picked || fate == Fate::AgentFails || fate == Fate::ApiRefuses {
        return failed(world, conversation, &wanted, plan.result, tell).await;
    }
    note(world, &sid, "in-progress", |dial| dial.answered_at = Some(clock::now()));
    if !wanted.has_client_data
        && let Some(data) = super::initiation::ask(world, &conversation, &[]).await
    {
        conversation.fetched = data.variables;
        conversation.user_id = data.user_id;
    }
    let accepted = agent::begin(world, conversation, fate, dice);
    let sip_call_id = match world.at(SIP_CALL_ID) {
        "neither" => world.fresh().uuid(),
        "call_id" => format!("{call_sid}-id"),
        _ => call_sid,
    };
    let told = json!({ "success": true, "message": "Success", "conversation_id": id, "sip_call_id": sip_call_id });
    let _ = tell.send(told);
    world.nap(accepted.secs).await;
    agent::hang_up(world, &id, None, accepted.callee_leaves);
    finish(world, &sid, "completed", 200, clock::whole_secs(accepted.secs));
}

fn next_dice(world: &World, to: &str) -> (u64, Dice) {
    let mut state = world.state();
    let nth = state.dialled.entry(to.to_owned()).or_default();
    *nth += 1;
    let nth = *nth;
    (u64::from(nth), Dice::new(state.config.seed, &["call", to, &nth.to_string()]))
}

fn conversation(world: &World, wanted: &Wanted, dice: &Dice) -> Conversation {
    let call_sid = format!("SCL_{}", world.fresh().token(12));
    let nobody = Map::new();
    Conversation {
        id: format!("conv_{}", world.fresh().token(28)),
        agent_id: wanted.number.agent_id.clone(),
        agent_name: wanted.number.name.clone(),
        phone_number_id: wanted.number.phone_number_id.clone(),
        agent_number: wanted.number.number.clone(),
        external_number: wanted.to.clone(),
        direction: "outbound",
        call_id: world.is(SIP_CALL_ID, "call_id").then(|| format!("{call_sid}-id")),
        call_sid,
        sip_variables: BTreeMap::new(),
        given: wanted.variables.clone(),
        fetched: Map::new(),
        user_id: wanted.user_id.clone(),
        callee: wanted.to.clone(),
        dial_sid: Some(world.fresh().uuid()),
        started: clock::now(),
        status: "in-progress",
        plan: script::compose(&Cast { fate: Fate::EarlyHangup, agent: "", variables: &nobody }, dice.clone(), None),
        recording: None,
        error: None,
    }
}

fn open_dial(world: &World, sid: &str, wanted: &Wanted, fate: Fate) {
    let now = clock::now();
    let dial = Dial {
        sid: sid.to_owned(),
        to: wanted.to.clone(),
        from: wanted.number.number.clone(),
        placed_by: "elevenlabs",
        fate: fate.name(),
        requested_at: Some(now),
        initiated_at: Some(now),
        status: "initiated".into(),
        ..Dial::default()
    };
    world.state().book.dials.insert(sid.to_owned(), dial);
}

fn note(world: &World, sid: &str, status: &str, change: impl FnOnce(&mut Dial)) {
    world.state().book.dial(sid, |dial| {
        status.clone_into(&mut dial.status);
        change(dial);
    });
}

fn finish(world: &World, sid: &str, status: &str, sip: u16, secs: u32) {
    note(world, sid, status, |dial| {
        dial.ended_at = Some(clock::now());
        dial.sip_code = Some(sip);
        dial.duration = secs;
    });
}

/// 200 with `success: false`, a failed conversation, and the failure webhook before or after the answer.
async fn failed(world: &Arc<World>, mut conversation: Conversation, wanted: &Wanted, how: Answer, tell: Tell) {
    let (status, reason, sip) = match how {
        Answer::Busy => ("busy", "busy", 486),
        Answer::RangOut => ("no-answer", "no-answer", 487),
        Answer::Declined(code) | Answer::Failed(code) => ("failed", "unknown", code),
        Answer::Picked => ("failed", "unknown", 503),
    };
    let sid = conversation.dial_sid.clone().unwrap_or_default();
    finish(world, &sid, status, sip, 0);
    conversation.status = "failed";
    conversation.plan.secs = 0.0;
    conversation.error = Some(format!("SIP {sip}"));
    conversation.plan.termination_reason = format!("Call failed: {reason}");
    let id = conversation.id.clone();
    let call_sid = conversation.call_sid.clone();
    let body = failure(world, &conversation, reason, sip);
    agent::keep(world, conversation, &wanted.variables);
    {
        let mut state = world.state();
        state.live_legs = state.live_legs.saturating_sub(1);
    }
    let answer = json!({ "success": false, "message": format!("Call failed with SIP status {sip}"),
        "conversation_id": id, "sip_call_id": call_sid });
    let wanted_event = world.state().workspace.events.iter().any(|e| e == "call_initiation_failure");
    let content = Content::Json(body.to_string().into());
    if world.is(FAILURE_ORDER, "before_answer") {
        if wanted_event {
            webhook::dispatch(world, &id, &wanted.to, "call_initiation_failure", content);
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let _ = tell.send(answer);
    } else {
        let _ = tell.send(answer);
        if wanted_event {
            webhook::dispatch(world, &id, &wanted.to, "call_initiation_failure", content);
        }
    }
}

/// The `call_initiation_failure` event of a conversation.
pub(crate) fn failure(world: &World, conversation: &Conversation, reason: &str, sip: u16) -> Value {
    let number = |text: &str| {
        let digits = crate::config::digits(text).parse::<u64>();
        match digits {
            Ok(digits) if world.is(FAILURE_NUMBER, "number") => json!(digits),
            _ => json!(text),
        }
    };
    json!({ "type": "call_initiation_failure", "event_timestamp": clock::now().as_second(), "data": {
        "agent_id": conversation.agent_id, "conversation_id": conversation.id, "failure_reason": reason,
        "metadata": { "type": "sip", "body": { "from_number": number(&conversation.agent_number),
            "to_number": number(&conversation.external_number), "sip_status_code": sip,
            "error_reason": format!("SIP status: {sip}"), "call_sid": conversation.call_sid,
            "twirp_code": "unavailable", "sip_status": sip.to_string() } } } })
}

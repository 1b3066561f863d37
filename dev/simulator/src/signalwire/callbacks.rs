//! Status callbacks: their bodies, their three tries, and the faults that befall them.

use std::{sync::Arc, time::Duration};

use super::{
    call::{Call, Hook, Status},
    request::{self, Params},
};
use crate::{
    clock,
    faults::{Kind, Occasion},
    post,
    switches::{AMD_DURATION, AUDIO_KEYS, SEQUENCE_NUMBER, Switches},
    world::{Owner, World},
};

/// Who ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    Caller,
    Callee,
}

/// Parameters that every request about a call carries.
#[must_use]
pub fn standard(account: &str, call: &Call, status: &str) -> Params {
    let mut params: Params = [
        ("AccountSid", account),
        ("ApiVersion", "2010-04-01"),
        ("CallSid", &call.sid),
        ("CallStatus", status),
        ("Direction", call.direction),
        ("From", &call.spec.from),
        ("To", &call.spec.to),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if let Some(parent) = &call.parent {
        params.push(("ParentCallSid".into(), parent.clone()));
    }
    params
}

/// Sends the callbacks of a status, if the call subscribed to its event.
pub fn announce(world: &Arc<World>, sid: &str, status: Status, by: Option<Party>) {
    let event = match status {
        Status::Queued => return,
        Status::Initiated => "initiated",
        Status::Ringing => "ringing",
        Status::InProgress => "answered",
        _ => "completed",
    };
    let mut words = vec![status.word()];
    if status == Status::InProgress && world.is(crate::switches::ANSWERED_EVENTS, "both") {
        words.insert(0, "answered");
    }
    for word in words {
        let prepared = {
            let mut state = world.state();
            let config = Arc::clone(&state.config);
            let switches = state.switches.clone();
            let Some(call) = state.calls.get_mut(sid) else { return };
            if !call.spec.events.iter().any(|e| e == event) {
                return;
            }
            let Some(hook) = call.spec.status_callback.clone() else { return };
            let params = status_params(&config.project_id, &switches, call, word, by);
            call.sequence += 1;
            (hook, params, call.spec.to.clone())
        };
        let (hook, params, to) = prepared;
        deliver(world, sid, "status_callback", word, event, Letter { hook, params, to });
    }
}

/// Sends the result of asynchronous answering machine detection.
pub fn announce_detection(world: &Arc<World>, sid: &str, answered_by: Option<&str>, millis: u32) {
    let (hook, params, to) = {
        let state = world.state();
        let Some(call) = state.calls.get(sid) else { return };
        let Some(hook) = call.spec.async_amd.clone() else { return };
        let mut params: Params =
            vec![("CallSid".into(), sid.to_owned()), ("AccountSid".into(), state.config.project_id.clone())];
        if let Some(answered_by) = answered_by {
            params.push(("AnsweredBy".into(), answered_by.to_owned()));
        }
        if state.switches.is(AMD_DURATION, "present") {
            params.push(("MachineDetectionDuration".into(), millis.to_string()));
        }
        (hook, params, call.spec.to.clone())
    };
    deliver(world, sid, "amd", "amd", "amd", Letter { hook, params, to });
}

fn status_params(account: &str, switches: &Switches, call: &Call, word: &str, by: Option<Party>) -> Params {
    let mut params = standard(account, call, word);
    let mut add = |name: &str, value: String| params.push((name.to_owned(), value));
    add("CallbackSource", "call-progress-events".into());
    add("Timestamp", clock::rfc2822(clock::now()));
    if switches.is(SEQUENCE_NUMBER, "present") {
        add("SequenceNumber", call.sequence.to_string());
    }
    if !call.status.terminal() {
        return params;
    }
    if let Some(by) = by {
        let (who, direction) = match by {
            Party::Callee => (&call.spec.to, "inbound"),
            Party::Caller => (&call.spec.from, "outbound"),
        };
        add("HangupBy", who.clone());
        add("HangupDirection", direction.into());
    }
    if let Some(code) = call.sip_code {
        add("SipResultCode", code.to_string());
        if code >= 500 {
            add("SipInviteResultPhrase", "Service Unavailable".into());
        }
    }
    if call.status == Status::Completed {
        add("CallDuration", call.duration.to_string());
        if switches.is(AUDIO_KEYS, "present") {
            add("AudioInMos", "4.50".into());
            add("AudioInMediaPacketCount", (u64::from(call.duration) * 50).to_string());
            add("AudioOutMediaPacketCount", (u64::from(call.duration) * 50).to_string());
            add("AudioInSkipPacketCount", "0".into());
            add("AudioInJitterMaxVariance", "1.25".into());
        }
    }
    params
}

/// A callback that is ready to go.
struct Letter {
    hook: Hook,
    params: Params,
    to: String,
}

/// Delivers in the background: up to three tries, then the callback is lost without a word.
fn deliver(world: &Arc<World>, sid: &str, place: &'static str, event: &str, class: &str, letter: Letter) {
    let Letter { hook, params, to } = letter;
    let owner = Owner::Dial(sid.to_owned());
    let index = world.book_delivery(&owner, event);
    let faults = world.faults(place, Occasion { to: &to, call: sid, event, class });
    if faults.contains(&Kind::Drop) {
        world.delivery(&owner, index, |d| d.lost = Some("fault"));
        return;
    }
    let (sid, shared) = (sid.to_owned(), Arc::clone(world));
    world.spawn(async move {
        let world = shared;
        hold_back(&world, &sid, &faults).await;
        let spoiled = faults
            .iter()
            .any(|k| matches!(k, Kind::TakenButNoAnswer { .. } | Kind::HttpStatus { .. } | Kind::RefuseConnection));
        let unsent = faults.contains(&Kind::RefuseConnection);
        let mut delivered = false;
        for attempt in 0..3 {
            let spoil = attempt == 0 && spoiled;
            if try_once(&world, &owner, index, &hook, &params, spoil && unsent).await && !spoil {
                delivered = true;
                break;
            }
            world.nap(1.0).await;
        }
        if faults.contains(&Kind::Double) {
            try_once(&world, &owner, index, &hook, &params, false).await;
        }
        if !delivered {
            world.delivery(&owner, index, |d| d.lost = Some("retries_exhausted"));
        }
    });
}

async fn try_once(world: &World, owner: &Owner, index: usize, hook: &Hook, params: &Params, unsent: bool) -> bool {
    world.delivery(owner, index, |d| d.attempts += 1);
    if unsent {
        return false;
    }
    let message = {
        let state = world.state();
        request::signed(&state.config.signing_key, &state.switches, hook, params, true)
    };
    let answer = post::send(world, &message).await;
    let (status, ok) = answer.map_or((None, false), |a| (Some(a.status), a.ok()));
    world.delivery(owner, index, |d| {
        d.last_status = status;
        d.delivered |= ok;
    });
    ok
}

/// Delays that faults ask for.
async fn hold_back(world: &World, sid: &str, faults: &[Kind]) {
    for kind in faults {
        match kind {
            Kind::DelayMs { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Kind::Reorder => {
                let sequence = || world.state().calls.get(sid).map_or(u32::MAX, |c| c.sequence);
                let mine = sequence();
                for _ in 0..100 {
                    if sequence() > mine {
                        tokio::time::sleep(Duration::from_millis(30)).await;
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            _ => {}
        }
    }
}

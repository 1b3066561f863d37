//! An answered call: asks the product what to do and does it.

use tokio::time::Instant;

use super::{
    call::{Driver, Ending, Stop},
    fate::Fate,
};
use crate::{
    book::Leg,
    clock,
    elevenlabs::agent::{self, Accepted, Invite},
    signalwire::{
        call::{Call, Hook, Spec, Status},
        callbacks::Party,
        cxml::{self, Dial, Refused, Sip, Verb},
        request::Params,
        voice,
    },
    switches::{ACTION_AFTER_HANGUP, DIAL_STATUS_WORD, INVITE_HEADERS, VOICE_ERROR_STATUS},
};

/// What follows a document.
enum Next {
    Document(Result<Vec<Verb>, Refused>),
    End(Ending),
}

/// Runs document after document until the call is over.
pub async fn run(driver: &mut Driver, answered_by: Option<String>) -> Ending {
    let more: Params = answered_by.map(|a| ("AnsweredBy".to_owned(), a)).into_iter().collect();
    let mut document = match driver.spec.laml.clone() {
        Some(laml) if driver.spec.voice.url.is_empty() => cxml::parse(&laml),
        _ => {
            let hook = driver.spec.voice.clone();
            fetch(driver, "voice", &hook, &more).await
        }
    };
    // A document that redirects for ever ends with the vendor's patience.
    for _ in 0..50 {
        let Ok(verbs) = document else {
            let status = if driver.world.is(VOICE_ERROR_STATUS, "failed") { Status::Failed } else { Status::Completed };
            return Ending { status, sip: Some(200), by: Party::Caller };
        };
        let next = match perform(driver, verbs).await {
            Ok(next) => next,
            Err(Stop::Redirected { url, get }) => {
                Next::Document(fetch(driver, "voice", &Hook { url, get }, &Params::new()).await)
            }
            Err(stop) => Next::End(Driver::stopped(&stop)),
        };
        match next {
            Next::Document(next) => document = next,
            Next::End(ending) => return ending,
        }
    }
    Driver::stopped(&Stop::Completed)
}

async fn fetch(driver: &mut Driver, event: &'static str, hook: &Hook, more: &Params) -> Result<Vec<Verb>, Refused> {
    let begun = Instant::now();
    let document = voice::document(&driver.world, &driver.sid, event, hook, more).await;
    driver.spent(begun.elapsed());
    document
}

async fn perform(driver: &mut Driver, verbs: Vec<Verb>) -> Result<Next, Stop> {
    let hang_up = || Next::End(Driver::stopped(&Stop::Completed));
    for verb in verbs {
        if let Some(stop) = driver.pending() {
            return Err(stop);
        }
        match verb {
            Verb::Say(text) => {
                let words = u32::try_from(text.split_whitespace().count()).unwrap_or(0);
                driver.wait(f64::from(words) / 2.6 + 0.3).await?;
            }
            Verb::Pause(secs) => driver.wait(secs).await?,
            Verb::Hangup | Verb::Reject => return Ok(hang_up()),
            Verb::Redirect { url, get } => {
                return Ok(Next::Document(fetch(driver, "voice", &Hook { url, get }, &Params::new()).await));
            }
            Verb::Dial(dial) => {
                if let Some(next) = bridge(driver, &dial).await? {
                    return Ok(next);
                }
            }
        }
    }
    Ok(hang_up())
}

/// How the agent's leg went.
struct LegResult {
    child: String,
    status: &'static str,
    sip: u16,
    secs: f64,
    /// What broke the call off meanwhile.
    stop: Option<Stop>,
}

/// Performs a `<Dial>`; `None` goes on with the next verb.
async fn bridge(driver: &mut Driver, dial: &Dial) -> Result<Option<Next>, Stop> {
    let mut result = None;
    for sip in &dial.sips {
        let leg = dial_sip(driver, dial, sip).await;
        let connected = leg.status == "completed" || leg.stop.is_some();
        result = Some(leg);
        if connected {
            break;
        }
    }
    let Some(leg) = result else { return Ok(None) };
    let gone = leg.stop.clone().filter(|stop| !matches!(stop, Stop::Redirected { .. }));
    if let Some(Stop::Redirected { .. }) = leg.stop {
        return leg.stop.map_or(Ok(None), Err);
    }
    let Some(url) = dial.action.clone().filter(|_| gone.is_none() || driver.world.is(ACTION_AFTER_HANGUP, "sent"))
    else {
        return gone.map_or(Ok(None), Err);
    };
    let mut more = action_params(driver, &leg);
    if gone.is_some() {
        more.push(("CallStatus".into(), Status::Completed.word().into()));
    }
    let document = fetch(driver, "action", &Hook { url, get: dial.get }, &more).await;
    match gone {
        Some(stop) => Err(stop),
        None => Ok(Some(Next::Document(document))),
    }
}

fn action_params(driver: &Driver, leg: &LegResult) -> Params {
    let status = match leg.status {
        "completed" => driver.world.at(DIAL_STATUS_WORD),
        other => other,
    };
    let mut params: Params = vec![
        ("DialCallSid".into(), leg.child.clone()),
        ("DialCallStatus".into(), status.into()),
        ("DialSipCallId".into(), format!("{}@sip.signalwire.test", leg.child)),
        ("DialSipResponseCode".into(), leg.sip.to_string()),
    ];
    if leg.status == "completed" {
        params.push(("DialCallDuration".into(), clock::whole_secs(leg.secs).to_string()));
    }
    params
}

async fn dial_sip(driver: &mut Driver, dial: &Dial, sip: &Sip) -> LegResult {
    let child = open_child(driver, sip);
    let mut leg = LegResult { child: child.clone(), status: "failed", sip: 404, secs: 0.0, stop: None };
    let setup = driver.dice.between(0.2, 0.6);
    if let Err(stop) = driver.wait(setup).await {
        (leg.status, leg.sip, leg.stop) = ("canceled", 487, Some(stop));
        close(driver, sip, &leg, None, "canceled");
        return leg;
    }
    let invite = invite(driver, dial, sip);
    let begun = Instant::now();
    let answer = if driver.fate == Fate::AgentFails {
        Err(agent::Refusal { sip: 503 })
    } else {
        agent::invite(&driver.world, invite).await
    };
    driver.spent(begun.elapsed());
    match answer {
        Ok(accepted) => {
            talk(driver, dial, &accepted, &mut leg).await;
            close(driver, sip, &leg, Some(&accepted), "connected");
        }
        Err(refusal) => {
            leg.sip = refusal.sip;
            leg.status = if refusal.sip == 486 { "busy" } else { "failed" };
            let outcome = if refusal.sip == 404 { "not_found" } else { "refused" };
            close(driver, sip, &leg, None, outcome);
        }
    }
    leg
}

/// The bridge stands until the conversation ends, the time limit comes, or the call is broken off.
async fn talk(driver: &mut Driver, dial: &Dial, accepted: &Accepted, leg: &mut LegResult) {
    let limit = f64::from(dial.time_limit);
    let before = driver.talked;
    let waited = driver.wait(accepted.secs.min(limit)).await;
    leg.secs = driver.talked - before;
    (leg.status, leg.sip) = ("completed", 200);
    match waited {
        Err(stop) => {
            let callee = stop == Stop::CalleeHungUp;
            leg.stop = Some(stop);
            agent::hang_up(&driver.world, &accepted.conversation_id, Some(leg.secs), callee);
        }
        Ok(()) if accepted.secs > limit => {
            agent::hang_up(&driver.world, &accepted.conversation_id, Some(limit), false);
        }
        Ok(()) => {
            agent::hang_up(&driver.world, &accepted.conversation_id, None, false);
            if accepted.callee_leaves {
                leg.stop = Some(Stop::CalleeHungUp);
            }
        }
    }
}

fn invite(driver: &Driver, dial: &Dial, sip: &Sip) -> Invite {
    let mut headers = sip.headers.clone();
    let account = driver.world.config().project_id.clone();
    let prefix = match driver.world.at(INVITE_HEADERS) {
        "signalwire" => Some("X-SignalWire"),
        "twilio" => Some("X-Twilio"),
        _ => None,
    };
    if let Some(prefix) = prefix {
        headers.push((format!("{prefix}-CallSid"), driver.sid.clone()));
        headers.push((format!("{prefix}-AccountSid"), account));
    }
    Invite {
        sip: sip.clone(),
        from: dial.caller_id.clone().unwrap_or_else(|| driver.spec.from.clone()),
        headers,
        callee: driver.spec.to.clone(),
        dial_sid: Some(driver.sid.clone()),
        fate: driver.fate,
        dice: driver.dice.clone(),
    }
}

/// The child leg is a call of its own, `outbound-dial`, with its parent's sid.
fn open_child(driver: &Driver, sip: &Sip) -> String {
    let sid = driver.world.fresh().uuid();
    let now = clock::now();
    let spec = Spec { to: sip.uri.clone(), from: driver.spec.from.clone(), ..Spec::default() };
    let mut call = Call::new(sid.clone(), spec, now);
    call.direction = "outbound-dial";
    call.parent = Some(driver.sid.clone());
    call.status = Status::InProgress;
    call.started = Some(now);
    let mut state = driver.world.state();
    state.calls.insert(sid.clone(), call);
    state.call_order.push(sid.clone());
    sid
}

fn close(driver: &Driver, sip: &Sip, leg: &LegResult, accepted: Option<&Accepted>, outcome: &'static str) {
    let status = match leg.status {
        "completed" => Status::Completed,
        "busy" => Status::Busy,
        "canceled" => Status::Canceled,
        _ => Status::Failed,
    };
    super::dialler::finish(&driver.world, &leg.child, status, Some(leg.sip), clock::whole_secs(leg.secs));
    let entry = Leg {
        sid: leg.child.clone(),
        number: sip.user.clone(),
        agent_id: driver.world.config().imported(&sip.user).map(|n| n.agent_id.clone()),
        outcome,
        sip_code: leg.sip,
        conversation_id: accepted.map(|a| a.conversation_id.clone()),
        headers: sip.headers.iter().cloned().collect(),
    };
    driver.world.state().book.dial(&driver.sid, |dial| dial.legs.push(entry));
}

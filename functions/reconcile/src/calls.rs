//! Calls that are not settled: what is missing, and whom to ask for it.

use elevenwire::call::{AnsweredBy, CarrierStatus, Connect, Event, Fact, State};
use elevenwire::phone::PhoneNumber;
use elevenwire::queue::CallCommand;
use elevenwire::retry::Failure;
use elevenwire::signalwire::callback;
use elevenwire::signalwire::record::CallRecord;
use elevenwire::store::calls::News;
use elevenwire::store::settle::{HOLD_HOURS, LOOK_FOR_HOURS, Unsettled};
use jiff::{Span, Timestamp, ToSpan};

use crate::{App, conversations, trunk};

/// A call that ended without a word about the agent's leg: after this long without a conversation no agent was there.
pub(crate) const AGENT_ABSENT_AFTER_HOURS: i64 = 1;

/// A transcript that the vendor does not have after this long does not exist.
const TRANSCRIPT_ABSENT_AFTER_HOURS: i64 = 24;

/// How far the carrier's clock may be from ours, and how long a question may have been on its way.
const EARLIER_SECS: i64 = 60;
const LATER_SECS: i64 = 300;

/// Looks at one call, and sets when to look again.
pub async fn look_at(app: &App, call: &Unsettled, now: Timestamp) -> Result<(), Failure> {
    // First, so that a call whose look fails each time does not keep the others waiting.
    app.store.looked(call.call_id, next_look(call, now)).await?;
    if call.connect == Connect::Trunk && (call.state != State::Ended || call.given_up) {
        return Box::pin(trunk::look_at(app, call, now)).await;
    }
    match call.state {
        State::Unknown => find(app, call, now).await,
        State::Queued | State::Ringing | State::InProgress => ask_carrier(app, call, now).await,
        State::Ended if call.given_up => find(app, call, now).await,
        State::Ended => bring_home(app, call, now).await,
        // The trigger's.
        State::Intent | State::Placing => Ok(()),
    }
}

/// Soon at first, then less often; a call that was given up every hour, until its number is free again.
fn next_look(call: &Unsettled, now: Timestamp) -> Option<Timestamp> {
    if call.given_up {
        let last = after(call.claimed_at?, (LOOK_FOR_HOURS + HOLD_HOURS).hours());
        return Some(after(now, 1.hour())).filter(|next| *next < last);
    }
    let minutes = 1_i64 << call.looks.min(4);
    Some(after(now, minutes.minutes()))
}

/// Looks for an attempt without a clear answer among the carrier's calls: by both numbers, over all pages, by the time it
/// was taken, and not among those that are bound to a call already. A queued call has no start time, so that is never
/// asked for.
async fn find(app: &App, call: &Unsettled, now: Timestamp) -> Result<(), Failure> {
    let listed = list(app, call).await?;
    let asked_at = call.claimed_at.unwrap_or(now);
    let window = after(asked_at, (-EARLIER_SECS).seconds())..=after(asked_at, LATER_SECS.seconds());
    let near = |record: &CallRecord| {
        record.parent_call_sid.is_none() && record.date_created.is_none_or(|taken| window.contains(&taken))
    };
    let near: Vec<CallRecord> = listed.into_iter().filter(near).collect();
    let sids: Vec<String> = near.iter().map(|record| record.sid.clone()).collect();
    let bound = app.store.bound_sids(&sids).await?;
    let free: Vec<CallRecord> = near.into_iter().filter(|record| !bound.contains(&record.sid)).collect();
    match free.as_slice() {
        [record] => adopt(app, call, record, now).await,
        [] => not_found(app, call, now).await,
        several => {
            tracing::error!(call.id = %call.call_id, alarm = "ambiguous_call", found = several.len(), "the carrier has several calls that could be this one");
            Ok(())
        }
    }
}

/// Every call of the carrier's between these two numbers.
async fn list(app: &App, call: &Unsettled) -> Result<Vec<CallRecord>, Failure> {
    let number = |text: &str| PhoneNumber::parse(text).map_err(|error| Failure::never(error.to_string()));
    app.carrier.list_calls(&number(&call.to)?, &number(&call.from)?).await
}

async fn adopt(app: &App, call: &Unsettled, record: &CallRecord, now: Timestamp) -> Result<(), Failure> {
    let state = app.store.heal(call.call_id, &facts(record, now), now).await?;
    tracing::info!(call.id = %call.call_id, call.state = state.as_str(), "found at the carrier");
    // Found too late, and nobody has picked up: it must not ring any more.
    if call.given_up && matches!(state, State::Queued | State::Ringing) {
        app.calls.send(&CallCommand::Cancel { call_id: call.call_id }).await?;
    }
    Ok(())
}

/// Nobody lists it. After some hours it is given up.
pub(crate) async fn not_found(app: &App, call: &Unsettled, now: Timestamp) -> Result<(), Failure> {
    let asked_at = call.claimed_at.unwrap_or(now);
    if !call.given_up && now >= after(asked_at, LOOK_FOR_HOURS.hours()) {
        tracing::error!(call.id = %call.call_id, alarm = "given_up", "never found at whoever was to dial; its number is on hold");
        app.store.give_up(call, "whoever was to dial gave no clear answer, and does not list it", now).await?;
    }
    Ok(())
}

/// Asks the carrier about a call that should have ended, or moved on, by now.
async fn ask_carrier(app: &App, call: &Unsettled, now: Timestamp) -> Result<(), Failure> {
    let Some(sid) = &call.carrier_sid else {
        // Live, but no word of the carrier's: only the agent's side was heard. The list knows.
        return find(app, call, now).await;
    };
    match app.carrier.fetch_call(sid).await? {
        Some(record) => {
            let record = with_its_code(app, call, record).await?;
            let known = CarrierStatus::parse(record.status.as_str());
            if known.is_some_and(|status| moves_on(call.state, status)) {
                app.store.heal(call.call_id, &facts(&record, now), now).await?;
            }
            Ok(())
        }
        None => not_found(app, call, now).await,
    }
}

/// The carrier's resource of one call may be shorter than its place in the list: why nobody answered is worth a second look.
async fn with_its_code(app: &App, call: &Unsettled, record: CallRecord) -> Result<CallRecord, Failure> {
    let status = CarrierStatus::parse(record.status.as_str());
    if record.sip_result_code.is_some() || !status.is_some_and(CarrierStatus::is_final) {
        return Ok(record);
    }
    let fuller =
        list(app, call).await?.into_iter().find(|other| other.sid == record.sid && other.status == record.status);
    Ok(fuller.unwrap_or(record))
}

fn moves_on(state: State, status: CarrierStatus) -> bool {
    match status {
        CarrierStatus::Queued => false,
        CarrierStatus::Ringing => state < State::Ringing,
        CarrierStatus::InProgress => state < State::InProgress,
        _ => true,
    }
}

/// What the carrier's record says, as the facts that its callbacks would have been.
fn facts(record: &CallRecord, now: Timestamp) -> Vec<News> {
    let Some(status) = CarrierStatus::parse(record.status.as_str()) else { return Vec::new() };
    let at = if status.is_final() { record.end_time } else { record.start_time.or(record.date_created) };
    let at = at.filter(|at| *at <= now).unwrap_or(now);
    let sid = || record.sid.clone();
    let carrier =
        Fact::Carrier { sid: sid(), status, sip_code: record.sip_result_code, duration_secs: record.duration_secs };
    let mut news = vec![Event::new(carrier, at).into()];
    if record.answered_by == Some(callback::AnsweredBy::Machine) {
        news.push(Event::new(Fact::Detected { sid: sid(), answered_by: AnsweredBy::Machine }, at).into());
    }
    news
}

/// The call is over; its conversation is not here.
async fn bring_home(app: &App, call: &Unsettled, now: Timestamp) -> Result<(), Failure> {
    // Why a dial of the agents' vendor came to nothing is told by its conversation too.
    let wanted = call.transcript_expected || !call.outcome_final;
    if !wanted || fetch(app, call, now).await? {
        // Its recording has its own time (`conversations.audio_at`).
        return Ok(());
    }
    let ended_at = call.ended_at.unwrap_or(now);
    if !call.outcome_final {
        if now >= after(ended_at, AGENT_ABSENT_AFTER_HOURS.hours()) {
            let reason = "the agent's vendor knows of no conversation".to_owned();
            let fact = Fact::AgentAbsent { reason };
            app.store.heal(call.call_id, &[Event::new(fact, ended_at).into()], now).await?;
        }
    } else if now >= after(ended_at, TRANSCRIPT_ABSENT_AFTER_HOURS.hours()) {
        tracing::error!(call.id = %call.call_id, alarm = "absent", "the vendor has no transcript of it");
        app.store.transcript_absent(call.call_id, "the agent's vendor has no such conversation", now).await?;
    }
    Ok(())
}

async fn fetch(app: &App, call: &Unsettled, now: Timestamp) -> Result<bool, Failure> {
    if call.connect == Connect::Trunk && call.conversation_id.is_none() {
        return Box::pin(trunk::find(app, call, now)).await;
    }
    conversations::fetch_for(app, call, now).await
}

/// `span` after `time`; at the end of all time, `time` itself.
pub(crate) fn after(time: Timestamp, span: Span) -> Timestamp {
    time.checked_add(span).unwrap_or(time)
}

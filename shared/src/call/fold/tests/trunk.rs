//! Calls that the agents' vendor dials.

use super::*;

fn claimed() -> Event {
    Event::new(Fact::Claimed { ask: 1, connect: Connect::Trunk }, at(0))
}

fn originated(conversation: Option<&str>, second: i64) -> Event {
    let fact = Fact::Originated {
        conversation_id: conversation.map(str::to_owned),
        sip_call_id: Some(format!("SCL_{}", conversation.unwrap_or("x"))),
    };
    Event::new(fact, at(second))
}

fn refused(conversation: Option<&str>, sip_code: Option<u16>) -> Event {
    let fact = Fact::NotOriginated {
        conversation_id: conversation.map(str::to_owned),
        sip_call_id: None,
        failure: InitiationFailure::Other,
        sip_code,
        reason: "the vendor said so".into(),
    };
    Event::new(fact, at(30))
}

fn told(conversation: &str, failure: InitiationFailure, sip_code: Option<u16>) -> Event {
    Event::new(Fact::NotInitiated { conversation_id: conversation.into(), failure, sip_code }, at(29))
}

fn conversed(conversation: &str) -> Event {
    let (voicemail, screened) = (false, false);
    let fact = Fact::Conversed { conversation_id: conversation.into(), voicemail, screened, duration_secs: 40 };
    Event::new(fact, at(60))
}

#[test]
fn an_answered_dial_has_the_agent_on_the_line_until_the_conversation_is_over() {
    let mut events = vec![claimed(), originated(Some("c"), 20)];
    let call = fold(&events);
    assert_eq!((call.state, call.agent_connected, call.answered_at), (InProgress, Some(true), Some(at(20))));
    assert_eq!(call.carrier_sid.as_deref(), Some("SCL_c"));
    events.push(conversed("c"));
    let call = fold(&events);
    assert_eq!((call.state, call.outcome, call.outcome_final), (Ended, Some(Outcome::Answered), true));
    assert_eq!((call.duration_secs, call.ended_at, call.double_dial), (Some(40), Some(at(60)), false));
}

#[test]
fn an_answer_that_did_not_arrive_is_unknown_until_the_vendors_conversation_is_heard_of() {
    let mut events = vec![claimed(), Event::new(Fact::Unclear { ask: 1, reason: "no answer".into() }, at(150))];
    assert_eq!(fold(&events).state, State::Unknown);
    let busy = [events.clone(), vec![told("c", InitiationFailure::Busy, Some(486))]].concat();
    assert_eq!((fold(&busy).state, fold(&busy).outcome), (Ended, Some(Outcome::Busy)));
    events.push(originated(Some("c"), 20));
    assert_eq!(fold(&events).state, InProgress);
}

#[test]
fn a_free_text_without_a_cause_waits_for_the_event_and_the_event_outranks_it() {
    let unclear = [claimed(), refused(Some("c"), None)];
    let call = fold(&unclear);
    assert_eq!((call.state, call.outcome, call.outcome_final), (Ended, Some(Outcome::Failed), false));
    assert_eq!((call.reason.as_deref(), call.agent_connected), (Some("the vendor said so"), Some(false)));
    let event = told("c", InitiationFailure::Other, Some(603));
    let call = fold(&[unclear.to_vec(), vec![event]].concat());
    assert_eq!((call.outcome, call.outcome_final, call.sip_code), (Some(Outcome::Declined), true, Some(603)));
    let read = told("c", InitiationFailure::Other, None);
    let call = fold(&[claimed(), refused(Some("c"), Some(486)), read]);
    assert_eq!((call.outcome, call.outcome_final), (Some(Outcome::Busy), true));
}

#[test]
fn an_answered_dial_without_any_conversation_was_abandoned() {
    let absent = Event::new(Fact::AgentAbsent { reason: "none".into() }, at(4000));
    let call = fold(&[claimed(), originated(None, 20), absent]);
    assert_eq!((call.state, call.outcome, call.outcome_final), (Ended, Some(Outcome::Abandoned), true));
}

#[test]
fn two_conversations_under_one_id_are_a_double_dial_and_live_while_either_lives() {
    let call = fold(&[claimed(), originated(Some("c"), 20), conversed("c"), originated(Some("d"), 90)]);
    assert!(call.double_dial);
    assert_eq!(call.state, InProgress);
    let one = fold(&[claimed(), originated(None, 20), conversed("c")]);
    assert_eq!((one.double_dial, one.state), (false, Ended));
}

#[test]
fn a_dial_that_was_given_up_comes_back_when_its_conversation_is_found() {
    let unclear = Event::new(Fact::Unclear { ask: 1, reason: "no answer".into() }, at(150));
    let given_up = Event::new(Fact::GivenUp { reason: "not in the vendor's list".into() }, at(15_000));
    let call = fold(&[claimed(), unclear, given_up, conversed("c")]);
    assert_eq!((call.state, call.outcome, call.given_up), (Ended, Some(Outcome::Answered), true));
}

#[test]
fn of_a_call_that_the_carrier_dials_a_failed_initiation_alone_ends_nothing() {
    let events = [
        Event::new(Fact::Claimed { ask: 1, connect: Connect::Sip }, at(0)),
        Event::new(Fact::Placed { ask: 1, sid: "s1".into() }, at(1)),
        told("c", InitiationFailure::Other, None),
    ];
    assert_eq!(fold(&events).state, Queued);
}

mod trunk;

use proptest::prelude::*;

use super::State::{Ended, InProgress, Intent, Placing, Queued, Ringing};
use super::*;
use crate::call::{Connect, InitiationFailure, OwnEnd};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn carrier(sid: &str, status: CarrierStatus, second: i64) -> Event {
    let (sip_code, duration_secs) = match status {
        CarrierStatus::Completed => (Some(200), Some(30)),
        CarrierStatus::Busy => (Some(486), None),
        _ => (None, None),
    };
    Event::new(Fact::Carrier { sid: sid.into(), status, sip_code, duration_secs }, at(second))
}

fn an_answered_call() -> Vec<Event> {
    let sid = || "s1".to_owned();
    vec![
        Event::new(Fact::Claimed { ask: 1, connect: Connect::Sip }, at(0)),
        Event::new(Fact::Placed { ask: 1, sid: sid() }, at(1)),
        carrier("s1", CarrierStatus::Queued, 1),
        carrier("s1", CarrierStatus::Ringing, 2),
        Event::new(Fact::Fetched { sid: sid(), answered_by: None }, at(5)),
        Event::new(
            Fact::AgentLeg {
                sid: sid(),
                status: CarrierStatus::Completed,
                sip_code: Some(200),
                duration_secs: Some(29),
            },
            at(35),
        ),
        carrier("s1", CarrierStatus::Completed, 36),
    ]
}

#[test]
fn an_attempt_without_events_is_an_intent() {
    let call = fold(&[]);
    assert_eq!((call.state, call.outcome, call.asks), (State::Intent, None, 0));
}

#[test]
fn each_event_of_an_answered_call_moves_it_on() {
    let events = an_answered_call();
    let states: Vec<State> = (0..=events.len()).map(|count| fold(&events[..count]).state).collect();
    assert_eq!(states, [Intent, Placing, Queued, Queued, Ringing, InProgress, Ended, Ended]);
    let call = fold(&events);
    assert_eq!((call.outcome, call.outcome_final), (Some(Outcome::Answered), true));
    assert_eq!((call.answered_at, call.ended_at, call.duration_secs), (Some(at(5)), Some(at(36)), Some(30)));
    assert_eq!((call.agent_connected, call.double_dial), (Some(true), false));
}

#[test]
fn an_answer_that_did_not_arrive_is_unknown_until_the_carrier_is_heard() {
    let mut events = vec![
        Event::new(Fact::Claimed { ask: 1, connect: Connect::Sip }, at(0)),
        Event::new(Fact::Unclear { ask: 1, reason: "no answer in 15 s".into() }, at(15)),
    ];
    assert_eq!(fold(&events).state, State::Unknown);
    events.push(carrier("s9", CarrierStatus::Ringing, 3));
    let call = fold(&events);
    assert_eq!((call.state, call.carrier_sid.as_deref()), (State::Ringing, Some("s9")));
}

#[test]
fn an_attempt_is_asked_for_again_only_after_the_carrier_said_that_nothing_happened() {
    let mut events = vec![
        Event::new(Fact::Claimed { ask: 1, connect: Connect::Sip }, at(0)),
        Event::new(Fact::AskAgain { ask: 1, reason: "throttled".into() }, at(1)),
    ];
    assert_eq!(fold(&events).state, State::Intent);
    events.push(Event::new(Fact::Claimed { ask: 2, connect: Connect::Sip }, at(6)));
    assert_eq!((fold(&events).state, fold(&events).asks), (State::Placing, 2));
}

#[test]
fn a_clear_answer_replaces_an_unclear_one() {
    let events = [
        Event::new(Fact::Claimed { ask: 1, connect: Connect::Sip }, at(0)),
        Event::new(Fact::Unclear { ask: 1, reason: "asker died".into() }, at(60)),
        Event::new(Fact::Placed { ask: 1, sid: "s1".into() }, at(61)),
    ];
    assert_eq!((fold(&events).state, fold(&events).reason), (State::Queued, None));
}

#[test]
fn two_calls_of_the_carrier_under_one_id_are_a_double_dial_and_live_while_either_lives() {
    let mut events = an_answered_call();
    events.push(carrier("s2", CarrierStatus::Ringing, 40));
    let call = fold(&events);
    assert!(call.double_dial);
    assert_eq!((call.state, call.carrier_sid.as_deref()), (State::Ringing, Some("s1")));
}

#[test]
fn a_transcript_ends_a_call_whose_every_callback_was_lost() {
    let events = [
        Event::new(Fact::Claimed { ask: 1, connect: Connect::Sip }, at(0)),
        Event::new(Fact::Placed { ask: 1, sid: "s1".into() }, at(1)),
        Event::new(
            Fact::Conversed { conversation_id: "c1".into(), voicemail: false, screened: false, duration_secs: 20 },
            at(30),
        ),
    ];
    let call = fold(&events);
    assert_eq!((call.state, call.outcome, call.ended_at), (State::Ended, Some(Outcome::Answered), Some(at(30))));
}

#[test]
fn our_own_decision_ends_an_attempt_that_was_not_placed() {
    let events = [Event::new(Fact::Decided { end: OwnEnd::Expired, reason: "too late".into() }, at(9))];
    let call = fold(&events);
    assert_eq!(
        (call.state, call.outcome, call.reason.as_deref()),
        (State::Ended, Some(Outcome::Expired), Some("too late"))
    );
    assert_eq!(call.ended_at, Some(at(9)));
}

#[test]
fn a_call_that_was_given_up_comes_back_when_the_carrier_is_heard() {
    let mut events = vec![
        Event::new(Fact::Claimed { ask: 1, connect: Connect::Sip }, at(0)),
        Event::new(Fact::Unclear { ask: 1, reason: "no answer".into() }, at(15)),
        Event::new(Fact::GivenUp { reason: "not in the carrier's list".into() }, at(9000)),
    ];
    let call = fold(&events);
    assert_eq!((call.state, call.outcome, call.outcome_final), (State::Ended, Some(Outcome::Unknown), true));
    events.push(carrier("s1", CarrierStatus::Queued, 9100));
    assert_eq!(fold(&events).state, State::Queued);
}

fn conversation(known: bool, other: bool) -> Option<String> {
    known.then(|| if other { "c".to_owned() } else { "d".to_owned() })
}

fn any_event() -> impl Strategy<Value = Event> {
    use CarrierStatus::{Busy, Canceled, Completed, Failed, InProgress, NoAnswer, Queued, Ringing};
    let sid = prop_oneof!["s1", "s2"];
    let status = prop::sample::select(vec![Queued, Ringing, InProgress, Completed, Busy, NoAnswer, Canceled, Failed]);
    let person = prop::sample::select(vec![AnsweredBy::Person, AnsweredBy::Machine]);
    let code = prop::option::of(prop::sample::select(vec![200_u16, 404, 486, 487, 503, 603]));
    let fact = (0..15_u8, sid, status, person, code, 1..3_u32, any::<bool>(), any::<bool>()).prop_map(
        |(kind, sid, status, answered_by, sip_code, ask, yes, also)| match kind {
            0 => Fact::Claimed { ask, connect: if yes { Connect::Trunk } else { Connect::Sip } },
            1 => Fact::Placed { ask, sid },
            2 => Fact::AskAgain { ask, reason: "r".into() },
            3 => Fact::Refused { ask, bad_number: yes, reason: "r".into() },
            4 => Fact::Unclear { ask, reason: "r".into() },
            5 => Fact::Fetched { sid, answered_by: yes.then_some(answered_by) },
            6 => Fact::Detected { sid, answered_by },
            7 => Fact::AgentLeg { sid, status, sip_code, duration_secs: None },
            8 => Fact::Conversed { conversation_id: "c".into(), voicemail: yes, screened: also, duration_secs: ask },
            9 => Fact::NotInitiated { conversation_id: "c".into(), failure: InitiationFailure::Busy, sip_code },
            10 => Fact::GivenUp { reason: "r".into() },
            11 => Fact::AgentAbsent { reason: "r".into() },
            12 => Fact::Originated { conversation_id: conversation(yes, also), sip_call_id: also.then_some(sid) },
            13 => Fact::NotOriginated {
                conversation_id: conversation(yes, also),
                sip_call_id: None,
                failure: if also { InitiationFailure::Other } else { InitiationFailure::NoAnswer },
                sip_code,
                reason: sid,
            },
            _ => Fact::Carrier { sid, status, sip_code, duration_secs: Some(ask) },
        },
    );
    (fact, 0..100_i64).prop_map(|(fact, second)| Event::new(fact, at(second)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_order_and_any_doubling_of_events_gives_the_same_call(
        events in prop::collection::vec(any_event(), 0..14),
        doubled in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        seed in any::<u64>(),
    ) {
        let mut shuffled = events.clone();
        if !events.is_empty() {
            shuffled.extend(doubled.iter().map(|index| index.get(&events).clone()));
        }
        // A cheap, seeded shuffle: sort by a hash of seed and place.
        let mut places: Vec<usize> = (0..shuffled.len()).collect();
        places.sort_by_key(|place| (*place as u64 + 1).wrapping_mul(seed | 1).rotate_left(17));
        let shuffled: Vec<Event> = places.into_iter().map(|place| shuffled[place].clone()).collect();
        prop_assert_eq!(fold(&events), fold(&shuffled));
    }

    #[test]
    fn an_ended_call_never_comes_back_by_more_events_of_the_same_call_of_the_carrier(
        events in prop::collection::vec(any_event(), 0..14),
        more in any_event(),
    ) {
        let mut events: Vec<Event> = events.into_iter().map(of_one_call).collect();
        let heard = events.iter().any(|event| event.fact.sid().is_some());
        if heard && fold(&events).state == State::Ended {
            events.push(of_one_call(more));
            prop_assert_eq!(fold(&events).state, State::Ended);
        }
    }

    #[test]
    fn an_ended_call_never_comes_back_by_more_events_of_the_same_dial_of_the_agents_vendor(
        events in prop::collection::vec(any_event(), 0..14),
        more in any_event(),
    ) {
        let told = |event: &Event| {
            matches!(
                event.fact,
                Fact::Originated { .. } | Fact::NotOriginated { .. } | Fact::NotInitiated { .. } | Fact::Conversed { .. }
            )
        };
        let claimed = Event::new(Fact::Claimed { ask: 1, connect: Connect::Trunk }, at(0));
        let events = events.into_iter().filter(|event| event.fact.sid().is_none()).map(of_one_call);
        let mut events: Vec<Event> = events.chain([claimed]).collect();
        if events.iter().any(told) && fold(&events).state == State::Ended && more.fact.sid().is_none() {
            events.push(of_one_call(more));
            prop_assert_eq!(fold(&events).state, State::Ended);
        }
    }
}

fn of_one_call(mut event: Event) -> Event {
    if let Fact::Placed { sid, .. }
    | Fact::Carrier { sid, .. }
    | Fact::Fetched { sid, .. }
    | Fact::Detected { sid, .. }
    | Fact::AgentLeg { sid, .. } = &mut event.fact
    {
        "s1".clone_into(sid);
    }
    match &mut event.fact {
        Fact::Originated { conversation_id: Some(conversation), .. } => "c".clone_into(conversation),
        Fact::NotOriginated { conversation_id, .. } => *conversation_id = Some("c".to_owned()),
        _ => {}
    }
    event
}

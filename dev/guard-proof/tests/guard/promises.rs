//! What the guard promises whatever it is asked.

use std::time::Duration;

use elevenwire::guard::{
    Cap, Consent, ConsentKind, Contact, Decision, History, Minute, Purpose, Rules, StateCode, TimeZoneName, Window,
    Windows, check_number, decide, first_allowed, not_checked, place, stale_tables,
};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

fn zone() -> impl Strategy<Value = TimeZoneName> {
    prop_oneof!["America/Chicago", "Pacific/Guam", "Europe/Berlin", "Australia/Lord_Howe"]
        .prop_map(|name| TimeZoneName::parse(&name).unwrap())
}

fn consent() -> impl Strategy<Value = Consent> {
    prop_oneof![Just(ConsentKind::Written), Just(ConsentKind::Express), Just(ConsentKind::None)]
        .prop_map(|kind| Consent { kind, at: None, source: None })
}

prop_compose! {
    fn contacts()(
        code in prop_oneof!["850", "212", "415", "208", "401", "605", "800", "416", "[2-9][0-9]{2}"],
        timezone in prop::option::of(zone()),
        state in prop::option::of(prop_oneof!["RI", "TX", "ME", "HI"]),
        consent in prop::option::of(consent()),
        own in prop::bool::weighted(0.1),
    ) -> Contact {
        let state = state.map(|state| StateCode::parse(&state).unwrap());
        Contact { number: format!("+1{code}5550123"), timezone, state, postal_code: None, consent, own }
    }
}

prop_compose! {
    fn windows()(from in 0_u16..1440, length in 1_u16..1440) -> Windows {
        let minute = |minute: u16| Minute::parse(&format!("{}:{:02}", minute / 60, minute % 60)).unwrap();
        Windows::daily(&[Window::new(minute(from), minute((from + length) % 1440)).unwrap()])
    }
}

prop_compose! {
    fn all_rules()(
        purpose in prop::option::of(prop_oneof![
            Just(Purpose::Marketing), Just(Purpose::Informational), Just(Purpose::Emergency)
        ]),
        windows in prop::option::of(windows()),
        excluded in prop::collection::vec(0_i64..3000, 0..3),
        cap in prop::option::of((0_u32..4, 1_u64..200_000)),
        need in 0_u64..4000,
    ) -> Rules {
        let first = jiff::civil::date(2024, 1, 1);
        Rules {
            purpose,
            windows,
            excluded_dates: excluded.into_iter().map(|days| first + days.days()).collect(),
            caps: cap.map(|(attempts, within)| Cap { attempts, within: Duration::from_secs(within) }).into_iter().collect(),
            queue_allowance: Duration::from_secs(need),
            ..Rules::default()
        }
    }
}

prop_compose! {
    fn asked()(
        contact in contacts(),
        rules in all_rules(),
        now in 1_700_000_000_000_i64..2_000_000_000_000,
        hold in prop::option::weighted(0.2, -100_000_i64..100_000),
        attempts in prop::collection::vec(-200_000_i64..100, 0..6),
        refusal in prop::option::weighted(0.2, -200_000_i64..1),
    ) -> (Contact, Rules, History, Timestamp) {
        // Milliseconds: windows end between them, too.
        let now = Timestamp::from_millisecond(now).unwrap();
        let history = History {
            hold_until: hold.map(|seconds| now + seconds.seconds()),
            attempts: attempts.into_iter().map(|seconds| now + seconds.seconds()).collect(),
            last_refusal: refusal.map(|seconds| now + seconds.seconds()),
            ..History::default()
        };
        (contact, rules, history, now)
    }
}

fn allows(decision: &Decision) -> bool {
    matches!(decision, Decision::Allow { .. })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn who_is_deferred_is_allowed_at_the_very_moment_named_and_not_a_second_before(
        (contact, rules, history, now) in asked()
    ) {
        if let Decision::Defer { until, because } = decide(&contact, &rules, &history, now) {
            prop_assert!(until > now && !because.is_empty());
            let then = decide(&contact, &rules, &history, until);
            prop_assert!(allows(&then), "{until}: {then:?}");
            let before = until - 1.second();
            prop_assert!(before <= now || !allows(&decide(&contact, &rules, &history, before)));
        }
    }

    #[test]
    fn who_is_allowed_is_allowed_until_what_the_call_needs_before_the_end(
        (contact, rules, history, now) in asked(), part in 0.0..1.0
    ) {
        if let Decision::Allow { until } = decide(&contact, &rules, &history, now) {
            let need = rules.queue_allowance + rules.ring_timeout + rules.margin;
            prop_assert!(now + need <= until);
            let spare = until.duration_since(now).as_secs_f64() - need.as_secs_f64();
            let later = now + Duration::from_secs_f64(spare * part).min(Duration::from_hours(24));
            let then = decide(&contact, &rules, &history, later);
            prop_assert!(allows(&then), "{later}: {then:?}");
        }
    }

    #[test]
    fn whatever_is_added_only_narrows(
        (contact, rules, history, now) in asked(), timezone in zone(), windows in windows(), attempt in -90_000_i64..0
    ) {
        let before = decide(&contact, &rules, &history, now);
        if allows(&before) {
            return Ok(());
        }
        let mut narrower = contact.clone();
        narrower.timezone = narrower.timezone.or(Some(timezone));
        prop_assert!(!allows(&decide(&narrower, &rules, &history, now)));
        let mut stricter = rules.clone();
        stricter.windows = stricter.windows.or(Some(windows));
        stricter.excluded_dates.push(now.in_tz("America/New_York").unwrap().date());
        stricter.caps.push(Cap { attempts: 1, within: Duration::from_hours(3) });
        prop_assert!(!allows(&decide(&contact, &stricter, &history, now)));
        let mut busier = history.clone();
        busier.attempts.push(now + attempt.seconds());
        prop_assert!(!allows(&decide(&contact, &rules, &busier, now)));
    }

    #[test]
    fn a_suppressed_number_is_never_called((contact, rules, history, now) in asked()) {
        let history = History { suppressed: true, ..history };
        match decide(&contact, &rules, &history, now) {
            Decision::Block { because } => prop_assert_eq!(because[0].rule, "suppressed"),
            other => prop_assert!(false, "{:?}", other),
        }
        prop_assert!(first_allowed(&contact, &rules, &history, now).is_err());
    }

    #[test]
    fn nobody_is_called_while_a_number_is_on_hold_not_even_the_owner((contact, rules, history, now) in asked()) {
        let history = History { hold_until: Some(now + 1.hour()), ..history };
        prop_assert!(!allows(&decide(&contact, &rules, &history, now)));
    }

    #[test]
    fn the_first_allowed_moment_is_the_one_that_the_answer_names((contact, rules, history, now) in asked()) {
        let first = first_allowed(&contact, &rules, &history, now);
        match decide(&contact, &rules, &history, now) {
            Decision::Allow { until } => prop_assert_eq!(first, Ok((now, until))),
            Decision::Defer { until, .. } => prop_assert_eq!(first.unwrap().0, until),
            Decision::Block { .. } => prop_assert!(first.is_err()),
        }
    }
}

// Each asks for what is not to be found in 400 days.
proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_inputs_there_is_an_answer(
        number in ".*",
        postal_code in prop::option::of(".*"),
        now in prop_oneof![Just(Timestamp::MIN), Just(Timestamp::MAX), (-377_705_023_201_i64..253_402_207_200)
            .prop_map(|second| Timestamp::from_second(second).unwrap())],
        span in any::<u64>(),
        rules in all_rules(),
    ) {
        let span = Duration::from_secs(span);
        let rules = Rules { ring_timeout: span, refusal_gap: span, caps: vec![Cap { attempts: 1, within: span }], ..rules };
        let history = History { attempts: vec![now, Timestamp::MAX], last_refusal: Some(now), ..History::default() };
        for number in [number.as_str(), "+18505550123"] {
            let contact = Contact { number: number.to_owned(), postal_code: postal_code.clone(), ..Contact::default() };
            let _ = (place(&contact), check_number(number), not_checked(&contact, &rules));
            for history in [&history, &History::default()] {
                let _ = (decide(&contact, &rules, history, now), first_allowed(&contact, &rules, history, now));
            }
        }
        let _ = stale_tables(now);
    }
}

#[test]
fn evidence_is_json_that_a_person_can_read() {
    let contact = Contact { number: "+18505550123".to_owned(), ..Contact::default() };
    let rules = Rules { purpose: Some(Purpose::Marketing), ..Rules::default() };
    let now = "2026-07-15T11:30:00Z".parse().unwrap();
    let decision = decide(&contact, &rules, &History::default(), now);
    let json = serde_json::to_value(&decision).unwrap();
    assert_eq!(json["decision"], "block");
    assert_eq!(json["because"][0]["rule"], "no_consent");
    assert!(json["because"][1]["source"].as_str().unwrap().contains("47 CFR 64.1200"), "{json}");
    let inputs = serde_json::to_value((&contact, &rules, History::default())).unwrap();
    assert_eq!(inputs[1]["purpose"], "marketing");
    assert_eq!(inputs[1]["ring_timeout"], 30);
    assert_eq!(inputs[0]["number"], "+18505550123");
}

#[test]
fn what_was_not_given_is_said_and_not_assumed() {
    let contact = Contact { number: "+14155550123".to_owned(), ..Contact::default() };
    let without = not_checked(&contact, &Rules::default());
    assert_eq!(without, ["purpose", "consent", "timezone", "state", "do_not_call_registry"]);
    let campaign = Rules { purpose: Some(Purpose::Informational), ..Rules::default() };
    assert_eq!(not_checked(&contact, &campaign), ["timezone", "state"]);
}

#[test]
fn a_table_that_nobody_read_for_180_days_is_stale() {
    let read = jiff::civil::date(2026, 11, 24).in_tz("UTC").unwrap().timestamp();
    assert_eq!(stale_tables(read), []);
    assert_eq!(stale_tables(read + (180 * 24).hours()), []);
    let stale = stale_tables(read + (181 * 24).hours());
    assert!(stale.len() > 20 && stale.iter().all(|row| row.days == 181), "{stale:?}");
}

//! Cases worked by hand, with their reason: `by_hand.txt`.

use std::time::Duration;

use elevenwire::guard::{
    Cap, Consent, ConsentKind, Contact, Decision, History, Minute, Purpose, Reason, Rules, StateCode, TimeZoneName,
    Window, Windows, decide,
};
use jiff::Timestamp;

const CASES: &str = include_str!("by_hand.txt");

fn cases() -> impl Iterator<Item = (usize, [&'static str; 5])> {
    let lines = CASES.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(index, line)| {
        let fields: Vec<_> = line.split('|').map(str::trim).collect();
        (index + 1, fields.try_into().unwrap_or_else(|_| panic!("line {}: five fields", index + 1)))
    })
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn windows(list: &str) -> Windows {
    let window = |text: &str| {
        let (from, to) = text.split_once('-').unwrap();
        Window::new(Minute::parse(from).unwrap(), Minute::parse(to).unwrap()).unwrap()
    };
    Windows::daily(&list.split(',').map(window).collect::<Vec<_>>())
}

fn consent(text: &str) -> Consent {
    let (kind, given) = text.split_once('@').map_or((text, None), |(kind, given)| (kind, Some(at(given))));
    Consent { kind: ConsentKind::parse(kind).unwrap(), at: given, source: None }
}

fn given(number: &str, words: &str) -> (Contact, Rules, History) {
    let mut contact = Contact { number: number.to_owned(), consent: Some(consent("written")), ..Contact::default() };
    let mut rules = Rules { purpose: Some(Purpose::Marketing), ..Rules::default() };
    let mut history = History::default();
    for word in words.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "purpose" => rules.purpose = Purpose::parse(value).ok(),
            "consent" => contact.consent = Some(consent(value)),
            "noconsent" => contact.consent = None,
            "unchecked" => rules.check_consent = false,
            "tz" => contact.timezone = Some(TimeZoneName::parse(value).unwrap()),
            "state" => contact.state = Some(StateCode::parse(value).unwrap()),
            "zip" => contact.postal_code = Some(value.to_owned()),
            "own" => contact.own = true,
            "suppressed" => history.suppressed = true,
            "hold" => history.hold_until = Some(at(value)),
            "attempts" => history.attempts = value.split(',').map(at).collect(),
            "refusal" => history.last_refusal = Some(at(value)),
            "awaited" => history.transcript_awaited = true,
            "windows" => rules.windows = Some(windows(value)),
            "exclude" => rules.excluded_dates = vec![value.parse().unwrap()],
            "campaign_zone" => rules.campaign_zone = Some(TimeZoneName::parse(value).unwrap()),
            "cap" => {
                let (attempts, within) = value.split_once('/').unwrap();
                let within = Duration::from_secs(within.parse().unwrap());
                rules.caps = vec![Cap { attempts: attempts.parse().unwrap(), within }];
            }
            "need" => {
                rules.queue_allowance = Duration::from_secs(value.parse().unwrap());
                rules.ring_timeout = Duration::ZERO;
                rules.margin = Duration::ZERO;
            }
            _ => panic!("{key} is unknown"),
        }
    }
    (contact, rules, history)
}

/// The answer in the words of the file, its time with the offset that the expected one is written with.
fn shown(decision: &Decision) -> (&'static str, Option<Timestamp>, String) {
    let words = |because: &[Reason]| {
        let mut words: Vec<_> = because.iter().map(|reason| reason.rule).collect();
        words.dedup();
        words.join(",")
    };
    match decision {
        Decision::Allow { until } => ("allow", Some(*until), String::new()),
        Decision::Defer { until, because } => ("defer", Some(*until), words(because)),
        Decision::Block { because } => ("block", None, words(because)),
    }
}

fn expected(text: &'static str) -> (&'static str, Option<Timestamp>, String) {
    let words: Vec<_> = text.split(' ').collect();
    match words[..] {
        ["allow", until] => ("allow", Some(at(until)), String::new()),
        ["defer", until, because] => ("defer", Some(at(until)), because.to_owned()),
        ["block", because] => ("block", None, because.to_owned()),
        _ => panic!("{text} is no answer"),
    }
}

#[test]
fn the_guard_answers_as_worked_out_by_hand() {
    let mut wrong = Vec::new();
    for (line, [number, words, now, answer, why]) in cases() {
        let (contact, rules, history) = given(number, words);
        let decision = decide(&contact, &rules, &history, at(now));
        if shown(&decision) != expected(answer) {
            wrong.push(format!("line {line}, {why}: {now} gives {:?}, not {answer}", shown(&decision)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn at_least_150_cases_are_worked_by_hand_and_half_of_them_lie_on_a_boundary() {
    let all = cases().count();
    let boundaries =
        cases().filter(|(_, fields)| *fields.last().unwrap() == "b" || fields[4].starts_with("b ")).count();
    assert!(all >= 150 && boundaries * 2 >= all, "{all} cases, {boundaries} boundaries");
    println!("{all} cases, {boundaries} boundaries");
}

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn attempted(outcome: Outcome) -> Attempted {
    Attempted { outcome, asked: true, same_outcome: 1, attempts: 1, ended_at: at(1000) }
}

#[test]
fn a_busy_line_is_tried_again_later() {
    let step = step(&attempted(Outcome::Busy), &Settings::default());
    assert_eq!(step, Step::Again { at: at(1000 + 15 * 60), counts: true });
}

#[test]
fn whoever_talked_declined_or_does_not_exist_is_never_called_again() {
    let mut settings = Settings::default();
    for outcome in [Outcome::Answered, Outcome::Declined, Outcome::Unreachable, Outcome::Blocked] {
        settings.retries.insert(outcome.as_str().to_owned(), Some(RetryRule { delay_secs: 1, most: 9 }));
        assert_eq!(step(&attempted(outcome), &settings), Step::Done { outcome: outcome.as_str() });
    }
}

#[test]
fn a_contact_has_one_budget_of_attempts_over_all_outcomes() {
    let last = Attempted { attempts: 3, ..attempted(Outcome::Busy) };
    assert_eq!(step(&last, &Settings::default()), Step::Done { outcome: "exhausted" });
}

#[test]
fn an_outcome_has_its_own_cap() {
    let third = Attempted { same_outcome: 3, attempts: 3, ..attempted(Outcome::NoAnswer) };
    let settings = Settings { max_attempts: 10, ..Settings::default() };
    assert_eq!(step(&third, &settings), Step::Done { outcome: "exhausted" });
    let second = Attempted { same_outcome: 2, attempts: 2, ..third };
    assert!(matches!(step(&second, &settings), Step::Again { .. }));
}

#[test]
fn the_owners_matrix_replaces_a_default_and_null_ends_the_contact() {
    let mut settings = Settings::default();
    settings.retries.insert("busy".to_owned(), None);
    settings.retries.insert("no_answer".to_owned(), Some(RetryRule { delay_secs: 60, most: 1 }));
    assert_eq!(step(&attempted(Outcome::Busy), &settings), Step::Done { outcome: "busy" });
    assert_eq!(step(&attempted(Outcome::NoAnswer), &settings), Step::Again { at: at(1060), counts: true });
}

#[test]
fn an_attempt_that_was_never_dialled_costs_the_contact_nothing() {
    for outcome in [Outcome::Expired, Outcome::Canceled] {
        let never = Attempted { asked: false, attempts: 9, ..attempted(outcome) };
        assert_eq!(step(&never, &Settings::default()), Step::Again { at: at(1000), counts: false });
    }
}

#[test]
fn an_attempt_without_an_answer_counts_and_rests_for_a_day() {
    let step = step(&attempted(Outcome::Unknown), &Settings::default());
    assert_eq!(step, Step::Again { at: at(1000 + 24 * 3600), counts: true });
}

#[test]
fn a_voicemail_ends_a_contact_unless_its_owner_wants_another_try() {
    let voicemail = attempted(Outcome::Voicemail);
    assert_eq!(step(&voicemail, &Settings::default()), Step::Done { outcome: "voicemail" });
    let again = Settings { voicemail: Voicemail::Retry, ..Settings::default() };
    assert!(matches!(step(&voicemail, &again), Step::Again { .. }));
}

#[test]
fn settings_of_an_older_version_are_read_with_todays_defaults() {
    let old: Settings = serde_json::from_str(r#"{"max_concurrent": 7}"#).unwrap();
    assert_eq!(old, Settings { max_concurrent: 7, ..Settings::default() });
}

#[test]
fn a_text_of_blanks_is_missing() {
    let texts = Texts { identity: Some("Acme".to_owned()), opt_out: Some("  ".to_owned()), ..Texts::default() };
    assert_eq!(texts.missing(), ["ai_disclosure", "recording", "opt_out"]);
}

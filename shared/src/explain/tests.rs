//! The table: each case is a name, the facts as JSON, and the four sentences.

use std::fmt::Write as _;

use super::*;

const TABLE: &str = include_str!("cases.txt");

/// A call's facts begin with its state, a contact's with its status.
fn explain(facts: &str) -> Explanation {
    if facts.starts_with(r#"{"state""#) {
        call(&serde_json::from_str(facts).unwrap())
    } else {
        contact(&serde_json::from_str(facts).unwrap())
    }
}

#[test]
fn every_case_of_the_table_is_told_in_these_words() {
    let mut told = String::new();
    let mut cases = 0;
    for block in TABLE.split("## ").skip(1) {
        let mut lines = block.lines();
        let (name, facts) = (lines.next().unwrap(), lines.next().unwrap());
        let Explanation { what, why, who, next } = explain(facts);
        let who = serde_json::to_value(who).unwrap();
        let who = who.as_str().unwrap();
        write!(told, "## {name}\n{facts}\nwhat: {what}\nwhy: {why}\nwho: {who}\nnext: {next}\n\n").unwrap();
        cases += 1;
    }
    let (preamble, _) = TABLE.split_once("## ").unwrap();
    let told = format!("{preamble}{}\n", told.trim_end());
    if told != TABLE {
        let path = std::env::temp_dir().join("cases.txt");
        std::fs::write(&path, &told).unwrap();
        panic!("the words differ from the table; if they are right, take {} for it", path.display());
    }
    assert!(cases >= 30, "{cases} cases");
}

#[test]
fn every_outcome_of_a_call_has_sentences_that_end() {
    for outcome in Outcome::ALL {
        let facts = format!(r#"{{"state": "ended", "outcome": "{}", "outcome_final": true}}"#, outcome.as_str());
        let told = call(&serde_json::from_str(&facts).unwrap());
        for sentence in [&told.what, &told.why, &told.next] {
            assert!(sentence.ends_with('.') && sentence.len() > 8, "{outcome:?}: {told:?}");
        }
    }
}

#[test]
fn every_rule_of_the_guard_has_a_meaning() {
    let page = include_str!("../../../docs/compliance.md");
    let (_, words) = page.split_once("## Words").unwrap();
    let (words, _) = words.split_once("##").unwrap();
    let (words, _) = words.split_once("All that apply").unwrap();
    let words: Vec<&str> = words.split('`').skip(1).step_by(2).collect();
    assert!(words.len() > 20, "{words:?}");
    for word in words {
        assert!(words::rule(word).is_some(), "{word} has no meaning");
    }
}

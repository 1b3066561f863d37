use proptest::prelude::*;
use serde_json::json;

use super::*;

const LABELLED: &str = include_str!("labelled.tsv");

fn label(heard: Option<&Heard>) -> &'static str {
    heard.map_or("none", |heard| if heard.sure { "clear" } else { "doubtful" })
}

fn conversation(data: &Value) -> Conversation {
    let mut all = json!({ "conversation_id": "c", "status": "done" });
    all.as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
    Conversation::from_api(all.to_string().as_bytes()).unwrap()
}

fn said(turns: &[(&str, &str)]) -> Conversation {
    let turns: Vec<Value> = turns.iter().map(|(role, message)| json!({ "role": role, "message": message })).collect();
    conversation(&json!({ "transcript": turns }))
}

#[test]
fn every_labelled_sentence_is_heard_as_it_is_labelled() {
    let rules = Rules::default();
    let mut count: HashMap<&str, usize> = HashMap::new();
    let mut wrong = Vec::new();
    for line in LABELLED.lines() {
        let (expected, sentence) = line.split_once('\t').unwrap();
        *count.entry(expected).or_default() += 1;
        for shape in [sentence.to_owned(), sentence.to_uppercase(), sentence.replace('\'', "\u{2019}")] {
            let heard = heard_in(&shape, &rules);
            if label(heard.as_ref()) != expected {
                wrong.push(format!("{expected}: {shape}: {heard:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count["clear"] >= 150 && count["doubtful"] >= 40 && count["none"] >= 90, "{count:?}");
}

#[test]
fn a_wish_is_heard_wherever_it_stands_in_a_longer_turn() {
    let rules = Rules::default();
    for line in LABELLED.lines().filter(|line| line.starts_with("clear")) {
        let sentence = line.split_once('\t').unwrap().1;
        let long = format!("Well, I was just having my dinner. {sentence} And that is all I have to say.");
        let heard = heard_in(&long, &rules).unwrap_or_else(|| panic!("{long}"));
        assert!(heard.sure, "{long}: {heard:?}");
        assert!(heard.words.unwrap().len() < long.len(), "the sentence, not the speech");
    }
}

#[test]
fn what_the_agent_says_is_no_wish_of_the_callees() {
    let agent =
        said(&[("agent", "Shall I take you off our list? We will stop calling you."), ("user", "No, it's fine.")]);
    assert_eq!(listen(&agent, &Rules::default()), None);
    let agent = said(&[("agent", "You said: stop calling me. No more calls."), ("user", "Hello?")]);
    assert_eq!(listen(&agent, &Rules::default()), None);
}

#[test]
fn a_sentence_that_speech_recognition_broke_in_two_is_heard() {
    let broken = said(&[("user", "Please stop"), ("user", "calling me")]);
    assert_eq!(label(listen(&broken, &Rules::default()).as_ref()), "clear");
    let apart = said(&[("user", "Please don't"), ("agent", "Yes?"), ("user", "call me back")]);
    assert_eq!(listen(&apart, &Rules::default()), None);
}

#[test]
fn a_field_that_the_vendor_collected_counts_under_either_of_its_names_and_in_either_form() {
    let rules = Rules::default();
    for (value, expected) in [
        (json!(true), "clear"),
        (json!("Yes"), "clear"),
        (json!(1), "clear"),
        (json!("he asked twice"), "doubtful"),
        (json!(false), "none"),
        (json!("no"), "none"),
        (json!(null), "none"),
        (json!(0), "none"),
        (json!([]), "none"),
    ] {
        let map = json!({ "analysis": { "data_collection_results": { "Opt_Out": { "value": value } } } });
        assert_eq!(label(listen(&conversation(&map), &rules).as_ref()), expected, "{value}");
        let item = json!({ "data_collection_id": "do_not_call", "value": value });
        let list = json!({ "analysis": { "data_collection_results_list": [item] } });
        assert_eq!(label(listen(&conversation(&list), &rules).as_ref()), expected, "{value}");
    }
    let other = json!({ "analysis": { "data_collection_results": { "likes_tea": { "value": true } } } });
    assert_eq!(listen(&conversation(&other), &rules), None);
}

#[test]
fn a_criterion_counts_when_it_is_met() {
    let met = |result: &str| json!({ "analysis": { "evaluation_criteria_results": { "opt_out": { "result": result, "rationale": "…" } } } });
    let heard = listen(&conversation(&met("success")), &Rules::default()).unwrap();
    assert_eq!((heard.rule.as_str(), heard.sure, heard.words), ("criterion opt_out", true, None));
    for result in ["failure", "unknown", ""] {
        assert_eq!(listen(&conversation(&met(result)), &Rules::default()), None, "{result}");
    }
}

#[test]
fn the_owner_names_fields_and_criteria_and_adds_phrases() {
    let rules = Rules::new("bitte_nicht, gone", "left", "bitte nicht mehr anrufen; Nein Danke Schluss ;;");
    for (sentence, expected) in [
        ("Also, bitte nicht mehr anrufen!", "clear"),
        ("nein, danke, Schluss.", "clear"),
        ("Bitte anrufen.", "none"),
        ("Stop calling me.", "clear"),
    ] {
        assert_eq!(label(heard_in(sentence, &rules).as_ref()), expected, "{sentence}");
    }
    let field = json!({ "analysis": { "data_collection_results": { "gone": { "value": true } } } });
    assert!(listen(&conversation(&field), &rules).is_some());
    let default = json!({ "analysis": { "data_collection_results": { "opt_out": { "value": true } } } });
    assert_eq!(listen(&conversation(&default), &rules), None);
}

#[test]
fn what_is_sure_outweighs_what_is_not() {
    let both = said(&[("user", "You keep calling me."), ("agent", "Sorry."), ("user", "Stop calling me.")]);
    assert_eq!(listen(&both, &Rules::default()).unwrap().rule, "phrase stop_calling");
}

#[test]
fn the_greeting_of_a_voicemail_box_is_no_wish_and_a_guess_of_the_carriers_makes_a_doubt() {
    let heard = || heard_in("If you sell something, stop calling me.", &Rules::default()).unwrap();
    assert_eq!(heard().weighed(Some(Outcome::Voicemail), true), None);
    assert!(!heard().weighed(Some(Outcome::Voicemail), false).unwrap().sure);
    assert!(heard().weighed(Some(Outcome::Answered), false).unwrap().sure);
    assert!(heard().weighed(Some(Outcome::Screened), false).unwrap().sure, "an assistant speaks for a person");
    let field = json!({ "analysis": { "data_collection_results": { "opt_out": { "value": true } } } });
    let field = listen(&conversation(&field), &Rules::default()).unwrap();
    assert!(!field.weighed(Some(Outcome::Voicemail), true).unwrap().sure);
}

#[test]
fn every_pattern_of_the_table_begins_with_a_word() {
    for phrase in Rules::default().phrases {
        assert!(!phrase.pattern.starts_with("\u{7f}") && !phrase.pattern.is_empty());
    }
    for (rule, _, _, patterns) in phrases::TABLE {
        for text in *patterns {
            assert!(!text.starts_with(['?', '.', '~', '$']), "{rule}: {text}");
            assert!(text.split_whitespace().all(|piece| !piece.starts_with("?..")), "{rule}: {text}");
        }
    }
}

#[test]
fn a_long_text_is_heard_in_time() {
    let rules = Rules::default();
    let most: String = "please do not stop dont never call calling me take me off of the any more no ".repeat(20_000);
    for text in [most, "stop ".repeat(300_000), "don't want any more ".repeat(100_000), "a".repeat(3_000_000)] {
        let begun = std::time::Instant::now();
        let _ = heard_in(&text, &rules);
        assert!(begun.elapsed().as_secs() < 10, "{:?} for {} bytes", begun.elapsed(), text.len());
    }
}

proptest! {
    #[test]
    fn nothing_that_is_said_makes_it_panic(text in "\\PC{0,400}") {
        let _ = heard_in(&text, &Rules::default());
    }

    #[test]
    fn no_order_of_its_own_words_makes_it_panic(
        words in proptest::collection::vec(prop_oneof![
            Just("stop"), Just("don't"), Just("never"), Just("call"), Just("calling"), Just("me"), Just("you"), Just("no"),
            Just("take"), Just("off"), Just("list"), Just("i"), Just("said"), Just(","), Just("."), Just("again"),
            Just("later"), Just("deje"), Just("de"), Just("llamar"), Just("opt"), Just("out"), Just("don"), Just("t"),
        ], 0..40)
    ) {
        let _ = heard_in(&words.join(" "), &Rules::new("", "", &words.join(" ")));
    }

    #[test]
    fn noise_without_any_of_its_words_is_nothing(text in "[bcdfghjkvwxz ]{0,200}") {
        prop_assert_eq!(heard_in(&text, &Rules::default()), None);
    }
}

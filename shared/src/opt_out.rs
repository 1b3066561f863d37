//! Whether somebody asked in a conversation not to be called any more. Three kinds of evidence: a field that the agent's
//! vendor collected, a criterion that it evaluated, and what the callee said himself, by a table of phrases. Pure.
//!
//! Missing one is worse than hearing one too many: doubt suppresses as well, and a person looks at it afterwards.

mod context;
mod pattern;
mod phrases;
mod words;

use std::collections::HashMap;

use serde_json::Value;

use crate::call::Outcome;
use crate::elevenlabs::conversation::Conversation;
use pattern::Pattern;
use words::{Sentence, Word};

/// Characters of the words that a finding rests on.
const LONGEST_WORDS: usize = 240;

/// What is listened for: the built-in phrases, and what the owner adds.
#[derive(Debug, Clone)]
pub struct Rules {
    fields: Vec<String>,
    criteria: Vec<String>,
    phrases: Vec<Phrase>,
}

#[derive(Debug, Clone)]
struct Phrase {
    rule: &'static str,
    form: Form,
    sure: bool,
    pattern: Pattern,
}

/// How a phrase is built, and so what can turn its meaning round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// "stop calling me": a negation before it reverses it.
    Order,
    /// "don't call me": a subject before it makes it a statement.
    Ban,
    /// As [`Form::Ban`], where the next word may be a name that he does not want to be called by.
    BareBan,
    /// "no more calls": means nothing after "I have".
    Noun,
    /// Says it all.
    Plain,
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Beyond doubt.
    pub sure: bool,
    /// Which rule: `field opt_out`, `criterion opt_out`, `phrase stop_calling`.
    pub rule: String,
    /// The sentence that it rests on; none for what the vendor found.
    pub words: Option<String>,
    /// Said by whoever answered, so that it matters who that was.
    spoken: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self::new("", "", "")
    }
}

impl Rules {
    /// Rules from the owner's lists: names of fields and of criteria between commas, phrases between semicolons. An empty
    /// list of names means the default names.
    #[must_use]
    pub fn new(fields: &str, criteria: &str, phrases: &str) -> Self {
        let names = |list: &str, default: &str| -> Vec<String> {
            let list = if list.trim().is_empty() { default } else { list };
            list.split(',').map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()).collect()
        };
        let built_in = phrases::TABLE.iter().flat_map(|(rule, form, sure, patterns)| {
            let of = |pattern| Phrase { rule, form: *form, sure: *sure, pattern };
            patterns.iter().flat_map(|text| Pattern::of(text)).map(of).collect::<Vec<_>>()
        });
        let own = phrases.split(';').map(Pattern::literal).filter(|pattern| !pattern.is_empty());
        let own = own.map(|pattern| Phrase { rule: "own", form: Form::Order, sure: true, pattern });
        Self {
            fields: names(fields, "opt_out,do_not_call"),
            criteria: names(criteria, "opt_out"),
            phrases: built_in.chain(own).collect(),
        }
    }
}

impl Heard {
    /// What remains of it once it is known what became of the call. The greeting of a voicemail box says nothing; where only
    /// the carrier's detection takes the callee for a machine, it may be wrong.
    #[must_use]
    pub fn weighed(self, outcome: Option<Outcome>, agent_found_voicemail: bool) -> Option<Self> {
        if self.spoken && agent_found_voicemail {
            return None;
        }
        let sure = self.sure && !agent_found_voicemail && outcome != Some(Outcome::Voicemail);
        Some(Self { sure, ..self })
    }
}

/// The strongest evidence in a conversation, if there is any.
#[must_use]
pub fn listen(conversation: &Conversation, rules: &Rules) -> Option<Heard> {
    let analysis = conversation.analysis.as_ref().unwrap_or(&Value::Null);
    let mut found = collected(analysis, rules).chain(evaluated(analysis, rules)).collect::<Vec<_>>();
    let mut ear = Ear { rules, starts: HashMap::new() };
    for said in monologues(conversation) {
        found.extend(ear.turn(&said));
        if found.iter().any(|heard| heard.sure) {
            break;
        }
    }
    let sure = found.iter().position(|heard| heard.sure).unwrap_or(0);
    (!found.is_empty()).then(|| found.swap_remove(sure))
}

/// What one speaker said, as [`listen`] hears it; for the phrases alone.
#[must_use]
pub fn heard_in(text: &str, rules: &Rules) -> Option<Heard> {
    Ear { rules, starts: HashMap::new() }.turn(text)
}

/// The callee's turns. Those that follow each other are one: speech recognition breaks sentences in two.
fn monologues(conversation: &Conversation) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut goes_on = false;
    for turn in &conversation.turns {
        let Some(text) = turn.message.as_deref().filter(|text| !text.trim().is_empty()) else { continue };
        let user = turn.role.eq_ignore_ascii_case("user");
        match all.last_mut().filter(|_| user && goes_on) {
            Some(last) => {
                last.push_str(", ");
                last.push_str(text);
            }
            None if user => all.push(text.to_owned()),
            None => {}
        }
        goes_on = user;
    }
    all
}

fn items<'a>(analysis: &'a Value, name: &str, id: &str) -> Vec<(String, &'a Value)> {
    let map = analysis[name].as_object().into_iter().flatten().map(|(name, item)| (name.to_lowercase(), item));
    let list = analysis[format!("{name}_list")].as_array().into_iter().flatten();
    let list = list.filter_map(|item| Some((item[id].as_str()?.to_lowercase(), item)));
    map.chain(list).collect()
}

fn collected<'a>(analysis: &'a Value, rules: &'a Rules) -> impl Iterator<Item = Heard> + 'a {
    let items = items(analysis, "data_collection_results", "data_collection_id");
    items.into_iter().filter(|(name, _)| rules.fields.contains(name)).filter_map(|(name, item)| {
        let sure = match &item["value"] {
            Value::Bool(yes) => yes.then_some(true),
            Value::Number(number) => (number.as_f64() != Some(0.0)).then_some(true),
            Value::String(text) => match text.trim().to_lowercase().as_str() {
                "" | "no" | "none" | "false" | "n/a" | "na" | "null" | "unknown" | "0" => None,
                "yes" | "true" | "1" | "si" | "s\u{ed}" | "y" => Some(true),
                // A field that holds what was said instead of yes or no.
                _ => Some(false),
            },
            _ => None,
        };
        sure.map(|sure| Heard { sure, rule: format!("field {name}"), words: None, spoken: false })
    })
}

fn evaluated<'a>(analysis: &'a Value, rules: &'a Rules) -> impl Iterator<Item = Heard> + 'a {
    let items = items(analysis, "evaluation_criteria_results", "criteria_id");
    let met = |(name, item): &(String, &Value)| rules.criteria.contains(name) && item["result"] == "success";
    let heard = |(name, _)| Heard { sure: true, rule: format!("criterion {name}"), words: None, spoken: false };
    items.into_iter().filter(met).map(heard)
}

/// Listens to turns, and remembers which words can begin a phrase, so that a long text costs little more than its length.
struct Ear<'r> {
    rules: &'r Rules,
    starts: HashMap<String, Vec<&'r Phrase>>,
}

impl<'r> Ear<'r> {
    fn turn(&mut self, text: &str) -> Option<Heard> {
        let sentences = words::sentences(text);
        let mut doubtful = None;
        for sentence in &sentences {
            for at in 0..sentence.words.len() {
                for phrase in self.starting_with(&sentence.words[at]) {
                    let Some(end) = phrase.pattern.matches(&sentence.words, at) else { continue };
                    let place = context::Place { sentence, at, end, sentences: &sentences };
                    match context::weigh(phrase.form, phrase.sure, &place) {
                        Some(true) => return Some(said(phrase.rule, true, sentence, text)),
                        Some(false) => {
                            doubtful.get_or_insert_with(|| said(phrase.rule, false, sentence, text));
                        }
                        None => {}
                    }
                }
            }
        }
        doubtful.or_else(|| context::only_stop(&sentences).map(|sentence| said("stop", false, sentence, text)))
    }

    fn starting_with(&mut self, word: &Word) -> Vec<&'r Phrase> {
        if let Some(known) = self.starts.get(&word.text) {
            return known.clone();
        }
        let phrases: Vec<_> =
            self.rules.phrases.iter().filter(|phrase| phrase.pattern.starts_with(&word.text)).collect();
        self.starts.insert(word.text.clone(), phrases.clone());
        phrases
    }
}

fn said(rule: &str, sure: bool, sentence: &Sentence, text: &str) -> Heard {
    let words = text.get(sentence.from..sentence.to).unwrap_or_default().trim();
    let words = Some(words.chars().take(LONGEST_WORDS).collect());
    Heard { sure, rule: format!("phrase {rule}"), words, spoken: true }
}

#[cfg(test)]
mod tests;

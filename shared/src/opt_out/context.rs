//! What stands around a phrase and changes its meaning: "don't stop calling me", "I never said stop calling", "not now,
//! call me back later".

use super::Form;
use super::words::{Before, Sentence};

/// A phrase where it was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'t> {
    /// Its sentence.
    pub(super) sentence: &'t Sentence,
    /// Its first word, and the one behind its last.
    pub(super) at: usize,
    pub(super) end: usize,
    /// Everything that was said in the turn.
    pub(super) sentences: &'t [Sentence],
}

/// Directly before an order, these reverse it.
const REVERSING: &[&str] = &[
    "dont",
    "didnt",
    "never",
    "dont ever",
    "dont have to",
    "dont need to",
    "dont want to",
    "dont want you to",
    "didnt want you to",
    "dont need you to",
    "not to",
    "no need to",
    "not asking you to",
    "didnt ask you to",
    "never asked you to",
    "why did you",
    "why would you",
    "who told you to",
    "rather not",
    "wouldnt",
    "instead of",
    "without",
    "didnt have to",
    "not going to",
    "dont you dare",
    "didnt mean to",
    "not trying to",
    "dont wish to",
    "if you dont",
    "im not",
];
/// Directly before an order, these make it somebody else's, or a question.
const SOMEBODY_ELSES: &[&str] = &[
    "wont",
    "cant",
    "doesnt",
    "they",
    "he",
    "she",
    "they should",
    "he should",
    "told him to",
    "told her to",
    "told them to",
    "he said",
    "she said",
    "they said",
    "he says",
    "she says",
    "they wont",
    "how do i",
    "do i",
    "can i",
    "should i",
    "if i",
    "what if i",
    "did you",
    "have you",
    "before i",
    "did they",
    "before we",
    "should we",
    "no",
    "to tell him to",
    "to tell her to",
    "want them to",
    "want him to",
    "want her to",
    "make them",
    "wants to",
    "wanted to",
];
/// What somebody says who corrects what was understood. What follows up to the phrase are words of [`BETWEEN`].
const REPORTED: &[&str] = &[
    "i never said",
    "i didnt say",
    "im not saying",
    "did i say",
    "im not telling you",
    "i never told you",
    "i didnt tell you",
    "i wasnt saying",
    "not that i",
    "who said",
    "i wasnt asking you",
    "im not asking you",
    "im not",
    "i never asked you",
    "yo no dije",
    "no dije",
    "nunca dije",
    "no digo",
];
const BETWEEN: &[&str] = &["to", "that", "i", "you", "should", "want", "wanted", "people", "guys", "que", "asked"];
/// A ban for a time is none for ever.
const TIMES: &[&str] = &[
    "now",
    "today",
    "tonight",
    "tomorrow",
    "before",
    "after",
    "until",
    "till",
    "during",
    "while",
    "early",
    "late",
    "morning",
    "mornings",
    "afternoon",
    "evening",
    "evenings",
    "night",
    "noon",
    "lunch",
    "dinner",
    "week",
    "weekend",
    "weekends",
    "moment",
    "sunday",
    "sundays",
    "monday",
    "mondays",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "saturdays",
    "later",
    "hours",
    "often",
    "yet",
    "ahora",
    "hoy",
    "manana",
    "antes",
    "despues",
    "temprano",
    "tarde",
    "noche",
    "domingo",
    "domingos",
    "every",
    "times",
    "minute",
    "second",
    "when",
    "driving",
];
/// Wishes to be called.
const WISHES: &[&str] = &[
    "call me",
    "call us",
    "call back",
    "call again",
    "try me",
    "try again",
    "ring me",
    "reach me",
    "phone me",
    "later",
    "llameme",
    "llamame",
    "llamenme",
    "llamarme",
    "llame mas tarde",
    "llame manana",
    "call in",
    "call on",
    "call at",
    "call after",
    "call tomorrow",
];
const SUBJECTS: &[&str] = &["i", "we", "they", "he", "she", "people", "who", "it", "yo", "ellos", "kids", "friends"];
const KINDLY: &[&str] =
    &["appreciate", "better", "glad", "great", "prefer", "happy", "nice", "mind", "thank", "best", "good", "sure"];
const FOR_EVER: &[&str] = &["again", "anymore", "ever", "mas", "nunca"];
const HAVING: &[&str] = &[
    "have",
    "had",
    "got",
    "are",
    "theres",
    "there",
    "is",
    "get",
    "getting",
    "were",
    "with",
    "received",
    "expecting",
    "make",
    "made",
    "has",
];

/// Whether the phrase stands for what it says: surely, perhaps, or not at all.
pub(super) fn weigh(form: Form, sure: bool, place: &Place<'_>) -> Option<bool> {
    if place.is_reported() {
        return None;
    }
    let sure = sure
        & match form {
            Form::Order => place.order()?,
            Form::Ban => place.ban()?,
            Form::BareBan => place.bare_ban()?,
            Form::Noun => place.follows(HAVING).map_or(Some(true), |()| None)?,
            Form::Plain => true,
        };
    if !place.is_for_a_time(form) {
        return Some(sure);
    }
    (!place.wishes_a_call()).then_some(false)
}

/// A turn that holds nothing but "stop".
pub(super) fn only_stop(sentences: &[Sentence]) -> Option<&Sentence> {
    const ALLOWED: [&str; 12] =
        ["stop", "it", "no", "okay", "enough", "now", "hey", "yeah", "yes", "i", "said", "basta"];
    let words = || sentences.iter().flat_map(|sentence| &sentence.words);
    let only = words().all(|word| ALLOWED.contains(&word.text.as_str()));
    let stop = |sentence: &&Sentence| sentence.words.iter().any(|word| word.text == "stop" || word.text == "basta");
    sentences.iter().find(|sentence| only && stop(sentence))
}

impl Place<'_> {
    fn text(&self, at: usize) -> &str {
        self.sentence.words.get(at).map_or("", |word| word.text.as_str())
    }

    /// The words of the clause before the phrase, as far as they are looked at.
    fn before(&self) -> Vec<&str> {
        let words = &self.sentence.words;
        let mut first = self.at;
        while first > 0 && words[first].before != Before::Comma && self.at - first < 8 {
            first -= 1;
        }
        words[first..self.at].iter().map(|word| word.text.as_str()).collect()
    }

    fn follows(&self, endings: &[&str]) -> Option<()> {
        let before = self.before();
        endings.iter().any(|ending| ends_with(&before, ending)).then_some(())
    }

    fn is_reported(&self) -> bool {
        let from = self.at.saturating_sub(8);
        let before: Vec<&str> = (from..self.at).map(|at| self.text(at)).collect();
        let reports = |end: usize| REPORTED.iter().any(|report| ends_with(&before[..end], report));
        let mut near =
            (0..=before.len()).rev().take_while(|end| before[*end..].iter().all(|word| BETWEEN.contains(word)));
        near.any(reports)
    }

    fn order(&self) -> Option<bool> {
        // "I quit calling them": what somebody does himself.
        let asks = self.follows(&["do i", "can i", "could i", "do we", "can we"]).is_some();
        let his_own = !asks && self.follows(&["i", "we", "ive", "weve"]).is_some();
        if his_own && matches!(self.text(self.at), "stop" | "quit" | "stopped" | "cease") {
            return None;
        }
        if self.follows(REVERSING).is_some() && self.text(self.at) != "unsubscribe" {
            return None;
        }
        Some(self.follows(SOMEBODY_ELSES).is_none() || self.text(self.at - 1) == "no" && self.is_english())
    }

    /// "No stop calling me" lacks a comma; "no deje de llamarme" may mean what it says.
    fn is_english(&self) -> bool {
        !["deje", "dejen", "deja", "dejar", "dejes", "pare", "paren", "para"].contains(&self.text(self.at))
    }

    /// "You don't call me": a statement, unless it is for ever, or follows "I told".
    fn ban(&self) -> Option<bool> {
        let before = self.before();
        let for_ever = (self.at..self.end).any(|at| FOR_EVER.contains(&self.text(at)));
        match before.last() {
            Some(last) if SUBJECTS.contains(last) => None,
            Some(&"you") => {
                let kindly = before.iter().any(|word| KINDLY.contains(word));
                let asked = before.len() > 1 && ["told", "asked", "said", "tell"].contains(&before[before.len() - 2]);
                if kindly || asked {
                    return Some(true);
                }
                for_ever.then_some(false)
            }
            _ => Some(true),
        }
    }

    /// "Don't call me Bob, it's Robert."
    fn bare_ban(&self) -> Option<bool> {
        let rest: Vec<&str> = (self.end..self.sentence.words.len()).map(|at| self.text(at)).collect();
        let named =
            rest.windows(2).any(|pair| pair == ["call", "me"]) || rest.contains(&"its") || rest.contains(&"name");
        if named { None } else { self.ban() }
    }

    fn is_for_a_time(&self, form: Form) -> bool {
        let words = &self.sentence.words;
        let behind = (self.end..words.len()).take_while(|at| words[*at].before != Before::Comma).take(5);
        let shouted = |word: &str| form == Form::Order && matches!(word, "now" | "every" | "when" | "times");
        (self.at..self.end).chain(behind).any(|at| TIMES.contains(&self.text(at)) && !shouted(self.text(at)))
    }

    fn wishes_a_call(&self) -> bool {
        self.sentences.iter().any(|sentence| {
            let here = std::ptr::eq(sentence, self.sentence);
            let words: Vec<&str> = sentence.words.iter().map(|word| word.text.as_str()).collect();
            (0..words.len()).any(|at| {
                let inside = here && (self.at..self.end).contains(&at);
                let banned = at > 0 && ["dont", "never", "not", "ever", "stop", "no"].contains(&words[at - 1]);
                let until = words.get(..=at).unwrap_or_default();
                let starts = |wish: &&&str| wish.split(' ').zip(&words[at..]).filter(|(a, b)| a == *b).count();
                !inside
                    && !banned
                    && !until.is_empty()
                    && WISHES.iter().any(|wish| starts(&wish) == wish.split(' ').count())
            })
        })
    }
}

fn ends_with(words: &[&str], ending: &str) -> bool {
    let mut left = words.iter().rev();
    ending.split(' ').rev().all(|word| left.next() == Some(&word))
}

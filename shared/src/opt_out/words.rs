//! What was said as words: lower case, without accents, apostrophes and fillers, negations in one spelling.

/// What stands before a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Another word, or the start of the sentence.
    Nothing,
    /// A comma or the like: a clause begins.
    Comma,
}

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// In its one spelling.
    pub(super) text: String,
    /// What stands before it.
    pub(super) before: Before,
}

/// A sentence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sentence {
    /// Its words.
    pub(super) words: Vec<Word>,
    /// Where it stands in the text, in bytes.
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Words that change nothing.
const FILLERS: [&str; 25] = [
    "um",
    "uh",
    "er",
    "ah",
    "hmm",
    "please",
    "just",
    "kindly",
    "damn",
    "goddamn",
    "fucking",
    "freaking",
    "bloody",
    "really",
    "actually",
    "literally",
    "immediately",
    "simply",
    "seriously",
    "like",
    "fuck",
    "hell",
    "favor",
    "fuckin",
    "effing",
];

/// Pairs that are one word, and their one spelling.
const PAIRS: [(&str, &str, &str); 27] = [
    ("opting", "out", "optout"),
    ("do", "not", "dont"),
    ("don", "t", "dont"),
    ("do", "nt", "dont"),
    ("does", "not", "doesnt"),
    ("doesn", "t", "doesnt"),
    ("did", "not", "didnt"),
    ("didn", "t", "didnt"),
    ("will", "not", "wont"),
    ("won", "t", "wont"),
    ("can", "not", "cant"),
    ("can", "t", "cant"),
    ("should", "not", "shouldnt"),
    ("shouldn", "t", "shouldnt"),
    ("must", "not", "mustnt"),
    ("would", "not", "wouldnt"),
    ("wouldn", "t", "wouldnt"),
    ("i", "am", "im"),
    ("i", "m", "im"),
    ("it", "is", "its"),
    ("it", "s", "its"),
    ("any", "more", "anymore"),
    ("any", "longer", "anymore"),
    ("un", "subscribe", "unsubscribe"),
    ("opt", "out", "optout"),
    ("opted", "out", "optout"),
    ("do", "no", "dont"),
];

/// Words of one spelling that stand for others.
const SPELLINGS: [(&str, &[&str]); 12] = [
    ("wanna", &["want", "to"]),
    ("gonna", &["going", "to"]),
    ("cannot", &["cant"]),
    ("donot", &["dont"]),
    ("donut", &["dont"]),
    ("dont", &["dont"]),
    ("unsuscribe", &["unsubscribe"]),
    ("optingout", &["optout"]),
    ("u", &["you"]),
    ("yall", &["you"]),
    ("em", &["them"]),
    ("nomore", &["no", "more"]),
];

/// Takes a text apart.
pub(super) fn sentences(text: &str) -> Vec<Sentence> {
    let mut all = Vec::new();
    let mut now = Sentence::default();
    let (mut word, mut comma) = (String::new(), Before::Nothing);
    for (at, raw) in text.char_indices() {
        let folded = fold(raw);
        if folded.is_alphanumeric() {
            word.extend(folded.to_lowercase());
        } else if !is_apostrophe(folded) {
            push(&mut now.words, &mut word, &mut comma);
            match folded {
                '.' | '!' | '?' | '\u{a1}' | '\u{bf}' | '\n' => {
                    now.to = at + raw.len_utf8();
                    let next = Sentence { from: now.to, ..Sentence::default() };
                    all.push(std::mem::replace(&mut now, next));
                    comma = Before::Nothing;
                }
                ',' | ';' | ':' | '\u{2014}' | '\u{2026}' | '"' | '(' | ')' => comma = Before::Comma,
                _ => {}
            }
        }
    }
    push(&mut now.words, &mut word, &mut comma);
    now.to = text.len();
    all.push(now);
    all.retain(|sentence| !sentence.words.is_empty());
    all
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2018}' | '\u{60}' | '\u{b4}' | '\u{2bc}')
}

fn push(words: &mut Vec<Word>, word: &mut String, comma: &mut Before) {
    if word.is_empty() {
        return;
    }
    let word = std::mem::take(word);
    if FILLERS.contains(&word.as_str()) {
        return;
    }
    let before = std::mem::replace(comma, Before::Nothing);
    if before == Before::Nothing
        && let Some(last) = words.last_mut()
        && let Some((_, _, one)) = PAIRS.iter().find(|(a, b, _)| *a == last.text && *b == word)
    {
        (*one).clone_into(&mut last.text);
        return;
    }
    match SPELLINGS.iter().find(|(odd, _)| *odd == word) {
        Some((_, meant)) => {
            let first = [before].into_iter().chain(std::iter::repeat(Before::Nothing));
            words.extend(meant.iter().zip(first).map(|(text, before)| Word { text: (*text).to_owned(), before }));
        }
        None => words.push(Word { text: word, before }),
    }
}

/// The letter without its accent, as English and Spanish need it.
fn fold(c: char) -> char {
    match c {
        '\u{e1}' | '\u{e0}' | '\u{e2}' | '\u{c1}' => 'a',
        '\u{e9}' | '\u{e8}' | '\u{ea}' | '\u{c9}' => 'e',
        '\u{ed}' | '\u{cd}' => 'i',
        '\u{f3}' | '\u{d3}' => 'o',
        '\u{fa}' | '\u{fc}' | '\u{da}' => 'u',
        '\u{f1}' | '\u{d1}' => 'n',
        other => other,
    }
}

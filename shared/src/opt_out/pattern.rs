//! Patterns of words. `a|b` is one of several words, `?a|b` may be missing, `..` up to three words of any kind, `~` up to
//! six that only describe, `$` the end of a clause, `+` none, `@name` a class of words that mean the same.

use super::words::{Before, Word};

/// Words that a gap may not hold, because they turn the meaning round.
const TURNING: [&str; 16] = [
    "stop", "quit", "cease", "miss", "lose", "cancel", "dont", "not", "never", "block", "hesitate", "mind", "forget",
    "unless", "didnt", "wont",
];

/// What may stand between "no" or "any" and "calls".
const DESCRIBING: [&str; 42] = [
    "any",
    "more",
    "anymore",
    "your",
    "these",
    "those",
    "this",
    "the",
    "such",
    "of",
    "spam",
    "sales",
    "marketing",
    "automated",
    "robot",
    "robo",
    "ai",
    "further",
    "other",
    "additional",
    "future",
    "to",
    "get",
    "getting",
    "receive",
    "receiving",
    "have",
    "having",
    "phone",
    "you",
    "people",
    "from",
    "stupid",
    "unwanted",
    "unsolicited",
    "recorded",
    "company",
    "all",
    "no",
    "promotional",
    "telemarketing",
    "me",
];

const CALL: [&str; 13] = [
    "call",
    "calls",
    "cal",
    "col",
    "caw",
    "phone",
    "ring",
    "contact",
    "dial",
    "bother",
    "disturb",
    "telephone",
    "harass",
];
const CALLING: [&str; 20] = [
    "calling",
    "callin",
    "caling",
    "calin",
    "colling",
    "phoning",
    "ringing",
    "contacting",
    "dialing",
    "dialling",
    "bothering",
    "harassing",
    "harrassing",
    "disturbing",
    "pestering",
    "annoying",
    "spamming",
    "robocalling",
    "botherin",
    "messaging",
];
const CALLED: [&str; 8] = ["called", "call", "contacted", "bothered", "disturbed", "phoned", "harassed", "solicited"];
const ME: [&str; 2] = ["me", "us"];
const STOP: [&str; 8] = ["stop", "quit", "cease", "discontinue", "halt", "stopped", "avoid", "refrain"];
const LIST: [&str; 14] = [
    "list",
    "lists",
    "system",
    "database",
    "file",
    "files",
    "records",
    "roster",
    "directory",
    "registry",
    "books",
    "calls",
    "book",
    "dialer",
];
const TOLD: [&str; 15] = [
    "told",
    "tell",
    "telling",
    "asked",
    "ask",
    "asking",
    "said",
    "say",
    "saying",
    "warned",
    "warning",
    "requested",
    "want",
    "need",
    "id",
];

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    OneOf(Vec<String>),
    Perhaps(Vec<String>),
    Gap,
    Describing,
    End,
    Joined,
}

impl Pattern {
    /// Reads a pattern of the table. One of several words may be `$`: then it is two patterns.
    pub(super) fn of(text: &str) -> Vec<Self> {
        let Some(piece) = text.split_whitespace().find(|piece| piece.ends_with("|$")) else {
            return vec![Self::parse(text)];
        };
        let words = text.replacen(piece, &piece[..piece.len() - 2], 1);
        [words, text.replacen(piece, "$", 1)].iter().map(|text| Self::parse(text)).collect()
    }

    fn parse(text: &str) -> Self {
        let piece = |piece: &str| match piece {
            ".." => Piece::Gap,
            "~" => Piece::Describing,
            "$" => Piece::End,
            "+" => Piece::Joined,
            _ => match piece.strip_prefix('?') {
                Some(words) => Piece::Perhaps(alternatives(words)),
                None => Piece::OneOf(alternatives(piece)),
            },
        };
        Self(text.split_whitespace().map(piece).collect())
    }

    /// Words that stand one after the other, as somebody wrote them.
    pub(super) fn literal(text: &str) -> Self {
        let words = super::words::sentences(text).into_iter().flat_map(|sentence| sentence.words);
        Self(words.map(|word| Piece::OneOf(vec![word.text])).collect())
    }

    /// Whether it matches nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it can begin with this word.
    pub(super) fn starts_with(&self, word: &str) -> bool {
        matches!(self.0.first(), Some(Piece::OneOf(words)) if is_one_of(words, word))
    }

    /// Where a match that begins at a word ends.
    pub(super) fn matches(&self, words: &[Word], at: usize) -> Option<usize> {
        step(&self.0, words, at)
    }
}

fn alternatives(text: &str) -> Vec<String> {
    let class = |name: &str| -> Vec<String> {
        let words: &[&str] = match name {
            "@call" => &CALL,
            "@calling" => &CALLING,
            "@called" => &CALLED,
            "@me" => &ME,
            "@stop" => &STOP,
            "@list" => &LIST,
            "@told" => &TOLD,
            _ => return vec![name.to_owned()],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    };
    text.split('|').flat_map(class).collect()
}

fn step(pieces: &[Piece], words: &[Word], at: usize) -> Option<usize> {
    let Some((piece, rest)) = pieces.split_first() else { return Some(at) };
    let gap = |most: usize, may: &dyn Fn(&str) -> bool| {
        let free = words.get(at..).unwrap_or_default().iter().take(most).take_while(|word| may(&word.text)).count();
        (0..=free).find_map(|skipped| step(rest, words, at + skipped))
    };
    match piece {
        Piece::End => match words.get(at) {
            None => step(rest, words, at),
            Some(word) => (word.before == Before::Comma).then(|| step(rest, words, at)).flatten(),
        },
        Piece::Joined => {
            let joined = words.get(at).is_some_and(|word| word.before == Before::Nothing);
            joined.then(|| step(rest, words, at)).flatten()
        }
        Piece::OneOf(known) => {
            let word = words.get(at)?;
            is_one_of(known, &word.text).then(|| step(rest, words, at + 1)).flatten()
        }
        Piece::Perhaps(known) => {
            let here = words.get(at).is_some_and(|word| is_one_of(known, &word.text));
            here.then(|| step(rest, words, at + 1)).flatten().or_else(|| step(rest, words, at))
        }
        Piece::Gap => gap(3, &|word| !TURNING.contains(&word)),
        Piece::Describing => gap(6, &|word| DESCRIBING.contains(&word)),
    }
}

fn is_one_of(known: &[String], word: &str) -> bool {
    known.iter().any(|one| one == word || alike(one, word))
}

/// Whether a long word is another one with one slip of the ear: a letter more, less, different, or two in the wrong order.
fn alike(one: &str, other: &str) -> bool {
    let (a, b) = (one.as_bytes(), other.as_bytes());
    if a.len() < 6 || b.len() < 6 || a.len().abs_diff(b.len()) > 1 || a.first() != b.first() {
        return false;
    }
    let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[same..], &b[same..]);
    let behind = |bytes: &[u8], skip: usize| bytes.get(skip..).unwrap_or_default().to_vec();
    let swapped = a.len() >= 2 && b.len() >= 2 && a[0] == b[1] && a[1] == b[0] && a[2..] == b[2..];
    // Another last letter is another ending, and so another meaning ("moleste", "molesta").
    let different = a.len() > 1 && behind(a, 1) == behind(b, 1);
    different || behind(a, 1) == b || a == behind(b, 1) || swapped
}

//! What is said: conversations that are drawn from the seed, use the contact's variables and last as long as
//! somebody needs to say them.

mod lines;
mod scenes;

use serde_json::{Map, Value, json};

use crate::{dice::Dice, line::fate::Fate, mp3::Utterance};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Agent,
    User,
}

impl Role {
    /// The vendor's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::User => "user",
        }
    }
}

/// A system tool that the agent used in a turn without words.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    pub name: &'static str,
    pub params: Value,
    /// The tagged `result` object.
    pub result: Value,
}

/// One turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub role: Role,
    pub message: Option<String>,
    /// Nominal seconds since the conversation began, and how long the turn takes.
    pub at: f64,
    pub secs: f64,
    pub tool: Option<Tool>,
    /// The whole text, when the turn was cut short.
    pub original: Option<String>,
}

/// A whole conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub turns: Vec<Turn>,
    /// Nominal seconds.
    pub secs: f64,
    /// The callee hangs up (else the agent does).
    pub callee_leaves: bool,
    pub termination_reason: String,
    /// `success`, `failure` or `unknown`.
    pub verdict: &'static str,
    pub title: &'static str,
    pub summary: String,
}

/// Who takes part, and what the agent knows.
#[derive(Debug)]
pub struct Cast<'a> {
    pub fate: Fate,
    pub agent: &'a str,
    pub variables: &'a Map<String, Value>,
}

/// Reason text when the other side hung up.
pub const REMOTE: &str = "Call ended by remote party";

/// Draws a conversation; `stretch` sets its length in seconds.
#[must_use]
pub fn compose(cast: &Cast<'_>, mut dice: Dice, stretch: Option<u32>) -> Plan {
    let mut plan = scenes::of(cast, &mut dice);
    if let Some(secs) = stretch.filter(|_| plan.turns.len() > 2) {
        plan.scale(f64::from(secs) / plan.secs);
    }
    plan
}

impl Plan {
    fn scale(&mut self, factor: f64) {
        for turn in &mut self.turns {
            turn.at *= factor;
            turn.secs *= factor;
        }
        self.secs *= factor;
    }

    /// What remains when the line is cut at `secs`: later turns were never spoken, the present one breaks off.
    pub fn cut(&mut self, secs: f64, reason: &str) {
        self.turns.retain(|turn| turn.at < secs);
        if let Some(last) = self.turns.last_mut()
            && last.at + last.secs > secs
            && let Some(text) = last.message.take()
        {
            let words: Vec<&str> = text.split_whitespace().collect();
            let share = ((secs - last.at) / last.secs).clamp(0.0, 1.0);
            let spoken = (1..=words.len()).take_while(|n| count(*n) <= share * count(words.len())).last().unwrap_or(1);
            last.message = words.get(..spoken.min(words.len())).map(|w| format!("{}...", w.join(" ")));
            last.original = Some(text);
            last.secs = secs - last.at;
        }
        self.secs = secs;
        reason.clone_into(&mut self.termination_reason);
        self.verdict = "unknown";
    }

    /// What the recording holds, and when.
    #[must_use]
    pub fn utterances(&self) -> Vec<Utterance> {
        let spoken = self.turns.iter().filter(|turn| turn.message.is_some());
        spoken.map(|t| Utterance { at: t.at, secs: t.secs, voice: usize::from(t.role == Role::User) }).collect()
    }
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// Lays turns one after the other, with pauses and the time that their words take.
#[derive(Debug)]
struct Stage<'d> {
    dice: &'d mut Dice,
    turns: Vec<Turn>,
    clock: f64,
}

impl Stage<'_> {
    fn say(&mut self, role: Role, text: impl Into<String>) {
        let text = text.into();
        let pause = if role == Role::Agent { self.dice.between(0.6, 1.3) } else { self.dice.between(0.5, 1.9) };
        let words = count(text.split_whitespace().count());
        let secs = words / 2.7 + 0.4;
        let at = self.clock + if self.turns.is_empty() { 0.2 } else { pause };
        self.clock = at + secs;
        self.turns.push(Turn { role, message: Some(text), at, secs, tool: None, original: None });
    }

    fn tool(&mut self, name: &'static str, params: Value, result: Value) {
        let at = self.clock + 0.3;
        self.clock = at + 0.7;
        let tool = Some(Tool { name, params, result });
        self.turns.push(Turn { role: Role::Agent, message: None, at, secs: 0.7, tool, original: None });
    }

    fn end_call(&mut self, reason: &str) {
        let result = json!({ "result_type": "end_call_success", "reason": reason, "message": null });
        self.tool("end_call", json!({ "reason": reason }), result);
    }
}

//! The scenes: a reminder, a delivery, a survey, a renewal; a machine, a screening assistant, a refusal.

use serde_json::{Map, Value, json};

use super::{
    Cast, Plan, REMOTE, Role, Stage,
    lines::{BYE, DAYS, GO_ON, HELLO, HOURS, NO, STOP, STOP_CONFIRMED, STREETS, THANKS, WHAT, YES},
};
use crate::{dice::Dice, line::fate::Fate};

/// Variables that are used by name, or that are no words for a conversation.
const KNOWN: [&str; 10] = [
    "first_name",
    "name",
    "contact_name",
    "customer_name",
    "company",
    "company_name",
    "business",
    "call_id",
    "campaign_id",
    "greeting",
];

/// Draws the scene that fits the callee.
#[must_use]
pub fn of(cast: &Cast<'_>, dice: &mut Dice) -> Plan {
    match cast.fate {
        Fate::Voicemail => voicemail(dice),
        Fate::EarlyHangup => silence(),
        Fate::Screened => screened(cast, dice),
        Fate::OptOut => opt_out(cast, dice),
        _ => talk(cast, dice),
    }
}

fn text<'a>(variables: &'a Map<String, Value>, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|n| variables.get(*n)).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty())
}

/// "Hello Ada, this is …" or, when nobody told the name, "Hello, this is …".
fn greeting(cast: &Cast<'_>) -> String {
    let name = text(cast.variables, &["first_name", "name", "contact_name", "customer_name"]);
    let hello = name.map_or_else(|| "Hello".to_owned(), |name| format!("Hello {name}"));
    format!("{hello}, this is {}, the automated assistant of {}. This call is recorded.", cast.agent, company(cast))
}

fn company<'a>(cast: &Cast<'a>) -> &'a str {
    text(cast.variables, &["company", "company_name", "business"]).unwrap_or("the customer desk")
}

fn any(dice: &mut Dice, lines: &[&'static str]) -> &'static str {
    dice.pick(lines).copied().unwrap_or_default()
}

/// A reference that no other conversation has, so that transcripts can be told apart.
fn reference(dice: &mut Dice) -> String {
    format!("{}-{:04}", dice.token(3).to_uppercase(), dice.index(10_000))
}

fn stage(dice: &mut Dice) -> Stage<'_> {
    Stage { dice, turns: Vec::new(), clock: 0.0 }
}

fn talk(cast: &Cast<'_>, dice: &mut Dice) -> Plan {
    let scene = dice.index(4);
    let (day, hour, code) = (any(dice, DAYS), any(dice, HOURS), reference(dice));
    let street = any(dice, STREETS);
    let agrees = dice.unit() < 0.75;
    let mut s = stage(dice);
    opening(&mut s, cast);
    let (title, ask, ending) = match scene {
        0 => (
            "Appointment reminder",
            format!(
                "I'm calling to remind you of your appointment on {day} at {hour}, reference {code}. Can you make it?"
            ),
            if agrees {
                "I have confirmed it."
            } else {
                "I have released the slot, and the desk will call with others."
            },
        ),
        1 => (
            "Delivery window",
            format!("Your parcel {code} is ready. Shall we deliver it to {street} Street on {day} around {hour}?"),
            if agrees { "The driver has the note." } else { "Then it stays at the depot for seven days." },
        ),
        2 => (
            "Short survey",
            format!("About your visit on {day}, ticket {code}: would you recommend us to a friend?"),
            if agrees { "That is good to hear, I noted it." } else { "I'm sorry to hear that, I noted it." },
        ),
        _ => (
            "Renewal notice",
            format!("Your plan {code} renews on {day}. Do you want to keep it as it is?"),
            if agrees { "Then nothing changes." } else { "I have marked it for review, nothing is charged." },
        ),
    };
    s.say(Role::Agent, ask.clone());
    if s.dice.unit() < 0.4 {
        let what = any(s.dice, WHAT);
        s.say(Role::User, what);
        s.say(Role::Agent, format!("Of course. {ask}"));
    }
    let answer = any(s.dice, if agrees { YES } else { NO });
    s.say(Role::User, answer);
    details(&mut s, cast);
    s.say(Role::Agent, format!("Thank you. {ending} Is there anything else I can note for {}?", company(cast)));
    closing(s, cast, title, agrees, &code)
}

fn opening(s: &mut Stage<'_>, cast: &Cast<'_>) {
    s.say(Role::Agent, greeting(cast));
    let hello = any(s.dice, HELLO);
    s.say(Role::User, hello);
    s.say(Role::Agent, "Is now a good time for one short question?");
    let go_on = any(s.dice, GO_ON);
    s.say(Role::User, go_on);
}

/// Checks one thing that the agent was told about the contact.
fn details(s: &mut Stage<'_>, cast: &Cast<'_>) {
    let mut facts = cast.variables.iter().filter_map(|(name, value)| {
        let ours = !KNOWN.contains(&name.as_str()) && !name.starts_with("system__") && !name.starts_with("sip_");
        value.as_str().filter(|v| ours && !v.trim().is_empty() && v.len() <= 80).map(|v| (name.replace('_', " "), v))
    });
    let question = match facts.next() {
        Some((name, value)) => format!("I also have your {name} as {value}. Is that still right?"),
        None => "May I leave your contact details as they are?".to_owned(),
    };
    s.say(Role::Agent, question);
    let yes = any(s.dice, YES);
    s.say(Role::User, yes);
}

fn closing(mut s: Stage<'_>, cast: &Cast<'_>, title: &'static str, agreed: bool, code: &str) -> Plan {
    let thanks = any(s.dice, THANKS);
    s.say(Role::User, thanks);
    s.say(Role::Agent, format!("Then have a good day, and greetings from {}. Goodbye.", company(cast)));
    let callee_leaves = s.dice.unit() < 0.35;
    let bye = any(s.dice, BYE);
    s.say(Role::User, bye);
    if !callee_leaves {
        s.end_call("The conversation reached its natural end.");
    }
    let outcome = if agreed { "agreed" } else { "declined the offer" };
    Plan {
        secs: s.clock + 0.5,
        turns: s.turns,
        callee_leaves,
        termination_reason: if callee_leaves { REMOTE.into() } else { "end_call tool was called.".into() },
        verdict: if agreed { "success" } else { "failure" },
        title,
        summary: format!("{title} ({code}): the agent of {} asked, the callee {outcome}.", company(cast)),
    }
}

fn opt_out(cast: &Cast<'_>, dice: &mut Dice) -> Plan {
    let code = reference(dice);
    let mut s = stage(dice);
    opening(&mut s, cast);
    s.say(Role::Agent, format!("It is about your request {code}, which is still open with us."));
    let stop = any(s.dice, STOP);
    s.say(Role::User, stop);
    s.say(Role::Agent, "I understand. I will note that you do not want any more calls from us. Is that what you mean?");
    let confirmed = any(s.dice, STOP_CONFIRMED);
    s.say(Role::User, confirmed);
    s.say(Role::Agent, "It is noted. I'm sorry for the disturbance. Goodbye.");
    s.end_call("The callee asked not to be called again.");
    Plan {
        secs: s.clock + 0.4,
        turns: s.turns,
        callee_leaves: false,
        termination_reason: "end_call tool was called.".into(),
        verdict: "failure",
        title: "Opt-out",
        summary: format!("The callee asked not to be called again (request {code})."),
    }
}

fn voicemail(dice: &mut Dice) -> Plan {
    let code = reference(dice);
    let mut s = stage(dice);
    s.say(
        Role::User,
        format!(
            "You have reached mailbox {code}. Nobody can take your call now. Please leave a message after the tone."
        ),
    );
    s.tool(
        "voicemail_detection",
        json!({ "reason": "A recorded greeting asked for a message." }),
        json!({ "result_type": "voicemail_detection_success", "voicemail_message": null,
            "reason": "A recorded greeting asked for a message." }),
    );
    Plan {
        secs: s.clock + 0.4,
        turns: s.turns,
        callee_leaves: false,
        termination_reason: "voicemail_detection tool was called.".into(),
        verdict: "failure",
        title: "Voicemail",
        summary: "A voicemail greeting answered; no message was left.".into(),
    }
}

fn screened(cast: &Cast<'_>, dice: &mut Dice) -> Plan {
    let code = reference(dice);
    let mut s = stage(dice);
    s.say(
        Role::User,
        "Hi, the person you are calling uses a screening assistant. Record your name and reason, and I'll see if they are available.",
    );
    s.say(Role::Agent, format!("{} I'm calling about reference {code}.", greeting(cast)));
    s.say(Role::User, "Thank you. Please stay on the line.");
    s.say(Role::Agent, "I'll wait, thank you.");
    s.clock += 6.0;
    s.say(Role::User, "They can't take the call right now. Goodbye.");
    Plan {
        secs: s.clock + 0.5,
        turns: s.turns,
        callee_leaves: true,
        termination_reason: REMOTE.into(),
        verdict: "failure",
        title: "Call screening",
        summary: format!("A call screening assistant answered and ended the call (reference {code})."),
    }
}

/// The callee was gone before the agent had said a word.
fn silence() -> Plan {
    Plan {
        turns: Vec::new(),
        secs: 1.0,
        callee_leaves: true,
        termination_reason: REMOTE.into(),
        verdict: "unknown",
        title: "Hung up",
        summary: "The callee hung up before anything was said.".into(),
    }
}

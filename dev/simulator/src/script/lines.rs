//! Interchangeable lines: what people say when they mean the same.

/// How a callee picks up.
pub const HELLO: &[&str] =
    &["Hello?", "Yes, hello?", "Speaking.", "Hi, who is this?", "Hello, this is me.", "Uh, hi there."];
/// Consent to go on.
pub const GO_ON: &[&str] = &[
    "Sure, go ahead.",
    "Okay, I have a minute.",
    "Yes, what is it about?",
    "Fine, but please be quick, I'm at work.",
    "Alright, I'm listening.",
];
/// A callee who did not follow.
pub const WHAT: &[&str] = &[
    "Sorry, could you say that again?",
    "The line is a bit bad, once more please?",
    "Wait, I have to find my glasses. Okay, what was that?",
];
/// Agreement.
pub const YES: &[&str] =
    &["Yes, that works for me.", "Right, that's correct.", "Yes, please do.", "That sounds good, yes."];
/// Refusal of an offer, not of calls.
pub const NO: &[&str] =
    &["No, that doesn't suit me.", "Not really, no.", "Hmm, I'd rather not, to be honest.", "No, let's leave it."];
/// Thanks before the end.
pub const THANKS: &[&str] =
    &["No, that's all, thank you.", "Nothing else, thanks a lot.", "I think that's it. Thanks for calling."];
/// Last words.
pub const BYE: &[&str] = &["Bye now.", "Thanks, goodbye.", "You too, bye.", "Okay, bye-bye."];
/// A wish not to be called again.
pub const STOP: &[&str] = &[
    "Please take me off your list and don't call me again.",
    "Stop calling me. Remove my number, please.",
    "I don't want any more calls from you. Do not call this number again.",
    "Look, I've asked before. Take this number off your calling list.",
    "I'd like to opt out of these calls.",
    "Please stop. I do not wish to be contacted anymore.",
    "Never call me again, okay?",
    "Put me on your do not call list, please.",
    "How did you get this number? Delete it, and don't ever call here again.",
    "Um, no. Just... please stop calling this house.",
    "I told you people not to call me. Lose my number.",
    "No me llame m\u{e1}s, por favor. Quite mi n\u{fa}mero de su lista.",
];
/// The same, when the agent asks whether it understood.
pub const STOP_CONFIRMED: &[&str] = &[
    "Yes. No more calls, please.",
    "Yes, that's what I mean.",
    "Exactly. Don't call again.",
    "Right. Take me off the list.",
    "S\u{ed}, no quiero m\u{e1}s llamadas.",
];
/// Names for documents and parcels.
pub const STREETS: &[&str] = &["Maple", "Harbor", "Juniper", "Canal", "Orchard", "Mill"];
/// Days.
pub const DAYS: &[&str] = &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/// Hours.
pub const HOURS: &[&str] = &["nine thirty", "ten", "eleven fifteen", "two", "three forty-five", "five"];

//! Why SignalWire refused or ended a call, in words that a person can act on. Source of the codes: the carrier's list of
//! error codes for its compatibility API; of the SIP codes: RFC 3261, 6026, 8197 and 8688.

use std::fmt;

/// What kind of trouble an error code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The called number is wrong. (A wrong caller id is [`Class::Setup`]: it says nothing about the number called.)
    BadNumber,
    /// Our configuration or our request is wrong.
    Setup,
    /// Balance, limits or trial mode of the account.
    Account,
    /// Too fast: the carrier did not take it, and will later.
    Throttled,
    /// The carrier's own trouble. It does not say whether anything happened.
    Transient,
    /// The call is not in the state that was asked of it.
    State,
    /// The agent's SIP address.
    Sip,
    /// Not on the carrier's list.
    Unlisted,
}

/// Why the carrier refused, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalReason {
    /// What kind of trouble it is.
    pub class: Class,
    /// One sentence with the mend.
    pub sentence: String,
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

const CODES: &[(i64, Class, &str)] = &[
    (4001, Class::Account, "The SignalWire account has no credit left: add funds in its dashboard."),
    (10000, Class::Setup, "SignalWire found an argument invalid for this call: see its message in the log."),
    (10001, Class::Setup, "This is not enabled on the SignalWire space: ask SignalWire's support to enable it."),
    (13222, Class::Setup, "The digits to send are invalid: use 0-9, #, * and w only."),
    (13223, Class::BadNumber, "The called number is not one that can be dialled: correct it."),
    (13243, Class::Sip, "The agent's SIP address is invalid: check the agent's number and ELEVENLABS_SIP_HOST."),
    (13254, Class::Sip, "The agent's SIP host is not reachable from the internet: check ELEVENLABS_SIP_HOST."),
    (13621, Class::Setup, "SignalWire found the caller name or id of the call invalid: check the agent's caller ids."),
    (20001, Class::Transient, "SignalWire reports an unknown error of its own."),
    (
        20003,
        Class::Setup,
        "SignalWire does not accept the credentials: check SIGNALWIRE_PROJECT_ID, SIGNALWIRE_API_TOKEN and the token's Voice scope.",
    ),
    (20009, Class::State, "The call is not over yet: wait until it has ended."),
    (20010, Class::Setup, "This is disabled for the SignalWire account: ask SignalWire's support."),
    (20404, Class::State, "SignalWire does not know this call: check SIGNALWIRE_PROJECT_ID and SIGNALWIRE_SPACE_URL."),
    (20429, Class::Throttled, "SignalWire takes no more requests at the moment."),
    (20504, Class::Transient, "SignalWire reports an internal error."),
    (21201, Class::BadNumber, "The called number is missing."),
    (21205, Class::Setup, "The voice address is missing: check PUBLIC_BASE_URL."),
    (21208, Class::Setup, "The ring timeout is out of range: use 1 to 600 seconds (CALL_TIMEOUT_SECS)."),
    (21209, Class::Setup, "The HTTP method of an address is invalid: use GET or POST."),
    (
        21210,
        Class::Setup,
        "The caller id is neither bought nor verified in this SignalWire space: buy or verify it there, or take it off the agent's list.",
    ),
    (21211, Class::BadNumber, "The called number is invalid: correct it."),
    (21212, Class::Setup, "The caller id is not a valid number: write it in E.164 form, such as +14155550100."),
    (21213, Class::Setup, "The caller id is missing: give the agent one."),
    (21217, Class::BadNumber, "The called number is not one that exists: correct it."),
    (21218, Class::Setup, "The application id is invalid: check it in the SignalWire dashboard."),
    (
        21219,
        Class::Account,
        "The account's limit is reached, or it is in trial mode and may call verified numbers only: add funds, or verify the number.",
    ),
    (21220, Class::State, "The call is not in progress, so that it cannot be changed."),
    (
        21234,
        Class::Setup,
        "The parameters of answering machine detection are out of range: check the agent's settings.",
    ),
    (21262, Class::Setup, "Answering machine detection needs a callback address: check PUBLIC_BASE_URL."),
    (21402, Class::Setup, "An address that was given to SignalWire is invalid: check PUBLIC_BASE_URL."),
    (21456, Class::Setup, "An address that was given to SignalWire is invalid: check PUBLIC_BASE_URL."),
    (21611, Class::Throttled, "The caller id has too many calls waiting at SignalWire."),
    (21626, Class::Setup, "A status callback event has a name that SignalWire does not know."),
    (30002, Class::Account, "The SignalWire account's balance is too low: add funds in its dashboard."),
    (
        30010,
        Class::Account,
        "The call costs more a minute than the limit that was set: raise the limit, or do not call this country.",
    ),
    (31003, Class::Transient, "SignalWire's own connection timed out."),
    (32009, Class::Sip, "The SIP domain has no registered endpoint: check the agent's number at ElevenLabs."),
    (32110, Class::Sip, "The agent's SIP address is malformed: check the agent's number and ELEVENLABS_SIP_HOST."),
    (53404, Class::Sip, "The two sides share no audio codec: allow PCMU at ElevenLabs."),
];

/// The class of a code of the carrier.
#[must_use]
pub fn class(code: i64) -> Class {
    CODES.iter().find(|(known, ..)| *known == code).map_or(Class::Unlisted, |(_, class, _)| *class)
}

/// Why the carrier refused, from whatever it said. `message` is the carrier's own text; numbers in it are masked.
#[must_use]
pub fn refusal(code: Option<i64>, http_status: Option<u16>, message: Option<&str>) -> RefusalReason {
    if let Some((_, class, sentence)) = code.and_then(|code| CODES.iter().find(|(known, ..)| *known == code)) {
        return RefusalReason { class: *class, sentence: (*sentence).to_owned() };
    }
    let said = message
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map_or(String::new(), |text| format!(": {}", masked(text)));
    let (class, sentence) = match (code, http_status) {
        (Some(code), _) => (Class::Unlisted, format!("SignalWire refused the call with its error {code}{said}")),
        (None, Some(401 | 403)) => (Class::Setup, sentence_of(20003)),
        (None, Some(402)) => (Class::Account, sentence_of(30002)),
        (None, Some(404)) => (
            Class::Setup,
            "SignalWire has no such address: check SIGNALWIRE_SPACE_URL and SIGNALWIRE_PROJECT_ID.".to_owned(),
        ),
        (None, Some(status)) => (Class::Unlisted, format!("SignalWire refused the call with HTTP {status}{said}")),
        (None, None) => (Class::Setup, format!("The call could not be asked for{said}")),
    };
    RefusalReason { class, sentence }
}

fn sentence_of(code: i64) -> String {
    CODES.iter().find(|(known, ..)| *known == code).map_or(String::new(), |(.., sentence)| (*sentence).to_owned())
}

/// A vendor's text that may stand in a log: bounded, and of every phone number only the last two digits.
pub(crate) fn masked(text: &str) -> String {
    let cut: Vec<char> = text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut out = String::with_capacity(cut.len());
    let mut rest = cut.as_slice();
    while let Some(first) = rest.first() {
        let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
        if digits >= 7 {
            out.extend(std::iter::repeat_n('*', digits - 2));
            out.extend(&rest[digits - 2..digits]);
        } else if digits > 0 {
            out.extend(&rest[..digits]);
        } else {
            out.push(*first);
        }
        rest = &rest[digits.max(1)..];
    }
    out
}

/// What the SIP code with which a call ended means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SipMeaning {
    /// It was answered.
    Answered,
    /// The line was busy.
    Busy,
    /// Nobody answered, or the caller gave up.
    NoAnswer,
    /// Declined by the callee, or blocked by the network on the callee's behalf: do not call again.
    Declined,
    /// There is no such number: do not call again.
    BadNumber,
    /// The network does not allow the call.
    Forbidden,
    /// The request did not fit: codecs, address or protocol.
    Incompatible,
    /// The far carrier failed.
    CarrierFailure,
    /// Anything else.
    Other,
}

/// What a SIP code means.
#[must_use]
pub fn sip_meaning(code: u16) -> SipMeaning {
    match code {
        200..=299 => SipMeaning::Answered,
        486 | 600 => SipMeaning::Busy,
        408 | 480 | 487 => SipMeaning::NoAnswer,
        603 | 607 | 608 => SipMeaning::Declined,
        404 | 410 | 484 | 604 => SipMeaning::BadNumber,
        401 | 403 | 407 => SipMeaning::Forbidden,
        406 | 415 | 416 | 420 | 488 | 606 => SipMeaning::Incompatible,
        500..=599 => SipMeaning::CarrierFailure,
        _ => SipMeaning::Other,
    }
}

/// What a SIP code means, for a person.
#[must_use]
pub fn sip_sentence(code: u16) -> String {
    let sentence = match sip_meaning(code) {
        SipMeaning::Answered => "answered",
        SipMeaning::Busy => "the line was busy",
        SipMeaning::NoAnswer => "nobody answered",
        SipMeaning::Declined if code == 603 => "the callee, or the network for them, declined",
        SipMeaning::Declined => "the network blocked the call as unwanted: the caller id may be labelled as spam",
        SipMeaning::BadNumber => "there is no such number",
        SipMeaning::Forbidden => "the network does not allow the call: check the caller id and the countries enabled",
        SipMeaning::Incompatible => "the far side could not use what was offered: check the audio codecs",
        SipMeaning::CarrierFailure => "the far carrier failed",
        SipMeaning::Other => "ended for a reason that is not listed",
    };
    format!("{sentence} (SIP {code})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_code_has_one_row_and_a_whole_sentence() {
        for pair in CODES.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} and {} are out of order", pair[0].0, pair[1].0);
        }
        for (code, _, sentence) in CODES {
            assert!(sentence.ends_with('.') && sentence.len() > 20, "{code}: {sentence}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        for (code, status, class, part) in [
            (Some(21210), Some(400), Class::Setup, "verify it"),
            (Some(21212), Some(400), Class::Setup, "E.164"),
            (Some(21217), Some(400), Class::BadNumber, "correct it"),
            (Some(30010), Some(400), Class::Account, "raise the limit"),
            (Some(20003), Some(401), Class::Setup, "SIGNALWIRE_API_TOKEN"),
            (None, Some(401), Class::Setup, "SIGNALWIRE_API_TOKEN"),
            (None, Some(404), Class::Setup, "SIGNALWIRE_SPACE_URL"),
            (None, Some(402), Class::Account, "add funds"),
            (Some(99999), Some(400), Class::Unlisted, "99999: no, not +*********23"),
            (None, Some(418), Class::Unlisted, "HTTP 418: no"),
        ] {
            let reason = refusal(code, status, Some("no, not +14155550123"));
            assert_eq!(reason.class, class, "{code:?}");
            assert!(reason.sentence.contains(part), "{reason}");
        }
    }

    #[test]
    fn a_message_keeps_codes_and_loses_numbers_and_controls() {
        assert_eq!(masked("code 21217 for +14155550123\nend"), "code 21217 for +*********23 end");
        assert_eq!(masked(&"é".repeat(500)).chars().count(), 200);
    }

    #[test]
    fn sip_codes_have_meanings() {
        for (code, meaning) in [
            (200, SipMeaning::Answered),
            (486, SipMeaning::Busy),
            (600, SipMeaning::Busy),
            (487, SipMeaning::NoAnswer),
            (480, SipMeaning::NoAnswer),
            (603, SipMeaning::Declined),
            (607, SipMeaning::Declined),
            (404, SipMeaning::BadNumber),
            (484, SipMeaning::BadNumber),
            (403, SipMeaning::Forbidden),
            (488, SipMeaning::Incompatible),
            (503, SipMeaning::CarrierFailure),
            (302, SipMeaning::Other),
        ] {
            assert_eq!(sip_meaning(code), meaning, "{code}");
            assert!(sip_sentence(code).ends_with(&format!("(SIP {code})")));
        }
    }
}

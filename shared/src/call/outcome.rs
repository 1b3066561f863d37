//! The precedence table: what became of a call, from everything that bears on it. One function, rows from the strongest
//! evidence to the weakest; a test a row.

use super::{CarrierStatus, InitiationFailure, Outcome, OwnEnd};

/// How our own side ended an attempt that the carrier never took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// The carrier refused it.
    Refused {
        /// Because there is no such number.
        bad_number: bool,
    },
    /// We decided against it.
    Decided(OwnEnd),
    /// It was never found again.
    GivenUp,
}

/// A dial of the agents' vendor that came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DialFailed {
    /// Nothing more is awaited that says why.
    pub certain: bool,
    /// Told by an event or by the conversation, not by the free text of an answer.
    pub told: bool,
    /// Why, in the vendor's words.
    pub failure: InitiationFailure,
    /// SIP status.
    pub sip_code: Option<u16>,
}

/// Everything that bears on the outcome.
#[expect(clippy::struct_excessive_bools, reason = "each is one independent piece of evidence")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Our own end, when the carrier knows nothing of the call.
    pub own: Option<Own>,
    /// The carrier's last status.
    pub status: Option<CarrierStatus>,
    /// SIP status of the end.
    pub sip_code: Option<u16>,
    /// It rang.
    pub rang: bool,
    /// Somebody or something answered.
    pub picked_up: bool,
    /// Answering machine detection said so.
    pub machine: bool,
    /// The end of the leg to the agent (`<Dial action>`).
    pub agent_leg: Option<CarrierStatus>,
    /// There is a conversation of the agent's.
    pub conversed: bool,
    /// The agent found itself talking to a voicemail.
    pub voicemail: bool,
    /// The agent found itself talking to a screening assistant.
    pub screened: bool,
    /// The agent's side reported an initiation failure.
    pub not_initiated: Option<InitiationFailure>,
    /// The agent's vendor knows of no conversation, long after the call ended.
    pub agent_absent: bool,
    /// The agent's vendor dialled itself and was answered: the agent was on the line from the first moment.
    pub agent_dialled: bool,
    /// The agent's vendor dialled itself, and it came to nothing.
    pub dial_failed: Option<DialFailed>,
}

/// Whether the agent was on the line; `None` while that is not known.
#[must_use]
pub fn agent_connected(evidence: &Evidence) -> Option<bool> {
    use CarrierStatus::{Completed, InProgress};
    if evidence.conversed {
        return Some(true);
    }
    match evidence.agent_leg {
        Some(Completed | InProgress) => return Some(true),
        Some(_) => return Some(false),
        None => {}
    }
    let failed = evidence.not_initiated.is_some() || evidence.dial_failed.is_some();
    if evidence.own.is_some() || failed || evidence.agent_absent {
        return Some(false);
    }
    if evidence.agent_dialled {
        return Some(true);
    }
    // Ended without ever being answered: nobody was there for the agent to talk to.
    let unanswered = evidence.status.is_some_and(|status| status.is_final() && status != Completed);
    (unanswered && !evidence.picked_up).then_some(false)
}

/// The outcome of a call that is over, and whether nothing more is awaited that decides it.
#[must_use]
pub fn decide(evidence: &Evidence) -> (Option<Outcome>, bool) {
    if let Some(own) = evidence.own {
        return (Some(by_ourselves(own)), true);
    }
    let connected = agent_connected(evidence);
    // What the agent heard outranks what the carrier's detection guessed.
    if evidence.screened {
        return (Some(Outcome::Screened), true);
    }
    if evidence.voicemail {
        return (Some(Outcome::Voicemail), true);
    }
    if evidence.machine {
        return (Some(Outcome::Voicemail), connected.is_some());
    }
    if connected == Some(true) {
        return (Some(Outcome::Answered), true);
    }
    let picked_up = evidence.picked_up || evidence.agent_leg.is_some();
    if picked_up || evidence.status == Some(CarrierStatus::Completed) {
        // A person answered. Whether the agent came is known, or is still awaited.
        return match connected {
            Some(_) => (Some(Outcome::Abandoned), true),
            None => (None, false),
        };
    }
    if let Some(failed) = evidence.dial_failed {
        return (Some(never_answered(failed)), failed.certain || evidence.agent_absent);
    }
    match (evidence.status, evidence.not_initiated) {
        (Some(status), _) => (Some(unanswered(status, evidence.sip_code, evidence.rang)), true),
        (None, Some(failure)) => (Some(not_initiated(failure)), true),
        (None, None) => (None, false),
    }
}

fn by_ourselves(own: Own) -> Outcome {
    match own {
        Own::Refused { bad_number: true } => Outcome::Unreachable,
        Own::Refused { bad_number: false } => Outcome::Failed,
        Own::Decided(OwnEnd::Blocked) => Outcome::Blocked,
        Own::Decided(OwnEnd::Expired) => Outcome::Expired,
        Own::Decided(OwnEnd::Canceled) => Outcome::Canceled,
        Own::GivenUp => Outcome::Unknown,
    }
}

fn not_initiated(failure: InitiationFailure) -> Outcome {
    match failure {
        InitiationFailure::Busy => Outcome::Busy,
        InitiationFailure::NoAnswer => Outcome::NoAnswer,
        InitiationFailure::Other => Outcome::Failed,
    }
}

/// A dial of the vendor's that nobody answered. It does not tell whether it rang; what it reports as a 603 is a person who
/// declined, and a 5xx the trunk's own.
fn never_answered(failed: DialFailed) -> Outcome {
    let status = match failed.failure {
        InitiationFailure::Busy => CarrierStatus::Busy,
        InitiationFailure::NoAnswer => CarrierStatus::NoAnswer,
        InitiationFailure::Other => CarrierStatus::Failed,
    };
    unanswered(status, failed.sip_code, true)
}

/// A call that nobody answered, by SIP status first: the carrier's words are coarser. Codes: RFC 3261, 603+ RFC 9410's
/// neighbourhood, 607 RFC 8197, 608 RFC 8688. A 603 or 5xx before it rang is how far networks refuse a caller id that
/// they take for spam.
fn unanswered(status: CarrierStatus, sip_code: Option<u16>, rang: bool) -> Outcome {
    if status == CarrierStatus::Canceled {
        return Outcome::Canceled;
    }
    match sip_code {
        Some(486 | 600) => Outcome::Busy,
        Some(408 | 480 | 487) => Outcome::NoAnswer,
        Some(404 | 410 | 484 | 604) => Outcome::Unreachable,
        Some(607 | 608) => Outcome::NetworkBlocked,
        Some(603) if rang => Outcome::Declined,
        Some(603 | 500..=599) if !rang => Outcome::NetworkBlocked,
        _ => match status {
            CarrierStatus::Busy => Outcome::Busy,
            CarrierStatus::NoAnswer => Outcome::NoAnswer,
            _ => Outcome::Failed,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CarrierStatus as C;

    fn ended(status: C, sip_code: u16, rang: bool) -> Evidence {
        Evidence { status: Some(status), sip_code: Some(sip_code), rang, ..Evidence::default() }
    }

    fn answered() -> Evidence {
        Evidence { status: Some(C::Completed), sip_code: Some(200), rang: true, picked_up: true, ..Evidence::default() }
    }

    fn dial(failure: InitiationFailure, sip_code: Option<u16>) -> Evidence {
        let failed = DialFailed { certain: true, told: true, failure, sip_code };
        Evidence { dial_failed: Some(failed), ..Evidence::default() }
    }

    #[test]
    fn every_row_of_the_precedence_table_holds() {
        let leg = |status| Evidence { agent_leg: Some(status), ..answered() };
        let own = |own| Evidence { own: Some(own), ..Evidence::default() };
        let rows = [
            ("refused, no such number", own(Own::Refused { bad_number: true }), Outcome::Unreachable),
            ("refused", own(Own::Refused { bad_number: false }), Outcome::Failed),
            ("guard", own(Own::Decided(OwnEnd::Blocked)), Outcome::Blocked),
            ("late", own(Own::Decided(OwnEnd::Expired)), Outcome::Expired),
            ("taken back", own(Own::Decided(OwnEnd::Canceled)), Outcome::Canceled),
            (
                "screened beats voicemail",
                Evidence { screened: true, voicemail: true, conversed: true, ..answered() },
                Outcome::Screened,
            ),
            (
                "the agent's voicemail beats a human",
                Evidence { voicemail: true, conversed: true, ..answered() },
                Outcome::Voicemail,
            ),
            ("a machine, hung up on", Evidence { machine: true, ..leg(C::Completed) }, Outcome::Voicemail),
            ("the agent's leg completed", leg(C::Completed), Outcome::Answered),
            ("a conversation beats a failed leg", Evidence { conversed: true, ..leg(C::Failed) }, Outcome::Answered),
            ("a conversation is enough", Evidence { conversed: true, ..Evidence::default() }, Outcome::Answered),
            ("the agent's leg failed", leg(C::Failed), Outcome::Abandoned),
            ("the agent's leg was busy", leg(C::Busy), Outcome::Abandoned),
            ("the callee left first", leg(C::Canceled), Outcome::Abandoned),
            (
                "answered, agent not initiated",
                Evidence { not_initiated: Some(InitiationFailure::Other), ..answered() },
                Outcome::Abandoned,
            ),
            ("the agent's vendor knows of nothing", Evidence { agent_absent: true, ..answered() }, Outcome::Abandoned),
            ("given up", own(Own::GivenUp), Outcome::Unknown),
            ("486", ended(C::Busy, 486, true), Outcome::Busy),
            ("600", ended(C::Failed, 600, true), Outcome::Busy),
            ("480", ended(C::NoAnswer, 480, true), Outcome::NoAnswer),
            ("487 after ringing out", ended(C::NoAnswer, 487, true), Outcome::NoAnswer),
            ("canceled", ended(C::Canceled, 487, true), Outcome::Canceled),
            ("404", ended(C::Failed, 404, false), Outcome::Unreachable),
            ("484", ended(C::Failed, 484, false), Outcome::Unreachable),
            ("603 after ringing", ended(C::Busy, 603, true), Outcome::Declined),
            ("603 before ringing", ended(C::Failed, 603, false), Outcome::NetworkBlocked),
            ("607", ended(C::Failed, 607, true), Outcome::NetworkBlocked),
            ("608", ended(C::Failed, 608, false), Outcome::NetworkBlocked),
            ("503 before ringing", ended(C::Failed, 503, false), Outcome::NetworkBlocked),
            ("503 after ringing", ended(C::Failed, 503, true), Outcome::Failed),
            ("403", ended(C::Failed, 403, false), Outcome::Failed),
            ("busy without a code", Evidence { status: Some(C::Busy), ..Evidence::default() }, Outcome::Busy),
            (
                "no answer without a code",
                Evidence { status: Some(C::NoAnswer), ..Evidence::default() },
                Outcome::NoAnswer,
            ),
            ("failed without a code", Evidence { status: Some(C::Failed), ..Evidence::default() }, Outcome::Failed),
            (
                "initiation failure, busy",
                Evidence { not_initiated: Some(InitiationFailure::Busy), ..Evidence::default() },
                Outcome::Busy,
            ),
            (
                "initiation failure, no answer",
                Evidence { not_initiated: Some(InitiationFailure::NoAnswer), ..Evidence::default() },
                Outcome::NoAnswer,
            ),
            (
                "initiation failure",
                Evidence { not_initiated: Some(InitiationFailure::Other), ..Evidence::default() },
                Outcome::Failed,
            ),
            ("dialled by the vendor, busy", dial(InitiationFailure::Busy, None), Outcome::Busy),
            ("dialled by the vendor, no answer", dial(InitiationFailure::NoAnswer, Some(487)), Outcome::NoAnswer),
            ("dialled by the vendor, 603", dial(InitiationFailure::Other, Some(603)), Outcome::Declined),
            ("dialled by the vendor, 607", dial(InitiationFailure::Other, Some(607)), Outcome::NetworkBlocked),
            ("dialled by the vendor, 404", dial(InitiationFailure::Other, Some(404)), Outcome::Unreachable),
            ("dialled by the vendor, 503", dial(InitiationFailure::Other, Some(503)), Outcome::Failed),
            (
                "dialled by the vendor, answered, no conversation",
                Evidence { picked_up: true, agent_dialled: true, agent_absent: true, ..Evidence::default() },
                Outcome::Abandoned,
            ),
            (
                "dialled by the vendor, answered, not initiated",
                Evidence { picked_up: true, agent_dialled: true, ..dial(InitiationFailure::Other, None) },
                Outcome::Abandoned,
            ),
        ];
        for (name, evidence, outcome) in rows {
            assert_eq!(decide(&evidence), (Some(outcome), true), "{name}");
        }
    }

    #[test]
    fn an_answered_call_waits_until_it_is_known_whether_the_agent_came() {
        assert_eq!(decide(&answered()), (None, false));
        assert_eq!(agent_connected(&answered()), None);
        let machine = Evidence { machine: true, ..answered() };
        assert_eq!(decide(&machine), (Some(Outcome::Voicemail), false));
    }

    #[test]
    fn a_call_that_nobody_answered_never_had_an_agent() {
        assert_eq!(agent_connected(&ended(C::Busy, 486, true)), Some(false));
        assert_eq!(agent_connected(&ended(C::Failed, 404, false)), Some(false));
    }
}

//! What becomes of a call: decided by the last two digits of the callee's number.

/// A fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Answered, a whole conversation.
    Talk,
    /// 50: a machine answers.
    Voicemail,
    /// 51: busy (486).
    Busy,
    /// 52: rings out (487).
    NoAnswer,
    /// 53: declined by the callee (603) after ringing.
    Declined,
    /// 54: no such number (404).
    BadNumber,
    /// 55: the callee answers, the agent's side refuses the INVITE with 503.
    AgentFails,
    /// 56: blocked by the far network right after `initiated`.
    NetworkBlocked,
    /// 57: carrier failure (503).
    CarrierFailure,
    /// 58: the callee hangs up before the agent has spoken.
    EarlyHangup,
    /// 59: the callee asks not to be called any more.
    OptOut,
    /// 60: the API refuses the number (21217).
    ApiRefuses,
    /// 61: a call screening assistant answers.
    Screened,
    /// 62: busy at the first dial, a whole conversation at every later one.
    BusyOnce,
}

impl Fate {
    /// The fate of a number.
    #[must_use]
    pub fn of(number: &str) -> Self {
        match number.get(number.len().saturating_sub(2)..).unwrap_or_default() {
            "50" => Self::Voicemail,
            "51" => Self::Busy,
            "52" => Self::NoAnswer,
            "53" => Self::Declined,
            "54" => Self::BadNumber,
            "55" => Self::AgentFails,
            "56" => Self::NetworkBlocked,
            "57" => Self::CarrierFailure,
            "58" => Self::EarlyHangup,
            "59" => Self::OptOut,
            "60" => Self::ApiRefuses,
            "61" => Self::Screened,
            "62" => Self::BusyOnce,
            _ => Self::Talk,
        }
    }

    /// What it comes to at the `nth` dial (1, 2, …).
    #[must_use]
    pub fn at(self, nth: u64) -> Self {
        match self {
            Self::BusyOnce if nth == 1 => Self::Busy,
            Self::BusyOnce => Self::Talk,
            other => other,
        }
    }

    /// Its name in the book.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Talk => "talk",
            Self::Voicemail => "voicemail",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Declined => "declined",
            Self::BadNumber => "bad_number",
            Self::AgentFails => "agent_fails",
            Self::NetworkBlocked => "network_blocked",
            Self::CarrierFailure => "carrier_failure",
            Self::EarlyHangup => "early_hangup",
            Self::OptOut => "opt_out",
            Self::ApiRefuses => "api_refuses",
            Self::Screened => "screened",
            Self::BusyOnce => "busy_once",
        }
    }
}

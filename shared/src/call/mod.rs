//! A call's life: what can be known about one attempt, and the states and outcomes that follow from it.
//!
//! A row of `calls` is one attempt. Everything that is learnt about it is kept as an [`Event`]; the row is what
//! [`fold::fold`] makes of all events. So the same set of events gives the same row in any order and with any doubling.

pub mod callee;
pub mod fold;
pub mod outcome;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where an attempt stands. The order is the rank: a state never moves down, but for `unknown`, which the carrier's
/// evidence replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CallState)]
pub enum State {
    /// Written down; nobody was asked yet.
    Intent,
    /// Claimed: the carrier is being asked, or was when its asker died.
    Placing,
    /// The carrier was asked and gave no clear answer. Never asked again: settled by looking.
    Unknown,
    /// The carrier took it.
    Queued,
    /// It rings.
    Ringing,
    /// Somebody, or something, answered.
    InProgress,
    /// Over.
    Ended,
}

impl State {
    /// As it stands in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Placing => "placing",
            Self::Unknown => "unknown",
            Self::Queued => "queued",
            Self::Ringing => "ringing",
            Self::InProgress => "in_progress",
            Self::Ended => "ended",
        }
    }

    /// Reads it back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let all =
            [Self::Intent, Self::Placing, Self::Unknown, Self::Queued, Self::Ringing, Self::InProgress, Self::Ended];
        all.into_iter().find(|state| state.as_str() == text)
    }
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A person answered and the agent was on the line.
    Answered,
    /// A person answered and no agent came.
    Abandoned,
    /// A machine answered.
    Voicemail,
    /// An assistant that screens calls answered.
    Screened,
    /// The line was busy.
    Busy,
    /// It rang, and nobody answered.
    NoAnswer,
    /// It rang, and somebody pressed "decline".
    Declined,
    /// The far network refused it before it rang: the caller id is taken for spam.
    NetworkBlocked,
    /// There is no such number.
    Unreachable,
    /// A technical failure, ours or the carrier's.
    Failed,
    /// Taken back before it was answered.
    Canceled,
    /// Its time passed before it could be placed.
    Expired,
    /// The guard forbade it.
    Blocked,
    /// Never found again: given up.
    Unknown,
}

impl Outcome {
    /// As it stands in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Abandoned => "abandoned",
            Self::Voicemail => "voicemail",
            Self::Screened => "screened",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Declined => "declined",
            Self::NetworkBlocked => "network_blocked",
            Self::Unreachable => "unreachable",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Blocked => "blocked",
            Self::Unknown => "unknown",
        }
    }

    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Answered,
        Self::Abandoned,
        Self::Voicemail,
        Self::Screened,
        Self::Busy,
        Self::NoAnswer,
        Self::Declined,
        Self::NetworkBlocked,
        Self::Unreachable,
        Self::Failed,
        Self::Canceled,
        Self::Expired,
        Self::Blocked,
        Self::Unknown,
    ];

    /// Reads it back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// What the carrier says of a call or of a leg. Values as in its status callbacks, `initiated` and `answered` folded into
/// what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarrierStatus {
    /// `queued` or `initiated`.
    Queued,
    /// `ringing`.
    Ringing,
    /// `answered` or `in-progress`.
    InProgress,
    /// Ended after it was answered.
    Completed,
    /// Ended: busy.
    Busy,
    /// Ended: nobody answered.
    NoAnswer,
    /// Ended: taken back.
    Canceled,
    /// Ended: failed.
    Failed,
}

impl CarrierStatus {
    /// Reads the carrier's word for it; `None` for a word that is not known.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "queued" | "initiated" => Self::Queued,
            "ringing" => Self::Ringing,
            "answered" | "in-progress" => Self::InProgress,
            "completed" => Self::Completed,
            "busy" => Self::Busy,
            "no-answer" => Self::NoAnswer,
            "canceled" => Self::Canceled,
            "failed" => Self::Failed,
            _ => return None,
        })
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub fn is_final(self) -> bool {
        self >= Self::Completed
    }
}

/// Who or what answered, by answering machine detection. Missing or unclear is a person: hanging up on people is worse
/// than talking to machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    /// A person, or nothing that says otherwise.
    Person,
    /// An answering machine or a fax.
    Machine,
}

/// Who dials, and so how the agent comes to the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Connect {
    /// SignalWire dials, and bridges to the agent's number over SIP.
    #[default]
    Sip,
    /// ElevenLabs dials, through SignalWire as its SIP trunk.
    Trunk,
}

impl Connect {
    /// As it stands in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sip => "sip",
            Self::Trunk => "trunk",
        }
    }

    /// Reads it back.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text == "trunk" { Self::Trunk } else { Self::Sip }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_sip(&self) -> bool {
        *self == Self::Sip
    }
}

/// One thing that was learnt about an attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    /// The attempt was claimed, for the `ask`-th question to whoever dials (1, 2, …).
    Claimed {
        ask: u32,
        #[serde(default, skip_serializing_if = "Connect::is_sip")]
        connect: Connect,
    },
    /// The carrier took it.
    Placed { ask: u32, sid: String },
    /// The carrier said that nothing happened and asks for patience: the same attempt may be asked for again.
    AskAgain { ask: u32, reason: String },
    /// The carrier refused it for good.
    Refused { ask: u32, bad_number: bool, reason: String },
    /// No clear answer came.
    Unclear { ask: u32, reason: String },
    /// Something that this version does not understand; kept with the vendor's own words, and nothing follows from it.
    NotUnderstood { digest: String },
    /// Never found again at the carrier: we stopped looking every few minutes.
    GivenUp { reason: String },
    /// The agent's vendor knows of no conversation, long after the call ended.
    AgentAbsent { reason: String },
    /// We decided that it is not placed.
    Decided { end: OwnEnd, reason: String },
    /// The carrier's word about the call.
    Carrier { sid: String, status: CarrierStatus, sip_code: Option<u16>, duration_secs: Option<u32> },
    /// The carrier fetched the answer document: somebody or something answered.
    Fetched { sid: String, answered_by: Option<AnsweredBy> },
    /// Answering machine detection came to its result.
    Detected { sid: String, answered_by: AnsweredBy },
    /// What became of the leg to the agent.
    AgentLeg { sid: String, status: CarrierStatus, sip_code: Option<u16>, duration_secs: Option<u32> },
    /// The agent's conversation is over.
    Conversed { conversation_id: String, voicemail: bool, screened: bool, duration_secs: u32 },
    /// The agent's side reports that the call could not be initiated.
    NotInitiated { conversation_id: String, failure: InitiationFailure, sip_code: Option<u16> },
    /// The agent's vendor dialled, somebody or something answered, and the agent is on the line.
    Originated { conversation_id: Option<String>, sip_call_id: Option<String> },
    /// The agent's vendor answers that its dial came to nothing.
    NotOriginated {
        conversation_id: Option<String>,
        sip_call_id: Option<String>,
        failure: InitiationFailure,
        sip_code: Option<u16>,
        reason: String,
    },
}

/// How an attempt ends by our own decision, before the carrier took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnEnd {
    /// The guard forbade it.
    Blocked,
    /// Its time passed.
    Expired,
    /// Its owner took it back.
    Canceled,
}

/// Why the agent's side could not initiate a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitiationFailure {
    /// The line was busy.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// Anything else.
    Other,
}

impl Fact {
    /// The carrier's id of the call that this speaks of.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        match self {
            Self::Placed { sid, .. }
            | Self::Carrier { sid, .. }
            | Self::Fetched { sid, .. }
            | Self::Detected { sid, .. }
            | Self::AgentLeg { sid, .. } => Some(sid),
            _ => None,
        }
    }

    /// The natural key of this fact within its call: the same fact delivered twice has the same key.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Claimed { ask, .. } => format!("claim:{ask}"),
            Self::Placed { ask, sid } => format!("placed:{ask}:{sid}"),
            Self::AskAgain { ask, .. } => format!("ask_again:{ask}"),
            Self::Refused { ask, .. } => format!("refused:{ask}"),
            Self::Unclear { ask, .. } => format!("unclear:{ask}"),
            Self::NotUnderstood { digest } => format!("not_understood:{digest}"),
            Self::GivenUp { .. } => "given_up".to_owned(),
            Self::AgentAbsent { .. } => "agent_absent".to_owned(),
            Self::Decided { .. } => "decided".to_owned(),
            Self::Carrier { sid, status, sip_code, .. } => {
                format!("carrier:{sid}:{status:?}:{}", sip_code.unwrap_or(0))
            }
            Self::Fetched { sid, answered_by } => format!("fetched:{sid}:{answered_by:?}"),
            Self::Detected { sid, answered_by } => format!("detected:{sid}:{answered_by:?}"),
            Self::AgentLeg { sid, status, .. } => format!("agent:{sid}:{status:?}"),
            Self::Conversed { conversation_id, voicemail, screened, .. } => {
                format!("conversed:{conversation_id}:{voicemail}:{screened}")
            }
            Self::NotInitiated { conversation_id, failure, sip_code } => {
                format!("not_initiated:{conversation_id}:{failure:?}:{}", sip_code.unwrap_or(0))
            }
            Self::Originated { conversation_id, sip_call_id } => {
                let or_none = |id: &Option<String>| id.clone().unwrap_or_default();
                format!("originated:{}:{}", or_none(conversation_id), or_none(sip_call_id))
            }
            Self::NotOriginated { conversation_id, .. } => {
                format!("not_originated:{}", conversation_id.as_deref().unwrap_or_default())
            }
        }
    }

    /// The conversation that this speaks of.
    #[must_use]
    pub fn conversation(&self) -> Option<&str> {
        match self {
            Self::Conversed { conversation_id, .. } | Self::NotInitiated { conversation_id, .. } => {
                Some(conversation_id)
            }
            Self::Originated { conversation_id, .. } | Self::NotOriginated { conversation_id, .. } => {
                conversation_id.as_deref()
            }
            _ => None,
        }
    }
}

/// A fact and its time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// What was learnt.
    pub fact: Fact,
    /// When it happened, by whoever reports it.
    pub at: Timestamp,
}

impl Event {
    /// A fact at its time.
    #[must_use]
    pub fn new(fact: Fact, at: Timestamp) -> Self {
        Self { fact, at }
    }
}

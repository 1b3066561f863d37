//! From the dialled number to somebody who answers: the same for both vendors.

use super::fate::Fate;
use crate::{
    dice::Dice,
    switches::{BLOCKED_CODE, BUSY_RINGS},
    world::World,
};

/// How a dial goes until it is answered or over. Times are nominal seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Before the network says anything.
    pub setup: f64,
    /// Length of ringing; `None` never rings.
    pub ringing: Option<f64>,
    pub result: Answer,
}

/// What ends the ringing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Picked,
    Busy,
    RangOut,
    /// The callee declined, or a network did for them.
    Declined(u16),
    Failed(u16),
}

impl Answer {
    /// Final SIP code of the INVITE.
    #[must_use]
    pub fn sip(self) -> u16 {
        match self {
            Self::Picked => 200,
            Self::Busy => 486,
            Self::RangOut => 487,
            Self::Declined(code) | Self::Failed(code) => code,
        }
    }
}

/// Plans a dial that rings for at most `timeout` seconds.
#[must_use]
pub fn plan(world: &World, fate: Fate, timeout: u32, dice: &mut Dice) -> Plan {
    let (low, high) = world.config().ring_secs;
    let setup = dice.between(0.6, 1.8);
    let ring = dice.between(low, high);
    let limit = f64::from(timeout);
    let (ringing, result) = match fate {
        Fate::Busy => (world.is(BUSY_RINGS, "yes").then_some(1.0), Answer::Busy),
        Fate::NoAnswer => (Some(limit), Answer::RangOut),
        Fate::Declined => (Some(ring.min(limit)), Answer::Declined(603)),
        Fate::BadNumber => (None, Answer::Failed(404)),
        Fate::NetworkBlocked => (None, Answer::Declined(world.at(BLOCKED_CODE).parse().unwrap_or(607))),
        Fate::CarrierFailure => (None, Answer::Failed(503)),
        _ if ring > limit => (Some(limit), Answer::RangOut),
        _ => (Some(ring), Answer::Picked),
    };
    Plan { setup, ringing, result }
}

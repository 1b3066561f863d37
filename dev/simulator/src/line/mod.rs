//! The telephone network between SignalWire, the callee and the agent.

pub mod call;
pub mod dialler;
pub mod fate;
pub mod ring;
pub mod session;

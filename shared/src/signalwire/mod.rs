//! SignalWire, the carrier: its client, its signature, the callbacks that it sends and the documents that it reads.
//!
//! Pure but for [`client`]: no clock, no environment. What the carrier calls things stays in here.

pub mod callback;
pub mod client;
pub mod create;
pub mod cxml;
mod fields;
pub mod reason;
pub mod record;
pub mod signature;
pub mod space;
pub(crate) mod wire;

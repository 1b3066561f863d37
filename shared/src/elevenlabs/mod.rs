//! ElevenLabs, the voice: its client, its signature, and what it tells us about a conversation.
//!
//! Pure but for [`client`]: no clock, no environment. The vendor's payloads drift, so that whatever can be missing, null or
//! of a new type is read as missing, and nothing unknown is an error.

pub mod client;
pub mod conversation;
pub mod events;
pub mod failure;
mod flat;
pub mod hints;
pub mod initiation;
mod loose;
pub mod outbound;
mod screening;
pub mod signature;
pub mod text;
pub mod turn;

//! The deployed bundle: `template.yaml` on the local AWS, driven over HTTP alone, and every file of `events/` through
//! the runtime interface emulator. One stack serves all tests of a run (nextest's setup script `bundle`), one test at a
//! time; each makes its own numbers, keys and conversations, so that their order does not matter.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test ends at the first thing that is not as it should be, and draws its names by chance"
)]

mod calls;
mod campaigns;
mod contract;
mod events;
mod health;
mod load;
mod operations;
mod outage;
mod permissions;
mod sleeping;
mod stack;
mod trunk;
mod webhooks;

//! The chaos run: many calls of mixed fate through the product while everything around it goes wrong, then the tables are
//! held against the simulator's own book. `docs/reliability.md` says what is promised and what was found.
//!
//! All functions run in this process over real PostgreSQL and the local AWS; the simulator is asked and answers over HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test: it ends at the first thing that its own side cannot do, and draws ids and the start of its clock by chance"
)]

mod callers;
mod campaigns;
mod course;
mod injected;
mod judge;
mod numbers;
mod pacing;
mod pump;
mod restarts;
mod run;

pub use course::{Settings, run, run_and_change};
pub use judge::Verdict;
pub use pacing::{Measured, measure};
pub use restarts::away;

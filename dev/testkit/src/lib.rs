//! What tests share: a database of their own, queues and a bucket of their own, and a [`World`] in which all functions run
//! in one process against the simulator, with a clock that the test sets.
//!
//! Not for the deployed bundle: `tests/bundle` drives that over HTTP alone.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::disallowed_methods,
    reason = "a test ends at the first thing that is not as it should be, and draws its names by chance"
)]

mod apps;
pub mod cloud;
pub mod contract;
pub mod database;
pub mod doors;
pub mod lines;
pub mod listener;
pub mod load;
pub mod plenty;
pub mod schedules;
pub mod world;

pub use world::World;

//! What tests share: a database of their own, queues and a bucket of their own, and a [`World`] in which all functions run
//! in one process against the simulator, with a clock that the test sets.
//!
//! Not for the deployed bundle: `tests/bundle.rs` drives that over HTTP alone.

pub mod cloud;
pub mod database;
pub mod doors;
pub mod world;

pub use world::World;

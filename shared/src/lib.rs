//! The common crate of 11Wire: everything that more than one Lambda function needs.
//!
//! `call`, `campaign`, `explain`, `guard`, `opt_out`, `retry`, `variables`, `export` and `phone` are pure: no tokio, no AWS, no SQL, no clock.
//! `signalwire` and `elevenlabs`
//! each hold their vendor's client, signature and wire types, `events` what is told to the owner's systems. `store` is PostgreSQL, one file an aggregate. `blobs`,
//! `queue`, `schedules`, `config`, `http`, `auth` and `telemetry` are the thin rest.

pub mod auth;
pub mod aws;
pub mod blobs;
pub mod call;
pub mod campaign;
pub mod clock;
pub mod config;
pub mod contact;
pub mod cost;
pub mod crash;
pub mod dialling;
pub mod elevenlabs;
pub mod events;
pub mod explain;
pub mod export;
pub mod guard;
pub mod http;
pub mod mp3;
pub mod opt_out;
pub mod phone;
pub mod problem;
pub mod queue;
pub mod retry;
pub mod schedules;
pub mod signalwire;
pub mod store;
pub mod telemetry;
pub mod ticket;
pub mod variables;

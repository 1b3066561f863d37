//! All functions in one process, over real PostgreSQL, queues and bucket, against the simulator: see `testkit::World`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test ends at the first thing that is not as it should be, and draws its names by chance"
)]

mod asking;
mod breaking;
mod calls;
mod campaigning;
mod canary;
mod contacts;
mod contract;
mod costing;
mod dead_letters;
mod exporting;
mod garbled;
mod guarding;
mod homecoming;
mod importing;
mod measuring;
mod opting_out;
mod pacing;
mod placing;
mod publishing;
mod reading;
mod reading_plans;
mod replaying;
mod reporting;
mod settling;
mod sleeping;
mod stopping;
mod suppressing;
mod telling;
mod trunk;
mod webhooks;
mod wellbeing;

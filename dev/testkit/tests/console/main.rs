//! The console in a browser: Chromium, driven over WebDriver, against all functions in one process (`testkit::World`).
//! `make browser` brings what it needs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test ends at the first thing that is not as it should be, and reads what the machine has"
)]

mod browser;
mod doors;
mod stage;
mod walk;

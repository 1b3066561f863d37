//! The console in a browser: Chromium, driven over `WebDriver`, against all functions in one process (`testkit::World`).
//! `make browser` brings what it needs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test ends at the first thing that is not as it should be, reads what the machine has, and tells what it measured"
)]

mod browser;
mod doors;
mod stage;
mod walk;

//! Functions die at any line, and nothing is lost: every scenario is walked, once for each point before and after an
//! effect. The points come from the effect clients (`elevenwire::crash`), so a new step is walked without anybody's doing.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test ends at the first thing that is not as it should be, and draws its names by chance"
)]
#![expect(clippy::large_futures, reason = "they are boxed where it matters, in `elevenwire::crash`")]

mod absence;
mod alone;
mod campaigns;
mod judge;
mod memory;
mod publishing;
mod scenarios;
mod stage;
mod walk;

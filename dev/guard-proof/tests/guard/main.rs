//! The guard, held against cases worked by hand, an independent second implementation, every change of clocks of ten years,
//! and its own promises.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first thing that is not as it should be")]

mod area_codes;
mod by_hand;
mod clock_changes;
mod page;
mod promises;
mod second;
mod twins;

//! How long a run of a worker may take.

use std::time::Duration;

use jiff::Timestamp;

/// A clock, and when whoever runs the function ends it.
#[derive(Clone, Copy)]
pub struct Clock<'c> {
    /// Now.
    pub now: &'c (dyn Fn() -> Timestamp + Sync),
    /// When the run is ended from outside.
    pub ends_at: Timestamp,
}

impl std::fmt::Debug for Clock<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock").field("ends_at", &self.ends_at).finish_non_exhaustive()
    }
}

impl Clock<'_> {
    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// What is left, less what is kept for the last word.
    #[must_use]
    pub fn left(&self, last_word: Duration) -> Duration {
        let left = Duration::try_from(self.ends_at.duration_since(self.now())).unwrap_or_default();
        left.saturating_sub(last_word)
    }
}

/// The end of a run, by the deadline of its Lambda context (milliseconds since the epoch).
#[must_use]
pub fn deadline(millis: u64) -> Timestamp {
    let millis = i64::try_from(millis).ok();
    millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()).unwrap_or(Timestamp::MAX)
}

//! Whether, and when, something that failed is tried again. Every error of the project answers this question.

use std::time::Duration;

/// What to do with work that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same work may succeed later: try again after this long.
    Later(Duration),
    /// The same work fails every time: put it aside with its reason.
    Never,
}

/// Work that failed, with what to do next. `reason` is for the log and the ledger: it never holds a body, a whole phone
/// number or a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    /// Whether to try again.
    pub retry: Retry,
    /// One sentence for the log and the dead-letter queue.
    pub reason: String,
}

impl Failure {
    /// A failure that passes: try again after `delay`.
    pub fn later(delay: Duration, reason: impl Into<String>) -> Self {
        Self { retry: Retry::Later(delay), reason: reason.into() }
    }

    /// A failure that stays.
    pub fn never(reason: impl Into<String>) -> Self {
        Self { retry: Retry::Never, reason: reason.into() }
    }
}

/// The delay before try number `tries` (1 = after the first failure): `base`, doubled each time, up to `cap`, with up to
/// a quarter of it added as jitter. `jitter` is a random number in 0..1 that the caller draws.
#[must_use]
pub fn backoff(base: Duration, tries: u32, cap: Duration, jitter: f64) -> Duration {
    let doubled = base.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)));
    let delay = doubled.min(cap);
    delay + delay.mul_f64(0.25 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_doubles_until_its_cap_and_jitter_adds_at_most_a_quarter() {
        let base = Duration::from_secs(5);
        let cap = Duration::from_mins(1);
        let delays: Vec<u64> = (1..=6).map(|tries| backoff(base, tries, cap, 0.0).as_secs()).collect();
        assert_eq!(delays, [5, 10, 20, 40, 60, 60]);
        assert_eq!(backoff(base, 1, cap, 1.0), Duration::from_millis(6250));
        assert_eq!(backoff(base, u32::MAX, cap, 0.0), cap);
    }
}

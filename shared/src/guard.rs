//! Whether an attempt may be placed now. Pure and total: no clock, no I/O. Asked inside the claim's transaction, under
//! the lock of the number.

use jiff::Timestamp;

/// Version of the rules below; kept with every decision.
pub const RULES_VERSION: &str = "2026-11-24";

/// What the guard looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// The person asked not to be called.
    pub suppressed: bool,
    /// The number is on hold until then: an earlier attempt was never found again.
    pub hold_until: Option<Timestamp>,
    /// The attempt makes no sense after this.
    pub expires_at: Timestamp,
    /// The attempt is not to be placed before this.
    pub due_at: Timestamp,
}

/// The guard's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Place it now.
    Allow,
    /// Not now: ask again then.
    Defer {
        /// When to ask again.
        until: Timestamp,
        /// Rule that says so.
        because: &'static str,
    },
    /// Its time passed.
    Expire,
    /// Never.
    Block {
        /// Rule that says so.
        because: &'static str,
    },
}

/// Decides about an attempt.
#[must_use]
pub fn decide(situation: &Situation, now: Timestamp) -> Decision {
    if situation.suppressed {
        return Decision::Block { because: "suppressed" };
    }
    if now >= situation.expires_at {
        return Decision::Expire;
    }
    if now < situation.due_at {
        return Decision::Defer { until: situation.due_at, because: "not_due" };
    }
    match situation.hold_until {
        Some(until) if now < until => Decision::Defer { until, because: "on_hold" },
        _ => Decision::Allow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn situation() -> Situation {
        Situation { suppressed: false, hold_until: None, expires_at: at(1000), due_at: at(100) }
    }

    #[test]
    fn an_attempt_is_allowed_from_its_due_time_until_it_expires() {
        let decisions = [99, 100, 999, 1000].map(|second| decide(&situation(), at(second)));
        let early = Decision::Defer { until: at(100), because: "not_due" };
        assert_eq!(decisions, [early, Decision::Allow, Decision::Allow, Decision::Expire]);
    }

    #[test]
    fn a_suppressed_number_is_blocked_whatever_else_is_true() {
        let suppressed = Situation { suppressed: true, hold_until: Some(at(5000)), ..situation() };
        assert_eq!(decide(&suppressed, at(2000)), Decision::Block { because: "suppressed" });
    }

    #[test]
    fn a_number_on_hold_waits() {
        let held = Situation { hold_until: Some(at(500)), ..situation() };
        assert_eq!(decide(&held, at(499)), Decision::Defer { until: at(500), because: "on_hold" });
        assert_eq!(decide(&held, at(500)), Decision::Allow);
    }
}

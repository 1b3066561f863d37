//! The only place that reads the wall clock, and the conversion between a call's nominal seconds and real ones.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// How far the outside world's clock was moved forward, in seconds. One for the whole process, as there is one time.
static MOVED: AtomicI64 = AtomicI64::new(0);

/// The present moment.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the simulator is the outside world: its clock is the real one")]
pub fn now() -> Timestamp {
    let moved = SignedDuration::from_secs(MOVED.load(Ordering::Relaxed));
    Timestamp::now().checked_add(moved).unwrap_or(Timestamp::MAX)
}

/// Moves the clock forward, for tests whose own clock moves: dates must stay comparable. What is under way goes on at its
/// own pace.
pub fn advance(by: Duration) {
    MOVED.fetch_add(i64::try_from(by.as_secs()).unwrap_or(0), Ordering::Relaxed);
}

/// RFC 2822 in UTC, as SignalWire writes dates: `Thu, 09 Nov 2023 17:05:04 +0000`.
#[must_use]
pub fn rfc2822(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// As the header `Date` has it: `Thu, 09 Nov 2023 17:05:04 GMT`.
#[must_use]
pub fn http_date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The real time that `nominal` seconds take at `scale` (20 means: twenty times as fast).
#[must_use]
pub fn scaled(nominal: f64, scale: f64) -> Duration {
    Duration::try_from_secs_f64(nominal / scale.max(0.001)).unwrap_or(Duration::ZERO)
}

/// Whole seconds of a nominal duration, rounded up as carriers bill.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range of u32")]
pub fn whole_secs(nominal: f64) -> u32 {
    nominal.ceil().clamp(0.0, f64::from(u32::MAX)) as u32
}

//! What a run found.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::task::JoinError;

use super::Sent;
use super::webhooks::Webhook;

/// Latencies are kept in microseconds, to three digits, up to this.
const LONGEST: Duration = Duration::from_mins(10);

/// The figures of a run. `{:#}` is the line of its progress.
#[derive(Debug)]
pub struct Report {
    rate: f64,
    /// Requests that left.
    pub sent: usize,
    /// Answered with 2xx.
    pub accepted: usize,
    /// By status, or why there was no answer.
    pub refused: BTreeMap<String, usize>,
    /// Accepted, and not in PostgreSQL when it was looked last.
    pub missing: usize,
    /// Somebody asked for the end.
    pub interrupted: bool,
    pub(super) sending: Duration,
    pub(super) draining: Duration,
    latest: Duration,
    latencies: Histogram<u64>,
}

impl Report {
    pub(super) fn new(rate: f64) -> Self {
        Self {
            rate,
            sent: 0,
            accepted: 0,
            refused: BTreeMap::new(),
            missing: 0,
            interrupted: false,
            sending: Duration::ZERO,
            draining: Duration::ZERO,
            latest: Duration::ZERO,
            latencies: Histogram::new_with_max(micros(LONGEST), 3).unwrap(),
        }
    }

    /// Counts what became of one request; answers it if it was accepted.
    pub(super) fn count(&mut self, done: Result<Sent, JoinError>) -> Option<Webhook> {
        let sent = done.unwrap();
        self.latest = self.latest.max(sent.late);
        let refused = match sent.answer {
            Ok(status) => {
                self.latencies.saturating_record(micros(sent.latency));
                if (200..300).contains(&status) {
                    self.accepted += 1;
                    return Some(sent.webhook);
                }
                status.to_string()
            }
            Err(error) if error.is_timeout() => "no answer in time".to_owned(),
            Err(error) if error.is_connect() => "no connection".to_owned(),
            Err(_) => "no answer".to_owned(),
        };
        *self.refused.entry(refused).or_default() += 1;
        None
    }

    /// Whether everything that was accepted has arrived, and something was.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.accepted > 0 && self.missing == 0
    }

    fn millis(&self, quantile: f64) -> f64 {
        Duration::from_micros(self.latencies.value_at_quantile(quantile)).as_secs_f64() * 1000.0
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused: Vec<String> = self.refused.iter().map(|(why, count)| format!("{why}: {count}")).collect();
        let refused = if refused.is_empty() { "none".to_owned() } else { refused.join(", ") };
        if f.alternate() {
            let p99 = self.millis(0.99);
            return write!(f, "{} accepted, refused {refused}, p99 {p99:.0} ms", self.accepted);
        }
        let (sending, latest) = (self.sending.as_secs_f64(), self.latest.as_millis());
        writeln!(
            f,
            "sent      {} in {sending:.1} s, at {} a second; the latest left {latest} ms after its slot",
            self.sent, self.rate
        )?;
        writeln!(f, "accepted  {}", self.accepted)?;
        writeln!(f, "refused   {refused}")?;
        let [p50, p95, p99, max] = [0.5, 0.95, 0.99, 1.0].map(|quantile| self.millis(quantile));
        writeln!(
            f,
            "latency   p50 {p50:.1} ms, p95 {p95:.1} ms, p99 {p99:.1} ms, max {max:.1} ms, from slot to answer"
        )?;
        let (stored, draining) = (self.accepted - self.missing, self.draining.as_secs_f64());
        writeln!(f, "stored    {stored}/{} in PostgreSQL {draining:.1} s after the last answer", self.accepted)?;
        if self.missing > 0 {
            writeln!(f, "missing   {}{}", self.missing, if self.interrupted { ", interrupted" } else { "" })?;
        }
        Ok(())
    }
}

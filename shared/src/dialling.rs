//! What the deployment says about dialling: the carrier's rate, the agents' limit, the owner's own numbers. One set of
//! settings for every function that asks the guard or claims.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::Env;
use crate::guard::{self, Contact, Decision, History, Rules};
use crate::phone::PhoneNumber;
use crate::store::pace::Pace;

/// How long the carrier may let a call wait: our slots keep its own queue at two calls and less.
const QUEUE_ALLOWANCE: Duration = Duration::from_secs(10);

/// The settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialling {
    /// The carrier's timetable.
    pub pace: Pace,
    /// Calls that the agents' vendor holds at once, over all agents.
    pub concurrency: u32,
    /// The owner's own numbers: hours and consent are not looked at.
    pub own_numbers: Vec<PhoneNumber>,
    /// What is added to the time that the guard is told. Zero, but on a local stack, where the law's hours are played.
    pub guard_clock: SignedDuration,
    /// Both vendors are played on this machine.
    pub played: bool,
}

impl Default for Dialling {
    fn default() -> Self {
        let guard_clock = SignedDuration::ZERO;
        Self { pace: Pace::of(1.0), concurrency: 10, own_numbers: Vec::new(), guard_clock, played: false }
    }
}

impl Dialling {
    /// Reads the environment: `SIGNALWIRE_CALLS_PER_SECOND`, `SINGLE_CALLS_EVERY`, `ELEVENLABS_CONCURRENCY` (required),
    /// `OWN_NUMBERS`, `GUARD_CLOCK_OFFSET_SECS`.
    pub fn from_env(env: &mut Env) -> Self {
        let mut pace = Pace::of(1.0);
        if let Some(rate) = env.with("SIGNALWIRE_CALLS_PER_SECOND", rate) {
            pace.rate = rate;
        }
        if let Some(kept) = env.with("SINGLE_CALLS_EVERY", |text| kept(text, pace.kept)) {
            pace.kept = kept;
        }
        let concurrency = env.with("ELEVENLABS_CONCURRENCY", concurrency).unwrap_or(1);
        let own_numbers = env.with("OWN_NUMBERS", own_numbers).unwrap_or_default();
        check_vendors(env);
        let guard_clock = guard_clock(env);
        let played = vendors_are_played(env);
        Self { pace, concurrency, own_numbers, guard_clock, played }
    }

    /// Whether a number is the owner's own.
    #[must_use]
    pub fn owns(&self, number: &str) -> bool {
        self.own_numbers.iter().any(|own| own.as_str() == number)
    }

    /// Rules without a campaign's: the owner asks for nothing but what the law does.
    #[must_use]
    pub fn rules(&self, ring_timeout_secs: u32) -> Rules {
        Rules {
            ring_timeout: Duration::from_secs(u64::from(ring_timeout_secs)),
            queue_allowance: QUEUE_ALLOWANCE,
            ..Rules::default()
        }
    }

    /// Asks the guard.
    #[must_use]
    pub fn decide(&self, contact: &Contact, rules: &Rules, history: &History, now: Timestamp) -> Decision {
        match guard::decide(contact, rules, &self.played(history), self.forth(now)) {
            Decision::Allow { until } => Decision::Allow { until: self.back(until) },
            Decision::Defer { until, because } => Decision::Defer { until: self.back(until), because },
            blocked @ Decision::Block { .. } => blocked,
        }
    }

    /// The first moment from `from` on at which the guard allows it, and until when.
    ///
    /// # Errors
    /// What blocks.
    pub fn first_allowed(
        &self,
        contact: &Contact,
        rules: &Rules,
        history: &History,
        from: Timestamp,
    ) -> Result<(Timestamp, Timestamp), Vec<guard::Reason>> {
        let (from, until) = guard::first_allowed(contact, rules, &self.played(history), self.forth(from))?;
        Ok((self.back(from), self.back(until)))
    }

    fn forth(&self, time: Timestamp) -> Timestamp {
        time.checked_add(self.guard_clock).unwrap_or(time)
    }

    fn back(&self, time: Timestamp) -> Timestamp {
        time.checked_sub(self.guard_clock).unwrap_or(time)
    }

    fn played(&self, history: &History) -> History {
        History {
            hold_until: history.hold_until.map(|time| self.forth(time)),
            attempts: history.attempts.iter().map(|time| self.forth(*time)).collect(),
            last_refusal: history.last_refusal.map(|time| self.forth(time)),
            ..history.clone()
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    if text.is_empty() {
        return Ok(1.0);
    }
    let rate = text.parse::<f64>().ok().filter(|rate| (0.01..=1000.0).contains(rate));
    rate.ok_or_else(|| "is not a number of calls a second from 0.01 to 1000".to_owned())
}

fn kept(text: &str, default: i64) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(default);
    }
    let kept = text.parse::<i64>().ok().filter(|kept| (2..=1000).contains(kept));
    kept.ok_or_else(|| {
        "is not a whole number from 2 to 1000: every so many slots one is kept for single calls".to_owned()
    })
}

fn concurrency(text: &str) -> Result<u32, String> {
    let limit = text.parse::<u32>().ok().filter(|limit| (1..=10_000).contains(limit));
    limit.ok_or_else(|| {
        "is not set to the number of calls that the ElevenLabs workspace holds at once (its plan says it)".to_owned()
    })
}

fn own_numbers(text: &str) -> Result<Vec<PhoneNumber>, String> {
    let numbers = text.split(',').map(str::trim).filter(|number| !number.is_empty());
    // The number itself is not reported: it is somebody's.
    let parsed = numbers
        .enumerate()
        .map(|(at, number)| PhoneNumber::parse(number).map_err(|problem| format!("entry {} {problem}", at + 1)));
    parsed.collect()
}

/// The vendors are the real ones, over TLS; or both are played on this machine, and nobody is rung by mistake while only one
/// of them is.
fn check_vendors(env: &mut Env) {
    const SPACE: &str = "SIGNALWIRE_SPACE_URL";
    const API: &str = "ELEVENLABS_API_URL";
    let played = [SPACE, API].map(|name| env.optional(name).is_some_and(|url| is_loopback(&url)));
    for (name, domain, other) in [(SPACE, "signalwire.com", played[1]), (API, "elevenlabs.io", played[0])] {
        let Some(url) = env.optional(name) else { continue };
        let problem = match (is_loopback(&url), other) {
            (true, true) => continue,
            (false, false) if is_of(&url, domain) => continue,
            (false, false) => format!("is not an https address of {domain}"),
            _ => "is refused: only one of SIGNALWIRE_SPACE_URL and ELEVENLABS_API_URL is loopback".to_owned(),
        };
        env.with(name, |_| Err::<(), _>(problem.clone()));
    }
}

/// Whether a URL, with or without its scheme, leads to a host of this domain, over TLS.
fn is_of(url: &str, domain: &str) -> bool {
    let (scheme, host) = (url.split_once("://").map_or("https", |(scheme, _)| scheme), host(url));
    let host = host.to_ascii_lowercase();
    scheme.eq_ignore_ascii_case("https") && host.strip_suffix(domain).is_some_and(|left| left.ends_with('.'))
}

/// Another hour than the real one is for playing only: with a real vendor behind it, it would ring people at night.
fn guard_clock(env: &mut Env) -> SignedDuration {
    let offset = env.parsed("GUARD_CLOCK_OFFSET_SECS", 0_i64);
    if offset == 0 {
        return SignedDuration::ZERO;
    }
    if !vendors_are_played(env) {
        env.with("GUARD_CLOCK_OFFSET_SECS", |_| {
            Err::<(), _>("is refused: SIGNALWIRE_SPACE_URL and ELEVENLABS_API_URL are not both loopback".to_owned())
        });
    }
    SignedDuration::from_secs(offset)
}

/// Whether both vendors are played on this machine: nothing here is real.
#[must_use]
pub fn vendors_are_played(env: &Env) -> bool {
    ["SIGNALWIRE_SPACE_URL", "ELEVENLABS_API_URL"]
        .iter()
        .all(|name| env.optional(name).is_some_and(|url| is_loopback(&url)))
}

/// Whether a URL, with or without its scheme, leads to this machine.
#[must_use]
pub fn is_loopback(url: &str) -> bool {
    let host = host(url);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &'static [(&'static str, &'static str)]) -> Result<Dialling, String> {
        let mut env = Env::of(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()));
        let dialling = Dialling::from_env(&mut env);
        env.finish(Some(dialling)).map_err(|error| error.to_string())
    }

    #[test]
    fn another_hour_is_refused_unless_both_vendors_are_on_this_machine() {
        const OFFSET: (&str, &str) = ("GUARD_CLOCK_OFFSET_SECS", "3600");
        const LIMIT: (&str, &str) = ("ELEVENLABS_CONCURRENCY", "10");
        const CARRIER: (&str, &str) = ("SIGNALWIRE_SPACE_URL", "http://127.0.0.1:4000");
        let both = read(&[OFFSET, LIMIT, CARRIER, ("ELEVENLABS_API_URL", "http://[::1]:4000/v1")]).unwrap();
        assert_eq!(both.guard_clock, SignedDuration::from_hours(1));
        for real in
            ["https://api.elevenlabs.io", "https://127.0.0.1.example.org", "https://x@example.org/127.0.0.1", ""]
        {
            let real: &'static str = real;
            let pairs: &'static [_] = Box::leak(Box::new([OFFSET, LIMIT, CARRIER, ("ELEVENLABS_API_URL", real)]));
            assert!(read(pairs).unwrap_err().contains("both loopback"), "{real}");
        }
    }

    #[test]
    fn a_vendor_is_the_real_one_over_tls_or_both_are_played() {
        const LIMIT: (&str, &str) = ("ELEVENLABS_CONCURRENCY", "10");
        let with = |space: &'static str, api: &'static str| {
            let pairs = vec![LIMIT, ("SIGNALWIRE_SPACE_URL", space), ("ELEVENLABS_API_URL", api)];
            read(Box::leak(pairs.into_boxed_slice())).map(|_| ())
        };
        for (space, api) in [
            ("acme.signalwire.com", "https://api.elevenlabs.io"),
            ("https://acme.signalwire.com", "https://api.eu.residency.elevenlabs.io"),
            ("acme.signalwire.com", ""),
            ("", "https://api.elevenlabs.io"),
            ("http://127.0.0.1:4000", "http://127.0.0.1:4000"),
        ] {
            assert_eq!(with(space, api), Ok(()), "{space} {api}");
        }
        for (space, api) in [
            ("http://acme.signalwire.com", ""),
            ("https://acme.signalwire.com.example.org", ""),
            ("https://example.org/?acme.signalwire.com", ""),
            ("notsignalwire.com", ""),
            ("acme.signalwire.com", "http://127.0.0.1:4000"),
            ("http://127.0.0.1:4000", "https://api.elevenlabs.io"),
            ("http://127.0.0.1:4000", ""),
            ("", "https://elevenlabs.io@example.org"),
        ] {
            assert!(with(space, api).is_err(), "{space} {api}");
        }
    }

    #[test]
    fn the_limit_of_the_agents_vendor_must_be_told() {
        assert!(read(&[]).unwrap_err().contains("ELEVENLABS_CONCURRENCY"));
        assert_eq!(read(&[("ELEVENLABS_CONCURRENCY", "7")]).unwrap().concurrency, 7);
    }

    #[test]
    fn a_malformed_own_number_is_reported_by_its_place_and_not_printed() {
        let error = read(&[("ELEVENLABS_CONCURRENCY", "7"), ("OWN_NUMBERS", "+14155550100, 5550101")]).unwrap_err();
        assert!(error.contains("entry 2 has no country code") && !error.contains("5550101"), "{error}");
    }
}

//! What the clients of both vendors do with an HTTP answer: read it within bounds, read `Retry-After`, and say what went
//! wrong without saying to whom.

use std::error::Error;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The longest wait that a vendor may ask for; a sweep looks again anyway.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// How long the vendor wants us to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date, which is measured
/// against the answer's own `Date`.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let seconds = |text: &str| text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let wait = if let Some(wait) = text("retry-after-ms").and_then(seconds) {
        wait / 1000
    } else {
        let value = text(RETRY_AFTER.as_str())?;
        match seconds(value) {
            Some(wait) => wait,
            None => until(value, text(DATE.as_str())?)?,
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

fn until(when: &str, now: &str) -> Option<Duration> {
    let parser = DateTimeParser::new();
    let (when, now) = (parser.parse_timestamp(when).ok()?, parser.parse_timestamp(now).ok()?);
    Some(Duration::try_from(when.duration_since(now)).unwrap_or_default())
}

/// The body, `None` when it broke off or is larger than `limit` bytes.
pub(crate) async fn read(response: &mut reqwest::Response, limit: usize) -> Option<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > limit {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body.freeze())
}

/// What went wrong, down to its cause, without the address (its query can hold phone numbers).
pub(crate) fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
pub(crate) mod fake;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_wait_is_read_in_every_form() {
        let date = ("date", "Thu, 09 Nov 2023 17:05:04 GMT");
        for (given, expected) in [
            (headers(&[("retry-after", "7")]), Some(Duration::from_secs(7))),
            (headers(&[("retry-after", " 1.5 ")]), Some(Duration::from_millis(1500))),
            (headers(&[("retry-after-ms", "250"), ("retry-after", "7")]), Some(Duration::from_millis(250))),
            (headers(&[date, ("retry-after", "Thu, 09 Nov 2023 17:05:34 GMT")]), Some(Duration::from_secs(30))),
            (headers(&[date, ("retry-after", "Thu, 09 Nov 2023 17:00:00 GMT")]), Some(Duration::ZERO)),
            (headers(&[("retry-after", "99999999")]), Some(LONGEST_WAIT)),
            (headers(&[("retry-after", "-3")]), None),
            (headers(&[("retry-after", "soon")]), None),
            (headers(&[("retry-after", "NaN")]), None),
            (headers(&[("retry-after", "Thu, 09 Nov 2023 17:05:34 GMT")]), None),
            (headers(&[]), None),
        ] {
            assert_eq!(retry_after(&given), expected, "{given:?}");
        }
    }
}

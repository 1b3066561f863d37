//! ElevenLabs' signature over a webhook: hex HMAC-SHA256 over `<time>.<body>`.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The oldest time that is accepted: the last retry comes about 40 minutes after the first try, and whether its time is
/// renewed is not documented.
pub const OLDEST: SignedDuration = SignedDuration::from_mins(60);
/// How far the vendor's clock may be ahead of ours.
pub const NEWEST: SignedDuration = SignedDuration::from_mins(5);

const HEADER: &str = "elevenlabs-signature";
const PAIR_SIGNATURE: &str = "x-elevenlabs-signature";
const PAIR_TIMESTAMP: &str = "x-elevenlabs-timestamp";

/// Checks webhooks against every current secret.
#[derive(Debug, Clone)]
pub struct Verifier {
    secrets: Vec<SecretString>,
}

/// Why a webhook was refused: for the log, never for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No secret is configured, so nothing can be believed.
    #[error("no webhook secret is configured")]
    NoSecret,
    /// The request carries no signature.
    #[error("there is no signature")]
    NoSignature,
    /// The signature header cannot be read.
    #[error("the signature header is malformed")]
    Malformed,
    /// The signature fits no secret.
    #[error("the signature does not fit")]
    Mismatch,
    /// The signature is true, but older than [`OLDEST`].
    #[error("the signature is true but too old")]
    TooOld,
    /// The signature is true, but from further ahead than [`NEWEST`].
    #[error("the signature is true but from the future")]
    TooNew,
}

impl Verifier {
    /// Empty secrets are dropped: they are no secrets.
    #[must_use]
    pub fn new(secrets: Vec<SecretString>) -> Self {
        Self { secrets: secrets.into_iter().filter(|secret| !secret.expose_secret().is_empty()).collect() }
    }

    /// Checks one request. `body` is the bytes that arrived, with a base64 transport encoding already undone.
    ///
    /// # Errors
    /// When the request is not from a holder of a secret, or out of its time.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Refused> {
        if self.secrets.is_empty() {
            return Err(Refused::NoSecret);
        }
        let given = Given::read(headers)?;
        let mut fits = subtle::Choice::from(0);
        for secret in &self.secrets {
            let expected = digest(secret, given.time, body);
            for signature in &given.signatures {
                fits |= signature.as_slice().ct_eq(&expected);
            }
        }
        if !bool::from(fits) {
            return Err(Refused::Mismatch);
        }
        let age = now.duration_since(given.moment);
        if age > OLDEST {
            return Err(Refused::TooOld);
        }
        if age < -NEWEST { Err(Refused::TooNew) } else { Ok(()) }
    }
}

/// What a request carries.
struct Given<'a> {
    /// As it was written, because that is what was signed.
    time: &'a str,
    moment: Timestamp,
    signatures: Vec<Vec<u8>>,
}

impl<'a> Given<'a> {
    fn read(headers: &'a HeaderMap) -> Result<Self, Refused> {
        if let Some(header) = single(headers, HEADER)? {
            return Self::read_header(header);
        }
        match (single(headers, PAIR_SIGNATURE)?, single(headers, PAIR_TIMESTAMP)?) {
            (Some(signature), Some(time)) => {
                let signature =
                    signature.strip_prefix("sha256=").or_else(|| signature.strip_prefix("v0=")).unwrap_or(signature);
                Self::of(time, vec![hex::decode(signature).map_err(|_| Refused::Malformed)?])
            }
            _ => Err(Refused::NoSignature),
        }
    }

    /// `t=1739537297,v0=<hex>`, in any order, with any number of `v0`. Other schemes are passed over.
    fn read_header(header: &'a str) -> Result<Self, Refused> {
        let mut time = None;
        let mut signatures = Vec::new();
        for part in header.split(',') {
            match part.trim().split_once('=') {
                Some(("t", value)) if time.replace(value.trim()).is_some() => return Err(Refused::Malformed),
                Some(("v0", value)) => signatures.extend(hex::decode(value.trim())),
                _ => {}
            }
        }
        match time {
            Some(time) if !signatures.is_empty() => Self::of(time, signatures),
            _ => Err(Refused::Malformed),
        }
    }

    fn of(time: &'a str, signatures: Vec<Vec<u8>>) -> Result<Self, Refused> {
        let digits = !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit());
        let seconds = if digits { time.parse().ok() } else { None };
        let moment = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).ok_or(Refused::Malformed)?;
        Ok(Self { time, moment, signatures })
    }
}

fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refused> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Refused::Malformed)?.trim();
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// Signs a body at `time` (Unix seconds): hex.
#[must_use]
pub fn sign(secret: &SecretString, time: i64, body: &[u8]) -> String {
    hex::encode(digest(secret, &time.to_string(), body))
}

/// The whole header value: `t=…,v0=…`.
#[must_use]
pub fn header(secret: &SecretString, time: i64, body: &[u8]) -> String {
    format!("t={time},v0={}", sign(secret, time, body))
}

fn digest(secret: &SecretString, time: &str, body: &[u8]) -> [u8; 32] {
    // A key of any length is valid for HMAC, so that this never fails.
    Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).map_or([0; 32], |mac| {
        mac.chain_update(time).chain_update(".").chain_update(body).finalize().into_bytes().into()
    })
}

#[cfg(test)]
mod tests;

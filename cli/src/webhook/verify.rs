//! Which secret fits, or what is wrong: the time, the form of the header, the body, the address, the secret.

use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;
use elevenwire::{elevenlabs, signalwire};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{Vendor, secrets};
use crate::{Failure, Global, output, write};

const EXAMPLES: &str = "\
Examples:
  elevenwire webhook verify body.json --header 'ElevenLabs-Signature: t=1790000000,v0=…'
  elevenwire webhook verify --header 'X-SignalWire-Signature: …' --address https://… < form.txt
  elevenwire webhook verify body.json --header '…' --at 2026-11-24T17:00:00Z     # as if received then

The body is exactly the bytes that arrived. Secrets: --secret, else ELEVENLABS_WEBHOOK_SECRET or SIGNALWIRE_SIGNING_SECRET
(comma lists), else those of .local/env. SignalWire signs the whole address that it was given: --address. Exit code 1 when
the signature does not fit.";

/// Say whether a webhook's signature fits, and if not, what is wrong.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Verify {
    /// The body as it arrived [default: the standard input].
    body: Option<PathBuf>,
    /// A header as it arrived; say it again for more.
    #[arg(long = "header", value_name = "NAME: VALUE", required = true, value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// A secret to try; say it again for more.
    #[arg(long = "secret", value_name = "SECRET")]
    secrets: Vec<String>,
    /// Who signed [default: by the headers].
    #[arg(long, value_enum)]
    vendor: Option<Vendor>,
    /// `SignalWire`: the address that was called, with its query.
    #[arg(long, value_name = "URL")]
    address: Option<String>,
    /// When it arrived (RFC 3339) [default: now].
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as 'Name: value'")?;
    let name = name.trim().parse().map_err(|_| "it is no name of a header")?;
    Ok((name, value.trim().parse().map_err(|_| "it is no value of a header")?))
}

/// What was found.
struct Verdict {
    /// Which of the secrets fits, from 1.
    secret: Option<usize>,
    problem: Option<String>,
}

impl Verdict {
    fn wrong(problem: impl Into<String>) -> Self {
        Self { secret: None, problem: Some(problem.into()) }
    }
}

impl Verify {
    pub(super) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let headers: HeaderMap = self.headers.iter().cloned().collect();
        let vendor = self.vendor.unwrap_or_else(|| guess(&headers));
        let given: Vec<SecretString> = self.secrets.iter().map(|secret| secret.trim().into()).collect();
        let secrets = if given.is_empty() { secrets(vendor.variable()) } else { given };
        if secrets.is_empty() {
            return Err(Failure::Usage(format!("no secret: give --secret, or set {}", vendor.variable())));
        }
        let body = self.body().await?;
        let verdict = match vendor {
            Vendor::Elevenlabs => by_elevenlabs(&headers, &body, &secrets, self.at.unwrap_or_else(crate::now)),
            Vendor::Signalwire => self.by_signalwire(&headers, &body, &secrets)?,
        };
        self::tell(vendor, &verdict, secrets.len(), global)
    }

    async fn body(&self) -> Result<Vec<u8>, Failure> {
        if let Some(path) = self.body.as_deref().filter(|path| path.as_os_str() != "-") {
            return std::fs::read(path).map_err(|error| Failure::file(path, &error));
        }
        // A thread of its own, so that Ctrl-C does not wait for the end of the input.
        let (sender, read) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut body = Vec::new();
            let _ = sender.send(std::io::stdin().lock().read_to_end(&mut body).map(|_| body));
        });
        let wrong = |error: &dyn std::fmt::Display| Failure::Usage(format!("the standard input: {error}"));
        read.await.map_err(|error| wrong(&error))?.map_err(|error| wrong(&error))
    }

    fn by_signalwire(&self, headers: &HeaderMap, body: &[u8], secrets: &[SecretString]) -> Result<Verdict, Failure> {
        let address = self.address.as_deref();
        let address =
            address.ok_or_else(|| Failure::Usage("SignalWire signs the address: give --address".to_owned()))?;
        let mut headers = headers.clone();
        headers
            .entry(http::header::CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/x-www-form-urlencoded"));
        let check = |address: &str, body: &[u8], secret: &SecretString| {
            let (base, path, query) = split(address);
            let verifier = signalwire::signature::Verifier::new(vec![secret.clone()], base);
            verifier.verify(path, query, &headers, body)
        };
        let mut last = None;
        for (at, secret) in secrets.iter().enumerate() {
            match check(address, body, secret) {
                Ok(()) => return Ok(Verdict { secret: Some(at + 1), problem: None }),
                Err(refused) => last = Some(refused),
            }
        }
        if last == Some(signalwire::signature::Refused::NoSignature) {
            let problem =
                "there is no header X-SignalWire-Signature, X-Twilio-Signature or X-SignalWire-SHA256-Signature";
            return Ok(Verdict::wrong(problem));
        }
        let fits = |address: &str, body: &[u8]| secrets.iter().any(|secret| check(address, body, secret).is_ok());
        if let Some(other) = addresses(address).into_iter().find(|other| fits(other, body)) {
            return Ok(Verdict::wrong(format!("it fits the address {other}, which is not the one that was given")));
        }
        if let Some((mend, _)) = bodies(body).into_iter().find(|(_, other)| fits(address, other)) {
            return Ok(Verdict::wrong(format!("it fits the body {mend}: the body is not as it arrived")));
        }
        let mut problem =
            "it fits no secret: is it the signing key of this project, and the address exactly the one that \
                           was called?"
                .to_owned();
        if secrets.iter().any(|secret| secret.expose_secret().starts_with("PT")) {
            problem.push_str(" PT… is an API token; the signing key starts with PSK_.");
        }
        Ok(Verdict::wrong(problem))
    }
}

fn guess(headers: &HeaderMap) -> Vendor {
    let signalwire = |name: &HeaderName| name.as_str().contains("signalwire") || name.as_str().contains("twilio");
    if headers.keys().any(signalwire) { Vendor::Signalwire } else { Vendor::Elevenlabs }
}

/// Base, path and query of an address.
fn split(address: &str) -> (&str, &str, &str) {
    let (whole, query) = address.split_once('?').unwrap_or((address, ""));
    let host = whole.find("://").map_or(0, |at| at + 3);
    let at = whole[host..].find('/').map_or(whole.len(), |slash| host + slash);
    (&whole[..at], &whole[at..], query)
}

/// Addresses that are easily taken for this one.
fn addresses(address: &str) -> Vec<String> {
    let scheme = match address.split_once("://") {
        Some(("https", rest)) => format!("http://{rest}"),
        Some((_, rest)) => format!("https://{rest}"),
        None => format!("https://{address}"),
    };
    let slash = address.strip_suffix('/').map_or_else(|| format!("{address}/"), str::to_owned);
    let bare = address.split('?').next().unwrap_or_default().to_owned();
    vec![scheme, slash, bare]
}

/// What becomes of a body on its way through an editor or a shell.
fn bodies(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let text = String::from_utf8_lossy(body);
    vec![
        ("without the line end after it", body.trim_ascii_end().to_vec()),
        ("with a line end after it", [body, b"\n"].concat()),
        ("with bare line ends", text.replace("\r\n", "\n").into_bytes()),
    ]
}

fn by_elevenlabs(headers: &HeaderMap, body: &[u8], secrets: &[SecretString], now: Timestamp) -> Verdict {
    use elevenlabs::signature::{NEWEST, OLDEST, Refused, Verifier};
    let check = |secret: &SecretString, body: &[u8]| Verifier::new(vec![secret.clone()]).verify(headers, body, now);
    let mut last = Refused::Mismatch;
    for (at, secret) in secrets.iter().enumerate() {
        let late = match check(secret, body) {
            Ok(()) => return Verdict { secret: Some(at + 1), problem: None },
            Err(Refused::TooOld) => Some(format!("too old: it may be {} minutes old", OLDEST.as_mins())),
            Err(Refused::TooNew) => Some(format!("from the future: clocks may differ by {} minutes", NEWEST.as_mins())),
            Err(refused) => {
                last = refused;
                None
            }
        };
        if let Some(late) = late {
            let problem = Some(format!("the signature is true, but {late}. --at says when it arrived"));
            return Verdict { secret: Some(at + 1), problem };
        }
    }
    let true_for = |secret: &SecretString, body: &[u8]| {
        matches!(check(secret, body), Ok(()) | Err(Refused::TooOld | Refused::TooNew))
    };
    match last {
        Refused::NoSignature => {
            return Verdict::wrong(
                "there is no header ElevenLabs-Signature: ElevenLabs did not send it, or a proxy dropped it",
            );
        }
        Refused::Malformed => {
            return Verdict::wrong(
                "the header is malformed: it reads `t=<Unix seconds>,v0=<hex>`, and stands there once",
            );
        }
        _ => {}
    }
    if let Some((mend, _)) = bodies(body).into_iter().find(|(_, other)| secrets.iter().any(|s| true_for(s, other))) {
        return Verdict::wrong(format!("it fits the body {mend}: the body is not as it arrived"));
    }
    Verdict::wrong("it fits no secret: a new webhook has a new one, and what is signed is the body byte for byte")
}

fn tell(vendor: Vendor, verdict: &Verdict, of: usize, global: &Global) -> Result<(), Failure> {
    let fits = verdict.problem.is_none();
    if global.json {
        let found: Value = json!({ "fits": fits, "vendor": vendor.name(), "secret": verdict.secret, "secrets": of,
            "problem": verdict.problem });
        output::line(&found)?;
    }
    match (&verdict.problem, verdict.secret) {
        (None, Some(secret)) if !global.json => write(&format!("{}: it fits secret {secret} of {of}\n", vendor.name())),
        (None, _) => Ok(()),
        (Some(problem), Some(secret)) => {
            Err(Failure::Found(format!("{}, secret {secret} of {of}: {problem}", vendor.name())))
        }
        (Some(problem), None) => Err(Failure::Found(format!("{}, {of} secrets tried: {problem}", vendor.name()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(header: &str, body: &[u8], now: i64) -> Verdict {
        let headers = [(HeaderName::from_static("elevenlabs-signature"), HeaderValue::from_str(header).unwrap())];
        let secrets = ["old".into(), "new".into()];
        by_elevenlabs(&headers.into_iter().collect(), body, &secrets, Timestamp::from_second(now).unwrap())
    }

    #[test]
    fn what_is_wrong_is_said() {
        let header = elevenlabs::signature::header(&"new".into(), 1_790_000_000, b"{}");
        assert_eq!(
            (verdict(&header, b"{}", 1_790_000_010).secret, verdict(&header, b"{}", 1_790_000_010).problem),
            (Some(2), None)
        );
        for (header, body, now, problem) in [
            (header.as_str(), b"{}".as_slice(), 1_790_009_999, "too old"),
            (&header, b"{}", 1_789_990_000, "from the future"),
            (&header, b"{}\n", 1_790_000_010, "without the line end"),
            (&header, b"{1}", 1_790_000_010, "fits no secret"),
            ("v0=00", b"{}", 1_790_000_010, "malformed"),
        ] {
            let found = verdict(header, body, now).problem.unwrap();
            assert!(found.contains(problem), "{found}");
        }
    }

    #[test]
    fn an_address_is_taken_apart() {
        assert_eq!(split("https://a:1/b/c?d=e"), ("https://a:1", "/b/c", "d=e"));
        assert_eq!(split("https://a"), ("https://a", "", ""));
    }
}

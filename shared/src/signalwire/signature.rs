//! SignalWire's signature over a callback. Verified against the address that we gave it, never against `Host`.
//!
//! Two schemes are in use. *Form*: base64 of HMAC-SHA1 over the URL and the sorted fields. *Raw*: hex of HMAC-SHA1 or
//! HMAC-SHA256 over the URL and the body. Neither holds a time, so that a callback can be replayed: whatever it does must
//! be idempotent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::fields;

const PLAIN: &str = "x-signalwire-signature";
const ALIAS: &str = "x-twilio-signature";
const SHA256: &str = "x-signalwire-sha256-signature";

/// Checks callbacks against every current signing key of the project.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Vec<SecretString>,
    bases: Vec<String>,
    fragments: Vec<String>,
}

/// Why a callback was refused: for the log, never for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No signing key is configured, so nothing can be believed.
    #[error("no signing key is configured")]
    NoKey,
    /// The request carries no signature.
    #[error("there is no signature")]
    NoSignature,
    /// The signature fits no key and no form of the address.
    #[error("the signature does not fit")]
    Mismatch,
}

impl Verifier {
    /// `public_base_url` is what stands before the path in every URL that was given to SignalWire
    /// (`https://api.example.com`, possibly with a user or a path).
    #[must_use]
    pub fn new(keys: Vec<SecretString>, public_base_url: &str) -> Self {
        let keys = keys.into_iter().filter(|key| !key.expose_secret().is_empty()).collect();
        Self { keys, bases: base_forms(public_base_url.trim_end_matches('/')), fragments: vec![String::new()] }
    }

    /// Also accepts URLs that were given with this fragment (`rt=15000&tt=15000`): whether the vendor signs a fragment is
    /// not documented.
    #[must_use]
    pub fn with_fragment(mut self, fragment: &str) -> Self {
        self.fragments.push(format!("#{}", fragment.trim_start_matches('#')));
        self
    }

    /// Checks one request. `path` and `raw_query` are as they were sent; `body` is the bytes that arrived, with a base64
    /// transport encoding already undone.
    ///
    /// # Errors
    /// When the request is not from the holder of a key.
    pub fn verify(&self, path: &str, raw_query: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), Refused> {
        if self.keys.is_empty() {
            return Err(Refused::NoKey);
        }
        let given = Given::read(headers);
        if given.plain.is_empty() && given.sha256.is_empty() {
            return Err(Refused::NoSignature);
        }
        let content_type = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let signed = Signed { body, appendix: appendix(content_type, body, raw_query) };
        let query = if raw_query.is_empty() { String::new() } else { format!("?{raw_query}") };
        for base in &self.bases {
            for fragment in &self.fragments {
                let url = format!("{base}{path}{query}{fragment}");
                if self.keys.iter().any(|key| given.fits(key, &url, &signed)) {
                    return Ok(());
                }
            }
        }
        Err(Refused::Mismatch)
    }
}

/// The signatures that a request carries.
struct Given<'a> {
    plain: Vec<&'a [u8]>,
    sha256: Vec<&'a [u8]>,
}

impl<'a> Given<'a> {
    fn read(headers: &'a HeaderMap) -> Self {
        let all = |name: &str| -> Vec<&'a [u8]> {
            headers
                .get_all(name)
                .iter()
                .map(|value| value.as_bytes().trim_ascii())
                .filter(|value| !value.is_empty())
                .collect()
        };
        let plain = all(PLAIN);
        Self { plain: if plain.is_empty() { all(ALIAS) } else { plain }, sha256: all(SHA256) }
    }

    fn fits(&self, key: &SecretString, url: &str, signed: &Signed<'_>) -> bool {
        let among =
            |given: &[&[u8]], expected: &str| given.iter().any(|given| bool::from(given.ct_eq(expected.as_bytes())));
        among(&self.sha256, &sign_raw_sha256(key, url, signed.body))
            || among(&self.plain, &sign_raw(key, url, signed.body))
            || signed
                .appendix
                .iter()
                .any(|appendix| among(&self.plain, &STANDARD.encode(sha1(key, url, appendix.as_bytes()))))
    }
}

/// What a signature can be over, besides the URL.
struct Signed<'a> {
    body: &'a [u8],
    /// What scheme *form* appends to the URL.
    appendix: Vec<String>,
}

/// A body that adds nothing to the signed text is refused: a captured signature of an empty request would otherwise
/// carry any body. The exception is a URL that itself pins the body, by `bodySHA256`.
fn appendix(content_type: Option<&str>, body: &[u8], raw_query: &str) -> Vec<String> {
    let concatenated = fields::read(content_type, body).map(concatenate).filter(|text| !text.is_empty());
    let pinned =
        form_urlencoded::parse(raw_query.as_bytes()).find(|(name, _)| name == "bodySHA256").map(|(_, value)| value);
    match pinned {
        Some(digest) if bool::from(hex::encode(Sha256::digest(body)).as_bytes().ct_eq(digest.as_bytes())) => {
            std::iter::once(String::new()).chain(concatenated).collect()
        }
        Some(_) => Vec::new(),
        None if body.is_empty() => vec![String::new()],
        None => concatenated.into_iter().collect(),
    }
}

fn concatenate(mut fields: Vec<(String, String)>) -> String {
    // Stable: fields of the same name keep their order.
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields.into_iter().flat_map(|(name, value)| [name, value]).collect()
}

/// The forms of the base that the vendor may have signed: its backend adds or drops ports, and drops the user for some
/// requests.
fn base_forms(base: &str) -> Vec<String> {
    let Some((scheme, rest)) = base.split_once("://") else { return vec![base.to_owned()] };
    let (authority, prefix) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let (user, host_port) = authority.rfind('@').map_or(("", authority), |at| authority.split_at(at + 1));
    let (host, port) = split_port(host_port);
    let mut hosts = vec![host_port.to_owned()];
    if port.is_some() {
        hosts.push(host.to_owned());
    } else {
        hosts.push(format!("{host}:{}", if scheme.eq_ignore_ascii_case("http") { "80" } else { "443" }));
    }
    let users = if user.is_empty() { vec![""] } else { vec![user, ""] };
    users.iter().flat_map(|user| hosts.iter().map(move |host| format!("{scheme}://{user}{host}{prefix}"))).collect()
}

fn split_port(host_port: &str) -> (&str, Option<&str>) {
    match host_port.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => (host, Some(port)),
        _ => (host_port, None),
    }
}

/// Signs a form (or, with an empty body, a URL alone) as SignalWire does: scheme *form*, base64.
#[must_use]
pub fn sign_form(key: &SecretString, url: &str, body: &[u8]) -> String {
    STANDARD.encode(sha1(key, url, concatenate(fields::read_form(body)).as_bytes()))
}

/// Signs a body as it is: scheme *raw*, HMAC-SHA1, hex.
#[must_use]
pub fn sign_raw(key: &SecretString, url: &str, body: &[u8]) -> String {
    hex::encode(sha1(key, url, body))
}

/// Signs a body as it is: scheme *raw*, HMAC-SHA256, hex; for `X-SignalWire-SHA256-Signature`.
#[must_use]
pub fn sign_raw_sha256(key: &SecretString, url: &str, body: &[u8]) -> String {
    // A key of any length is valid for HMAC, so that this never fails.
    Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()).map_or_else(
        |_| String::new(),
        |mac| hex::encode(mac.chain_update(url).chain_update(body).finalize().into_bytes()),
    )
}

fn sha1(key: &SecretString, url: &str, rest: &[u8]) -> [u8; 20] {
    // A key of any length is valid for HMAC, so that this never fails.
    Hmac::<Sha1>::new_from_slice(key.expose_secret().as_bytes())
        .map_or([0; 20], |mac| mac.chain_update(url).chain_update(rest).finalize().into_bytes().into())
}

#[cfg(test)]
mod tests;

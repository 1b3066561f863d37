//! Bearer tokens of the HTTP API. Only their SHA-256 is configured, so that neither the template, nor the environment,
//! nor a dump of either can be used to call. Tokens are long and random, so a fast digest is enough.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::problem::Problem;

/// What a token may do. Each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Read calls, conversations, agents.
    Read,
    /// Place calls as well.
    Call,
    /// Everything.
    Admin,
}

/// A token's name and scope, known after its digest matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// Name that the owner gave the token; safe to log.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// How much of it a day.
    pub caps: Caps,
}

/// What a token may use up in a day (UTC). Campaigns have budgets of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Caps {
    /// Calls.
    pub calls_a_day: Option<u32>,
    /// Money, in the currency of the agents' vendor.
    pub spend_a_day: Option<f64>,
}

/// The tokens that are accepted.
#[derive(Debug, Clone)]
pub struct Tokens(Vec<(Caller, [u8; 32])>);

impl Tokens {
    /// Parses the comma list `name:scope:sha256hex`, each optionally followed by `:calls_a_day=500` and `:spend_a_day=20`.
    ///
    /// # Errors
    /// A sentence that says which entry is malformed, without its digest.
    pub fn parse(list: &str) -> Result<Self, String> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let tokens = entries.enumerate().map(|(at, entry)| parse_entry(entry).ok_or(at)).collect::<Result<Vec<_>, _>>();
        match tokens {
            Ok(tokens) if tokens.is_empty() => Err("holds no token".to_owned()),
            Ok(tokens) => Ok(Self(tokens)),
            Err(at) => Err(format!("entry {} is not `name:read|call|admin:<sha256 of the token in hex>`", at + 1)),
        }
    }

    /// Who sends this `Authorization` header, if it holds a token of ours with at least `scope`. Every token is compared,
    /// in constant time, so that the answer's time says nothing.
    ///
    /// # Errors
    /// 401 without a known token, 403 when its scope is too small.
    pub fn authorize(&self, authorization: Option<&str>, scope: Scope) -> Result<Caller, Problem> {
        let token = authorization.and_then(bearer).ok_or_else(Problem::unauthorized)?;
        let caller = self.holder(&digest(token)).ok_or_else(Problem::unauthorized)?;
        if caller.scope < scope {
            let detail = format!("This needs a token with the scope `{scope:?}`.").to_lowercase();
            return Err(Problem::new(403, "Forbidden", detail));
        }
        Ok(caller.clone())
    }

    /// Who holds the token of this digest.
    #[must_use]
    pub fn holder(&self, digest: &[u8]) -> Option<&Caller> {
        let mut found = None;
        for (caller, known) in &self.0 {
            if bool::from(known.as_slice().ct_eq(digest)) {
                found = Some(caller);
            }
        }
        found
    }
}

/// What is kept of a token.
#[must_use]
pub fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn parse_entry(entry: &str) -> Option<(Caller, [u8; 32])> {
    let mut parts = entry.split(':');
    let (name, scope, digest) = (parts.next()?, parts.next()?, parts.next()?);
    if name.is_empty() {
        return None;
    }
    let mut caps = Caps::default();
    for cap in parts {
        match cap.split_once('=')? {
            ("calls_a_day", most) => caps.calls_a_day = Some(most.parse().ok()?),
            ("spend_a_day", most) => {
                caps.spend_a_day = Some(most.parse().ok().filter(|most: &f64| most.is_finite() && *most >= 0.0)?);
            }
            _ => return None,
        }
    }
    let scope = match scope {
        "read" => Scope::Read,
        "call" => Scope::Call,
        "admin" => Scope::Admin,
        _ => return None,
    };
    let mut bytes = [0; 32];
    hex::decode_to_slice(digest, &mut bytes).ok()?;
    Some((Caller { name: name.to_owned(), scope, caps }, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, scope: &str, token: &str) -> String {
        format!("{name}:{scope}:{}", hex::encode(Sha256::digest(token.as_bytes())))
    }

    fn tokens() -> Tokens {
        Tokens::parse(&[entry("viewer", "read", "t-read"), entry("owner", "admin", "t-admin")].join(",")).unwrap()
    }

    #[test]
    fn a_known_token_says_who_calls_and_admin_includes_call() {
        let caller = tokens().authorize(Some("Bearer t-admin"), Scope::Call).unwrap();
        assert_eq!(caller, Caller { name: "owner".into(), scope: Scope::Admin, caps: Caps::default() });
        assert_eq!(tokens().authorize(Some("bearer  t-read"), Scope::Read).unwrap().name, "viewer");
    }

    #[test]
    fn an_unknown_or_missing_token_is_401_and_a_small_scope_403() {
        for header in [None, Some(""), Some("Bearer"), Some("Bearer nope"), Some("Basic t-admin"), Some("t-admin")] {
            assert_eq!(tokens().authorize(header, Scope::Read).unwrap_err().status, 401, "{header:?}");
        }
        assert_eq!(tokens().authorize(Some("Bearer t-read"), Scope::Call).unwrap_err().status, 403);
    }

    #[test]
    fn a_token_may_have_caps_for_its_day() {
        let list = format!("{}:calls_a_day=500:spend_a_day=20.5", entry("owner", "call", "t"));
        let caps = Tokens::parse(&list).unwrap().authorize(Some("Bearer t"), Scope::Call).unwrap().caps;
        assert_eq!(caps, Caps { calls_a_day: Some(500), spend_a_day: Some(20.5) });
        for wrong in ["calls_a_day=many", "calls_a_day", "spend_a_day=-1", "spend_a_day=NaN", "calls=1"] {
            assert!(Tokens::parse(&format!("{}:{wrong}", entry("owner", "call", "t"))).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_malformed_list_is_refused_without_its_digest() {
        for list in ["", " , ", "owner:admin", "owner:root:00", "owner:admin:zz", "a:read:00:11"] {
            let error = Tokens::parse(list).unwrap_err();
            assert!(error.contains("entry") || error.contains("no token"), "{error}");
        }
    }
}

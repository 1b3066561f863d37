//! The one reader of the environment. A function lists what it needs; everything missing or malformed is reported at
//! once, by name, and no value of a secret is ever printed.

use std::fmt::Display;
use std::str::FromStr;

use secrecy::ExposeSecret;
pub use secrecy::SecretString as Secret;
use subtle::ConstantTimeEq;

type Lookup = Box<dyn Fn(&str) -> Option<String>>;

/// Reads variables and gathers what is wrong with them.
pub struct Env {
    read: Lookup,
    problems: Vec<String>,
}

/// What is wrong with the environment: one line a variable.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("configuration: {}", .0.join("; "))]
pub struct Misconfigured(pub Vec<String>);

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env").field("problems", &self.problems).finish_non_exhaustive()
    }
}

impl Env {
    /// The environment of this process.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn of_process() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    /// An environment that is given, for tests.
    pub fn of(read: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self { read: Box::new(read), problems: Vec::new() }
    }

    /// A text, if it is set and not blank.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.read)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// A text that must be there.
    pub fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set"));
            String::new()
        })
    }

    /// A secret that must be there.
    pub fn secret(&mut self, name: &str) -> Secret {
        self.required(name).into()
    }

    /// A comma list of secrets, the new one and the old one while a secret is rotated. May be empty: a verifier without
    /// a secret refuses everything.
    #[must_use]
    pub fn secrets(&self, name: &str) -> Vec<Secret> {
        let list = self.optional(name).unwrap_or_default();
        list.split(',').map(str::trim).filter(|secret| !secret.is_empty()).map(Secret::from).collect()
    }

    /// A value that parses, or `default` when it is not set.
    pub fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str, default: T) -> T {
        match self.optional(name).map(|value| value.parse::<T>()) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(error)) => {
                self.problems.push(format!("{name} is malformed: {error}"));
                default
            }
        }
    }

    /// A text that `parse` understands. The text itself is not reported: it may be a secret.
    pub fn with<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match parse(&self.optional(name).unwrap_or_default()) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problems.push(format!("{name} {problem}"));
                None
            }
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Everything that was missing or malformed, at once.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Misconfigured> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(Misconfigured(self.problems)),
        }
    }
}

/// Whether `given` is one of the secrets: all are compared, in constant time. No secret matches nothing.
#[must_use]
pub fn is_one_of(secrets: &[Secret], given: &str) -> bool {
    secrets
        .iter()
        .fold(false, |found, secret| found | bool::from(secret.expose_secret().as_bytes().ct_eq(given.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&'static str, &'static str)]) -> Env {
        Env::of(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn everything_missing_or_malformed_is_reported_at_once_and_no_value_is_printed() {
        let mut env = env(&[("CALL_TIMEOUT_SECS", "sixty"), ("API_TOKENS", "s3cret")]);
        env.required("DATABASE_URL");
        env.parsed("CALL_TIMEOUT_SECS", 60_u32);
        env.with("API_TOKENS", |_| Err::<(), _>("is malformed".into()));
        let report = env.finish(Some(())).unwrap_err().to_string();
        for name in ["DATABASE_URL is not set", "CALL_TIMEOUT_SECS is malformed", "API_TOKENS is malformed"] {
            assert!(report.contains(name), "{report}");
        }
        assert!(!report.contains("s3cret"));
    }

    #[test]
    fn no_secret_matches_nothing() {
        let secrets = env(&[("S", "new,old")]).secrets("S");
        assert!(is_one_of(&secrets, "old") && is_one_of(&secrets, "new"));
        assert!(!is_one_of(&secrets, "ol") && !is_one_of(&secrets, "") && !is_one_of(&[], ""));
    }

    #[test]
    fn a_secret_list_holds_the_new_and_the_old_one() {
        assert_eq!(env(&[("S", " a, b ,")]).secrets("S").len(), 2);
        assert!(env(&[("S", " ")]).secrets("S").is_empty());
    }
}

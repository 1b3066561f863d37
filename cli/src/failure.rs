//! What can go wrong, and the exit code that says so.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Something was found that is wrong: a check failed, a signature does not fit. Exit code 1.
    #[error("{0}")]
    Found(String),
    /// The arguments, or the environment, are not enough. Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The API refused; its problem document. Exit code 3.
    #[error("{}", refusal(*.0, .1))]
    Refused(u16, Value),
    /// Nobody answered, or not as 11Wire does. Exit code 4.
    #[error("{0}")]
    Unreachable(String),
    /// Whoever read our answer went away. Exit code 0.
    #[error("nobody reads on")]
    Gone,
    /// Ctrl-C. Exit code 130.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// 1 something was found, 2 usage, 3 refused, 4 nobody there, 130 interrupted.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Gone => 0,
            Self::Found(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(..) => 3,
            Self::Unreachable(_) => 4,
            Self::Interrupted => 130,
        }
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::Usage(format!("{}: {error}", path.display()))
    }

    /// Whether the same request may be answered otherwise in a moment.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused(status, _) => *status == 429 || *status >= 500,
            _ => false,
        }
    }

    /// Tells it on the standard error output.
    #[must_use]
    pub fn report(&self, as_json: bool) -> ExitCode {
        match self {
            Self::Gone => {}
            Self::Interrupted => crate::tell("interrupted"),
            Self::Refused(_, problem) if as_json => crate::tell(&problem.to_string()),
            other if as_json => crate::tell(&json!({ "detail": other.to_string() }).to_string()),
            other => crate::tell(&format!("error: {other}")),
        }
        ExitCode::from(self.exit_code())
    }
}

/// The problem document in words: what, then each field with its mend.
fn refusal(status: u16, problem: &Value) -> String {
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let mut words = match status {
        401 => "the API does not know this token".to_owned(),
        _ => text(problem, "detail"),
    };
    if words.is_empty() {
        words = format!("the API answered {status} {}", text(problem, "title"));
    }
    for error in problem["errors"].as_array().into_iter().flatten() {
        let _ = write!(words, "\n  {} {}. {}", text(error, "field"), text(error, "problem"), text(error, "mend"));
    }
    for reason in problem["because"].as_array().into_iter().flatten() {
        let _ = write!(words, "\n  {}: {}", text(reason, "rule"), text(reason, "source"));
    }
    let mend = match status {
        401 => "Give another one with --token or API_TOKEN, or store it: elevenwire profile set NAME --url URL.",
        403 => "Use a token with a wider scope (read, call, admin).",
        409 if text(problem, "detail").contains("next_window") => "On the command line that is --when next-window.",
        _ => "",
    };
    if !mend.is_empty() {
        let _ = write!(words, "\n  {mend}");
    }
    if let Some(link) = problem["link"].as_str() {
        let id = link.rsplit('/').next().unwrap_or_default();
        let _ = write!(words, "\n  elevenwire show {id}");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_each_field_with_its_mend() {
        let problem = json!({ "title": "Unprocessable Content", "detail": "Mend to.", "errors": [
            { "field": "to", "problem": "is missing", "mend": "Give it." }] });
        assert_eq!(Failure::Refused(422, problem).to_string(), "Mend to.\n  to is missing. Give it.");
    }

    #[test]
    fn a_number_that_is_busy_names_its_call() {
        let problem = json!({ "detail": "Busy.", "link": "https://a/api/calls/7" });
        assert_eq!(Failure::Refused(409, problem).to_string(), "Busy.\n  elevenwire show 7");
    }
}

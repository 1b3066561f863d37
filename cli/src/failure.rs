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
}

impl Failure {
    /// 1 something was found, 2 usage, 3 refused, 4 nobody there.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Gone => 0,
            Self::Found(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(..) => 3,
            Self::Unreachable(_) => 4,
        }
    }

    /// Tells it on the standard error output.
    #[must_use]
    pub fn report(&self, as_json: bool) -> ExitCode {
        if !matches!(self, Self::Gone) {
            let text = match self {
                Self::Refused(_, problem) if as_json => format!("{problem}"),
                other if as_json => json!({ "detail": other.to_string() }).to_string(),
                other => format!("error: {other}"),
            };
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{text}\n"));
        }
        ExitCode::from(self.exit_code())
    }
}

/// The problem document in words: what, then each field with its mend.
fn refusal(status: u16, problem: &Value) -> String {
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let mut words = match text(problem, "detail") {
        empty if empty.is_empty() => format!("the API answered {status} {}", text(problem, "title")),
        detail => detail,
    };
    for error in problem["errors"].as_array().into_iter().flatten() {
        let _ = write!(words, "\n  {} {}. {}", text(error, "field"), text(error, "problem"), text(error, "mend"));
    }
    words
}

//! Names and values of the variables that an agent is given.

use serde_json::{Map, Value};

/// Most variables of a call, longest name, longest value in bytes. The initiation answer that carries them may have 256 kB.
pub const MOST: usize = 100;
/// Longest name.
pub const LONGEST_NAME: usize = 64;
/// Longest value, bytes.
pub const LONGEST_VALUE: usize = 4096;

/// A value: a text, a number or a boolean. For the description of the API.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Plain {
    /// At most 4,096 bytes.
    Text(String),
    /// A number.
    Number(f64),
    /// True or false.
    Boolean(bool),
}

/// What is wrong with a variable, and how to mend it.
pub type Wrong = (&'static str, &'static str);

/// Whether a text can be a variable's name: a letter, then letters, digits or `_`.
#[must_use]
pub fn is_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether the system sets it.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    matches!(name, "call_id" | "campaign_id") || name.starts_with("system__") || name.starts_with("secret__")
}

/// Checks a name.
///
/// # Errors
/// When it is no name, or one that the system sets.
pub fn check_name(name: &str) -> Result<(), Wrong> {
    if !is_name(name) {
        return Err(("is not a name of a variable", "Use a letter, then up to 63 letters, digits or `_`."));
    }
    if is_reserved(name) {
        let mend = "`call_id`, `campaign_id`, `system__*` and `secret__*` are set by the system: choose another name.";
        return Err(("is a reserved name", mend));
    }
    Ok(())
}

/// Checks a name and its value.
///
/// # Errors
/// As [`check_name`], and when the value is too long or not a plain one.
pub fn check(name: &str, value: &Value) -> Result<(), Wrong> {
    check_name(name)?;
    match value {
        Value::String(text) if text.len() > LONGEST_VALUE => Err(("is too long", "Keep it under 4,096 bytes.")),
        Value::String(text) if text.contains('\0') => {
            Err(("holds a NUL character", "Remove \\u0000: the database cannot hold it."))
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(()),
        _ => Err(("is not a text, number or boolean", "Send a plain value.")),
    }
}

/// Everything that is wrong with a set of variables: name (cut to a bearable length), problem, mend.
#[must_use]
pub fn check_all(variables: &Map<String, Value>) -> Vec<(String, Wrong)> {
    let shown = |name: &str| name.chars().take(LONGEST_NAME).collect::<String>();
    let mut wrong: Vec<_> = variables
        .iter()
        .filter_map(|(name, value)| {
            check(name, value).err().map(|problem| (format!("variables.{}", shown(name)), problem))
        })
        .collect();
    if variables.len() > MOST {
        wrong.push(("variables".to_owned(), ("has too many names", "Send at most 100 variables.")));
    }
    wrong
}

//! Names and bounds of the variables that a call may have, wherever they come from.

/// Most variables of a call. The initiation answer that carries them may have 256 kB.
pub const MOST: usize = 100;
/// Bytes of a name.
pub const LONGEST_NAME: usize = 64;
/// Bytes of a value.
pub const LONGEST_VALUE: usize = 4096;

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

//! People to be called, as a file lists them: a row becomes a contact, or is bad and says why. Pure: no clock, no I/O.
//! Nothing is guessed: what may mean two things is refused with its mend.

mod csv;
mod decode;
pub mod forecast;
mod header;
mod row;
mod sheet;
mod states;

use std::borrow::Cow;

pub use header::{Column, Field, Role};
use jiff::Timestamp;
use serde_json::{Map, Value};
pub use sheet::Sheet;

use crate::guard;

/// Bytes of a file at most.
pub const LARGEST_FILE: u64 = 500 * 1024 * 1024;
/// Bytes of a file that comes with its request.
pub const SMALL_FILE: usize = 1024 * 1024;

/// What the owner said about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wishes {
    /// Numbers without a country code are of the United States.
    pub us_numbers: bool,
    /// Nobody consented after it.
    pub now: Timestamp,
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// One that can be taken.
    Good(Contact),
    /// One that cannot.
    Bad(BadRow),
}

/// A person of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Contact {
    /// On which the row begins, from 1.
    pub line: u32,
    /// What the guard asks for.
    pub callee: guard::Contact,
    /// Every other column that is not empty.
    pub variables: Map<String, Value>,
}

/// A row that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// On which it begins, from 1.
    pub line: u32,
    /// All that is wrong.
    pub faults: Vec<Fault>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The column as the file names it; empty when it is the row as a whole.
    pub column: String,
    /// What is wrong, and the mend.
    pub reason: String,
    /// The guard's rule, when it is the guard that never lets this number be called.
    pub rule: Option<&'static str>,
}

/// The first line of the CSV of bad rows.
pub const REPORT_HEADER: &str = "line,column,reason\r\n";

impl BadRow {
    /// As lines of the CSV of bad rows.
    #[must_use]
    pub fn report(&self) -> String {
        let line = |fault: &Fault| format!("{},{},{}\r\n", self.line, cell(&fault.column), cell(&fault.reason));
        self.faults.iter().map(line).collect()
    }
}

/// A quoted cell.
fn cell(text: &str) -> String {
    format!("\"{}\"", no_formula(text).replace('"', "\"\""))
}

/// What a spreadsheet would take for a formula gets an apostrophe, which makes it text.
#[must_use]
pub fn no_formula(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}").into() } else { text.into() }
}

/// A file that cannot be read at all: what is wrong, and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No rows at all.
    #[error("The file is empty.")]
    Empty,
    /// A workbook.
    #[error("The file is an Excel workbook: save it as \"CSV UTF-8\" and send that.")]
    Workbook,
    /// Compressed.
    #[error("The file is compressed: unpack it and send what is in it.")]
    Packed,
    /// UTF-16 that does not say so.
    #[error("The file seems to be UTF-16 without its byte order mark: save it as \"CSV UTF-8\".")]
    NoByteOrderMark,
    /// The header is in another encoding.
    #[error("The header is not UTF-8: save the file as \"CSV UTF-8\".")]
    HeaderNotUtf8,
    /// The first line is data.
    #[error("The first line is no header, since it holds {found:?}: begin with a line that names the columns.")]
    NoHeader {
        /// What is no name.
        found: String,
    },
    /// No column with numbers.
    #[error("The header has no column phone_number; it has {columns}.")]
    NoNumber {
        /// What it has.
        columns: String,
    },
    /// A column without a name.
    #[error("Column {column} has no name: name it, or remove it.")]
    NoName {
        /// From 1.
        column: usize,
    },
    /// Two columns for one thing.
    #[error("The columns {first:?} and {second:?} both mean {means}: rename or remove one.")]
    Twice {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// What they mean.
        means: String,
    },
    /// A name that no variable can have.
    #[error("The column {name:?} cannot be a variable: use a letter, then up to 63 letters, digits or _.")]
    NotAName {
        /// The column.
        name: String,
    },
    /// A name that is taken.
    #[error(
        "The column {name:?} has a name that the system sets itself (call_id, campaign_id, system__*, secret__*, text_*): rename it."
    )]
    Reserved {
        /// The column.
        name: String,
    },
    /// Too many columns.
    #[error("The header has more than {most} columns: remove those that no call needs.")]
    TooManyColumns {
        /// How many there may be.
        most: usize,
    },
    /// No end of the first line.
    #[error("The header is longer than 64 kB: is a quote in it never closed, or is this no CSV?")]
    HeaderTooLong,
    /// A quote in a quoted text.
    #[error("The header holds a quote within a quoted text: double it, or leave the quotes away.")]
    HeaderQuote,
    /// A quote without its end.
    #[error(
        "A quote is opened on line {line} and never closed, so that all that follows would be one text: close it, or double it if it belongs to the text."
    )]
    OpenQuote {
        /// Where.
        line: u32,
    },
}

impl From<csv::OpenQuote> for Unreadable {
    fn from(open: csv::OpenQuote) -> Self {
        Self::OpenQuote { line: open.line }
    }
}

#[cfg(test)]
mod tests;

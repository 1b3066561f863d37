//! How rows leave: as CSV (RFC 4180) or as JSON Lines.

use serde::{Deserialize, Serialize};

use crate::contact::no_formula;

/// Excel reads UTF-8 only if it is told so.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// What a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// An object a line.
    Jsonl,
}

impl Format {
    /// All of them, as they are asked for.
    pub const WORDS: [&'static str; 2] = ["csv", "jsonl"];

    /// As it is asked for, and how its files end.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }

    /// Of this name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Csv, Self::Jsonl].into_iter().find(|format| format.as_str() == word)
    }

    /// Its media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Jsonl => "application/jsonl; charset=utf-8",
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text of anybody's.
    Text,
    /// E.164: a plus and digits, which no spreadsheet can run.
    Phone,
    /// A UUID.
    Uuid,
    /// RFC 3339, UTC, with microseconds.
    Time,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// JSON; in a CSV its text.
    Json,
}

impl Kind {
    /// Its name in the documentation.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Phone => "phone",
            Self::Uuid => "uuid",
            Self::Time => "time",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Json => "json",
        }
    }
}

/// A column of an export.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name, which never changes.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// How the database works it out.
    pub(crate) sql: &'static str,
}

/// The first line of a CSV.
pub fn header(columns: &[Column], file: &mut Vec<u8>) {
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    file.extend_from_slice(names.join(",").as_bytes());
    file.extend_from_slice(b"\r\n");
}

/// A line of a CSV; what is null is empty.
pub fn line<'c>(columns: &[Column], cells: impl Iterator<Item = Option<&'c str>>, file: &mut Vec<u8>) {
    for (at, (column, cell)) in columns.iter().zip(cells).enumerate() {
        if at > 0 {
            file.push(b',');
        }
        match cell {
            None => {}
            Some(text) if column.kind == Kind::Text => quoted(&no_formula(text), file),
            Some(text) => quoted(text, file),
        }
    }
    file.extend_from_slice(b"\r\n");
}

/// A text as a cell: no formula, and quoted where it must be.
#[must_use]
pub fn cell(text: &str) -> String {
    let mut cell = Vec::with_capacity(text.len());
    quoted(&no_formula(text), &mut cell);
    String::from_utf8(cell).unwrap_or_default()
}

/// Semicolons too: some spreadsheets cut there.
fn quoted(text: &str, file: &mut Vec<u8>) {
    if !text.contains([',', '"', '\r', '\n', ';']) {
        file.extend_from_slice(text.as_bytes());
        return;
    }
    file.push(b'"');
    for (at, piece) in text.split('"').enumerate() {
        if at > 0 {
            file.extend_from_slice(b"\"\"");
        }
        file.extend_from_slice(piece.as_bytes());
    }
    file.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column { name: "to", kind: Kind::Phone, sql: "" },
        Column { name: "reason", kind: Kind::Text, sql: "" },
        Column { name: "secs", kind: Kind::Integer, sql: "" },
        Column { name: "variables", kind: Kind::Json, sql: "" },
    ];

    #[test]
    fn a_formula_is_neutralised_and_quotes_are_doubled() {
        for (text, expected) in [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("he said \"no\"", "\"he said \"\"no\"\"\""),
            ("=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }

    #[test]
    fn a_line_keeps_numbers_and_telephone_numbers_as_they_are() {
        let mut file = Vec::new();
        header(&COLUMNS, &mut file);
        line(&COLUMNS, [Some("+14155550101"), Some("+1,5"), Some("-7"), None].into_iter(), &mut file);
        line(&COLUMNS, [None, Some("a\r\nb"), None, Some("{\"a\": \"=1\"}")].into_iter(), &mut file);
        assert_eq!(
            String::from_utf8(file).unwrap(),
            "to,reason,secs,variables\r\n+14155550101,\"'+1,5\",-7,\r\n,\"a\r\nb\",,\"{\"\"a\"\": \"\"=1\"\"}\"\r\n"
        );
    }
}

//! The first line of a file: which column is what.

use serde::Serialize;

use super::Unreadable;
use super::csv::{Flaw, MOST_COLUMNS, Record};
use crate::variables as variable;

/// What a column means, besides a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// E.164.
    PhoneNumber,
    /// IANA.
    Timezone,
    /// US state.
    State,
    /// ZIP code.
    PostalCode,
    /// Word of the guard's.
    ConsentType,
    /// When it was given.
    ConsentAt,
    /// Where it is recorded.
    ConsentSource,
}

/// Names by which the known columns go, lower case with `_`. The first is the field's own.
const KNOWN: [(Field, &[&str]); 7] = [
    (Field::PhoneNumber, &["phone_number", "phone", "number", "mobile", "telephone", "cell"]),
    (Field::Timezone, &["timezone", "time_zone", "tz"]),
    (Field::State, &["state"]),
    (Field::PostalCode, &["postal_code", "zip", "zip_code", "zipcode"]),
    (Field::ConsentType, &["consent_type"]),
    (Field::ConsentAt, &["consent_at"]),
    (Field::ConsentSource, &["consent_source"]),
];

/// Set from the campaign's own texts, which a column must not undo.
const TEXTS: &str = "text_";

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// As the file names it.
    pub name: String,
    /// What it is taken for.
    #[serde(flatten)]
    pub role: Role,
}

/// What a column is taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A known column.
    Field(Field),
    /// A variable of this name.
    Variable(String),
}

/// The columns of a header.
pub(super) fn read(record: Record<'_>) -> Result<Vec<Column>, Unreadable> {
    match record.flaw {
        Some(Flaw::TooManyColumns) => return Err(Unreadable::TooManyColumns { most: MOST_COLUMNS }),
        Some(Flaw::TooLong) => return Err(Unreadable::HeaderTooLong),
        Some(Flaw::StrayQuote) => return Err(Unreadable::HeaderQuote),
        None => {}
    }
    let mut columns: Vec<Column> = Vec::with_capacity(record.len());
    for (at, field) in record.fields().enumerate() {
        let name = std::str::from_utf8(field).map_err(|_| Unreadable::HeaderNotUtf8)?.trim();
        if name.contains('\0') {
            return Err(Unreadable::NoByteOrderMark);
        }
        let column = column(name, at + 1)?;
        if let Some(first) = columns.iter().position(|known| known.role == column.role) {
            let (first, name) = (columns[first].name.clone(), column.name);
            return Err(Unreadable::Twice { first, second: name, means: meaning(&column.role) });
        }
        columns.push(column);
    }
    if columns.iter().all(|column| column.role != Role::Field(Field::PhoneNumber)) {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        return Err(Unreadable::NoNumber { columns: shortened(&names.join(", ")) });
    }
    Ok(columns)
}

fn column(name: &str, at: usize) -> Result<Column, Unreadable> {
    if name.is_empty() {
        return Err(Unreadable::NoName { column: at });
    }
    if is_data(name) {
        return Err(Unreadable::NoHeader { found: shortened(name) });
    }
    let plain = name.to_lowercase().replace([' ', '-'], "_");
    let role = match KNOWN.iter().find(|(_, names)| names.contains(&plain.as_str())) {
        Some((field, _)) => Role::Field(*field),
        // As it is if it can be, since an agent's variables know capitals.
        None if variable::is_name(name) => Role::Variable(name.to_owned()),
        None if variable::is_name(&plain) => Role::Variable(plain),
        None => return Err(Unreadable::NotAName { name: shortened(name) }),
    };
    match &role {
        Role::Variable(variable) if variable::is_reserved(variable) || variable.starts_with(TEXTS) => {
            Err(Unreadable::Reserved { name: shortened(name) })
        }
        _ => Ok(Column { name: name.to_owned(), role }),
    }
}

/// A header holds words. A number or an address there is a first row of data.
fn is_data(name: &str) -> bool {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    name.starts_with('+') || name.contains('@') || (digits >= 7 && !name.bytes().any(|b| b.is_ascii_alphabetic()))
}

fn meaning(role: &Role) -> String {
    match role {
        Role::Variable(name) => format!("the variable {name}"),
        Role::Field(field) => {
            let own = KNOWN.iter().find(|(known, _)| known == field).map_or("a field", |(_, names)| names[0]);
            own.to_owned()
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

//! Reads a list of numbers that are not to be called: CSV with or without a header, or JSON. Good rows are taken, and each
//! bad one is told with its line, its column and its reason.

use elevenwire::phone::PhoneNumber;
use elevenwire::problem::Problem;
use elevenwire::store::suppressions::Wanted;
use serde::Serialize;
use serde_json::{Value, json};

use super::LONGEST_REASON;

/// Bad rows that are told; the others are counted.
const MOST_BAD: usize = 1000;
/// What a header may call the number.
const NUMBER: [&str; 5] = ["number", "phone_number", "phone", "phonenumber", "telephone"];

/// A row that was not taken.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Bad {
    /// Line of the file; of JSON the place in the list, from 1.
    line: usize,
    column: &'static str,
    reason: String,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) wanted: Vec<Wanted>,
    pub(super) bad: usize,
    told: Vec<Bad>,
}

impl List {
    fn row(&mut self, line: usize, number: &str, reason: Option<&str>) {
        // What an export neutralised, or a spreadsheet marked as text.
        let number = number.trim().trim_start_matches('\'');
        let reason = reason.map(str::trim).filter(|reason| !reason.is_empty()).unwrap_or("imported");
        let reason: String = reason.chars().filter(|c| *c != '\0').take(LONGEST_REASON).collect();
        match PhoneNumber::parse(number) {
            Ok(number) => self.wanted.push(Wanted { number: number.as_str().to_owned(), reason }),
            Err(problem) => self.bad(line, format!("{problem}: write it in E.164 form, such as +14155550123")),
        }
    }

    fn bad(&mut self, line: usize, reason: impl Into<String>) {
        self.bad += 1;
        if self.told.len() < MOST_BAD {
            self.told.push(Bad { line, column: "number", reason: reason.into() });
        }
    }

    /// The answer.
    pub(super) fn report(&self, added: u64) -> Value {
        let taken = u64::try_from(self.wanted.len()).unwrap_or(u64::MAX);
        json!({ "taken": taken, "added": added, "known_before": taken.saturating_sub(added), "bad": self.bad,
            "bad_rows": self.told })
    }
}

/// Reads a body.
///
/// # Errors
/// 400 when it is neither, or has no column of numbers; 422 when it holds nothing.
pub(super) fn read(content_type: &str, body: &[u8]) -> Result<List, Problem> {
    let bad = |detail: &str| Problem::new(400, "Bad Request", detail);
    let text = std::str::from_utf8(body).map_err(|_| bad("The list is not in UTF-8. Save it as \"CSV UTF-8\"."))?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Err(Problem::new(422, "Unprocessable Content", "The list is empty."));
    }
    if content_type.contains("json") || text.trim_start().starts_with(['[', '{']) { json(text) } else { csv(text) }
}

fn json(text: &str) -> Result<List, Problem> {
    let detail = "The body is not a JSON list of numbers, or of objects with `number` and `reason`.";
    let items: Vec<Value> = serde_json::from_str(text).map_err(|_| Problem::new(400, "Bad Request", detail))?;
    let mut list = List::default();
    for (at, item) in items.iter().enumerate() {
        match item.as_str().or_else(|| item["number"].as_str()) {
            Some(number) => list.row(at + 1, number, item["reason"].as_str()),
            None => list.bad(at + 1, "is neither a number as text nor an object with `number`"),
        }
    }
    Ok(list)
}

fn csv(text: &str) -> Result<List, Problem> {
    let first = text.lines().next().unwrap_or_default();
    let separator = if first.contains(';') && !first.contains(',') { ';' } else { ',' };
    let mut rows = Rows { rest: text, separator, line: 1 };
    let mut list = List::default();
    let (mut number, mut reason) = (0, Some(1));
    let mut begun = false;
    while let Some((line, cells)) = rows.next() {
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if !std::mem::replace(&mut begun, true) && !cells.iter().any(|cell| PhoneNumber::parse(cell).is_ok()) {
            let named = |names: &[&str]| {
                cells.iter().position(|cell| names.contains(&cell.trim().to_lowercase().replace(' ', "_").as_str()))
            };
            let Some(column) = named(&NUMBER) else {
                let detail = "The first line names no column `number`, and holds no phone number in E.164 form.";
                return Err(Problem::new(400, "Bad Request", detail));
            };
            (number, reason) = (column, named(&["reason"]));
            continue;
        }
        let reason = reason.and_then(|column| cells.get(column)).map(String::as_str);
        match cells.get(number) {
            Some(cell) => list.row(line, cell, reason),
            None => list.bad(line, "is missing"),
        }
    }
    Ok(list)
}

/// Rows of a CSV text, each with the line on which it begins. A quoted cell may hold separators, quotes and line breaks.
struct Rows<'t> {
    rest: &'t str,
    separator: char,
    line: usize,
}

impl Rows<'_> {
    fn next(&mut self) -> Option<(usize, Vec<String>)> {
        if self.rest.is_empty() {
            return None;
        }
        let begun = self.line;
        let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
        let mut chars = self.rest.char_indices().peekable();
        let mut end = self.rest.len();
        while let Some((at, c)) = chars.next() {
            self.line += usize::from(c == '\n');
            match c {
                '"' if quoted && chars.peek().is_some_and(|(_, next)| *next == '"') => {
                    chars.next();
                    cell.push('"');
                }
                '"' if quoted => quoted = false,
                '"' if cell.trim().is_empty() => quoted = true,
                '\n' if !quoted => {
                    end = at + 1;
                    break;
                }
                c if c == self.separator && !quoted => cells.push(std::mem::take(&mut cell)),
                '\r' if !quoted => {}
                c => cell.push(c),
            }
        }
        cells.push(cell);
        self.rest = &self.rest[end..];
        Some((begun, cells))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(list: &List) -> Vec<&str> {
        list.wanted.iter().map(|wanted| wanted.number.as_str()).collect()
    }

    #[test]
    fn a_list_is_read_with_and_without_a_header() {
        for text in [
            "+14155550123\n+14155550124\n",
            "number\r\n+14155550123\r\n+14155550124",
            "\u{feff}name;Phone Number;reason\nA;+1 415 555 0123;\nB;+1 (415) 555-0124;\"x; \"\"y\"\"\nz\"\n",
            "reason,number\n=1+1,'+14155550123\n\n,+14155550124",
        ] {
            let list = read("text/csv", text.as_bytes()).unwrap();
            assert_eq!(numbers(&list), ["+14155550123", "+14155550124"], "{text}");
            assert_eq!(list.bad, 0);
        }
    }

    #[test]
    fn a_bad_row_is_told_with_its_line_and_the_good_ones_are_taken() {
        let text = "number,reason\n+14155550123,\"two\nlines\"\n4155550199,\n+14155550124\nhello,x\n";
        let list = read("text/csv", text.as_bytes()).unwrap();
        assert_eq!(numbers(&list), ["+14155550123", "+14155550124"]);
        assert_eq!(list.wanted[0].reason, "two\nlines");
        let lines: Vec<usize> = list.told.iter().map(|bad| bad.line).collect();
        assert_eq!((list.bad, lines), (2, vec![4, 6]));
        assert!(list.told[0].reason.contains("country code"));
    }

    #[test]
    fn json_is_a_list_of_texts_or_objects() {
        let text = r#"["+14155550123", {"number": "+14155550124", "reason": "asked"}, 5, {"number": "1"}]"#;
        let list = read("application/json", text.as_bytes()).unwrap();
        assert_eq!(numbers(&list), ["+14155550123", "+14155550124"]);
        assert_eq!((list.bad, list.told[0].line, list.told[1].line), (2, 3, 4));
    }

    #[test]
    fn what_is_no_list_is_refused_with_a_clear_word() {
        assert_eq!(read("text/csv", b" \n").unwrap_err().status, 422);
        for (content_type, body) in [
            ("text/csv", b"name,colour\nA,red".as_slice()),
            ("text/csv", b"\xff\xfen\0u\0"),
            ("application/json", b"{\"number\": \"+14155550123\"}"),
        ] {
            assert_eq!(read(content_type, body).unwrap_err().status, 400);
        }
    }
}

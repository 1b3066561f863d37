//! Comma-separated values, read byte by byte with the bounds and the words that a person's file needs: the line on which
//! a row begins, a quote that is never closed, a row that is too long. One row is held at a time.

/// Bytes of a row at most.
pub(super) const LONGEST_ROW: usize = 64 * 1024;
/// Columns at most: the variables that a call may have, and the known ones.
pub(super) const MOST_COLUMNS: usize = 110;

/// What is wrong with a row as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    TooLong,
    TooManyColumns,
    /// A quote within a quoted text that is not doubled.
    StrayQuote,
}

/// A quote was opened on this line, and nothing closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenQuote {
    pub(super) line: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Begin,
    Plain,
    Quoted,
    /// After a quote within a quoted text: its end, or half of a doubled one.
    Quote,
}

/// The reader: fed with bytes, it says when a row is whole.
#[derive(Debug)]
pub(super) struct Csv {
    separator: u8,
    state: State,
    /// Of the next byte, from 1.
    line: u32,
    /// On which the row begins.
    began: u32,
    quote_line: u32,
    after_return: bool,
    whole: bool,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    flaw: Option<Flaw>,
}

/// A whole row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'r> {
    /// On which it begins.
    pub(super) line: u32,
    pub(super) flaw: Option<Flaw>,
    bytes: &'r [u8],
    ends: &'r [usize],
}

impl<'r> Record<'r> {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn fields(self) -> impl Iterator<Item = &'r [u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(self.ends).map(move |(begin, end)| self.bytes.get(begin..*end).unwrap_or_default())
    }

    /// Nothing in it but separators and blanks.
    pub(super) fn is_blank(&self) -> bool {
        self.flaw.is_none() && self.bytes.iter().all(u8::is_ascii_whitespace)
    }
}

impl Csv {
    pub(super) fn new(separator: u8) -> Self {
        Self {
            separator,
            state: State::Begin,
            line: 1,
            began: 1,
            quote_line: 1,
            after_return: false,
            whole: false,
            bytes: Vec::new(),
            ends: Vec::new(),
            flaw: None,
        }
    }

    /// Reads on from `at`; true when a row is whole, which [`record`](Self::record) then shows.
    pub(super) fn read(&mut self, input: &[u8], at: &mut usize) -> Result<bool, OpenQuote> {
        self.begin();
        while let Some(byte) = input.get(*at) {
            *at += 1;
            if self.take(*byte)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// No more comes: true when that ends a last row.
    pub(super) fn end(&mut self) -> Result<bool, OpenQuote> {
        self.begin();
        if self.state == State::Quoted {
            return Err(OpenQuote { line: self.quote_line });
        }
        if self.state == State::Begin && self.ends.is_empty() && self.flaw.is_none() {
            return Ok(false);
        }
        self.end_field();
        self.whole = true;
        Ok(true)
    }

    pub(super) fn record(&self) -> Record<'_> {
        Record { line: self.began, flaw: self.flaw, bytes: &self.bytes, ends: &self.ends }
    }

    fn begin(&mut self) {
        if std::mem::take(&mut self.whole) {
            self.bytes.clear();
            self.ends.clear();
            self.flaw = None;
            self.began = self.line;
            self.state = State::Begin;
        }
    }

    fn take(&mut self, byte: u8) -> Result<bool, OpenQuote> {
        if std::mem::take(&mut self.after_return) && byte == b'\n' {
            // The second half of a line's end that was counted; within quotes it belongs to the text.
            if self.state == State::Quoted {
                self.push(byte)?;
            } else if self.bytes.is_empty() && self.ends.is_empty() {
                self.began = self.line;
            }
            return Ok(false);
        }
        let ends_line = matches!(byte, b'\n' | b'\r');
        if ends_line {
            self.line += 1;
            self.after_return = byte == b'\r';
        }
        match (self.state, byte) {
            (State::Quoted, b'"') => self.state = State::Quote,
            (State::Quoted, byte) => self.push(byte)?,
            (State::Quote, b'"') => {
                self.push(byte)?;
                self.state = State::Quoted;
            }
            (_, byte) if byte == self.separator => self.end_field(),
            (_, _) if ends_line => {
                self.end_field();
                self.whole = true;
                return Ok(true);
            }
            (State::Begin, b'"') => {
                self.state = State::Quoted;
                self.quote_line = self.line;
            }
            (State::Quote, _) => {
                self.flaw = self.flaw.or(Some(Flaw::StrayQuote));
                self.state = State::Plain;
            }
            (_, byte) => {
                self.state = State::Plain;
                self.push(byte)?;
            }
        }
        Ok(false)
    }

    fn push(&mut self, byte: u8) -> Result<(), OpenQuote> {
        if self.bytes.len() < LONGEST_ROW {
            self.bytes.push(byte);
        } else if self.state == State::Quoted {
            return Err(OpenQuote { line: self.quote_line });
        } else {
            self.flaw = Some(Flaw::TooLong);
        }
        Ok(())
    }

    fn end_field(&mut self) {
        self.state = State::Begin;
        if self.ends.len() < MOST_COLUMNS {
            self.ends.push(self.bytes.len());
        } else {
            self.flaw = self.flaw.or(Some(Flaw::TooManyColumns));
        }
    }
}

/// The separator of a file by its first line: whichever of `,` `;` and tab stands there most often outside quotes.
pub(super) fn separator_of(line: &[u8]) -> u8 {
    // Excel's own way to say it.
    if let Some(separator) = said(line) {
        return separator;
    }
    let mut quoted = false;
    let mut counts = [(b',', 0_u32), (b';', 0), (b'\t', 0)];
    for byte in line {
        quoted ^= *byte == b'"';
        for (_, count) in counts.iter_mut().filter(|(separator, _)| !quoted && separator == byte) {
            *count += 1;
        }
    }
    // The first of equals, so that a file of one column is read with commas.
    let best = counts.iter().fold(counts[0], |best, next| if next.1 > best.1 { *next } else { best });
    best.0
}

/// The separator that a line `sep=;` names; Excel writes and reads it.
pub(super) fn said(line: &[u8]) -> Option<u8> {
    match line.strip_prefix(b"sep=")?.trim_ascii_end() {
        [separator @ (b',' | b';' | b'|' | b':')] => Some(*separator),
        _ => line.starts_with(b"sep=\t").then_some(b'\t'),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Rows = Vec<(u32, Vec<String>)>;

    fn rows(text: &str, separator: u8, piece: usize) -> Result<Rows, OpenQuote> {
        let mut csv = Csv::new(separator);
        let mut rows = Vec::new();
        let shown = |record: Record<'_>| {
            let fields = record.fields().map(|field| String::from_utf8_lossy(field).into_owned()).collect();
            (record.line, fields)
        };
        for part in text.as_bytes().chunks(piece) {
            let mut at = 0;
            while csv.read(part, &mut at)? {
                rows.push(shown(csv.record()));
            }
        }
        if csv.end()? {
            rows.push(shown(csv.record()));
        }
        Ok(rows)
    }

    fn row(line: u32, fields: &[&str]) -> (u32, Vec<String>) {
        (line, fields.iter().map(|&field| field.to_owned()).collect())
    }

    #[test]
    fn a_row_may_hold_newlines_quotes_and_separators_and_knows_its_line() {
        let text = "a,b\r\n\"x\r\ny\",\"say \"\"hi\"\", now\"\r\nlast,\n";
        for piece in 1..=text.len() {
            let expected = vec![row(1, &["a", "b"]), row(2, &["x\r\ny", "say \"hi\", now"]), row(4, &["last", ""])];
            assert_eq!(rows(text, b',', piece).unwrap(), expected, "{piece}");
        }
    }

    #[test]
    fn lines_end_as_they_do_on_any_system() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a;b", "1;2", "3;4"].join(end);
            let expected = vec![row(1, &["a", "b"]), row(2, &["1", "2"]), row(3, &["3", "4"])];
            assert_eq!(rows(&text, b';', 2).unwrap(), expected, "{end:?}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_is_named_by_its_line() {
        assert_eq!(rows("a\nb\n\"c\nd\n", b',', 3), Err(OpenQuote { line: 3 }));
        let long = format!("a\n\"{}", "x\n".repeat(LONGEST_ROW));
        assert_eq!(rows(&long, b',', 1000), Err(OpenQuote { line: 2 }));
    }

    #[test]
    fn a_flaw_ends_with_its_row() {
        let long = "x".repeat(LONGEST_ROW + 9);
        let wide = ",".repeat(MOST_COLUMNS);
        let mut csv = Csv::new(b',');
        let text = format!("{long}\n\"a\"b\n{wide}\nfine\n");
        let (mut at, mut flaws) = (0, Vec::new());
        while csv.read(text.as_bytes(), &mut at).unwrap() {
            flaws.push(csv.record().flaw);
        }
        assert_eq!(flaws, [Some(Flaw::TooLong), Some(Flaw::StrayQuote), Some(Flaw::TooManyColumns), None]);
    }

    #[test]
    fn the_separator_is_the_one_that_the_header_uses() {
        let cases = [("a,b;c,d", b','), ("a;b,c;d", b';'), ("a\tb\tc", b'\t'), ("alone", b','), ("sep=|\r\n", b'|')];
        for (line, separator) in cases {
            assert_eq!(separator_of(line.as_bytes()), separator, "{line}");
        }
        assert_eq!(separator_of(b"\"a,b,c\";d"), b';');
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(
            table in prop::collection::vec(prop::collection::vec("[ a;,\"\r\nZ]{0,6}", 2..4), 1..6),
            piece in 1_usize..9,
        ) {
            let quoted = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
            let line = |fields: &Vec<String>| fields.iter().map(quoted).collect::<Vec<_>>().join(";");
            let text = table.iter().map(line).collect::<Vec<_>>().join("\r\n");
            let read: Vec<Vec<String>> = rows(&text, b';', piece).unwrap().into_iter().map(|(_, fields)| fields).collect();
            prop_assert_eq!(read, table);
        }
    }
}

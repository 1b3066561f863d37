//! A file, fed piece by piece, as the rows that it holds.

use super::csv::{self, Csv, LONGEST_ROW};
use super::decode::Decoder;
use super::header::{self, Column};
use super::{Row, Unreadable, Wishes, row};

/// Reads a file. Feed it a piece, take rows until there is none, feed it the next.
#[derive(Debug)]
pub struct Sheet {
    wishes: Wishes,
    decoder: Decoder,
    /// What was decoded; rows before `at` were taken.
    text: Vec<u8>,
    at: usize,
    ended: bool,
    seen: bool,
    csv: Option<Csv>,
    columns: Option<Vec<Column>>,
}

impl Sheet {
    /// A file that nothing was read of yet.
    #[must_use]
    pub fn new(wishes: Wishes) -> Self {
        Self {
            wishes,
            decoder: Decoder::default(),
            text: Vec::new(),
            at: 0,
            ended: false,
            seen: false,
            csv: None,
            columns: None,
        }
    }

    /// Adds a piece.
    pub fn feed(&mut self, piece: &[u8]) {
        self.seen |= !piece.is_empty();
        if self.csv.is_some() {
            self.text.drain(..self.at);
            self.at = 0;
        }
        self.decoder.decode(piece, false, &mut self.text);
    }

    /// Says that no more comes.
    pub fn close(&mut self) {
        self.decoder.decode(&[], true, &mut self.text);
        self.ended = true;
    }

    /// How the header was understood, once it was read.
    #[must_use]
    pub fn columns(&self) -> Option<&[Column]> {
        self.columns.as_deref()
    }

    /// The next row; `None` when the piece is used up. Blank rows are passed over.
    ///
    /// # Errors
    /// When the file as a whole cannot be read.
    pub fn next_row(&mut self) -> Result<Option<Row>, Unreadable> {
        if self.csv.is_none() && !self.begin()? {
            return Ok(None);
        }
        let Some(csv) = &mut self.csv else { return Ok(None) };
        loop {
            let whole = csv.read(&self.text, &mut self.at)? || (self.ended && csv.end()?);
            if !whole {
                return if self.ended && self.columns.is_none() { Err(Unreadable::Empty) } else { Ok(None) };
            }
            let record = csv.record();
            if record.is_blank() {
                continue;
            }
            match &self.columns {
                Some(columns) => return Ok(Some(row::read(record, columns, &self.wishes))),
                None if record.line == 1 && csv::said(self.text.trim_ascii_start()).is_some() => {}
                None => self.columns = Some(header::read(record)?),
            }
        }
    }

    /// Finds the separator, as soon as there is a line to find it in.
    fn begin(&mut self) -> Result<bool, Unreadable> {
        if !self.seen && self.ended {
            return Err(Unreadable::Empty);
        }
        match self.text.as_slice() {
            [b'P', b'K', 3, 4, ..] => return Err(Unreadable::Workbook),
            [0x1F, 0x8B, ..] => return Err(Unreadable::Packed),
            _ => {}
        }
        let blank = self.text.iter().take_while(|byte| byte.is_ascii_whitespace() && **byte != b'\t').count();
        let line = self.text.get(blank..).unwrap_or_default();
        let mut quoted = false;
        let end = line.iter().position(|byte| {
            quoted ^= *byte == b'"';
            !quoted && matches!(byte, b'\n' | b'\r')
        });
        if end.is_none() && line.len() > LONGEST_ROW {
            return Err(Unreadable::HeaderTooLong);
        }
        if end.is_none() && !self.ended {
            return Ok(false);
        }
        self.csv = Some(Csv::new(csv::separator_of(line.get(..end.unwrap_or(line.len())).unwrap_or_default())));
        Ok(true)
    }
}

//! Bytes of a file as UTF-8, piece by piece. What is no text becomes the byte 0xFF, which no UTF-8 holds: the row that it
//! stands in is then reported, and no other.

/// As the file says at its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Utf8,
    Utf16 { big: bool },
}

/// Decodes a file by its byte order mark; without one it is UTF-8.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    form: Option<Form>,
    start: Vec<u8>,
    /// First byte of a unit whose second has not come yet.
    half: Option<u8>,
    /// First unit of a pair whose second has not come yet.
    high: Option<u16>,
}

const NO_TEXT: u8 = 0xFF;

impl Decoder {
    /// Adds what `input` means to `out`; `last` says that no more comes.
    pub(super) fn decode(&mut self, input: &[u8], last: bool, out: &mut Vec<u8>) {
        if let Some(form) = self.form {
            self.decode_as(form, input, out);
        } else {
            self.start.extend_from_slice(input);
            if self.start.len() < 3 && !last {
                return;
            }
            let start = std::mem::take(&mut self.start);
            let (form, mark) = match start.as_slice() {
                [0xEF, 0xBB, 0xBF, ..] => (Form::Utf8, 3),
                [0xFF, 0xFE, ..] => (Form::Utf16 { big: false }, 2),
                [0xFE, 0xFF, ..] => (Form::Utf16 { big: true }, 2),
                _ => (Form::Utf8, 0),
            };
            self.form = Some(form);
            self.decode_as(form, &start[mark..], out);
        }
        if last && (self.half.take().is_some() | self.high.take().is_some()) {
            out.push(NO_TEXT);
        }
    }

    fn decode_as(&mut self, form: Form, input: &[u8], out: &mut Vec<u8>) {
        match form {
            Form::Utf8 => out.extend_from_slice(input),
            Form::Utf16 { big } => {
                for byte in input {
                    match self.half.take() {
                        None => self.half = Some(*byte),
                        Some(first) if big => self.unit(u16::from_be_bytes([first, *byte]), out),
                        Some(first) => self.unit(u16::from_le_bytes([first, *byte]), out),
                    }
                }
            }
        }
    }

    fn unit(&mut self, unit: u16, out: &mut Vec<u8>) {
        let mut take = |units: &[u16]| match char::decode_utf16(units.iter().copied()).next() {
            Some(Ok(character)) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            _ => out.push(NO_TEXT),
        };
        match (self.high.take(), unit) {
            (Some(high), 0xDC00..=0xDFFF) => take(&[high, unit]),
            (before, unit) => {
                if before.is_some() {
                    take(&[0xD800]);
                }
                if (0xD800..0xDC00).contains(&unit) {
                    self.high = Some(unit);
                } else {
                    take(&[unit]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8], piece: usize) -> Vec<u8> {
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        for part in bytes.chunks(piece) {
            decoder.decode(part, false, &mut out);
        }
        decoder.decode(&[], true, &mut out);
        out
    }

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        let unit = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(unit).collect()
    }

    #[test]
    fn every_form_decodes_whatever_the_pieces() {
        let text = "Zoë;😀\r\n+1";
        let marked = [&[0xEF, 0xBB, 0xBF], text.as_bytes()].concat();
        for bytes in [text.as_bytes().to_vec(), marked, utf16(text, false), utf16(text, true)] {
            for piece in 1..=7 {
                assert_eq!(decoded(&bytes, piece), text.as_bytes(), "{piece}");
            }
        }
    }

    #[test]
    fn what_is_no_text_is_marked_in_its_place() {
        let mut lone = utf16("a", false);
        lone.extend([0x00, 0xD8, b'b', 0]);
        assert_eq!(decoded(&lone, 3), [b'a', NO_TEXT, b'b']);
        let mut broken_off = utf16("a", true);
        broken_off.push(0);
        assert_eq!(decoded(&broken_off, 2), [b'a', NO_TEXT]);
        assert_eq!(decoded(b"\xFF", 1), [NO_TEXT]);
        assert!(decoded(b"", 1).is_empty());
    }
}

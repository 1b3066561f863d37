//! How long a recording lasts, from its MPEG audio frames. Works on any split into pieces, so that a recording can be
//! measured while it streams by. Not a decoder: frames are counted, not heard.

/// How much is looked at at once; bounds the memory whatever the size of the pieces.
const PIECE: usize = 16 * 1024;

/// Measures a stream of MPEG audio (versions 1, 2 and 2.5, layers I to III, constant or variable bit rate).
///
/// Tags and garbage are passed over. A frame that only describes the stream (Xing, Info, VBRI) does not count, nor does
/// one that breaks off.
#[derive(Debug, Clone, Default)]
pub struct DurationMeter {
    buffer: Vec<u8>,
    /// Bytes of a tag that are still to be passed over.
    skip: u64,
    /// The stream's parameters, once a frame was found and while the next one follows it.
    stream: Option<Stream>,
    /// Samples by their rate.
    samples: [u64; RATES.len()],
}

const RATES: [u32; 9] = [44_100, 48_000, 32_000, 22_050, 24_000, 16_000, 11_025, 12_000, 8_000];

/// What does not change from frame to frame of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stream {
    version: Version,
    layer: Layer,
    /// Index in [`RATES`].
    rate: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
    TwoAndAHalf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    One,
    Two,
    Three,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    stream: Stream,
    /// Bytes, with the header.
    length: usize,
    samples: u64,
    /// Where a Xing tag would stand.
    xing: usize,
}

/// What to do at a place in the stream.
enum Step {
    /// A whole frame.
    Frame(Frame),
    /// A tag of so many bytes.
    Tag(u64),
    /// Not the start of anything.
    Garbage,
    /// More bytes are needed to tell.
    Wait,
}

impl DurationMeter {
    /// A meter that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            self.buffer.extend_from_slice(piece);
            self.walk(false);
        }
    }

    /// Seconds; `None` when there was no frame.
    #[must_use]
    pub fn finish(mut self) -> Option<f64> {
        self.walk(true);
        if self.samples.iter().all(|samples| *samples == 0) {
            return None;
        }
        // Exact: a recording has fewer than 2^52 samples.
        #[expect(clippy::cast_precision_loss, reason = "below 2^52")]
        let seconds = |(samples, rate): (&u64, &u32)| *samples as f64 / f64::from(*rate);
        Some(self.samples.iter().zip(&RATES).map(seconds).sum())
    }

    fn walk(&mut self, ended: bool) {
        let mut at = 0;
        loop {
            let left = self.buffer.len() - at;
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(left);
            at += skipped;
            self.skip -= skipped as u64;
            let rest = &self.buffer[at..];
            if rest.is_empty() {
                break;
            }
            match self.step(rest, ended) {
                Step::Frame(frame) => {
                    if !describes_the_stream(&rest[..frame.length], frame.xing) {
                        self.samples[frame.stream.rate] += frame.samples;
                    }
                    self.stream = Some(frame.stream);
                    at += frame.length;
                }
                Step::Tag(length) => self.skip = length,
                Step::Garbage => {
                    self.stream = None;
                    at += 1;
                }
                Step::Wait => break,
            }
        }
        self.buffer.drain(..at);
    }

    fn step(&self, rest: &[u8], ended: bool) -> Step {
        let wait = if ended { Step::Garbage } else { Step::Wait };
        if rest.len() < 4 {
            return wait;
        }
        if rest.starts_with(b"ID3") {
            return match rest.get(..10) {
                Some(header) => id3_length(header).map_or(Step::Garbage, Step::Tag),
                None => wait,
            };
        }
        let Some(frame) = Frame::read(rest) else { return Step::Garbage };
        if rest.len() < frame.length {
            return wait;
        }
        if self.stream == Some(frame.stream) {
            return Step::Frame(frame);
        }
        // Any eleven set bits look like the start of a frame: out of step, the next one must follow.
        match rest.get(frame.length..frame.length + 4) {
            Some(next) if follows(next, frame.stream) => Step::Frame(frame),
            None if !ended => Step::Wait,
            None if rest.len() == frame.length => Step::Frame(frame),
            _ => Step::Garbage,
        }
    }
}

impl Frame {
    fn read(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, _, ..] = *bytes else { return None };
        if a != 0xff || b & 0xe0 != 0xe0 {
            return None;
        }
        let version = match b >> 3 & 3 {
            0 => Version::TwoAndAHalf,
            2 => Version::Two,
            3 => Version::One,
            _ => return None,
        };
        let layer = match b >> 1 & 3 {
            1 => Layer::Three,
            2 => Layer::Two,
            3 => Layer::One,
            _ => return None,
        };
        let rate = usize::from(c >> 2 & 3);
        if rate == 3 {
            return None;
        }
        let rate = rate + 3 * version as usize;
        let hertz = *RATES.get(rate)?;
        let bits = kilobits(version, layer, c >> 4)? * 1000;
        let padding = u32::from(c >> 1 & 1);
        let (samples, length) = match (layer, version) {
            (Layer::One, _) => (384, (12 * bits / hertz + padding) * 4),
            (Layer::Three, Version::Two | Version::TwoAndAHalf) => (576, 72 * bits / hertz + padding),
            _ => (1152, 144 * bits / hertz + padding),
        };
        let mono = bytes[3] >> 6 == 3;
        let side_info = match (version, mono) {
            (Version::One, false) => 32,
            (Version::One, true) | (_, false) => 17,
            (_, true) => 9,
        };
        let stream = Stream { version, layer, rate };
        Some(Self { stream, length: usize::try_from(length).ok()?, samples, xing: 4 + side_info })
    }
}

/// Bit rate by its index; `None` for "free" and for the forbidden one.
fn kilobits(version: Version, layer: Layer, index: u8) -> Option<u32> {
    const ONE_I: [u32; 14] = [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448];
    const ONE_II: [u32; 14] = [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
    const ONE_III: [u32; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const TWO_I: [u32; 14] = [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256];
    const TWO: [u32; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let table = match (version, layer) {
        (Version::One, Layer::One) => &ONE_I,
        (Version::One, Layer::Two) => &ONE_II,
        (Version::One, Layer::Three) => &ONE_III,
        (_, Layer::One) => &TWO_I,
        _ => &TWO,
    };
    table.get(usize::from(index).checked_sub(1)?).copied()
}

/// Whole length of an `ID3v2` tag, whose size is written in bytes of seven bits.
fn id3_length(header: &[u8]) -> Option<u64> {
    if header[3] == 0xff || header[4] == 0xff || header[6..10].iter().any(|byte| *byte >= 0x80) {
        return None;
    }
    let size = header[6..10].iter().fold(0, |size: u64, byte| size << 7 | u64::from(*byte));
    let footer = if header[5] & 0x10 == 0 { 0 } else { 10 };
    Some(10 + size + footer)
}

/// Whether what follows a frame confirms it: a frame of the same stream, or a tag.
fn follows(next: &[u8], stream: Stream) -> bool {
    [b"TAG".as_slice(), b"ID3", b"APE"].iter().any(|tag| next.starts_with(tag))
        || Frame::read(next).is_some_and(|frame| frame.stream == stream)
}

fn describes_the_stream(frame: &[u8], xing: usize) -> bool {
    let at = |place: usize| frame.get(place..place + 4).unwrap_or_default();
    matches!(at(xing), b"Xing" | b"Info") || at(36) == b"VBRI"
}

#[cfg(test)]
mod tests;

//! Recordings: real MP3 files, written without an encoder.
//!
//! MPEG-2 layer III, 16 kHz, mono, constant bit rate, no bit reservoir: every frame stands alone, holds 576 samples
//! (36 ms) and has the same size. A small set of frames (two voices, six vowels, four loudnesses, four phases) is
//! built once, straight in the frequency domain; a recording is a sequence of them, so hours cost nothing to make.

use std::sync::OnceLock;

use bytes::{BufMut, Bytes, BytesMut};

use crate::dice::Dice;

/// Seconds of one frame: 576 samples at 16 kHz.
pub const FRAME_SECS: f64 = 0.036;
/// Bit rates that the format allows here, with their index in the header.
const RATES: [(u32, u8); 5] = [(32, 4), (64, 8), (96, 10), (128, 12), (160, 14)];
const VOWELS: usize = 6;
const LEVELS: usize = 4;
const PHASES: usize = 4;
/// Strongest harmonics of each vowel, as multiples of the voice's pitch.
const HARMONICS: [&[usize]; VOWELS] =
    [&[1, 2, 3, 5, 7], &[1, 2, 4, 9], &[1, 3, 4, 6, 8], &[1, 2, 3, 4], &[2, 3, 5, 11], &[1, 4, 5, 10]];
/// Pitch of the agent and of the callee, in spectral lines of 13.9 Hz.
const PITCH: [usize; 2] = [15, 9];

/// Who is heard, from a second on.
#[derive(Debug, Clone, Copy)]
pub struct Utterance {
    /// Start in the recording, in seconds.
    pub at: f64,
    /// Length in seconds.
    pub secs: f64,
    /// 0 is the agent, 1 is the callee.
    pub voice: usize,
}

/// A recording that is described, not stored: its bytes are made again whenever they are asked for.
#[derive(Debug, Clone)]
pub struct Recording {
    title: String,
    frames: u64,
    kbps: u32,
    utterances: Vec<Utterance>,
}

impl Recording {
    /// `secs` long, at the nearest allowed rate not above `kbps`; `title` is in its tag and decides the melody.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped and not negative")]
    pub fn new(title: &str, secs: f64, kbps: u32, utterances: Vec<Utterance>) -> Self {
        let frames = (secs.clamp(0.0, 1e6) / FRAME_SECS).round().max(1.0) as u64;
        let kbps = RATES.iter().rev().map(|r| r.0).find(|r| *r <= kbps).unwrap_or(32);
        Self { title: title.to_owned(), frames, kbps, utterances }
    }

    /// Seconds that a player will show.
    #[must_use]
    pub fn secs(&self) -> f64 {
        f64::from(u32::try_from(self.frames).unwrap_or(u32::MAX)) * FRAME_SECS
    }

    /// Size in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        let tag = u64::try_from(tag(&self.title).len()).unwrap_or(0);
        tag + self.frames * u64::from(frame_size(self.kbps))
    }

    /// A recording always has at least one frame.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// The bytes, in pieces whose sizes are multiples of three (so that base64 can be made piece by piece), the
    /// last one excepted.
    pub fn chunks(&self) -> impl Iterator<Item = Bytes> + Send + 'static {
        let mut writer = Writer::new(self.clone());
        std::iter::from_fn(move || writer.next_chunk())
    }

    /// All bytes at once.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        let mut all = BytesMut::with_capacity(usize::try_from(self.len()).unwrap_or(0));
        self.chunks().for_each(|chunk| all.put(chunk));
        all.freeze()
    }
}

struct Writer {
    recording: Recording,
    buffer: BytesMut,
    next: u64,
    cursor: usize,
    dice: Dice,
    vowel: usize,
    padding: usize,
}

impl Writer {
    const CHUNK: usize = 48 * 1024;

    fn new(recording: Recording) -> Self {
        let mut buffer = BytesMut::with_capacity(Self::CHUNK + 1024);
        buffer.put_slice(&tag(&recording.title));
        let dice = Dice::new(0, &["melody", &recording.title]);
        let padding = usize::try_from(frame_size(recording.kbps)).unwrap_or(144) - BASE_FRAME;
        Self { recording, buffer, next: 0, cursor: 0, dice, vowel: 0, padding }
    }

    fn next_chunk(&mut self) -> Option<Bytes> {
        while self.buffer.len() < Self::CHUNK && self.next < self.recording.frames {
            self.push_frame();
        }
        let take = if self.buffer.len() >= Self::CHUNK { Self::CHUNK } else { self.buffer.len() };
        (take > 0).then(|| self.buffer.split_to(take).freeze())
    }

    fn push_frame(&mut self) {
        let secs = f64::from(u32::try_from(self.next).unwrap_or(u32::MAX)) * FRAME_SECS;
        while self.recording.utterances.get(self.cursor).is_some_and(|u| u.at + u.secs <= secs) {
            self.cursor += 1;
        }
        let speaking = self.recording.utterances.get(self.cursor).filter(|u| u.at <= secs).map(|u| u.voice % 2);
        // A new syllable every seven frames (a quarter of a second).
        let step = usize::try_from(self.next % 7).unwrap_or(0);
        if step == 0 {
            self.vowel = self.dice.index(VOWELS);
        }
        let phase = usize::try_from(self.next % 4).unwrap_or(0);
        let level = [1, 3, 3, 3, 2, 1, 0][step];
        let frame = match speaking {
            Some(voice) => library().voiced(voice, self.vowel, level, phase),
            None => library().silence(),
        };
        self.buffer.put_slice(&[0xff, 0xf3, rate_index(self.recording.kbps) << 4 | 0x08, 0xc4]);
        self.buffer.put_slice(&frame[4..]);
        self.buffer.put_bytes(0, self.padding);
        self.next += 1;
    }
}

/// Bytes of a frame at 32 kbit/s; faster frames have the same music and more padding.
const BASE_FRAME: usize = 144;

fn frame_size(kbps: u32) -> u32 {
    // 72 * bit rate / 16,000 Hz
    kbps * 9 / 2
}

fn rate_index(kbps: u32) -> u8 {
    RATES.iter().find(|r| r.0 == kbps).map_or(4, |r| r.1)
}

/// An ID3v2.3 tag with the title, which makes the bytes of two recordings different from the first line on.
fn tag(title: &str) -> Vec<u8> {
    let text: Vec<u8> = title.bytes().filter(u8::is_ascii).take(100).collect();
    let text_len = u8::try_from(text.len()).unwrap_or(0);
    let mut tag = b"ID3\x03\x00\x00\x00\x00\x00".to_vec();
    tag.push(text_len + 11);
    tag.extend_from_slice(b"TIT2\x00\x00\x00");
    tag.push(text_len + 1);
    tag.extend_from_slice(&[0, 0, 0]);
    tag.extend_from_slice(&text);
    tag
}

struct Library {
    voiced: Vec<[u8; BASE_FRAME]>,
    silence: [u8; BASE_FRAME],
}

impl Library {
    fn voiced(&self, voice: usize, vowel: usize, level: usize, phase: usize) -> &[u8; BASE_FRAME] {
        let index = ((voice * VOWELS + vowel) * LEVELS + level) * PHASES + phase;
        self.voiced.get(index).unwrap_or(&self.silence)
    }

    fn silence(&self) -> &[u8; BASE_FRAME] {
        &self.silence
    }
}

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut voiced = Vec::with_capacity(2 * VOWELS * LEVELS * PHASES);
        for pitch in PITCH {
            for harmonics in HARMONICS {
                for level in [178, 182, 186, 190] {
                    for phase in 0..PHASES {
                        let lines: Vec<usize> = harmonics.iter().map(|h| h * pitch).collect();
                        voiced.push(frame(&lines, level, phase));
                    }
                }
            }
        }
        Library { voiced, silence: frame(&[], 0, 0) }
    })
}

/// One frame whose spectrum is ±1 at `lines` (each below 288), loud as `gain` says (210 is full scale).
fn frame(lines: &[usize], gain: u8, phase: usize) -> [u8; BASE_FRAME] {
    let highest = lines.iter().max().copied().unwrap_or(0);
    let pairs = if lines.is_empty() { 0 } else { highest / 2 + 1 };
    let mut music = Bits::default();
    for pair in 0..pairs {
        let (x, y) = (lines.contains(&(2 * pair)), lines.contains(&(2 * pair + 1)));
        // Huffman table 1 of the standard: values up to 1.
        match (x, y) {
            (false, false) => music.push(1, 1),
            (false, true) => music.push(0b001, 3),
            (true, false) => music.push(0b01, 2),
            (true, true) => music.push(0b000, 3),
        }
        if x {
            music.push(sign(2 * pair, phase), 1);
        }
        if y {
            music.push(sign(2 * pair + 1, phase), 1);
        }
    }
    let mut bits = Bits::default();
    bits.push(0xfff3_48c4, 32);
    bits.push(0, 8 + 1); // main_data_begin, private bit
    bits.push(u32::try_from(music.len).unwrap_or(0), 12); // part2_3_length
    bits.push(u32::try_from(pairs).unwrap_or(0), 9); // big_values
    bits.push(u32::from(gain), 8); // global_gain
    bits.push(0, 9 + 1); // scalefac_compress, window_switching_flag
    bits.push(0b00001_00001_00001, 15); // table_select of the three regions
    bits.push(0, 4 + 3 + 1 + 1); // region counts, scalefac_scale, count1table_select
    let mut frame = [0; BASE_FRAME];
    let music = music.bytes;
    for (to, from) in frame.iter_mut().zip(bits.bytes.into_iter().chain(music)) {
        *to = from;
    }
    frame
}

/// Sign bit that lets a line sound as one steady tone from frame to frame: its phase moves by π(k + ½) a frame.
fn sign(line: usize, phase: usize) -> u32 {
    let quarter = if line.is_multiple_of(2) { phase } else { 3 * phase } % 4;
    u32::from(quarter == 1 || quarter == 2)
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    len: usize,
}

impl Bits {
    fn push(&mut self, value: u32, count: usize) {
        for shift in (0..count).rev() {
            if self.len.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = u8::from(value >> shift & 1 == 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << (7 - self.len % 8);
            }
            self.len += 1;
        }
    }
}

//! The meter of recordings: the same seconds however the bytes are split, and never more than so many bytes can hold.
#![no_main]

use elevenwire::mp3::DurationMeter;
use libfuzzer_sys::fuzz_target;

/// The slowest frame there is (8 kbit/s) holds a millisecond a byte; rounding its size down gives a little more.
const MOST_SECS_PER_BYTE: f64 = 0.00105;

fuzz_target!(|bytes: &[u8]| {
    let mut whole = DurationMeter::new();
    whole.feed(bytes);
    let whole = whole.finish();
    // The first byte chooses the size of the pieces.
    let size = usize::from(bytes.first().copied().unwrap_or(0)) + 1;
    let mut split = DurationMeter::new();
    bytes.chunks(size).for_each(|piece| split.feed(piece));
    assert_eq!(split.finish(), whole);
    if let Some(secs) = whole {
        assert!(secs > 0.0 && secs <= bytes.len() as f64 * MOST_SECS_PER_BYTE, "{secs} s in {} bytes", bytes.len());
    }
});

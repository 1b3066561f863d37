use proptest::prelude::*;

use super::*;

/// A silent frame of this header.
fn frame(header: [u8; 4]) -> Vec<u8> {
    let length = Frame::read(&header).unwrap().length;
    let mut frame = header.to_vec();
    frame.resize(length, 0);
    frame
}

/// MPEG 1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes, 1152 samples.
const STEREO: [u8; 4] = [0xff, 0xfb, 0x90, 0x00];
/// The same with a byte of padding.
const PADDED: [u8; 4] = [0xff, 0xfb, 0x92, 0x00];
/// The same at 64 kbit/s: 208 bytes.
const SLOW: [u8; 4] = [0xff, 0xfb, 0x50, 0x00];
const SECONDS: f64 = 1152.0 / 44_100.0;

fn measure(bytes: &[u8]) -> Option<f64> {
    let mut meter = DurationMeter::new();
    meter.feed(bytes);
    meter.finish()
}

#[track_caller]
fn assert_frames(bytes: &[u8], frames: u32) {
    let expected = f64::from(frames) * SECONDS;
    let measured = measure(bytes).unwrap_or_default();
    assert!((measured - expected).abs() < 1e-9, "{measured} is not {expected}");
}

#[test]
fn frames_of_every_version_and_layer_are_measured() {
    for (header, length, seconds) in [
        (STEREO, 417, SECONDS),
        (PADDED, 418, SECONDS),
        ([0xff, 0xfb, 0x90, 0xc0], 417, SECONDS),
        ([0xff, 0xfb, 0xe4, 0x00], 960, 1152.0 / 48_000.0),
        ([0xff, 0xfb, 0x18, 0x00], 144, 1152.0 / 32_000.0),
        ([0xff, 0xf3, 0x80, 0x00], 208, 576.0 / 22_050.0),
        ([0xff, 0xf3, 0x48, 0xc0], 144, 576.0 / 16_000.0),
        ([0xff, 0xe3, 0x18, 0x00], 72, 576.0 / 8_000.0),
        ([0xff, 0xfd, 0x80, 0x00], 417, 1152.0 / 44_100.0),
        ([0xff, 0xf5, 0x80, 0x00], 417, 1152.0 / 22_050.0),
        ([0xff, 0xff, 0x40, 0x00], 136, 384.0 / 44_100.0),
        ([0xff, 0xf7, 0x42, 0x00], 140, 384.0 / 22_050.0),
    ] {
        assert_eq!(frame(header).len(), length, "{header:x?}");
        let measured = measure(&frame(header).repeat(10)).unwrap();
        assert!((measured - 10.0 * seconds).abs() < 1e-9, "{header:x?}: {measured}");
    }
}

#[test]
fn a_variable_bit_rate_is_summed_over_its_frames() {
    assert_frames(&[frame(STEREO), frame(SLOW), frame(PADDED), frame(SLOW)].concat(), 4);
}

#[test]
fn a_frame_that_describes_the_stream_does_not_count() {
    for (tag, place) in [(b"Xing", 36), (b"Info", 36), (b"VBRI", 36)] {
        let mut first = frame(STEREO);
        first[place..place + 4].copy_from_slice(tag);
        assert_frames(&[first, frame(STEREO).repeat(3)].concat(), 3);
    }
    let mut mono = frame([0xff, 0xfb, 0x90, 0xc0]);
    mono[21..25].copy_from_slice(b"Xing");
    assert_frames(&[mono, frame(STEREO).repeat(3)].concat(), 3);
}

#[test]
fn tags_and_garbage_are_passed_over() {
    let frames = frame(STEREO).repeat(5);
    // An ID3v2 tag of 200 bytes that looks like frames inside.
    let mut tag = b"ID3\x04\x00\x00\x00\x00\x01\x48".to_vec();
    tag.extend(STEREO.repeat(50));
    assert_frames(&[tag.clone(), frames.clone()].concat(), 5);
    assert_frames(&[frames.clone(), tag, frames.clone()].concat(), 10);
    let id3v1 = [b"TAG".to_vec(), vec![b' '; 125]].concat();
    assert_frames(&[frames.clone(), id3v1.clone()].concat(), 5);
    assert_frames(&[frame(STEREO), id3v1].concat(), 1);
    assert_frames(&[vec![0xff; 700], frames.clone(), vec![0, 0xff, 0xfb, 0x90, 7], frames].concat(), 10);
}

#[test]
fn a_frame_that_breaks_off_does_not_count() {
    let bytes = frame(STEREO).repeat(5);
    assert_frames(&bytes[..bytes.len() - 1], 4);
    assert_frames(&bytes[..417], 1);
    assert_eq!(measure(&bytes[..416]), None);
}

#[test]
fn what_is_no_audio_has_no_length() {
    for bytes in [
        b"".as_slice(),
        b"ID3",
        b"RIFF....WAVEfmt ",
        &[0xff; 10_000],
        b"{\"detail\":\"not found\"}",
        &[0xff, 0xfb, 0x90],
    ] {
        assert_eq!(measure(bytes), None);
    }
    let endless = b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f".to_vec();
    assert_eq!(measure(&[endless, frame(STEREO).repeat(5)].concat()), None);
    let free_format = [0xff, 0xfb, 0x00, 0x00].repeat(1000);
    assert_eq!(measure(&free_format), None);
}

#[test]
fn memory_stays_small_whatever_the_size_of_the_pieces() {
    let mut meter = DurationMeter::new();
    meter.feed(&frame(STEREO).repeat(10_000));
    assert!(meter.buffer.len() < 4096 && meter.buffer.capacity() < 4 * PIECE, "{}", meter.buffer.capacity());
}

fn part() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => Just(frame(STEREO).repeat(3)),
        1 => Just(frame(SLOW)),
        1 => Just(frame([0xff, 0xf3, 0x48, 0xc0]).repeat(2)),
        1 => Just(b"ID3\x04\x00\x00\x00\x00\x00\x0512345".to_vec()),
        1 => Just(b"ID3\x04\x00".to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
        1 => proptest::collection::vec(prop_oneof![Just(0xff_u8), Just(0xfb), Just(0x90), Just(0)], 0..50),
    ]
}

proptest! {
    #[test]
    fn any_split_gives_the_same_length(parts in proptest::collection::vec(part(), 0..12), cuts in proptest::collection::vec(1..700_usize, 1..40)) {
        let bytes = parts.concat();
        let mut meter = DurationMeter::new();
        let mut rest = bytes.as_slice();
        for cut in cuts.iter().cycle().take(10_000) {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            meter.feed(piece);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        meter.feed(rest);
        prop_assert_eq!(meter.finish(), measure(&bytes));
    }

    #[test]
    fn hostile_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..5_000)) {
        measure(&bytes);
    }
}

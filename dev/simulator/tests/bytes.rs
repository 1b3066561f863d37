//! What must be right to the byte: signatures against the published vectors, recordings through a decoder.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds of a short recording"
)]

use std::io::Cursor;

use serde_json::Value;
use simulator::{
    mp3::{FRAME_SECS, Recording, Utterance},
    sign,
};
use symphonia::core::{
    audio::SampleBuffer, codecs::DecoderOptions, formats::FormatOptions, io::MediaSourceStream, meta::MetadataOptions,
    probe::Hint,
};

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/signatures.json")).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

#[test]
fn signatures_of_signalwire_equal_the_vectors() {
    for vector in vectors()["signalwire"].as_array().unwrap() {
        let (key, url, body) = (text(vector, "key"), text(vector, "url"), text(vector, "body"));
        if vector["scheme"] == "raw" {
            assert_eq!(sign::signalwire_raw(key, url, body.as_bytes()), text(vector, "signature"));
            assert_eq!(sign::signalwire_raw_sha256(key, url, body.as_bytes()), text(vector, "signature_sha256"));
            continue;
        }
        let params: Vec<_> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        assert_eq!(sign::signalwire_form(key, url, &params), text(vector, "signature"), "{}", vector["name"]);
    }
}

#[test]
fn repeated_names_keep_their_order_and_long_keys_are_digested() {
    let params = [("To".to_owned(), "a".to_owned()), ("To".to_owned(), "b".to_owned())];
    assert_eq!(sign::signalwire_form("test-key", "https://example.com/hook", &params), "x8TMzW4SfG5TI4zuo4PFIS1APNA=");
    let long = "k".repeat(100);
    assert_ne!(sign::signalwire_form(&long, "u", &[]), sign::signalwire_form(&long[..64], "u", &[]));
}

#[test]
fn signatures_of_elevenlabs_equal_the_vectors_in_one_piece_or_many() {
    for vector in vectors()["elevenlabs"].as_array().unwrap() {
        let (secret, t, body) = (text(vector, "secret"), vector["t"].as_i64().unwrap(), text(vector, "body"));
        let expected = format!("t={t},v0={}", text(vector, "v0"));
        assert_eq!(sign::elevenlabs(secret, t, [body]), expected);
        assert_eq!(sign::elevenlabs(secret, t, body.as_bytes().chunks(7)), expected);
    }
}

fn speech(secs: u32) -> Vec<Utterance> {
    (0..secs / 4).map(|n| Utterance { at: f64::from(n * 4) + 0.5, secs: 3.0, voice: usize::from(n % 2 == 1) }).collect()
}

/// Decodes a whole file: its samples and its rate.
fn decode(mp3: Vec<u8>) -> (Vec<f32>, u32) {
    let stream =
        MediaSourceStream::new(Box::new(Cursor::new(mp3)), symphonia::core::io::MediaSourceStreamOptions::default());
    let mut hint = Hint::new();
    hint.with_extension("mp3");
    let probed = symphonia::default::get_probe()
        .format(&hint, stream, &FormatOptions::default(), &MetadataOptions::default())
        .unwrap();
    let mut format = probed.format;
    let parameters = format.default_track().unwrap().codec_params.clone();
    let mut decoder = symphonia::default::get_codecs().make(&parameters, &DecoderOptions::default()).unwrap();
    let mut samples = Vec::new();
    while let Ok(packet) = format.next_packet() {
        let sound = decoder.decode(&packet).unwrap();
        let mut buffer = SampleBuffer::<f32>::new(sound.capacity() as u64, *sound.spec());
        buffer.copy_interleaved_ref(sound);
        samples.extend_from_slice(buffer.samples());
    }
    (samples, parameters.sample_rate.unwrap())
}

fn loudness(samples: &[f32]) -> f32 {
    (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).sqrt()
}

#[test]
fn a_recording_plays_for_as_long_as_it_says_with_two_voices_and_silence() {
    let recording = Recording::new("conv_test", 61.0, 32, speech(60));
    let (samples, rate) = decode(recording.bytes().to_vec());
    let secs = samples.len() as f64 / f64::from(rate);
    assert!((secs - 61.0).abs() < 0.1, "{secs} s");
    assert!((recording.secs() - 61.0).abs() < FRAME_SECS);
    let at =
        |from: f64, to: f64| loudness(&samples[(from * f64::from(rate)) as usize..(to * f64::from(rate)) as usize]);
    let (agent, callee, pause) = (at(1.0, 3.0), at(5.0, 7.0), at(3.7, 4.3));
    assert!(agent > 0.02 && callee > 0.02, "agent {agent}, callee {callee}");
    assert!(pause < agent / 20.0, "pause {pause}");
    assert!(samples.iter().all(|s| s.abs() < 1.0), "it clips");
}

#[test]
fn every_frame_can_be_walked_and_the_size_is_known_beforehand() {
    for kbps in [32, 64, 96, 128, 160] {
        let recording = Recording::new("conv_walk", 9.0, kbps, speech(9));
        let bytes = recording.bytes();
        assert_eq!(bytes.len() as u64, recording.len());
        assert_eq!(&bytes[..3], b"ID3");
        let mut at = 10 + usize::from(bytes[9]);
        let mut frames = 0;
        while at < bytes.len() {
            assert_eq!(bytes[at..at + 2], [0xff, 0xf3]);
            at += kbps as usize * 9 / 2;
            frames += 1;
        }
        assert_eq!((at, frames), (bytes.len(), 250));
        let (samples, _) = decode(bytes.to_vec());
        assert!(samples.len().abs_diff(144_000) <= 2 * 576, "{} samples at {kbps} kbit/s", samples.len());
    }
}

#[test]
fn recordings_differ_by_title_and_equal_themselves() {
    let one = Recording::new("conv_a", 5.0, 32, speech(5));
    assert_eq!(one.bytes(), one.bytes());
    assert_ne!(one.bytes(), Recording::new("conv_b", 5.0, 32, speech(5)).bytes());
}

#[test]
fn a_recording_of_150_megabytes_is_made_piece_by_piece() {
    let recording = Recording::new("conv_long", 7500.0, 160, speech(7500));
    assert!(recording.len() > 149_000_000);
    let mut pieces = recording.chunks();
    assert!(pieces.by_ref().take(100).all(|piece| piece.len() % 3 == 0 && piece.len() <= 64 * 1024));
}

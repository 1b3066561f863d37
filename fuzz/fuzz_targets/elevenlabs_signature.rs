//! ElevenLabs' signature: whoever has no secret is refused, whatever he writes; whoever has it gets through within the
//! bounds of time, with exactly the bytes that were signed.
#![no_main]

use elevenwire::elevenlabs::signature::{NEWEST, OLDEST, Refused, Verifier, header};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_790_000_000;
const SECRET: &str = "wsec_e2a9f0c47d";

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    header: &'a [u8],
    pair: Option<(&'a [u8], &'a [u8])>,
    body: &'a [u8],
    other_body: &'a [u8],
    age: i16,
    other_age: i16,
}

fuzz_target!(|input: Input<'_>| {
    let verifier = Verifier::new(vec!["an older one".into(), SECRET.into()]);
    let now = Timestamp::from_second(NOW).unwrap();
    let mut forged = HeaderMap::new();
    let mut put = |name, value| HeaderValue::from_bytes(value).map(|value| forged.insert(name, value)).is_ok();
    put("elevenlabs-signature", input.header);
    if let Some((signature, time)) = input.pair {
        put("x-elevenlabs-signature", signature);
        put("x-elevenlabs-timestamp", time);
    }
    assert!(verifier.verify(&forged, input.body, now).is_err(), "a forged signature was believed");

    let time = NOW - i64::from(input.age);
    let written = header(&SECRET.into(), time, input.body);
    let true_one =
        |text: &str| HeaderMap::from_iter([("elevenlabs-signature".parse().unwrap(), text.parse().unwrap())]);
    let expected = match i64::from(input.age) {
        age if age > OLDEST.as_secs() => Err(Refused::TooOld),
        age if age < -NEWEST.as_secs() => Err(Refused::TooNew),
        _ => Ok(()),
    };
    assert_eq!(verifier.verify(&true_one(&written), input.body, now), expected);
    assert_eq!(Verifier::new(vec!["".into()]).verify(&true_one(&written), input.body, now), Err(Refused::NoSecret));
    if input.other_body != input.body {
        assert_eq!(verifier.verify(&true_one(&written), input.other_body, now), Err(Refused::Mismatch));
    }
    if input.other_age != input.age {
        let moved = written.replacen(&time.to_string(), &(NOW - i64::from(input.other_age)).to_string(), 1);
        assert_eq!(verifier.verify(&true_one(&moved), input.body, now), Err(Refused::Mismatch));
    }
});

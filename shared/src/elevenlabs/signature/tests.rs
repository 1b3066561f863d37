use http::HeaderMap;
use proptest::prelude::*;

use super::*;

const SECRET: &str = "wsec_test_secret";
const TIME: i64 = 1_739_537_297;
const BODY: &[u8] = br#"{"type":"post_call_audio","event_timestamp":1739537319,"data":{"agent_id":"xyz","conversation_id":"abc","full_audio":"SUQz"}}"#;
const V0: &str = "e3ad8a1d3a2d47de6aec9b1a24ce3dc6a39c2512e25cde1dbbf4a5312ec7967b";

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
}

fn verify(header: &str, body: &[u8], now: i64) -> Result<(), Refused> {
    Verifier::new(vec![secret(SECRET)]).verify(&headers(&[("elevenlabs-signature", header)]), body, at(now))
}

#[test]
fn the_vector_is_accepted_and_made() {
    assert_eq!(verify(&format!("t={TIME},v0={V0}"), BODY, TIME), Ok(()));
    assert_eq!(sign(&secret(SECRET), TIME, BODY), V0);
    assert_eq!(header(&secret(SECRET), TIME, BODY), format!("t={TIME},v0={V0}"));
}

#[test]
fn the_header_is_read_in_every_form() {
    let wrong = "0".repeat(64);
    for accepted in [
        format!("v0={V0},t={TIME}"),
        format!(" t={TIME} , v0={V0} "),
        format!("t={TIME},v0={wrong},v0={V0}"),
        format!("t={TIME},v0={V0},v0={wrong}"),
        format!("t={TIME},v1=whatever,v0={V0},odd"),
        format!("t={TIME},v0=nothex,v0={V0}"),
        format!("t={TIME},v0={}", V0.to_uppercase()),
    ] {
        assert_eq!(verify(&accepted, BODY, TIME), Ok(()), "{accepted}");
    }
    for (refused, why) in [
        (format!("t={TIME},v0={wrong}"), Refused::Mismatch),
        (format!("t={TIME},v0={}", &V0[..62]), Refused::Mismatch),
        (format!("t={TIME},v0="), Refused::Mismatch),
        (format!("t={},v0={V0}", TIME + 1), Refused::Mismatch),
        (format!("t=0{TIME},v0={V0}"), Refused::Mismatch),
        (format!("t={TIME},v1={V0}"), Refused::Malformed),
        (format!("v0={V0}"), Refused::Malformed),
        (format!("t=,v0={V0}"), Refused::Malformed),
        (format!("t=+{TIME},v0={V0}"), Refused::Malformed),
        (format!("t=99999999999999999999,v0={V0}"), Refused::Malformed),
        (format!("t={TIME},t={TIME},v0={V0}"), Refused::Malformed),
        (V0.to_owned(), Refused::Malformed),
        (String::new(), Refused::NoSignature),
    ] {
        assert_eq!(verify(&refused, BODY, TIME), Err(why), "{refused}");
    }
}

#[test]
fn the_guides_pair_of_headers_is_a_second_form_of_the_same_check() {
    let time = TIME.to_string();
    let verifier = Verifier::new(vec![secret(SECRET)]);
    for signature in [V0.to_owned(), format!("sha256={V0}"), format!("v0={V0}"), V0.to_uppercase()] {
        let given = headers(&[("x-elevenlabs-signature", &signature), ("x-elevenlabs-timestamp", &time)]);
        assert_eq!(verifier.verify(&given, BODY, at(TIME)), Ok(()), "{signature}");
        assert_eq!(verifier.verify(&given, b"{}", at(TIME)), Err(Refused::Mismatch));
        assert_eq!(verifier.verify(&given, BODY, at(TIME + 3601)), Err(Refused::TooOld));
    }
    let alone = headers(&[("x-elevenlabs-signature", V0)]);
    assert_eq!(verifier.verify(&alone, BODY, at(TIME)), Err(Refused::NoSignature));
    let odd = headers(&[("x-elevenlabs-signature", "sha256=zz"), ("x-elevenlabs-timestamp", &time)]);
    assert_eq!(verifier.verify(&odd, BODY, at(TIME)), Err(Refused::Malformed));
}

#[test]
fn time_is_bounded_on_both_sides_to_the_second() {
    let signed = format!("t={TIME},v0={V0}");
    for (now, expected) in [
        (TIME + 3600, Ok(())),
        (TIME + 3601, Err(Refused::TooOld)),
        (TIME - 300, Ok(())),
        (TIME - 301, Err(Refused::TooNew)),
    ] {
        assert_eq!(verify(&signed, BODY, now), expected, "{now}");
    }
    assert_eq!(
        verify(&format!("t={TIME},v0={V0}"), b"{}", TIME + 9999),
        Err(Refused::Mismatch),
        "a forgery is one whatever its time"
    );
}

#[test]
fn every_current_secret_is_tried_and_no_secret_means_no() {
    let signed = header(&secret("new"), TIME, BODY);
    let given = headers(&[("elevenlabs-signature", &signed)]);
    let with =
        |secrets: &[&str]| Verifier::new(secrets.iter().copied().map(secret).collect()).verify(&given, BODY, at(TIME));
    assert_eq!(with(&["old", "new"]), Ok(()));
    assert_eq!(with(&["old"]), Err(Refused::Mismatch));
    assert_eq!(with(&[]), Err(Refused::NoSecret));
    assert_eq!(with(&[""]), Err(Refused::NoSecret), "an empty secret is no secret");
    assert_eq!(Verifier::new(vec![secret("a")]).verify(&HeaderMap::new(), BODY, at(TIME)), Err(Refused::NoSignature));
}

#[test]
fn debug_hides_the_secrets() {
    assert!(!format!("{:?}", Verifier::new(vec![secret(SECRET)])).contains(SECRET));
}

proptest! {
    #[test]
    fn what_we_sign_we_accept(body in proptest::collection::vec(any::<u8>(), 0..200), time in 0..4_000_000_000_i64) {
        prop_assert_eq!(verify(&header(&secret(SECRET), time, &body), &body, time), Ok(()));
    }

    #[test]
    fn any_flipped_bit_of_the_body_is_refused(at in 0..BODY.len(), bit in 0..8_u8) {
        let mut body = BODY.to_vec();
        body[at] ^= 1 << bit;
        prop_assert_eq!(verify(&format!("t={TIME},v0={V0}"), &body, TIME), Err(Refused::Mismatch));
    }

    #[test]
    fn any_changed_byte_of_the_signature_is_refused(at in 0..64_usize, digit in "[0-9a-f]") {
        prop_assume!(V0[at..=at] != digit);
        let forged = format!("{}{digit}{}", &V0[..at], &V0[at + 1..]);
        prop_assert_eq!(verify(&format!("t={TIME},v0={forged}"), BODY, TIME), Err(Refused::Mismatch));
    }

    #[test]
    fn hostile_headers_do_no_harm(header in "[ -~]{0,80}") {
        prop_assert!(verify(&header, BODY, TIME).is_err());
    }
}

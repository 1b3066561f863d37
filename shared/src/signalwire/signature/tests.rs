use http::HeaderMap;
use proptest::prelude::*;

use super::*;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const OURS: &str = "PSK_test_0123456789abcdef";
const STATUS_URL: &str =
    "https://api.example.com/api/webhooks/signalwire/status?call_id=7f3c1c1e-0a52-4a0e-9a55-0f6f3a6f2f10";
const STATUS_BODY: &str = "CallSid=b3877c40-da60-4998-90ad-b792e98472ca&AccountSid=b3877c40-da60-4998-90ad-b792e98472af\
    &ApiVersion=2010-04-01&Direction=outbound-api&From=%2B15551234567&To=%2B15559876543\
    &Timestamp=Thu%2C+04+Apr+2024+18%3A32%3A15+%2B0000&CallStatus=completed&CallbackSource=call-progress-events\
    &CallDuration=94&SequenceNumber=3&SipResultCode=200&HangupBy=";
const BUSY_BODY: &str = "AccountSid=6bfbbe86-a901-4197-8759-2a0de1fa319d&ApiVersion=2010-04-01\
    &CallbackSource=call-progress-events&CallSid=0703574f-b151-465d-aedb-28972eb513c7&CallStatus=busy\
    &Direction=outbound-api&From=sip%3A%2B17063958228%40sip.swire.io\
    &HangupBy=sip%3Ajpsantos%40joaosantos-2a0de1fa319d.sip.swire.io&HangupDirection=inbound\
    &Timestamp=Thu%2C+09+Nov+2023+17%3A05%3A04+%2B0000&To=sip%3Ajpsantos%40joaosantos-2a0de1fa319d.sip.swire.io\
    &SipResultCode=486";
const NO_ANSWER_BODY: &str = "CallSid=a97d4e8a-6047-4e2b-be48-fb96b33b5642&AccountSid=6bfbbe86-a901-4197-8759-2a0de1fa319d\
    &ApiVersion=2010-04-01&Direction=outbound-api&From=sip%3A%2B17063958228%40sip.swire.io\
    &To=sip%3Ajpsantos%40joaosantos-2a0de1fa319d.sip.swire.io&Timestamp=Thu%2C+09+Nov+2023+14%3A40%3A55+%2B0000\
    &CallStatus=no-answer&CallbackSource=call-progress-events&HangupDirection=outbound\
    &HangupBy=sip%3A%2B17063958228%40sip.swire.io&SipResultCode=487";
const PUBLISHED_BODY: &str =
    "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";

fn secret(key: &str) -> SecretString {
    SecretString::from(key)
}

fn headers(content_type: &str, name: &str, signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if !content_type.is_empty() {
        headers.insert("content-type", content_type.parse().unwrap());
    }
    headers.insert(http::HeaderName::try_from(name).unwrap(), signature.parse().unwrap());
    headers
}

/// Splits an address as the gateway does.
fn split(url: &str) -> (String, String, String) {
    let slash = url[8..].find('/').unwrap() + 8;
    let (path, query) = url[slash..].split_once('?').unwrap_or((&url[slash..], ""));
    (url[..slash].to_owned(), path.to_owned(), query.to_owned())
}

fn verify(key: &str, url: &str, headers: &HeaderMap, body: &str) -> Result<(), Refused> {
    let (base, path, query) = split(url);
    Verifier::new(vec![secret(key)], &base).verify(&path, &query, headers, body.as_bytes())
}

#[test]
fn published_and_recomputed_vectors_of_the_form_scheme_are_accepted() {
    let voice = "https://api.example.com/api/webhooks/signalwire/voice/7f3c1c1e-0a52-4a0e-9a55-0f6f3a6f2f10";
    let voice_body = "AccountSid=b3877c40-da60-4998-90ad-b792e98472af&AnsweredBy=human&ApiVersion=2010-04-01\
        &CallSid=b3877c40-da60-4998-90ad-b792e98472ca&CallStatus=in-progress&Direction=outbound-api&From=%2B15551234567\
        &To=%2B15559876543";
    let published = "https://mycompany.com/myapp.php?foo=1&bar=2";
    let real_key = "PSK_V3bF8oyeRNpJWGoRWHNYQMUU";
    for (name, key, url, body, signature) in [
        ("P1", "12345", published, PUBLISHED_BODY, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("P1, port", "12345", published, PUBLISHED_BODY, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("P2", real_key, "http://0aac-189-71-169-171.ngrok-free.app/voice", BUSY_BODY, "lf3nWPmUr2y6jSeeoMW4mg58vgI="),
        (
            "P3",
            real_key,
            "https://675d-189-71-169-171.ngrok-free.app/voice",
            NO_ANSWER_BODY,
            "muUMpldcBHlzuXGZ5gbw1ETZCYA=",
        ),
        ("T1", OURS, STATUS_URL, STATUS_BODY, "fX8g6r7QX6UOIJfl71rFRD4VDa0="),
        ("T1, port", OURS, STATUS_URL, STATUS_BODY, "mzUAJgFvzpj/jqGm8tacoWFWmAI="),
        ("T2", OURS, voice, voice_body, "cXN7xLiuG5ulZ6CvYj2dBJEg2GE="),
        (
            "T4",
            OURS,
            "https://api.example.com/voice?CallSid=abc&From=%2B15551234567",
            "",
            "mH1l7pGH9zh+PYjzZE8xiWk+JLM=",
        ),
        ("T5", "test-key", "https://example.com/hook", "To=a&To=b", "x8TMzW4SfG5TI4zuo4PFIS1APNA="),
        ("T6", OURS, "https://api.example.com/u", "CallerName=Jos%C3%A9+%C3%91+%26+Co", "faob1duuIc9yrAiPJdVz4GFqJDU="),
    ] {
        for header in ["X-SignalWire-Signature", "x-twilio-signature"] {
            assert_eq!(verify(key, url, &headers(FORM, header, signature), body), Ok(()), "{name} in {header}");
        }
        if !name.contains("port") {
            assert_eq!(sign_form(&secret(key), url, body.as_bytes()), signature, "{name}, signed");
        }
        let forged = headers(FORM, "x-signalwire-signature", signature);
        assert_eq!(verify("another key", url, &forged, body), Err(Refused::Mismatch), "{name}, other key");
        assert_eq!(verify(key, url, &forged, &format!("{body}&x=1")), Err(Refused::Mismatch), "{name}, other body");
        assert_eq!(verify(key, &format!("{url}x"), &forged, body), Err(Refused::Mismatch), "{name}, other address");
    }
}

#[test]
fn vectors_of_the_raw_scheme_are_accepted() {
    let call = r#"{"call":{"call_id":"c1","call_state":"created"},"vars":{}}"#;
    let state = r#"{"event":"call.state","params":{"call_id":"abc-123","state":"answered"}}"#;
    let plain = "x-signalwire-signature";
    let sha256 = "x-signalwire-sha256-signature";
    for (key, url, body, header, signature) in [
        (
            "PSKtest1234567890abcdef",
            "https://example.ngrok.io/webhook",
            state,
            plain,
            "c3c08c1fefaf9ee198a100d5906765a6f394bf0f",
        ),
        (OURS, "https://api.example.com/swml", call, plain, "42bbfc479dba5d62053759aef5c6ee473860adb8"),
        (
            OURS,
            "https://api.example.com/swml",
            call,
            sha256,
            "2a72db1f61559224edab67a6d34f550eba9983c20c148922187cf5bd4bdf43c4",
        ),
        (OURS, STATUS_URL, STATUS_BODY, plain, "06d46990cf532c5a9ec3fd98d87632d8a108aa9d"),
        (OURS, STATUS_URL, STATUS_BODY, sha256, "dccb510e1f818b68d76db8ce5d033654f89f009e9663c2a9a1d3f0c0fa07b17a"),
    ] {
        assert_eq!(verify(key, url, &headers(JSON, header, signature), body), Ok(()), "{signature}");
        assert_eq!(
            verify(key, url, &headers(JSON, header, signature), &body.replace('a', "b")),
            Err(Refused::Mismatch)
        );
        let expected = if header == plain {
            sign_raw(&secret(key), url, body.as_bytes())
        } else {
            sign_raw_sha256(&secret(key), url, body.as_bytes())
        };
        assert_eq!(expected, signature);
    }
}

#[test]
fn json_is_accepted_by_its_top_level_keys() {
    let signature = sign_form(&secret(OURS), STATUS_URL, b"CallDuration=94&CallSid=abc");
    let given = headers(JSON, "x-signalwire-signature", &signature);
    assert_eq!(verify(OURS, STATUS_URL, &given, r#"{"CallSid":"abc","CallDuration":94}"#), Ok(()));
    assert_eq!(verify(OURS, STATUS_URL, &given, r#"{"CallSid":"abc","CallDuration":95}"#), Err(Refused::Mismatch));
    assert_eq!(verify(OURS, STATUS_URL, &given, "[]"), Err(Refused::Mismatch));
}

#[test]
fn a_url_that_pins_its_body_is_accepted_with_that_body_only() {
    let key = "PSKtest1234567890abcdef";
    let url =
        "https://example.ngrok.io/webhook?bodySHA256=69f3cbfc18e386ef8236cb7008cd5a54b7fed637a8cb3373b5a1591d7f0fd5f4";
    let given = headers(JSON, "x-signalwire-signature", "dfO9ek8mxyFtn2nMz24plPmPfIY=");
    assert_eq!(verify(key, url, &given, r#"{"event":"call.state"}"#), Ok(()));
    assert_eq!(verify(key, url, &given, r#"{"event":"call.stat"}"#), Err(Refused::Mismatch));
    assert_eq!(verify(key, url, &given, ""), Err(Refused::Mismatch));
}

#[test]
fn a_signature_of_an_empty_request_carries_no_body() {
    let signature = sign_form(&secret(OURS), STATUS_URL, b"");
    for (content_type, body) in [
        (FORM, "CallSid=abc"),
        (FORM, "&&"),
        (FORM, "="),
        (JSON, "{}"),
        (JSON, "[1]"),
        (JSON, r#"{"":""}"#),
        ("text/plain", "="),
        ("", "{}"),
    ] {
        let given = headers(content_type, "x-signalwire-signature", &signature);
        assert_eq!(verify(OURS, STATUS_URL, &given, body), Err(Refused::Mismatch), "{body}");
    }
    assert_eq!(verify(OURS, STATUS_URL, &headers("", "x-signalwire-signature", &signature), ""), Ok(()));
}

#[test]
fn ports_users_and_fragments_may_have_been_signed_or_not() {
    let key = secret(OURS);
    let body = b"CallSid=abc";
    for (base, signed) in [
        ("https://h.example", "https://h.example:443"),
        ("https://h.example:443", "https://h.example"),
        ("http://h.example", "http://h.example:80"),
        ("http://127.0.0.1:4566", "http://127.0.0.1:4566"),
        ("http://127.0.0.1:4566", "http://127.0.0.1"),
        ("http://[::1]:4566/stage/", "http://[::1]:4566/stage"),
        ("http://[::1]", "http://[::1]:80"),
        ("https://u:p@h.example", "https://u:p@h.example"),
        ("https://u:p@h.example", "https://h.example"),
        ("https://u:p@h.example", "https://h.example:443"),
        ("https://h.example/prod", "https://h.example:443/prod"),
        ("not an address", "not an address"),
    ] {
        let given = headers(FORM, "x-signalwire-signature", &sign_form(&key, &format!("{signed}/p?q=1"), body));
        let verifier = Verifier::new(vec![key.clone()], base);
        assert_eq!(verifier.verify("/p", "q=1", &given, body), Ok(()), "{base} signed as {signed}");
    }
    let given = headers(FORM, "x-signalwire-signature", &sign_form(&key, "https://h.example/p#rt=15000", body));
    let verifier = Verifier::new(vec![key], "https://h.example");
    assert_eq!(verifier.verify("/p", "", &given, body), Err(Refused::Mismatch));
    assert_eq!(verifier.with_fragment("rt=15000").verify("/p", "", &given, body), Ok(()));
}

#[test]
fn the_host_header_is_never_believed() {
    let mut given =
        headers(FORM, "x-signalwire-signature", &sign_form(&secret(OURS), "https://evil.example/p", b"CallSid=a"));
    given.insert("host", "evil.example".parse().unwrap());
    given.insert("x-forwarded-host", "evil.example".parse().unwrap());
    assert_eq!(verify(OURS, "https://api.example.com/p", &given, "CallSid=a"), Err(Refused::Mismatch));
}

#[test]
fn every_current_key_is_tried_and_no_key_means_no() {
    let given =
        headers(FORM, "x-signalwire-signature", &sign_form(&secret("new"), "https://h.example/p", b"CallSid=a"));
    let with = |keys: &[&str]| {
        Verifier::new(keys.iter().copied().map(secret).collect(), "https://h.example").verify(
            "/p",
            "",
            &given,
            b"CallSid=a",
        )
    };
    assert_eq!(with(&["old", "new"]), Ok(()));
    assert_eq!(with(&["old"]), Err(Refused::Mismatch));
    assert_eq!(with(&[]), Err(Refused::NoKey));
    assert_eq!(with(&[""]), Err(Refused::NoKey), "an empty key is no key");
}

#[test]
fn a_missing_or_empty_signature_is_refused() {
    assert_eq!(verify(OURS, STATUS_URL, &HeaderMap::new(), STATUS_BODY), Err(Refused::NoSignature));
    assert_eq!(
        verify(OURS, STATUS_URL, &headers(FORM, "x-signalwire-signature", " "), STATUS_BODY),
        Err(Refused::NoSignature)
    );
}

#[test]
fn debug_hides_the_keys() {
    assert!(!format!("{:?}", Verifier::new(vec![secret(OURS)], "https://h.example")).contains(OURS));
}

proptest! {
    #[test]
    fn any_flipped_bit_of_the_body_is_refused(at in 0..STATUS_BODY.len(), bit in 0..8_u8) {
        let mut body = STATUS_BODY.as_bytes().to_vec();
        body[at] ^= 1 << bit;
        // Two spellings of one form ("%2b" and "%2B", "+" and "%20") are one form.
        prop_assume!(fields::read_form(&body) != fields::read_form(STATUS_BODY.as_bytes()));
        let (base, path, query) = split(STATUS_URL);
        let verifier = Verifier::new(vec![secret(OURS)], &base);
        let key = secret(OURS);
        for (header, signature) in [
            ("x-signalwire-signature", "fX8g6r7QX6UOIJfl71rFRD4VDa0=".to_owned()),
            ("x-signalwire-signature", sign_raw(&key, STATUS_URL, STATUS_BODY.as_bytes())),
            ("x-signalwire-sha256-signature", sign_raw_sha256(&key, STATUS_URL, STATUS_BODY.as_bytes())),
        ] {
            let answer = verifier.verify(&path, &query, &headers(FORM, header, &signature), &body);
            let same = concatenate(fields::read_form(&body)) == concatenate(fields::read_form(STATUS_BODY.as_bytes()));
            // The scheme concatenates without separators, so that a moved "=" signs the same.
            prop_assert!(answer == Err(Refused::Mismatch) || same);
        }
    }

    #[test]
    fn any_changed_byte_of_the_signature_is_refused(at in 0..28_usize, byte in 0x21..0x7f_u8) {
        let mut signature = b"fX8g6r7QX6UOIJfl71rFRD4VDa0=".to_vec();
        prop_assume!(signature[at] != byte);
        signature[at] = byte;
        let given = headers(FORM, "x-signalwire-signature", std::str::from_utf8(&signature).unwrap());
        prop_assert_eq!(verify(OURS, STATUS_URL, &given, STATUS_BODY), Err(Refused::Mismatch));
    }

    #[test]
    fn what_we_sign_we_accept_and_hostile_input_does_no_harm(
        path in "/[a-z/]{0,20}", query in "[a-z=&%]{0,20}", body in proptest::collection::vec(any::<u8>(), 0..200),
        content_type in prop_oneof![Just(FORM), Just(JSON), Just("text/plain")],
    ) {
        let key = secret(OURS);
        let url = if query.is_empty() { format!("https://h.example{path}") } else { format!("https://h.example{path}?{query}") };
        let verifier = Verifier::new(vec![key.clone()], "https://h.example");
        let given = headers(content_type, "x-signalwire-signature", &sign_raw(&key, &url, &body));
        prop_assert_eq!(verifier.verify(&path, &query, &given, &body), Ok(()));
        let given = headers(content_type, "x-signalwire-signature", "AAAA");
        prop_assert_eq!(verifier.verify(&path, &query, &given, &body), Err(Refused::Mismatch));
    }
}

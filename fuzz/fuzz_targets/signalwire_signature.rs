//! SignalWire's signature: whoever has no key is refused, whatever he writes; a signature is good for the address and the
//! fields that were signed, and for no others.
#![no_main]

use elevenwire::signalwire::signature::{Refused, Verifier, sign_form, sign_raw, sign_raw_sha256};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

const KEY: &str = "PSK_e2a9f0c47d";
const BASE: &str = "https://api.example.com/base";
const PLAIN: HeaderName = HeaderName::from_static("x-signalwire-signature");
const SHA256: HeaderName = HeaderName::from_static("x-signalwire-sha256-signature");

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    path: &'a str,
    query: &'a str,
    content_type: Option<&'a [u8]>,
    body: &'a [u8],
    other_body: &'a [u8],
    other_path: &'a str,
    plain: &'a [u8],
    sha256: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let verifier = Verifier::new(vec!["an older one".into(), KEY.into()], BASE).with_fragment("rt=15000");
    let content_type = input.content_type.and_then(|value| HeaderValue::from_bytes(value).ok());
    let headers = |name: HeaderName, value: &[u8]| {
        let mut headers = HeaderMap::new();
        HeaderValue::from_bytes(value).map(|value| headers.insert(name, value)).ok();
        content_type.clone().map(|value| headers.insert(http::header::CONTENT_TYPE, value));
        headers
    };
    let verify = |headers: &HeaderMap, path: &str, body: &[u8]| verifier.verify(path, input.query, headers, body);
    let forged = [headers(PLAIN, input.plain), headers(SHA256, input.sha256)];
    assert!(forged.iter().all(|forged| verify(forged, input.path, input.body).is_err()), "a forgery was believed");

    let query = if input.query.is_empty() { String::new() } else { format!("?{}", input.query) };
    let url = format!("{BASE}{}{query}", input.path);
    let key = KEY.into();
    let whole = headers(SHA256, sign_raw_sha256(&key, &url, input.body).as_bytes());
    let raw = headers(PLAIN, sign_raw(&key, &url, input.body).as_bytes());
    for signed in [&whole, &raw] {
        assert_eq!(verify(signed, input.path, input.body), Ok(()));
        assert_eq!(
            Verifier::new(vec![], BASE).verify(input.path, input.query, signed, input.body),
            Err(Refused::NoKey)
        );
    }
    // URL and body stand side by side in what is signed: only a body of the same length keeps the border in its place.
    if input.other_body.len() == input.body.len() && input.other_body != input.body {
        assert!(verify(&whole, input.path, input.other_body).is_err());
    }
    let mut form = headers(PLAIN, sign_form(&key, &url, input.body).as_bytes());
    form.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let (signed, other) = (concatenated(input.body), concatenated(input.other_body));
    if !pins(input.query) && !signed.starts_with('#') {
        // An empty text is the signature of an empty request, and of no other.
        let fits = signed == other && (!other.is_empty() || input.other_body.is_empty());
        assert_eq!(verify(&form, input.path, input.other_body).is_ok(), fits);
    }
    if input.path != input.other_path && input.other_path.len() == input.path.len() {
        assert!(verify(&whole, input.other_path, input.body).is_err(), "the signature is of another address");
    }
});

/// What scheme *form* appends to the address.
fn concatenated(body: &[u8]) -> String {
    let mut fields: Vec<_> = form_urlencoded::parse(body).collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields.into_iter().map(|(name, value)| format!("{name}{value}")).collect()
}

/// Such an address says by itself which body it goes with.
fn pins(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "bodySHA256")
}

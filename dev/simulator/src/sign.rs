//! Signatures of both vendors, made the way their documents and SDKs verify them.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// SignalWire's form scheme: base64 of HMAC-SHA1 over the URL and the parameters sorted by name (stable).
#[must_use]
pub fn signalwire_form(key: &str, url: &str, params: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = params.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut text = url.to_owned();
    for (name, value) in sorted {
        text.push_str(name);
        text.push_str(value);
    }
    STANDARD.encode(hmac_sha1(key, &[text.as_bytes()]))
}

/// SignalWire's raw scheme: lower-case hex of HMAC-SHA1 over the URL and the body as sent.
#[must_use]
pub fn signalwire_raw(key: &str, url: &str, body: &[u8]) -> String {
    hex::encode(hmac_sha1(key, &[url.as_bytes(), body]))
}

/// The newer `X-SignalWire-SHA256-Signature`: hex of HMAC-SHA256 over the URL and the body as sent.
#[must_use]
pub fn signalwire_raw_sha256(key: &str, url: &str, body: &[u8]) -> String {
    let mut mac = sha256_mac(key);
    mac.update(url.as_bytes());
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// The value of `ElevenLabs-Signature` for a body that is given in pieces.
pub fn elevenlabs<T: AsRef<[u8]>>(secret: &str, t: i64, body: impl IntoIterator<Item = T>) -> String {
    let mut mac = sha256_mac(secret);
    mac.update(format!("{t}.").as_bytes());
    for piece in body {
        mac.update(piece.as_ref());
    }
    format!("t={t},v0={}", hex::encode(mac.finalize().into_bytes()))
}

/// Lower-case hex SHA-256 of pieces.
pub fn sha256_hex<T: AsRef<[u8]>>(pieces: impl IntoIterator<Item = T>) -> String {
    let mut digest = Sha256::new();
    for piece in pieces {
        digest.update(piece.as_ref());
    }
    hex::encode(digest.finalize())
}

fn hmac_sha1(key: &str, pieces: &[&[u8]]) -> Vec<u8> {
    // `new` takes the block-sized key; a key of any length goes through the key's own padding first.
    let mut mac = Hmac::<Sha1>::new(&block_key_sha1(key.as_bytes()).into());
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().to_vec()
}

fn sha256_mac(key: &str) -> Hmac<Sha256> {
    let mut block = [0; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key.as_bytes()));
    } else {
        block[..key.len()].copy_from_slice(key.as_bytes());
    }
    Hmac::<Sha256>::new(&block.into())
}

fn block_key_sha1(key: &[u8]) -> [u8; 64] {
    let mut block = [0; 64];
    if key.len() > 64 {
        block[..20].copy_from_slice(&Sha1::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    block
}

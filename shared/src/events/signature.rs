//! Signatures as Standard Webhooks has them: `v1,` and base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`, one for each
//! secret, with a space between them. A secret is `whsec_` and the base64 of its key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// What every secret begins with.
const PREFIX: &str = "whsec_";

/// A new secret. The specification asks for 24 to 64 bytes.
#[must_use]
pub fn secret(random: [u8; 32]) -> SecretString {
    format!("{PREFIX}{}", STANDARD.encode(random)).into()
}

/// The header `webhook-signature`. A secret that is none signs nothing.
#[must_use]
pub fn header(secrets: &[SecretString], id: &str, timestamp: i64, body: &str) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    secrets.iter().filter_map(|secret| sign(secret, &signed)).collect::<Vec<_>>().join(" ")
}

fn sign(secret: &SecretString, signed: &str) -> Option<String> {
    let key = STANDARD.decode(secret.expose_secret().strip_prefix(PREFIX)?).ok()?;
    let mac = Hmac::<Sha256>::new_from_slice(&key).ok()?.chain_update(signed.as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the specification's own libraries are tested with.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_vector_of_the_specification_is_met() {
        assert_eq!(header(&[SECRET.into()], ID, 1_614_265_330, r#"{"test": 2432232314}"#), SIGNED);
    }

    #[test]
    fn while_a_secret_is_changed_both_sign() {
        let new = secret([7; 32]);
        let both = header(&[new.clone(), SECRET.into()], ID, 1_614_265_330, r#"{"test": 2432232314}"#);
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!(first, header(&[new], ID, 1_614_265_330, r#"{"test": 2432232314}"#));
        assert_eq!(second, SIGNED);
    }

    #[test]
    fn a_new_secret_is_long_enough_and_of_its_form() {
        let made = secret([0xff; 32]);
        assert_eq!(STANDARD.decode(made.expose_secret().strip_prefix("whsec_").unwrap()).unwrap(), [0xff; 32]);
    }
}

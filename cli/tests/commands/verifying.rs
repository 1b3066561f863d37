//! `webhook verify` with what SignalWire signs: a form, the raw body, and the body with SHA-256.

use std::path::Path;

use simulator::sign;

use crate::{Said, folder, run_in};

const KEY: &str = "PSK_current";
const OLD: &str = "PSK_before";
const ADDRESS: &str = "https://api.example.com/api/webhooks/signalwire/status/019f0b6e";
const BODY: &str = "CallSid=7&CallStatus=ringing&To=%2B14155550101";

fn form(key: &str, address: &str) -> String {
    let fields = [("CallSid", "7"), ("CallStatus", "ringing"), ("To", "+14155550101")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    format!("X-SignalWire-Signature: {}", sign::signalwire_form(key, address, &fields))
}

fn raw(key: &str) -> String {
    format!("X-SignalWire-Signature: {}", sign::signalwire_raw(key, ADDRESS, BODY.as_bytes()))
}

fn sha256(key: &str) -> String {
    let signature = sign::signalwire_raw_sha256(key, ADDRESS, BODY.as_bytes());
    format!("X-SignalWire-SHA256-Signature: {signature}")
}

async fn verify(folder: &Path, body: &str, header: &str, more: &[&str]) -> Said {
    std::fs::write(folder.join("form.txt"), body).unwrap();
    let secrets = format!("{KEY},{OLD}");
    let arguments = [&["webhook", "verify", "form.txt", "--header", header], more].concat();
    run_in(folder, &[("SIGNALWIRE_SIGNING_SECRET", &secrets)], &arguments).await
}

#[tokio::test]
async fn every_scheme_of_signalwires_fits_and_says_by_which_key() {
    let folder = folder();
    for header in [form(KEY, ADDRESS), form(KEY, ADDRESS).replace("SignalWire", "Twilio"), raw(KEY), sha256(KEY)] {
        let said = verify(&folder, BODY, &header, &["--address", ADDRESS]).await.ok();
        assert_eq!(said.out, "SignalWire: it fits secret 1 of 2\n", "{header}");
    }
    for header in [form(OLD, ADDRESS), raw(OLD), sha256(OLD)] {
        let said = verify(&folder, BODY, &header, &["--address", ADDRESS, "--json"]).await.ok().json();
        assert_eq!((&said[0]["fits"], &said[0]["secret"], &said[0]["secrets"]), (&true.into(), &2.into(), &2.into()));
    }
}

#[tokio::test]
async fn a_signature_of_signalwires_holds_no_time_and_so_is_never_stale() {
    let folder = folder();
    for header in [form(KEY, ADDRESS), raw(KEY), sha256(KEY)] {
        let much_later = ["--address", ADDRESS, "--at", "2046-01-01T00:00:00Z"];
        assert_eq!(verify(&folder, BODY, &header, &much_later).await.code, 0, "{header}");
    }
    // What the key was long ago, and no longer is.
    for header in [form("PSK_retired", ADDRESS), raw("PSK_retired"), sha256("PSK_retired")] {
        let said = verify(&folder, BODY, &header, &["--address", ADDRESS]).await;
        assert!(said.code == 1 && said.err.contains("2 secrets tried: it fits no secret"), "{said:?}");
    }
}

#[tokio::test]
async fn a_forged_one_does_not_fit_and_what_is_nearly_right_is_named() {
    let folder = folder();
    let forged = BODY.replace("ringing", "completed");
    for header in [form(KEY, ADDRESS), raw(KEY), sha256(KEY)] {
        let said = verify(&folder, &forged, &header, &["--address", ADDRESS, "--json"]).await;
        assert_eq!((said.code, &said.json()[0]["fits"]), (1, &false.into()), "{header}: {said:?}");
        let elsewhere = ADDRESS.replace("status", "voice");
        assert_eq!(verify(&folder, BODY, &header, &["--address", &elsewhere]).await.code, 1, "{header}");
    }
    let plain = ADDRESS.replace("https", "http");
    let said = verify(&folder, BODY, &form(KEY, &plain), &["--address", ADDRESS]).await;
    assert!(said.code == 1 && said.err.contains(&format!("it fits the address {plain}")), "{said:?}");
    let said = verify(&folder, &format!("{BODY}\n"), &raw(KEY), &["--address", ADDRESS]).await;
    assert!(said.code == 1 && said.err.contains("without the line end after it"), "{said:?}");
    let said = verify(&folder, BODY, "X-Other: 1", &["--address", ADDRESS, "--vendor", "signalwire"]).await;
    assert!(said.code == 1 && said.err.contains("there is no header X-SignalWire-Signature"), "{said:?}");
    let said = verify(&folder, BODY, &form(KEY, ADDRESS), &["--address", ADDRESS, "--secret", "PT_token"]).await;
    assert!(said.code == 1 && said.err.contains("PT… is an API token"), "{said:?}");
    let said = verify(&folder, BODY, &form(KEY, ADDRESS), &[]).await;
    assert!(said.code == 2 && said.err.contains("--address"), "{said:?}");
}

//! Our own doors, knocked at from outside, and the vendors' credentials.

use reqwest::Url;

use super::look::Knock;
use super::{Facts, Finding};
use crate::vendors::{Answer, Trouble, holds};

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    vec![
        api(facts),
        public_url(facts),
        carrier_door(facts),
        webhook_secret(facts),
        initiation_secret(facts),
        credentials(
            "signalwire-credentials",
            &facts.seen.carrier,
            "SIGNALWIRE_PROJECT_ID, SIGNALWIRE_API_TOKEN (scope Voice) and SIGNALWIRE_SPACE_URL must be of the same space.",
        ),
        credentials(
            "elevenlabs-credentials",
            &facts.seen.elevenlabs,
            "Make a new key at ElevenLabs, or correct ELEVENLABS_API_KEY; a workspace with data residency has its own ELEVENLABS_API_URL.",
        ),
    ]
}

fn api(facts: &Facts<'_>) -> Finding {
    match &facts.seen.agents {
        Ok(_) => Finding::ok("api", "answers, and takes the token"),
        Err(Trouble::Refused(status @ (401 | 403), said)) => Finding::fails(
            "api",
            format!("HTTP {status}: {said}"),
            "Give --token, or set API_TOKEN: the token itself, whose hash stands in ApiTokens (README, API tokens).",
        ),
        Err(trouble) => {
            Finding::fails("api", trouble.to_string(), "Correct --url or BASE_URL: the stack's output PublicBaseUrl.")
        }
    }
}

fn public_url(facts: &Facts<'_>) -> Finding {
    let base = &facts.base;
    let parsed = Url::parse(base).ok();
    let here =
        parsed.as_ref().and_then(Url::host_str).is_some_and(|host| host == "localhost" || host.starts_with("127."));
    let mend =
        "Correct PUBLIC_BASE_URL: what the vendors call, https, without a slash at its end; and open it to them.";
    match &facts.seen.public {
        Err(why) => Finding::fails("public-url", format!("{base}: {why}"), mend),
        Ok(_) if !here && !base.starts_with("https://") => {
            Finding::fails("public-url", format!("{base} is not https: secrets would travel in the clear"), mend)
        }
        Ok(_) if facts.known.public_base_url.is_none() => {
            Finding::ok("public-url", format!("{base} answers (taken from --url: PUBLIC_BASE_URL is not set)"))
        }
        Ok(_) => Finding::ok("public-url", format!("{base} answers")),
    }
}

/// `Err`: the finding is made already.
fn pair(check: &'static str, with: &Knock, without: &Knock, refused: u16, wanted: u16) -> Result<(), Finding> {
    let open = "The door takes what nobody signed. Deploy the program as it is, and let nothing answer in its place.";
    match (with, without) {
        (_, Err(why)) => Err(Finding::skipped(check, format!("the door does not answer ({why}): see public-url"))),
        (_, Ok(404 | 405)) if refused == 401 => Err(Finding::fails(check, "there is no such door", "See public-url.")),
        (Ok(403), Ok(403)) if refused == 401 => {
            Err(Finding::skipped(check, "ELEVENLABS_WEBHOOK_ALLOWED_IPS keeps this machine out, as it should"))
        }
        (_, Ok(status)) if *status != refused => {
            Err(Finding::fails(check, format!("HTTP {status} without a signature, {refused} was to be"), open))
        }
        (Err(why), _) => Err(Finding::skipped(check, why.clone())),
        (Ok(status @ 500..), _) => Err(Finding::ok(check, format!("taken, but HTTP {status}: see bucket and queues"))),
        (Ok(status), _) if *status == refused || *status == wanted => Ok(()),
        (Ok(status), _) => Err(Finding::fails(
            check,
            format!("HTTP {status} with a true signature, {wanted} was to be"),
            "See the function's log, and the checks bucket and queues.",
        )),
    }
}

fn carrier_door(facts: &Facts<'_>) -> Finding {
    let (signed, unsigned, other) = &facts.seen.carrier_door;
    // In AWS the gateway leads here; the path names no call, which is seen after the signature.
    if let Err(finding) = pair("carrier-door", signed, unsigned, 403, 404) {
        return finding;
    }
    match (signed, other) {
        (Ok(404), _) => {
            Finding::ok("carrier-door", format!("takes what is signed for {}, refuses what is not signed", facts.base))
        }
        (_, Some(other)) => Finding::fails(
            "carrier-door",
            format!("the deployment takes signatures for {other}, not for {}", facts.base),
            format!(
                "Deploy with the parameter PublicBaseUrl={} (or correct PUBLIC_BASE_URL here): SignalWire signs the address that it was given.",
                facts.base
            ),
        ),
        _ => Finding::fails(
            "carrier-door",
            "a signature by SIGNALWIRE_SIGNING_SECRET is refused",
            "SignalWireSigningSecret is the signing key (PSK_…), not the API token; and PublicBaseUrl is exactly this address.",
        ),
    }
}

fn webhook_secret(facts: &Facts<'_>) -> Finding {
    let (signed, unsigned) = &facts.seen.webhook_door;
    if let Err(finding) = pair("webhook-secret", signed, unsigned, 401, 200) {
        return finding;
    }
    if *signed == Ok(200) {
        return Finding::ok("webhook-secret", "a signed probe is taken, an unsigned one is refused");
    }
    Finding::fails(
        "webhook-secret",
        "a probe signed by ELEVENLABS_WEBHOOK_SECRET is refused",
        "Deploy with ElevenLabsWebhookSecret as ElevenLabs showed it, and a higher SecretsRevision (README, Changing a secret). A clock that is more than an hour off is refused as well.",
    )
}

fn initiation_secret(facts: &Facts<'_>) -> Finding {
    const CHECK: &str = "initiation-secret";
    let (with, without) = &facts.seen.initiation_door;
    if let Err(finding) = pair(CHECK, with, without, 401, 200) {
        return finding;
    }
    if *with != Ok(200) {
        return Finding::fails(
            CHECK,
            "the deployment refuses ELEVENLABS_INITIATION_SECRET",
            "Deploy with this ElevenLabsInitiationSecret and a higher SecretsRevision, or correct it here.",
        );
    }
    let Some(secret) = &facts.known.initiation_secret else {
        return Finding::skipped(CHECK, "ELEVENLABS_INITIATION_SECRET is not set");
    };
    let told =
        facts.voices(&facts.seen.settings).and_then(|settings| Ok((settings, facts.voices(&facts.seen.secrets)?)));
    match told {
        Err(why) => Finding::ok(CHECK, format!("our door takes it; what ElevenLabs sends is not checked: {why}")),
        Ok((settings, secrets)) => {
            let headers = &settings["conversation_initiation_client_data_webhook"]["request_headers"];
            if headers.is_null() || holds(headers, secret, secrets) {
                Finding::ok(CHECK, "our door takes it, and ElevenLabs sends it")
            } else {
                Finding::fails(
                    CHECK,
                    "ElevenLabs' initiation webhook does not send it in X-Elevenwire-Secret",
                    "Run `elevenwire setup`, or set the header in ElevenLabs' agents settings.",
                )
            }
        }
    }
}

fn credentials(check: &'static str, answer: &Answer, mend: &str) -> Finding {
    match answer {
        Ok(_) => Finding::ok(check, "taken"),
        Err(Trouble::NotAsked(why)) => Finding::skipped(check, why.clone()),
        Err(trouble) => Finding::fails(check, trouble.to_string(), mend),
    }
}

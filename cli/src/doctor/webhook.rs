//! ElevenLabs' post-call webhook.

use serde_json::Value;

use super::{Facts, Finding};
use crate::vendors::{EVENTS, WEBHOOK_PATH};

const SETUP: &str = "Run `elevenwire setup`, or see docs/setup.md.";
/// The vendor's published addresses, and the two of each workspace with data residency by the middle of its host.
const ADDRESSES: [&str; 6] =
    ["34.67.146.145", "34.59.11.47", "35.204.38.71", "34.147.113.54", "35.185.187.110", "35.247.157.189"];
const RESIDENCIES: [(&str, [&str; 2]); 3] = [
    (".eu.residency.", ["34.77.234.246", "34.140.184.144"]),
    (".in.residency.", ["34.93.26.174", "34.93.252.69"]),
    (".sg.residency.", ["34.87.23.17", "34.126.179.103"]),
];

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = vec![addresses(facts)];
    let checks = ["webhook", "webhook-enabled", "webhook-events", "webhook-retries"];
    let told =
        facts.voices(&facts.seen.settings).and_then(|settings| Ok((settings, facts.voices(&facts.seen.webhooks)?)));
    let (settings, webhooks) = match told {
        Ok((settings, webhooks)) => (&settings["webhooks"], webhooks),
        Err(why) => {
            findings.extend(checks.map(|check| Finding::skipped(check, why.clone())));
            return findings;
        }
    };
    findings.push(events(settings));
    let wanted = match facts.address(WEBHOOK_PATH) {
        Ok(wanted) => wanted,
        Err(why) => {
            findings.extend([checks[0], checks[1], checks[3]].map(|check| Finding::skipped(check, why.clone())));
            return findings;
        }
    };
    let chosen = webhooks.iter().find(|webhook| webhook["webhook_id"] == settings["post_call_webhook_id"]);
    let ours = |webhook: &&Value| webhook["webhook_url"] == wanted.as_str();
    let Some(webhook) = chosen.filter(ours) else {
        let detail = match (chosen, webhooks.iter().any(|webhook| ours(&webhook))) {
            (_, true) => format!("{wanted} exists, but is not chosen as the post-call webhook"),
            (Some(other), false) => format!("the chosen one points to {}, not to {wanted}", other["webhook_url"]),
            (None, false) => format!("none points to {wanted}"),
        };
        findings.push(Finding::fails(checks[0], detail, SETUP));
        findings.extend([checks[1], checks[3]].map(|check| Finding::skipped(check, "see webhook")));
        return findings;
    };
    findings.push(Finding::ok(checks[0], wanted));
    findings.push(enabled(webhook));
    findings.push(retries(webhook));
    findings
}

fn enabled(webhook: &Value) -> Finding {
    const CHECK: &str = "webhook-enabled";
    let failure = &webhook["most_recent_failure_error_code"];
    let last = if failure.is_null() { String::new() } else { format!("; its last failure was HTTP {failure}") };
    if webhook["is_auto_disabled"] == true {
        return Finding::fails(
            CHECK,
            format!("ElevenLabs switched it off after ten failures{last}"),
            "Mend what failed, then switch it on again in the workspace's webhooks (or `elevenwire setup`): ElevenLabs does not do it by itself. What was missed is fetched by reconcile.",
        );
    }
    if webhook["is_disabled"] == true {
        return Finding::fails(
            CHECK,
            "it is switched off",
            "Switch it on in the workspace's webhooks, or `elevenwire setup`.",
        );
    }
    Finding::ok(CHECK, format!("on{last}"))
}

fn events(settings: &Value) -> Finding {
    let sent =
        |event: &&str| settings["events"].as_array().is_some_and(|events| events.iter().any(|sent| sent == event));
    let mut wrong: Vec<String> =
        EVENTS.iter().filter(|event| !sent(event)).map(|event| format!("{event} is not sent")).collect();
    if settings["transcript_format"].as_str().is_some_and(|format| format != "json") {
        wrong.push("the transcript's format is not json".to_owned());
    }
    Finding::of("webhook-events", &wrong, "transcript (json), audio, call_initiation_failure", SETUP)
}

fn retries(webhook: &Value) -> Finding {
    const CHECK: &str = "webhook-retries";
    match webhook["retry_enabled"].as_bool() {
        Some(true) => Finding::ok(CHECK, "on"),
        Some(false) => Finding::fails(
            CHECK,
            "off: a transcript that we could not take is not sent again",
            "Run `elevenwire setup`, which turns them on; deployed with ElevenLabsWebhookMend=true reconcile keeps them so.",
        ),
        None => Finding::skipped(
            CHECK,
            "ElevenLabs does not tell; `elevenwire setup` turns them on, ElevenLabsWebhookMend keeps them so",
        ),
    }
}

fn addresses(facts: &Facts<'_>) -> Finding {
    const CHECK: &str = "addresses";
    let Some(list) = &facts.known.allowed_ips else {
        return match &facts.seen.health {
            Ok(health) if health["warnings"].to_string().contains("ALLOWED_IPS") => Finding::warns(
                CHECK,
                "the deployment has no list: the signature alone decides",
                format!(
                    "Deploy with ElevenLabsWebhookAllowedIps={}, unless a proxy of yours stands before it.",
                    wanted(facts).join(",")
                ),
            ),
            Ok(_) => Finding::skipped(
                CHECK,
                "the deployment has a list; ELEVENLABS_WEBHOOK_ALLOWED_IPS is not set here, so it cannot be compared",
            ),
            Err(_) => Finding::skipped(CHECK, "the deployment did not tell: see api"),
        };
    };
    let listed: Vec<&str> = list.split(',').map(str::trim).collect();
    let covers = |address: &str| listed.iter().any(|entry| *entry == address || within(entry, address));
    let lacking: Vec<String> =
        wanted(facts).into_iter().filter(|address| !covers(address)).map(str::to_owned).collect();
    if lacking.is_empty() {
        return Finding::ok(CHECK, "has all of ElevenLabs' addresses");
    }
    Finding::fails(
        CHECK,
        format!("lacks {}", lacking.join(", ")),
        "Add them to ElevenLabsWebhookAllowedIps and deploy: what comes from them is refused with 403.",
    )
}

fn wanted(facts: &Facts<'_>) -> Vec<&'static str> {
    let residency = RESIDENCIES.iter().find(|(host, _)| facts.known.elevenlabs_url.contains(host));
    residency.map_or_else(|| ADDRESSES.to_vec(), |(_, addresses)| addresses.to_vec())
}

/// Whether an address lies in a block such as `34.59.0.0/16`.
fn within(block: &str, address: &str) -> bool {
    let bits = |text: &str| text.parse::<std::net::Ipv4Addr>().ok().map(u32::from);
    let Some((net, length)) = block.split_once('/') else { return false };
    let (Some(net), Some(address), Ok(length)) = (bits(net), bits(address), length.parse::<u32>()) else {
        return false;
    };
    length <= 32 && (length == 0 || (net ^ address) >> (32 - length) == 0)
}

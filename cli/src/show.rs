//! `elevenwire show`: one call, whole.

use std::fmt::Write as _;

use clap::Args;
use serde_json::Value;

use crate::client::{Client, segment};
use crate::output::{self, facts, text, time};
use crate::{Failure, Global};

const EXAMPLES: &str = "\
Examples:
  elevenwire show 019f0b6e-…              # what happened, why, and what was said
  elevenwire show 019f0b6e-… --events     # every fact in its order, and what the guard said
  elevenwire show 019f0b6e-… --json | jq .explanation

The link to the recording is good for 15 minutes, for everybody who has it.";

/// Show one call: what happened and why, its times, what was said, its recording.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Show {
    /// Id of the call.
    call_id: String,
    /// Show its timeline instead.
    #[arg(long)]
    events: bool,
}

impl Show {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(global)?;
        let path = format!("/api/calls/{}", segment(&self.call_id));
        if self.events {
            let timeline = client.get(&format!("{path}/events")).await?;
            return if global.json { output::line(&timeline) } else { crate::write(&events(&timeline)) };
        }
        let call = client.get(&path).await?;
        if global.json {
            return output::line(&call);
        }
        let link = if call["recording"].is_null() {
            None
        } else {
            // Gone, or the bucket does not answer: the rest is worth being shown.
            match client.get(&format!("{path}/recording?format=json")).await {
                Ok(found) => found["url"].as_str().map(str::to_owned),
                Err(failure) => Some(format!("({failure})")),
            }
        };
        crate::write(&human(&call, link.as_deref()))
    }
}

/// A call for a person.
pub(crate) fn human(call: &Value, link: Option<&str>) -> String {
    let it = |name: &str| text(&call[name]);
    let stands = if call["outcome"].is_null() { it("state") } else { it("outcome") };
    let mut page = format!("{}  {}\n", output::heading(&format!("call {}", it("id"))), output::word(&stands));
    let told = &call["explanation"];
    for (label, name) in [("", "what"), ("why   ", "why"), ("who   ", "who"), ("next  ", "next")] {
        if told[name].is_string() {
            let _ = writeln!(page, "  {label}{}", text(&told[name]));
        }
    }
    let _ = writeln!(page);
    page.push_str(&facts(&[
        ("to", it("to")),
        ("from", it("from")),
        ("agent", format!("{} ({})", it("agent"), it("connect"))),
        ("campaign", it("campaign")),
        (
            "variables",
            if call["variables"].as_object().is_some_and(|map| !map.is_empty()) { it("variables") } else { "-".into() },
        ),
        ("written down", time(&call["created_at"])),
        ("due", if call["state"] == "intent" { time(&call["due_at"]) } else { "-".into() }),
        ("placed", time(&call["placed_at"])),
        ("rang", time(&call["ringing_at"])),
        ("answered", time(&call["answered_at"])),
        ("ended", time(&call["ended_at"])),
        ("settled", time(&call["settled_at"])),
        ("missing", it("missing")),
        ("lasted", seconds(&call["duration_secs"])),
        ("cost", output::cost(&call["cost"])),
        ("carrier", it("carrier_sid")),
        ("SIP", it("sip_code")),
        ("reason", it("reason")),
    ]));
    page.push_str(&conversation(&call["conversation"]));
    if let (recording, false) = (&call["recording"], call["recording"].is_null()) {
        let _ = writeln!(page, "\n{}", output::heading("recording"));
        page.push_str(&facts(&[
            ("bytes", output::count(&recording["bytes"])),
            ("lasts", seconds(&recording["duration_secs"])),
            ("SHA-256", text(&recording["sha256"])),
            ("link", link.unwrap_or("-").to_owned()),
        ]));
    }
    page
}

fn conversation(conversation: &Value) -> String {
    if conversation.is_null() {
        return String::new();
    }
    let mut page = format!("\n{}\n", output::heading(&format!("conversation {}", text(&conversation["id"]))));
    page.push_str(&facts(&[
        ("status", text(&conversation["status"])),
        ("successful", text(&conversation["successful"])),
        ("ended because", text(&conversation["termination_reason"])),
        ("summary", text(&conversation["summary"])),
    ]));
    for message in output::entries(conversation, "messages") {
        let who = match message["role"].as_str() {
            Some("user") => "callee",
            Some(role) => role,
            None => "?",
        };
        let said = text(&message["message"]);
        if said != "-" {
            let _ = writeln!(page, "  {:>6}  {who:6}  {said}", seconds(&message["time_in_call_secs"]));
        }
    }
    page
}

/// 75 is 1:15.
fn seconds(value: &Value) -> String {
    match value.as_f64() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of a call")]
        Some(secs) => format!("{}:{:02}", secs.max(0.0) as u64 / 60, secs.max(0.0) as u64 % 60),
        None => "-".to_owned(),
    }
}

/// The timeline for a person: facts and what the guard said, in one order.
fn events(timeline: &Value) -> String {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for event in output::entries(timeline, "events") {
        let at = text(&event["at"]);
        rows.push((at, vec![precise(&event["at"]), text(&event["kind"]), text(&event["fact"])]));
    }
    for said in output::entries(timeline, "guard") {
        let because = output::entries(said, "because");
        let why: Vec<String> = because
            .iter()
            .map(|reason| if reason.is_string() { text(reason) } else { text(&reason["rule"]) })
            .collect();
        let rest = format!("{} {} (rules {})", text(&said["decision"]), why.join(", "), text(&said["rules_version"]));
        rows.push((text(&said["at"]), vec![precise(&said["at"]), "guard".to_owned(), rest]));
    }
    rows.sort_by_key(|(at, _)| moment(at));
    output::table(&["at", "kind", "what"], rows.into_iter().map(|(_, row)| row).collect())
}

fn moment(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok()
}

/// To the millisecond: what follows on what is the question here.
fn precise(value: &Value) -> String {
    let at = value.as_str().and_then(moment);
    at.map_or_else(|| text(value), |at| at.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_transcript_reads_as_a_conversation() {
        let call = json!({ "id": "7", "outcome": "answered", "state": "ended", "conversation": { "id": "conv_1",
            "messages": [{ "role": "agent", "message": "Hello.", "time_in_call_secs": 0 },
                { "role": "user", "message": "Yes?\u{1b}[2J", "time_in_call_secs": 75 }] } });
        let page = human(&call, None);
        assert!(page.contains("    0:00  agent   Hello.\n    1:15  callee  Yes? [2J\n"), "{page}");
    }
}

//! The dossier as a page that can be printed and filed.

use std::fmt::Write;

use serde_json::Value;

/// Columns of a line.
const WIDTH: usize = 100;

/// Everything of the dossier, as text.
pub(super) fn print(dossier: &Value) -> String {
    let mut page = String::new();
    line(&mut page, 0, &format!("Dossier of {}, as of {}", text(&dossier["number"]), text(&dossier["as_of"])));
    if dossier["known"] != true {
        line(&mut page, 0, "This number was never heard of: nobody imported it, and it was never called.");
    }
    standing(&mut page, dossier);
    list(&mut page, "Contacts and their consent", &dossier["contacts"], contact);
    list(&mut page, "Attempts, the newest first", &dossier["attempts"], attempt);
    list(&mut page, "What the guard said, the newest first", &dossier["decisions"], decision);
    for name in entries(&dossier["truncated"]) {
        line(&mut page, 0, &format!("There are more {} than this page holds.", text(name)));
    }
    page
}

fn standing(page: &mut String, dossier: &Value) {
    heading(page, "Do-not-call");
    let now = &dossier["suppression"]["now"];
    if now.is_null() {
        line(page, 2, "Not on the list.");
    } else {
        let (since, source, reason) = (text(&now["suppressed_at"]), text(&now["source"]), text(&now["reason"]));
        line(page, 2, &format!("On the list since {since}, by {source}: {reason}"));
    }
    for step in entries(&dossier["suppression"]["history"]) {
        let what = format!(
            "{} {} by {}: {}",
            text(&step["at"]),
            text(&step["action"]),
            text(&step["source"]),
            text(&step["reason"])
        );
        line(page, 4, &format!("{what}{}{}", with(" Token ", &step["by"]), with(" Call ", &step["call_id"])));
    }
    for review in entries(&dossier["reviews"]) {
        let (at, rule) = (text(&review["created_at"]), text(&review["rule"]));
        let resolved = with(" Decided: ", &review["resolution"]);
        line(page, 4, &format!("{at} doubtful ({rule}){}.{resolved}", with(": ", &review["words"])));
    }
    if !dossier["hold"].is_null() {
        let hold = &dossier["hold"];
        line(page, 2, &format!("On hold until {}: {}", text(&hold["until"]), text(&hold["because"])));
    }
}

fn contact(page: &mut String, contact: &Value) {
    let campaign = &contact["campaign"];
    line(
        page,
        2,
        &format!("Campaign {} ({}), {}", text(&campaign["name"]), text(&campaign["id"]), text(&campaign["purpose"])),
    );
    let consent = &contact["consent"];
    if consent.is_null() {
        line(page, 4, "Consent: none on record.");
    } else {
        let given = format!(
            "Consent: {}{}{}",
            text(&consent["type"]),
            with(", given ", &consent["at"]),
            with(", recorded in ", &consent["source"])
        );
        line(page, 4, &given);
    }
    let place = format!(
        "{}{}{}",
        with(" zone ", &contact["timezone"]),
        with(" state ", &contact["state"]),
        with(" ZIP ", &contact["postal_code"])
    );
    if !place.is_empty() {
        line(page, 4, &format!("Place as imported:{place}"));
    }
    let imported = format!("Since {}{}", text(&contact["created_at"]), with(", line ", &contact["line"]));
    line(page, 4, &format!("{imported}{}", with(" of import ", &contact["import"])));
    told(page, &contact["explanation"]);
}

fn attempt(page: &mut String, call: &Value) {
    let outcome = if call["outcome"].is_null() { &call["state"] } else { &call["outcome"] };
    line(page, 2, &format!("{} call {}: {}", text(&call["created_at"]), text(&call["id"]), text(outcome)));
    let route = format!(
        "From {} by agent {}{}",
        text(&call["from"]),
        text(&call["agent"]),
        with(", campaign ", &call["campaign"])
    );
    line(page, 4, &route);
    let times = ["placed_at", "ringing_at", "answered_at", "ended_at"];
    let times = times.map(|name| with(&format!(" {} ", name.trim_end_matches("_at")), &call[name])).concat();
    if !times.is_empty() {
        line(page, 4, &format!("Times:{times}"));
    }
    told(page, &call["explanation"]);
    let recording = &call["recording"];
    if !recording.is_null() {
        let (digest, bytes) = (text(&recording["sha256"]), text(&recording["bytes"]));
        line(page, 4, &format!("Recording {} ({bytes} bytes), SHA-256 {digest}", text(&recording["storage_path"])));
    }
}

fn decision(page: &mut String, decision: &Value) {
    let rules: Vec<String> = entries(&decision["because"])
        .iter()
        .map(|rule| format!("{} ({})", text(&rule["rule"]), text(&rule["source"])))
        .collect();
    let rules = if rules.is_empty() { String::new() } else { format!(": {}", rules.join(", ")) };
    let until = with(" until ", &decision["until"]);
    line(page, 2, &format!("{} {}{until}{rules}", text(&decision["at"]), text(&decision["decision"])));
    let about = format!("{}{}", with(" call ", &decision["call_id"]), with(" contact ", &decision["contact_id"]));
    line(page, 4, &format!("Rules {},{about}", text(&decision["rules_version"])));
}

fn told(page: &mut String, explanation: &Value) {
    let told = ["what", "why", "next"].map(|part| text(&explanation[part])).join(" ");
    line(page, 4, &format!("{told} Decided by: {}.", text(&explanation["who"])));
}

fn list(page: &mut String, title: &str, list: &Value, entry: impl Fn(&mut String, &Value)) {
    heading(page, title);
    if entries(list).is_empty() {
        line(page, 2, "None.");
    }
    for item in entries(list) {
        entry(page, item);
    }
}

fn heading(page: &mut String, title: &str) {
    page.push('\n');
    line(page, 0, title);
    line(page, 0, &"-".repeat(title.chars().count()));
}

fn entries(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "unknown".to_owned(),
        other => other.to_string(),
    }
}

/// A value behind its words, or nothing.
fn with(words: &str, value: &Value) -> String {
    if value.is_null() { String::new() } else { format!("{words}{}", text(value)) }
}

/// A line, broken between words; what others wrote cannot begin one of its own, and cannot move a printer's head.
fn line(page: &mut String, indent: usize, words: &str) {
    let words = words.replace(char::is_control, " ");
    let mut used = 0;
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > WIDTH {
            page.push('\n');
            used = 0;
        }
        let lead = if used > 0 { 1 } else { indent };
        // Writing to a string cannot fail.
        let _ = write!(page, "{:lead$}{word}", "");
        used += lead + length;
    }
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_that_was_never_heard_of_has_a_page_that_says_so() {
        let page = print(&json!({ "number": "+14155550101", "as_of": "2026-11-24T17:00:00Z", "known": false }));
        assert!(
            page.contains("never heard of") && page.contains("Not on the list.") && page.contains("None."),
            "{page}"
        );
    }

    #[test]
    fn what_others_wrote_stays_in_its_line() {
        let mut page = String::new();
        line(&mut page, 2, "a\u{1b}[2J\r\nb\tc");
        assert_eq!(page, "  a [2J b c\n");
        let mut page = String::new();
        line(&mut page, 4, &"word ".repeat(60));
        assert!(page.lines().all(|line| line.len() <= WIDTH && line.starts_with("    word")), "{page}");
    }
}

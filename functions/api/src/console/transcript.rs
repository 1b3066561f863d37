//! A transcript as a conversation. What was said is text from outside: escaped, its direction kept to itself.

use maud::{Markup, html};
use serde_json::Value;

use super::text;

/// Bytes of talk that a page shows; the JSON has the rest.
const LONGEST: usize = 40_000;
/// Turns that a page shows.
const MOST_TURNS: usize = 250;

/// The turns, each with its second, which the player follows.
pub(super) fn conversation(messages: &Value) -> Markup {
    let turns = messages.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut bytes = 0;
    let fits = |turn: &&Value| {
        bytes += turn["message"].as_str().map_or(0, str::len);
        bytes <= LONGEST
    };
    let shown: Vec<&Value> = turns.iter().take(MOST_TURNS).take_while(fits).collect();
    html! {
        @if turns.is_empty() { p class="none" { "Nobody's words are known." } }
        ol class="talk" id="talk" { @for turn in &shown { (said(turn)) } }
        @if shown.len() < turns.len() {
            p class="hint" { "The talk is longer: " (turns.len() - shown.len()) " more turns are in the raw payload and at GET /api/calls/{id}." }
        }
    }
}

fn said(turn: &Value) -> Markup {
    let at = turn["time_in_call_secs"].as_f64().filter(|at| at.is_finite() && *at >= 0.0);
    let role = turn["role"].as_str().unwrap_or_default();
    let (class, who) = match role {
        "agent" => ("agent", "Agent"),
        "user" => ("callee", "Callee"),
        _ => ("other", "Other"),
    };
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a call")]
    let seconds = at.map(|at| at as i64);
    html! {
        @if let Some(words) = turn["message"].as_str().filter(|words| !words.trim().is_empty()) {
            li class=(class) data-at=[at] {
                span class="who" { (who) @if let Some(seconds) = seconds { " " span class="at" { (text::duration(seconds)) } } }
                p dir="auto" { bdi { (text::plain(words)) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_said_is_text_and_nothing_else() {
        let page = conversation(&json!([
            { "role": "user", "message": "<script>alert(1)</script> \u{202E}evil", "time_in_call_secs": 7 },
            { "role": "agent\" onclick=\"x", "message": "<img src=x onerror=alert(1)>" },
            { "role": "user", "message": null }, "x", null,
        ]))
        .into_string();
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; \u{FFFD}evil"), "{page}");
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("onclick="), "{page}");
        assert!(page.contains("data-at=\"7\"") && !page.contains('\u{202E}'), "{page}");
    }

    #[test]
    fn a_talk_without_end_is_cut_and_says_so() {
        let long = vec![json!({ "role": "user", "message": "word ".repeat(200) }); 400];
        let page = conversation(&json!(long)).into_string();
        assert!(page.len() < 60_000 && page.contains("The talk is longer: 360 more turns"), "{}", page.len());
    }
}

//! The stable words of the guard, the claims and the contacts, in a person's language.

use super::{GuardFacts, StopFacts, Who};

/// What a rule means, as the end of "because …".
pub(super) fn rule(word: &str) -> Option<&'static str> {
    Some(match word {
        "suppressed" => "the number is on the do-not-call list",
        "no_consent" => "no consent is known that suffices for the purpose of this call",
        "toll_free" => "it is a toll-free number: it has no place, and its owner would pay",
        "premium_rate" => "it is a premium number that costs by the minute",
        "personal_number" => "it is a personal number (5XX), of which no place is known",
        "unassigned" => "no such area code or prefix is assigned",
        "no_zone" => "it is not known in which time zone it would ring",
        "no_rules_for_country" => "there is no table of the calling rules of its country",
        "not_a_number" => "it is no telephone number",
        "no_lawful_time" => "in the next 400 days there is no moment that all rules allow",
        "outside_hours" => "at that hour the law of the place forbids calls",
        "saturday" => "the law of the place forbids calls on Saturdays",
        "sunday" => "the law of the place forbids calls on Sundays",
        "holiday" => "the law of the place forbids calls on that holiday",
        "attempts_24h" => "the number was called as often in 24 hours as the law of the place allows",
        "attempts_8h" => "the number was called as often in 8 hours as the law of the place allows",
        "attempts" => "the number was called as often as the owner's settings allow",
        "owner_window" => "it was outside the hours that the owner has set",
        "excluded_date" => "the owner has excluded that date",
        "on_hold" => "an earlier attempt may still be ringing",
        "recently_refused" => "the person declined a call a short while ago",
        "transcript_awaited" => "the last talk's transcript is awaited, and a wish for no more calls may be in it",
        "closing_soon" => "the lawful hours ended too soon for a call to fit in",
        _ => return None,
    })
}

/// Whose rule it is.
pub(super) fn whose(word: &str) -> Who {
    match word {
        "attempts" | "owner_window" | "excluded_date" => Who::Owner,
        _ => Who::Guard,
    }
}

/// What can be done about a rule that blocks for good.
pub(super) fn mend(word: &str) -> &'static str {
    match word {
        "suppressed" => {
            "It is not called again. GET /api/suppressions?number= shows who put it on the list; DELETE /api/suppressions/{number} takes it off, should the person wish so."
        }
        "no_consent" => "Nothing by itself. With a consent on record, the person can be called in a new campaign.",
        "no_zone" => "Nothing by itself. With the person's `state` or `postal_code`, it can be asked for anew.",
        "toll_free" | "premium_rate" | "personal_number" | "unassigned" | "not_a_number" | "no_rules_for_country" => {
            "Nothing by itself: it is never called. If the number is wrong, correct it."
        }
        "no_lawful_time" => "Nothing by itself. Look at the owner's windows and excluded dates: they leave no time.",
        _ => "Nothing by itself.",
    }
}

/// Why the guard said so: its first rule with where it stands, and how many more there are.
pub(super) fn because(guard: Option<&GuardFacts>, word: &str) -> String {
    let Some(meaning) = rule(word) else {
        return if word == "guard" { "It gave no reason.".to_owned() } else { sentence(word) };
    };
    let known = guard.and_then(|guard| guard.because.iter().find(|rule| rule.rule == word));
    let source = known.map(|rule| rule.source.as_str()).filter(|source| cites(source));
    let source = source.map(|source| format!(" ({source})")).unwrap_or_default();
    let others: Vec<&str> = guard
        .map(|guard| guard.because.iter().filter(|other| other.rule != word).filter_map(|other| rule(&other.rule)))
        .into_iter()
        .flatten()
        .collect();
    let also = if others.is_empty() { String::new() } else { format!(" Also: {}.", others.join("; ")) };
    format!("{}{source}.{also}", upper(meaning))
}

/// A source that tells more than the rule's meaning: a statute has digits.
fn cites(source: &str) -> bool {
    source.chars().any(|c| c.is_ascii_digit()) && source != "E.164"
}

/// Words of somebody else as a sentence of its own.
pub(super) fn sentence(text: &str) -> String {
    upper(&ended(text))
}

/// Words of somebody else as the end of a sentence.
pub(super) fn ended(text: &str) -> String {
    let text = text.trim();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{text}{end}")
}

fn upper(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// What a stop covers and why it was made.
pub(super) fn stop(stop: &StopFacts) -> String {
    let covers = match stop.scope.as_str() {
        "campaign" => "calls of this campaign",
        "agent" => "calls of this agent",
        "from" => "calls from this caller id",
        _ => "all calls",
    };
    format!("`{}` stopped {covers}: {}", stop.by, ended(&stop.reason))
}

//! Series that several charts share.

use std::collections::BTreeMap;

use elevenwire::store::reading::HourCount;
use jiff::{SignedDuration, Timestamp};

use super::charts::Column;
use super::text;

/// Outcomes as the chart groups them: its class, its name, which.
pub(super) const SERIES: [(&str, &str); 5] = [
    ("s-good", "Answered"),
    ("s-soft", "Voicemail"),
    ("s-calm", "Nobody"),
    ("s-bad", "Failed"),
    ("s-open", "Not placed, or open"),
];

fn rank(outcome: Option<&str>) -> usize {
    match outcome {
        Some("answered") => 0,
        Some("voicemail" | "screened") => 1,
        Some("busy" | "no_answer" | "declined") => 2,
        Some("abandoned" | "failed" | "network_blocked" | "unreachable" | "unknown") => 3,
        _ => 4,
    }
}

/// Dialled and over: what an answer rate counts.
pub(super) fn dialled(counts: &[HourCount]) -> (i64, i64) {
    let of = |ranks: std::ops::Range<usize>| {
        counts.iter().filter(|count| ranks.contains(&rank(count.outcome.as_deref()))).map(|count| count.calls).sum()
    };
    (of(0..1), of(0..4))
}

/// The hours that end with this one, as columns.
pub(super) fn hours(counts: &[HourCount], from: Timestamp, hours: i64) -> Vec<Column> {
    let mut found: BTreeMap<Timestamp, Vec<i64>> = BTreeMap::new();
    for count in counts {
        found.entry(count.hour).or_insert_with(|| vec![0; SERIES.len()])[rank(count.outcome.as_deref())] += count.calls;
    }
    let at = |hour: i64| from.checked_add(SignedDuration::from_hours(hour)).unwrap_or(from);
    let column = |hour: i64| {
        let start = at(hour);
        let label = start.strftime("%-H").to_string();
        let label = if (hour + 1) % 4 == 0 { label } else { String::new() };
        let values = found.get(&start).cloned().unwrap_or_else(|| vec![0; SERIES.len()]);
        Column { name: text::when(start), label, values }
    };
    (0..hours).map(column).collect()
}

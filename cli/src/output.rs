//! How answers look: tables and texts for people, lines of JSON for programs.

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use console::Term;
use serde_json::Value;

use crate::{Failure, write};

/// One line of JSON.
pub(crate) fn line(value: &Value) -> Result<(), Failure> {
    write(&format!("{value}\n"))
}

/// A line of JSON for each.
pub(crate) fn lines(values: &[Value]) -> Result<(), Failure> {
    values.iter().try_for_each(line)
}

/// A table that keeps to the width of the terminal; where there is none, a row is a line.
pub(crate) fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let coloured = console::colors_enabled();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some((_, columns)) = Term::stdout().size_checked().filter(|_| Term::stdout().is_term()) {
        table.set_width(columns);
    }
    if coloured {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    if !header.is_empty() {
        table.set_header(header.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
    }
    for row in rows {
        table.add_row(row.into_iter().map(cell));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    format!("{}\n", table.trim_fmt())
}

/// Words that stand for good or bad have their colour.
fn cell(text: String) -> Cell {
    let colour = colour(&text);
    let cell = Cell::new(text);
    match colour {
        Some(colour) => cell.fg(colour),
        None => cell,
    }
}

fn colour(word: &str) -> Option<Color> {
    match word {
        "answered" | "running" | "done" | "finished" | "settled" | "allow" => Some(Color::Green),
        "failed" | "unknown" | "abandoned" | "network_blocked" | "block" | "blocked" => Some(Color::Red),
        "paused" | "voicemail" | "screened" | "defer" | "draft" | "intent" => Some(Color::Yellow),
        _ => None,
    }
}

/// A heading, bold on a terminal.
pub(crate) fn heading(text: &str) -> String {
    console::style(text).bold().to_string()
}

/// A word in its colour, on a terminal.
pub(crate) fn word(text: &str) -> String {
    match colour(text) {
        Some(Color::Green) => console::style(text).green().to_string(),
        Some(Color::Red) => console::style(text).red().to_string(),
        Some(_) => console::style(text).yellow().to_string(),
        None => text.to_owned(),
    }
}

/// A value as a person reads it; `-` when there is none.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => shown(text),
        Value::Array(list) if list.is_empty() => "-".to_owned(),
        Value::Array(list) => list.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(map) => {
            map.iter().map(|(name, value)| format!("{name} {}", text(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// What somebody else wrote does not command the terminal.
pub(crate) fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A time to the second, in UTC; `-` when there is none.
pub(crate) fn time(value: &Value) -> String {
    let parsed = value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    parsed.map_or_else(|| text(value), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// The entries of a list, none when it is not one.
pub(crate) fn entries<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// What something cost: all together, and whose part is how much.
pub(crate) fn cost(cost: &Value) -> String {
    let part = |name: &str| cost[name].as_f64();
    let Some(usd) = part("usd") else { return "-".to_owned() };
    let [carrier, agent, aws, estimated] =
        ["carrier_usd", "agent_usd", "aws_usd", "estimated_usd"].map(|name| part(name).unwrap_or(0.0));
    let told = if estimated > 0.0 { format!("; ${estimated:.4} of it is an estimate") } else { String::new() };
    format!("${usd:.4} (carrier ${carrier:.4}, agent ${agent:.4}, AWS ${aws:.4}{told})")
}

/// A number with its thousands apart.
pub(crate) fn count(value: &Value) -> String {
    let Some(number) = value.as_u64() else { return text(value) };
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Rows of a name and a value, aligned; what is `-` is left out.
pub(crate) fn facts(rows: &[(&str, String)]) -> String {
    let there: Vec<_> = rows.iter().filter(|(_, value)| value != "-").collect();
    let width = there.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let rows = there.iter().map(|(name, value)| format!("  {name:width$}  {value}"));
    rows.flat_map(|row| [row, "\n".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_line_where_there_is_no_terminal() {
        let table = table(&["a", "long"], vec![vec!["1".into(), "x".repeat(300)], vec!["22".into(), "y".into()]]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!((lines[0], lines[1].len(), lines[2]), ("a   long", 304, "22  y"));
    }

    #[test]
    fn what_others_wrote_does_not_command_the_terminal() {
        assert_eq!(text(&"a\u{1b}[31mb\nc".into()), "a [31mb c");
    }

    #[test]
    fn thousands_stand_apart() {
        let counted = [0, 999, 1000, 1_234_567].map(|number: u64| count(&number.into()));
        assert_eq!(counted, ["0", "999", "1,000", "1,234,567"]);
    }
}

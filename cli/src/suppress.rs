//! `elevenwire suppress`: who is not called any more.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use elevenwire::phone::PhoneNumber;
use reqwest::Method;
use serde_json::{Value, json};

use crate::calls::{Page, list};
use crate::client::{Client, path, segment};
use crate::output::{self, count, text, time};
use crate::progress::Progress;
use crate::{Failure, Global, tell, write};

const EXAMPLES: &str = "\
Examples:
  elevenwire suppress add +14155550110 --reason 'asked by mail'
  elevenwire suppress import dnc.csv
  elevenwire suppress export --output suppressions.csv
  elevenwire suppress list --number +14155550110      # who put it on the list, and when
  elevenwire suppress remove +14155550110 --reason 'asked to be called again'";

/// Bytes of a part, about 20,000 rows: the API takes 1 MB at once, and ends after ten seconds whatever the database does.
const PART: usize = 250_000;

/// Keep the list of numbers that are not called.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Suppress {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Put a number on the list.
    #[command(after_help = "Examples:\n  elevenwire suppress add +14155550110 --reason 'asked by mail'")]
    Add(Entry),
    /// Let a number be called again (scope admin).
    #[command(after_help = "Examples:\n  elevenwire suppress remove +14155550110 --reason 'asked to be called again'")]
    Remove(Entry),
    /// Put a CSV of numbers on the list; a file of any size goes in parts.
    #[command(
        after_help = "Examples:\n  elevenwire suppress import dnc.csv\n\nA column `number`, optionally `reason`. Sending it again changes nothing. Exit code 1 when rows are bad."
    )]
    Import {
        /// The CSV.
        file: PathBuf,
    },
    /// Write the whole list as CSV, which can be imported again.
    #[command(after_help = "Examples:\n  elevenwire suppress export > suppressions.csv")]
    Export {
        /// Where to [default: the standard output].
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// List them, the newest first; or one with its history.
    #[command(
        after_help = "Examples:\n  elevenwire suppress list --all\n  elevenwire suppress list --number +14155550110"
    )]
    List {
        /// This one, with its history.
        #[arg(long)]
        number: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

/// A number, and why.
#[derive(Debug, Args)]
struct Entry {
    /// The number, such as +14155550123.
    number: String,
    /// Why: it is kept.
    #[arg(long)]
    reason: String,
}

impl Suppress {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(global)?;
        match &self.what {
            What::Add(Entry { number, reason }) => {
                let body = json!({ "number": number, "reason": reason });
                let entry = client.send(Method::POST, "/api/suppressions", Some(&body), &[]).await?;
                let since =
                    format!("{} is not called since {}\n", text(&entry["number"]), time(&entry["suppressed_at"]));
                if global.json { output::line(&entry) } else { write(&since) }
            }
            What::Remove(Entry { number, reason }) => {
                let body = json!({ "reason": reason });
                let path = format!("/api/suppressions/{}", segment(number));
                client.send(Method::DELETE, &path, Some(&body), &[]).await?;
                tell(&format!("{number} may be called again"));
                Ok(())
            }
            What::Import { file } => import(&client, global, file).await,
            What::Export { output } => export(&client, output.as_deref()).await,
            What::List { number: Some(number), .. } => one(&client, global, number).await,
            What::List { number: None, page } => {
                let header = ["since", "number", "source", "why", "call"];
                list(&client, global, ("/api/suppressions", "suppressions"), &[], page, (&header, row)).await
            }
        }
    }
}

fn row(entry: &Value) -> Vec<String> {
    let it = |name: &str| text(&entry[name]);
    vec![time(&entry["suppressed_at"]), it("number"), it("source"), it("reason"), it("call_id")]
}

async fn one(client: &Client, global: &Global, number: &str) -> Result<(), Failure> {
    let known = client.get(&path("/api/suppressions", &[("number", Some(number))])).await?;
    if global.json {
        return output::line(&known);
    }
    match output::entries(&known, "suppressions").first() {
        Some(entry) => {
            let (since, source) = (time(&entry["suppressed_at"]), text(&entry["source"]));
            write(&format!("not called since {since}, by {source}: {}\n", text(&entry["reason"])))?;
        }
        None => write("not on the list\n")?,
    }
    let step = |step: &Value| {
        ["at", "action", "source", "reason", "by", "call_id"]
            .map(|name| if name == "at" { time(&step[name]) } else { text(&step[name]) })
            .to_vec()
    };
    let history = output::entries(&known, "history");
    if history.is_empty() {
        return Ok(());
    }
    write(&output::table(&["at", "what", "source", "why", "by", "call"], history.iter().map(step).collect()))
}

/// Page after page, each without its header but the first.
async fn export(client: &Client, file: Option<&Path>) -> Result<(), Failure> {
    let mut out = match file {
        Some(file) => Some(std::fs::File::create(file).map_err(|error| Failure::file(file, &error))?),
        None => None,
    };
    let mut next = Some("/api/suppressions/export".to_owned());
    let (mut first, mut rows) = (true, 0_u64);
    let mut progress = Progress::spinner();
    while let Some(path) = next {
        let page = client.plain(&path).await?;
        let text = String::from_utf8_lossy(&page.body).into_owned();
        rows += text.lines().count().saturating_sub(1) as u64;
        let part = if first { text.as_str() } else { text.split_once('\n').map_or("", |(_, rest)| rest) };
        match (&mut out, file) {
            (Some(out), Some(file)) => out.write_all(part.as_bytes()).map_err(|error| Failure::file(file, &error))?,
            _ => progress.around(|| write(part))?,
        }
        first = false;
        let link = page.headers.get("link").and_then(|link| link.to_str().ok()).unwrap_or_default();
        next = link.strip_prefix('<').and_then(|link| link.split_once('>')).map(|(path, _)| path.to_owned());
        progress.show(0, 0, &format!("{} rows", count(&rows.into())));
    }
    Ok(())
}

async fn import(client: &Client, global: &Global, file: &Path) -> Result<(), Failure> {
    let whole = std::fs::read_to_string(file).map_err(|error| Failure::file(file, &error))?;
    let parts = parts(&whole, PART);
    let mut report = Value::Null;
    let mut progress = Progress::bar();
    for (at, (lines_before, part)) in parts.iter().enumerate() {
        let taken = client.send_bytes("/api/suppressions/import", "text/csv", part.clone().into_bytes()).await?;
        add(&mut report, taken, *lines_before);
        let done = at as u64 + 1;
        progress.show(done, parts.len() as u64, &format!("{} taken", count(&report["taken"])));
    }
    drop(progress);
    if global.json {
        output::line(&report)?;
    } else {
        let figures = ["taken", "added", "known_before", "bad"].map(|name| (name, count(&report[name])));
        write(&output::facts(&figures))?;
        let row = |bad: &Value| vec![text(&bad["line"]), text(&bad["column"]), text(&bad["reason"])];
        let bad: Vec<_> = output::entries(&report, "bad_rows").iter().map(row).collect();
        if !bad.is_empty() {
            write(&output::table(&["line", "column", "why"], bad))?;
        }
    }
    match report["bad"].as_u64() {
        Some(bad) if bad > 0 => Err(Failure::Found(format!("{bad} rows are bad; the others are taken"))),
        _ => Ok(()),
    }
}

/// Adds the report of a part, whose lines are those of the file.
fn add(report: &mut Value, mut part: Value, lines_before: u64) {
    for bad in part["bad_rows"].as_array_mut().into_iter().flatten() {
        bad["line"] = (bad["line"].as_u64().unwrap_or(0) + lines_before).into();
    }
    if report.is_null() {
        *report = part;
        return;
    }
    for name in ["taken", "added", "known_before", "bad"] {
        report[name] = (report[name].as_u64().unwrap_or(0) + part[name].as_u64().unwrap_or(0)).into();
    }
    if let (Some(all), Some(more)) = (report["bad_rows"].as_array_mut(), part["bad_rows"].as_array_mut()) {
        all.append(more);
    }
}

/// Cuts a CSV between two rows into parts that are small enough, each with the header if there is one; and by how many
/// lines a line of a part is further down in the file.
fn parts(whole: &str, most: usize) -> Vec<(u64, String)> {
    let first = whole.split_inclusive('\n').next().unwrap_or_default();
    let is_row = first.split([',', ';']).any(|cell| PhoneNumber::parse(cell.trim().trim_matches(['"', '\''])).is_ok());
    let header = if is_row { "" } else { first };
    let mut parts = vec![(0, String::new())];
    let (mut quoted, mut lines) = (false, 0);
    for line in whole.split_inclusive('\n') {
        let full = parts.last().is_some_and(|(_, part)| part.len() + line.len() > most);
        if full && !quoted && lines > 0 {
            // A header that stands in front moves the lines of the part down by one.
            parts.push((lines - u64::from(!header.is_empty()), header.to_owned()));
        }
        if let Some((_, part)) = parts.last_mut() {
            part.push_str(line);
        }
        quoted ^= line.matches('"').count() % 2 == 1;
        lines += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_between_rows_and_each_part_has_the_header() {
        let whole = "number,reason\n+14155550101,a\n+14155550102,\"b\nc\"\n+14155550103,d\n";
        let header = "number,reason\n";
        let expected = vec![
            (0, format!("{header}+14155550101,a\n")),
            (1, format!("{header}+14155550102,\"b\nc\"\n")),
            (3, format!("{header}+14155550103,d\n")),
        ];
        assert_eq!(parts(whole, 30), expected);
        assert_eq!(parts(whole, 1000), [(0, whole.to_owned())]);
    }

    #[test]
    fn a_file_without_a_header_is_cut_without_one() {
        let whole = "+14155550101\n+14155550102\n";
        assert_eq!(parts(whole, 13), [(0, "+14155550101\n".to_owned()), (1, "+14155550102\n".to_owned())]);
    }
}

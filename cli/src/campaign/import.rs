//! `elevenwire campaign import`: a file of people, through the presigned upload.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use futures_util::stream;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

use super::imports;
use crate::client::{Client, reason};
use crate::output::{self, count, text};
use crate::progress::Progress;
use crate::{Failure, Global, tell, write};

const EXAMPLES: &str = "\
Examples:
  elevenwire campaign import 019f0b6e-… people.csv --dry-run             # only the forecast
  elevenwire campaign import 019f0b6e-… people.csv --default-country US  # numbers without + are of the US

Good rows are taken. Bad rows are written to people.bad.csv, a line for each thing that is wrong (--bad-rows names another
file), and the exit code is still 0; it is 1 when the file could not be imported at all.";

/// An upload may take an hour; then its link is over.
const UPLOAD: Duration = Duration::from_hours(1);
const LOOK: Duration = Duration::from_millis(500);
const CHUNK: usize = 64 * 1024;

/// Give a campaign people: a CSV file of any size up to 500 MB.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Import {
    /// Id of the campaign.
    id: String,
    /// The CSV.
    file: PathBuf,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// US: numbers without + are of the United States.
    #[arg(long, value_name = "COUNTRY")]
    default_country: Option<String>,
    /// Where bad rows are written [default: beside the file, as .bad.csv].
    #[arg(long, value_name = "FILE")]
    bad_rows: Option<PathBuf>,
}

impl Import {
    pub(super) async fn run(&self, client: &Client, global: &Global) -> Result<(), Failure> {
        let import = self.take(client).await?;
        let bad = self.keep_bad_rows(&import).await?;
        if global.json {
            output::line(&import)?;
        } else {
            write(&human(&import))?;
        }
        if let Some(bad) = bad {
            tell(&format!("{} bad rows: {}", count(&import["bad"]), bad.display()));
        }
        match import["state"].as_str() {
            Some("done") => Ok(()),
            _ => Err(Failure::Found(format!("nobody was imported: {}", text(&import["error"])))),
        }
    }

    /// Uploads, starts, and waits for the end.
    async fn take(&self, client: &Client) -> Result<Value, Failure> {
        let file = tokio::fs::File::open(&self.file).await.map_err(|error| Failure::file(&self.file, &error))?;
        let bytes = file.metadata().await.map_err(|error| Failure::file(&self.file, &error))?.len();
        let name = self.file.file_name().map(|name| name.to_string_lossy().into_owned());
        let wish = json!({ "filename": name, "dry_run": self.dry_run, "default_country": self.default_country,
            "bytes": bytes });
        let made = client.send(Method::POST, &imports(&self.id, None), Some(&wish), &[]).await?;
        upload(made["upload"]["url"].as_str().unwrap_or_default(), file, bytes).await?;
        let path = imports(&self.id, made["id"].as_str());
        client.send(Method::POST, &format!("{path}/start"), None, &[]).await?;
        let mut progress = Progress::bar();
        loop {
            let import = client.look(&path).await?;
            if matches!(import["state"].as_str(), Some("done" | "failed" | "canceled")) {
                return Ok(import);
            }
            let rows = count(&import["rows_read"]);
            progress.show(import["bytes_read"].as_u64().unwrap_or(0), bytes, &format!("{rows} rows read"));
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Writes the bad rows beside the file; answers where.
    async fn keep_bad_rows(&self, import: &Value) -> Result<Option<PathBuf>, Failure> {
        let Some(url) = import["bad_rows_url"].as_str() else { return Ok(None) };
        let file = self.bad_rows.clone().unwrap_or_else(|| self.file.with_extension("bad.csv"));
        let got = bucket()?.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(away)?;
        let rows = got.bytes().await.map_err(away)?;
        write_file(&file, &rows)?;
        Ok(Some(file))
    }
}

fn write_file(file: &Path, content: &[u8]) -> Result<(), Failure> {
    std::fs::write(file, content).map_err(|error| Failure::file(file, &error))
}

/// No token goes to the bucket: the link is enough.
fn bucket() -> Result<reqwest::Client, Failure> {
    elevenwire::http::client(UPLOAD).map_err(away)
}

/// Without the link: whoever has it may use it.
fn away(error: reqwest::Error) -> Failure {
    Failure::Unreachable(format!("the bucket did not take part: {}", reason(&error.without_url())))
}

async fn upload(url: &str, file: tokio::fs::File, bytes: u64) -> Result<(), Failure> {
    let (sender, mut sent) = mpsc::unbounded_channel::<u64>();
    let chunks = stream::try_unfold((file, sender, 0), async |(mut file, sender, done)| {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        let done = done + read as u64;
        let _ = sender.send(done);
        Ok::<_, std::io::Error>((read > 0).then_some((chunk, (file, sender, done))))
    });
    let request = bucket()?.put(url).header(http::header::CONTENT_LENGTH, bytes);
    let put = request.body(reqwest::Body::wrap_stream(chunks)).send();
    tokio::pin!(put);
    let mut progress = Progress::bar();
    let answer = loop {
        tokio::select! {
            answer = &mut put => break answer.map_err(away)?,
            Some(done) = sent.recv() => {
                progress.show(done, bytes, &format!("{} of {} bytes sent", count(&done.into()), count(&bytes.into())));
            }
        }
    };
    answer.error_for_status().map(|_| ()).map_err(away)
}

fn human(import: &Value) -> String {
    let it = |name: &str| count(&import[name]);
    let mut page = String::new();
    if let Some(sentence) = import["forecast"]["sentence"].as_str() {
        page = format!("{}\n", output::shown(sentence));
    }
    let taken = if import["dry_run"] == true { "would be taken" } else { "taken" };
    page.push_str(&output::facts(&[
        ("import", text(&import["id"])),
        ("rows read", it("rows_read")),
        (taken, it("taken")),
        ("bad", it("bad")),
        ("twice in the file", it("duplicates_in_file")),
        ("in the campaign already", it("duplicates_in_campaign")),
    ]));
    page
}

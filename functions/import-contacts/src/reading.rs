//! The file, from the bucket into the waiting rows, and its bad rows into a CSV of their own. What is held is a piece of
//! the file, a batch of rows and a part of the CSV, however long the file is.

use std::collections::HashMap;
use std::time::Duration;

use elevenwire::blobs::{BlobError, Upload};
use elevenwire::contact::forecast::{Asking, Outlook};
use elevenwire::contact::{BadRow, Contact, REPORT_HEADER, Row, Sheet, Wishes};
use elevenwire::guard;
use elevenwire::store::imports::{Batch, Job, Staged};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{App, Clock, Stop};

/// The guard's rules by which a number has no place.
const NO_PLACE: [&str; 3] = ["no_zone", "toll_free", "personal_number"];

/// Windows of which an example is kept, to ask the guard about the next one. All zones and states have fewer.
const MOST_SAMPLES: usize = 5000;

/// Somebody who works says so at least this often.
const SAYS_SO: SignedDuration = SignedDuration::from_secs(20);

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) staged: Staged,
    /// How the header was understood.
    pub(crate) columns: Option<Value>,
    /// Where the CSV of the bad rows lies, if there are any.
    pub(crate) report_key: Option<String>,
    /// Bad rows whose number has no place.
    pub(crate) without_zone: u64,
    /// Somebody of each window.
    pub(crate) samples: HashMap<(Timestamp, Timestamp), guard::Contact>,
}

/// Reads the file of an import into its waiting rows, within `patience`.
pub(crate) async fn read(
    app: &App,
    job: &Job,
    asking: Asking,
    clock: Clock<'_>,
    patience: Duration,
) -> Result<Read, Stop> {
    let begun = clock.now();
    let mut file = app.blobs.open(&job.source_key).await.map_err(|error| match error {
        BlobError::Missing(_) => Stop::Failed("The file is not there any more: import it again.".to_owned()),
        error @ BlobError::Down(_) => error.into(),
    })?;
    let sheet = Sheet::new(Wishes { us_numbers: job.us_numbers, now: begun });
    let mut reader = Reader {
        app,
        job,
        asking,
        sheet,
        batch: Batch::default(),
        report: None,
        spoken: begun,
        read: Read {
            staged: Staged::default(),
            columns: None,
            report_key: None,
            without_zone: 0,
            samples: HashMap::new(),
        },
    };
    while let Some(piece) = file.chunk().await? {
        reader.read.staged.bytes_read += piece.len() as u64;
        reader.sheet.feed(&piece);
        reader.rows(clock).await?;
        if Duration::try_from(clock.now().duration_since(begun)).unwrap_or_default() > patience {
            let rows = reader.read.staged.rows_read;
            return Err(Stop::Failed(format!(
                "The file is too long for one run, which came to row {rows}: send it in smaller pieces."
            )));
        }
    }
    reader.sheet.close();
    reader.rows(clock).await?;
    reader.end(clock).await
}

struct Reader<'r> {
    app: &'r App,
    job: &'r Job,
    asking: Asking,
    sheet: Sheet,
    batch: Batch,
    report: Option<Upload>,
    /// When we last said that we work.
    spoken: Timestamp,
    read: Read,
}

impl Reader<'_> {
    /// Takes all rows out of the piece that was fed.
    async fn rows(&mut self, clock: Clock<'_>) -> Result<(), Stop> {
        while let Some(row) = self.sheet.next_row().map_err(|error| Stop::Failed(error.to_string()))? {
            self.read.staged.rows_read += 1;
            match row {
                Row::Good(contact) => self.good(contact),
                Row::Bad(row) => self.bad(&row).await?,
            }
            if self.batch.is_full() {
                self.send(clock).await?;
            }
        }
        if clock.now().duration_since(self.spoken) > SAYS_SO {
            self.send(clock).await?;
        }
        Ok(())
    }

    fn good(&mut self, mut contact: Contact) {
        contact.callee.own = self.app.dialling.owns(&contact.callee.number);
        let outlook = self.asking.about(&contact.callee);
        self.batch.push(self.job.id, &contact, outlook);
        let samples = &mut self.read.samples;
        if let Outlook::Open(from, until) = outlook
            && samples.len() < MOST_SAMPLES
        {
            samples.entry((from, until)).or_insert(contact.callee);
        }
    }

    async fn bad(&mut self, row: &BadRow) -> Result<(), Stop> {
        self.read.staged.bad += 1;
        let placeless = |rule: &str| NO_PLACE.contains(&rule);
        self.read.without_zone += u64::from(row.faults.iter().any(|fault| fault.rule.is_some_and(placeless)));
        if self.report.is_none() {
            let key = format!("imports/{}/bad-rows.csv", self.job.id);
            let mut report = self.app.blobs.begin(&key, "text/csv; charset=utf-8");
            // Excel reads UTF-8 only if it is told so.
            report.push("\u{feff}".as_bytes()).await?;
            report.push(REPORT_HEADER.as_bytes()).await?;
            self.report = Some(report);
            self.read.report_key = Some(key);
        }
        if let Some(report) = &mut self.report {
            report.push(row.report().as_bytes()).await?;
        }
        Ok(())
    }

    async fn send(&mut self, clock: Clock<'_>) -> Result<(), Stop> {
        if self.read.columns.is_none() {
            self.read.columns = self.sheet.columns().map(|columns| json!(columns));
        }
        self.spoken = clock.now();
        let (batch, columns) = (&mut self.batch, self.read.columns.as_ref());
        let ours = self.app.store.stage(self.job, batch, self.read.staged, columns, self.spoken).await?;
        if ours { Ok(()) } else { Err(Stop::Lost) }
    }

    async fn end(mut self, clock: Clock<'_>) -> Result<Read, Stop> {
        self.send(clock).await?;
        if let Some(report) = self.report {
            report.finish().await?;
        }
        Ok(self.read)
    }
}

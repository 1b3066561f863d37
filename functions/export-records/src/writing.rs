//! One run over an export's rows.

use std::time::Duration;

use bytes::Bytes;
use elevenwire::blobs::{BlobError, Upload};
use elevenwire::export::{self, BYTE_ORDER_MARK, Format};
use elevenwire::retry::Failure;
use elevenwire::store::exports::{Job, Made, Progress};
use elevenwire::store::reading::{Place, Portion};
use jiff::{SignedDuration, Timestamp};
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest, Sha256};

use crate::{App, Clock};

/// What is held in memory; S3 wants parts of at least 5 MB.
const PART: usize = 8 * 1024 * 1024;
/// Kept for the last part, the object's appearing and writing it down.
const LAST_WORD: Duration = Duration::from_secs(90);
/// How long the object may take to appear. Less than a run may be silent: when another one takes over, this one has ended.
const APPEARING: Duration = Duration::from_mins(1);
/// Somebody who works says so at least this often.
const SAYS_SO: SignedDuration = SignedDuration::from_secs(20);

/// What became of a run.
#[derive(Debug)]
pub(crate) enum Written {
    /// The file is there.
    All(Made),
    /// There was no time for the rest.
    OutOfTime,
    /// The parts of the runs before are gone: another begins again.
    UploadGone,
    /// Another run has taken over.
    Lost,
}

/// Why a run ends early.
enum Stop {
    Ended(Written),
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Writes what is not written yet.
pub(crate) async fn write(app: &App, job: &Job, clock: Clock<'_>) -> Result<Written, Failure> {
    match run(app, job, clock).await {
        Ok(written) | Err(Stop::Ended(written)) => Ok(written),
        Err(Stop::Failed(failure)) => Err(failure),
    }
}

async fn run(app: &App, job: &Job, clock: Clock<'_>) -> Result<Written, Stop> {
    let mut file = File::open(app, job, clock.now());
    loop {
        if clock.left(LAST_WORD).is_zero() {
            return Ok(Written::OutOfTime);
        }
        let portion = file.read().await?;
        if portion.over {
            return file.close(clock).await;
        }
        if file.buffer.len() >= PART {
            file.send(clock).await?;
        } else {
            file.say_so(clock).await?;
        }
    }
}

/// The file, up to the last row that was read.
struct File<'f> {
    app: &'f App,
    job: &'f Job,
    upload: Upload,
    buffer: Vec<u8>,
    last: Option<Place>,
    digest: Sha256,
    rows: u64,
    /// Behind what was sent.
    bytes: u64,
    /// When we last said that we work.
    spoken: Timestamp,
}

impl<'f> File<'f> {
    fn open(app: &'f App, job: &'f Job, now: Timestamp) -> Self {
        let (key, content_type) = (job.key(), job.format.content_type());
        let gone_on = job.progress.as_ref().and_then(|progress| Some((progress, digest_of(&progress.digest)?)));
        if let Some((progress, digest)) = gone_on {
            return Self {
                app,
                job,
                upload: app.blobs.go_on(&key, content_type, progress.parts.clone()),
                buffer: Vec::new(),
                last: Some(progress.last.clone()),
                digest,
                rows: progress.rows,
                bytes: progress.bytes,
                spoken: now,
            };
        }
        let mut buffer = Vec::new();
        if job.format == Format::Csv {
            if job.bom {
                buffer.extend_from_slice(BYTE_ORDER_MARK.as_bytes());
            }
            export::header(job.exported.columns(), &mut buffer);
        }
        let upload = app.blobs.begin(&key, content_type);
        Self { app, job, upload, buffer, last: None, digest: Sha256::new(), rows: 0, bytes: 0, spoken: now }
    }

    /// Rows, as many as fit.
    async fn read(&mut self) -> Result<Portion, Stop> {
        let (job, buffer) = (self.job, &mut self.buffer);
        let columns = job.exported.columns();
        let mut take = |cells: elevenwire::store::reading::Cells<'_>| {
            match job.format {
                Format::Csv => export::line(columns, cells, buffer),
                Format::Jsonl => {
                    buffer.extend_from_slice(cells.next().flatten().unwrap_or("{}").as_bytes());
                    buffer.push(b'\n');
                }
            }
            buffer.len() >= PART
        };
        let rows = self.app.store.export_rows(&job.exported, job.format, job.as_of, self.last.as_ref(), &mut take);
        let portion = rows.await?;
        self.rows += portion.rows;
        if let Some(last) = &portion.last {
            self.last = Some(last.clone());
        }
        Ok(portion)
    }

    fn taken(&mut self) -> Bytes {
        let bytes = Bytes::from(std::mem::take(&mut self.buffer));
        self.digest.update(&bytes);
        self.bytes += bytes.len() as u64;
        bytes
    }

    /// Sends what is held as a part, and writes down that it lies there.
    async fn send(&mut self, clock: Clock<'_>) -> Result<(), Stop> {
        let part = self.taken();
        self.upload.part(part).await.map_err(gone)?;
        let (Some(parts), Some(last)) = (self.upload.parts(), self.last.clone()) else { return Ok(()) };
        let digest = hex::encode(self.digest.serialize());
        let progress = Progress { parts, last, digest, rows: self.rows, bytes: self.bytes };
        self.note(Some(&progress), clock).await
    }

    async fn say_so(&mut self, clock: Clock<'_>) -> Result<(), Stop> {
        if clock.now().duration_since(self.spoken) > SAYS_SO { self.note(None, clock).await } else { Ok(()) }
    }

    async fn note(&mut self, progress: Option<&Progress>, clock: Clock<'_>) -> Result<(), Stop> {
        self.spoken = clock.now();
        let ours = self.app.store.note_export(self.job, progress, self.spoken).await?;
        if ours { Ok(()) } else { Err(Stop::Ended(Written::Lost)) }
    }

    async fn close(mut self, clock: Clock<'_>) -> Result<Written, Stop> {
        let rest = self.taken();
        // Said right before: whoever was taken over makes no object appear.
        self.note(None, clock).await?;
        let (app, job) = (self.app, self.job);
        let made = Made { rows: self.rows, bytes: self.bytes, sha256: hex::encode(self.digest.finalize()) };
        let mut upload = self.upload;
        let appearing = async {
            upload.push(&rest).await?;
            upload.finish().await
        };
        let appeared = tokio::time::timeout(APPEARING, appearing).await;
        appeared.map_err(|_| Failure::later(Duration::from_secs(10), "the bucket took too long"))?.map_err(gone)?;
        let ours = app.store.finish_export(job, &made, clock.now()).await?;
        Ok(if ours { Written::All(made) } else { Written::Lost })
    }
}

fn gone(error: BlobError) -> Stop {
    match error {
        BlobError::Missing(_) => Stop::Ended(Written::UploadGone),
        error @ BlobError::Down(_) => error.into(),
    }
}

/// A digest as far as it had come; `None` when it was written down by a version of another mind.
fn digest_of(hex: &str) -> Option<Sha256> {
    let bytes = hex::decode(hex).ok()?;
    let state = SerializedState::<Sha256>::try_from(bytes.as_slice()).ok()?;
    Sha256::deserialize(&state).ok()
}

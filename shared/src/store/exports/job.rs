//! Who works on an export: one at a time. Whoever falls silent is taken over and writes nothing any more; its successor
//! goes on where the last part ends that was written down. Whoever works says so at least with each part, and every twenty
//! seconds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

use super::super::lease::{Taken, bigint, silent_since};
use super::super::reading::{Exported, Place};
use super::super::{Store, StoreError};
use crate::blobs::Parts;
use crate::export::Format;

/// Runs without any progress that an export is given, since what kills its worker would do so for ever.
const MOST_STALLED: i32 = 5;

/// What an export's worker knows of it.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// Which run this is; the fence of everything that it writes.
    pub run: i32,
    /// What it is to hold.
    pub exported: Exported,
    /// What it is written in.
    pub format: Format,
    /// Whether a CSV begins with a byte order mark.
    pub bom: bool,
    /// What was written later is not in it.
    pub as_of: Timestamp,
    /// Where to go on; `None` at the beginning.
    pub progress: Option<Progress>,
}

impl Job {
    /// Where its file will lie.
    #[must_use]
    pub fn key(&self) -> String {
        format!("exports/{}.{}", self.id, self.format.as_str())
    }
}

/// How far an export has come: everything up to a row lies in parts of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The upload.
    pub parts: Parts,
    /// The last row that is in it.
    pub last: Place,
    /// The state of the digest behind it, hex.
    pub digest: String,
    /// Rows that are in it.
    pub rows: u64,
    /// Bytes that are in it.
    pub bytes: u64,
}

/// A file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Its digest, hex.
    pub sha256: String,
}

const TAKE: &str = "
with found as (
    select id from exports
    where id = $1 and (state = 'queued' or (state = 'running' and heartbeat_at < $3))
    for update skip locked
)
update exports e set state = 'running', runs = runs + 1, stalled = stalled + 1, heartbeat_at = $2, updated_at = $2
from found f where e.id = f.id
returning e.id, e.runs, e.what, e.filters, e.format, e.bom, e.created_at, e.progress, e.stalled";

impl Store {
    /// Takes an export over, if nobody works on it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_export(&self, id: Uuid, now: Timestamp) -> Result<Taken<Job>, StoreError> {
        let silent_since = silent_since(now);
        let values = [(&id as _, Type::UUID), (&now as _, Type::TIMESTAMPTZ), (&silent_since as _, Type::TIMESTAMPTZ)];
        let mut session = self.session().await?;
        let Some(row) = session.write_returning(TAKE, &values).await? else {
            let open = "select from exports where id = $1 and state in ('queued', 'running')";
            let open = session.client()?.query_typed_opt(open, &[(&id, Type::UUID)]).await?;
            return Ok(open.map_or(Taken::Over, |_| Taken::Busy));
        };
        drop(session);
        let job = job(&row)?;
        if row.get::<_, i32>("stalled") > MOST_STALLED {
            self.fail_export(&job, "It broke off several times without coming further. Ask for less.", now).await?;
            return Ok(Taken::Over);
        }
        Ok(Taken::Mine(Box::new(job)))
    }

    /// Says how far an export has come, or only that its worker lives; false when another run has taken it over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_export(
        &self,
        job: &Job,
        progress: Option<&Progress>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "update exports set heartbeat_at = $3, updated_at = $3, progress = coalesce($4, progress),
                rows = coalesce($5, rows), bytes = coalesce($6, bytes), stalled = case when $4 is null then stalled else 0 end
            where id = $1 and runs = $2 and state = 'running'";
        let [rows, bytes] = [progress.map(|at| bigint(at.rows)), progress.map(|at| bigint(at.bytes))];
        let progress = progress.map(Json);
        let values = [
            (&job.id as _, Type::UUID),
            (&job.run as _, Type::INT4),
            (&now as _, Type::TIMESTAMPTZ),
            (&progress as _, Type::JSONB),
            (&rows as _, Type::INT8),
            (&bytes as _, Type::INT8),
        ];
        Ok(self.session().await?.write(sql, &values).await? > 0)
    }

    /// Its file is there; false when another run has taken it over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn finish_export(&self, job: &Job, made: &Made, now: Timestamp) -> Result<bool, StoreError> {
        let sql =
            "update exports set state = 'done', rows = $3, bytes = $4, sha256 = $5, progress = null, updated_at = $6,
                finished_at = $6
            where id = $1 and runs = $2 and state = 'running'";
        let [rows, bytes] = [made.rows, made.bytes].map(bigint);
        let values = [
            (&job.id as _, Type::UUID),
            (&job.run as _, Type::INT4),
            (&rows as _, Type::INT8),
            (&bytes as _, Type::INT8),
            (&made.sha256 as _, Type::TEXT),
            (&now as _, Type::TIMESTAMPTZ),
        ];
        Ok(self.session().await?.write(sql, &values).await? > 0)
    }

    /// Lets the next run have it at once. It goes on, or begins again; `blameless` when this run was not what failed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn hand_export_on(&self, job: &Job, next: Next, now: Timestamp) -> Result<(), StoreError> {
        let (again, blameless) = (next == Next::BeginsAgain, next == Next::GoesOnBlameless);
        let sql = "update exports set state = 'queued', updated_at = $3,
                progress = case when $4 then null else progress end,
                rows = case when $4 then 0 else rows end, bytes = case when $4 then 0 else bytes end,
                stalled = case when $5 then greatest(stalled - 1, 0) else stalled end
            where id = $1 and runs = $2 and state = 'running'";
        let values = [
            (&job.id as _, Type::UUID),
            (&job.run as _, Type::INT4),
            (&now as _, Type::TIMESTAMPTZ),
            (&again as _, Type::BOOL),
            (&blameless as _, Type::BOOL),
        ];
        self.session().await?.write(sql, &values).await?;
        Ok(())
    }

    /// An export cannot be done: says why.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn fail_export(&self, job: &Job, error: &str, now: Timestamp) -> Result<(), StoreError> {
        let sql = "update exports set state = 'failed', error = $3, progress = null, updated_at = $4, finished_at = $4
            where id = $1 and runs = $2 and state = 'running'";
        let values = [
            (&job.id as _, Type::UUID),
            (&job.run as _, Type::INT4),
            (&error as _, Type::TEXT),
            (&now as _, Type::TIMESTAMPTZ),
        ];
        self.session().await?.write(sql, &values).await?;
        Ok(())
    }

    /// Exports on which nobody works: their wake-up was lost.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn exports_overdue(&self, now: Timestamp, most: i64) -> Result<Vec<Uuid>, StoreError> {
        self.overdue_jobs("exports", now, most).await
    }
}

/// How the next run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Where this one ended.
    GoesOn,
    /// The same, and this run does not count as one that came nowhere.
    GoesOnBlameless,
    /// At the first row.
    BeginsAgain,
}

fn job(row: &Row) -> Result<Job, StoreError> {
    let exported = Exported::of(row.get(2), &row.get(3));
    let format = Format::parse(row.get(4));
    let (Some(exported), Some(format)) = (exported, format) else {
        return Err(StoreError::Refused("an export that this version does not know".to_owned()));
    };
    // One that this version cannot read begins again.
    let progress = row.get::<_, Option<Value>>(7).and_then(|progress| serde_json::from_value(progress).ok());
    let (id, run, bom, as_of) = (row.get(0), row.get(1), row.get(5), row.get(6));
    Ok(Job { id, run, exported, format, bom, as_of, progress })
}

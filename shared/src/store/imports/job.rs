//! Who works on an import: one at a time. Whoever falls silent is taken over, and may not write any more. Whoever works says
//! so with each batch; while rows are taken over, which is one long statement, the lock on the job's row says it instead.

use jiff::Timestamp;
use tokio_postgres::types::{Json, Type};
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::super::lease::{Taken, silent_since};
use super::super::{Store, StoreError, commit};
use crate::campaign::Settings;
use crate::guard::Purpose;

/// Runs that an import is given, since a file that kills its worker would do so for ever.
const MOST_RUNS: i32 = 5;

/// What an import's worker knows of it.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// Whose contacts it brings.
    pub campaign_id: Uuid,
    /// Which run this is; the fence of everything that it writes.
    pub run: i32,
    /// Whether it only forecasts.
    pub dry_run: bool,
    /// Whether numbers without a country code are of the United States.
    pub us_numbers: bool,
    /// Where the file lies.
    pub source_key: String,
    /// Why people are called.
    pub purpose: Purpose,
    /// What the campaign's owner asks for.
    pub settings: Settings,
}

const TAKE: &str = "
with found as (
    select id from imports
    where id = $1 and (state = 'queued' or (state = 'running' and heartbeat_at < $3))
    for update skip locked
)
update imports i set state = 'running', runs = runs + 1, heartbeat_at = $2, updated_at = $2, bytes_read = 0,
    rows_read = 0, taken = 0, bad = 0, duplicates_in_file = 0, duplicates_in_campaign = 0
from found f, campaigns c
where i.id = f.id and c.id = i.campaign_id
returning i.id, i.campaign_id, i.runs, i.dry_run, i.default_country, i.source_key, c.purpose, c.settings";

impl Store {
    /// Takes an import over, if nobody works on it; what an earlier run left is thrown away.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_import(&self, id: Uuid, now: Timestamp) -> Result<Taken<Job>, StoreError> {
        let silent_since = silent_since(now);
        let values = [(&id as _, Type::UUID), (&now as _, Type::TIMESTAMPTZ), (&silent_since as _, Type::TIMESTAMPTZ)];
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        if let Some(row) = tx.query_typed_opt(TAKE, &values).await? {
            let job = job(&row)?;
            throw_away(&tx, id).await?;
            if job.run > MOST_RUNS {
                end(&tx, &job, "It broke off several times. Send the file in smaller pieces.", now).await?;
                commit(tx).await?;
                return Ok(Taken::Over);
            }
            commit(tx).await?;
            return Ok(Taken::Mine(Box::new(job)));
        }
        let open = "select from imports where id = $1 and state in ('queued', 'running')";
        let open = tx.query_typed_opt(open, &[(&id, Type::UUID)]).await?;
        Ok(open.map_or(Taken::Over, |_| Taken::Busy))
    }

    /// An import cannot be done: says why, and throws its rows away.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn fail_import(&self, job: &Job, error: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        if end(&tx, job, error, now).await? {
            throw_away(&tx, job.id).await?;
        }
        commit(tx).await
    }

    /// Imports on which nobody works, though their file lies there: their wake-up was lost.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn imports_overdue(&self, now: Timestamp, most: i64) -> Result<Vec<Uuid>, StoreError> {
        self.overdue_jobs("imports", now, most).await
    }
}

fn job(row: &Row) -> Result<Job, StoreError> {
    let purpose = Purpose::parse(row.get(6)).map_err(|_| StoreError::Refused("an unknown purpose".to_owned()))?;
    let settings: Json<Settings> = row.try_get(7).map_err(|_| StoreError::Refused("unknown settings".to_owned()))?;
    Ok(Job {
        id: row.get(0),
        campaign_id: row.get(1),
        run: row.get(2),
        dry_run: row.get(3),
        us_numbers: row.get::<_, Option<&str>>(4) == Some("US"),
        source_key: row.get(5),
        purpose,
        settings: settings.0,
    })
}

async fn end(tx: &Transaction<'_>, job: &Job, error: &str, now: Timestamp) -> Result<bool, StoreError> {
    let sql = "update imports set state = 'failed', error = $3, updated_at = $4, finished_at = $4
        where id = $1 and runs = $2 and state = 'running'";
    let values = [
        (&job.id as _, Type::UUID),
        (&job.run as _, Type::INT4),
        (&error as _, Type::TEXT),
        (&now as _, Type::TIMESTAMPTZ),
    ];
    Ok(tx.execute_typed(sql, &values).await? > 0)
}

pub(super) async fn throw_away(tx: &Transaction<'_>, id: Uuid) -> Result<(), StoreError> {
    tx.execute_typed("delete from import_rows where import_id = $1", &[(&id, Type::UUID)]).await?;
    Ok(())
}

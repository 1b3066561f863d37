//! The end of an import: its rows become contacts in one transaction, or are counted.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Transaction;
use tokio_postgres::types::{Json, Type};

use super::super::lease::bigint;
use super::super::{Store, StoreError, commit};
use super::Job;
use super::job::throw_away;
use super::staging::Staged;

/// What is written down with the end of an import.
#[derive(Debug, Clone, Copy)]
pub struct Finish<'f> {
    /// How far it came: all of it.
    pub staged: Staged,
    /// How the header was understood.
    pub columns: Option<&'f Value>,
    /// What the guard would say.
    pub forecast: Option<&'f Value>,
    /// Where the CSV of the bad rows lies.
    pub report_key: Option<&'f str>,
    /// How long it may take; after that the server gives up and the import is as it was.
    pub patience: Duration,
}

/// What the rows of an import became, or would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swapped {
    /// They are contacts, or, of a dry run, would be.
    Done {
        /// Contacts.
        taken: u64,
        /// Rows whose number stands further up in the file.
        duplicates_in_file: u64,
        /// Rows whose number the campaign has already.
        duplicates_in_campaign: u64,
    },
    /// Another run has taken the import over.
    Lost,
    /// The campaign ended meanwhile, in which nothing was changed.
    CampaignOver,
}

/// Rows of an import that are not in the campaign yet, of which one thing is to be expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likely {
    /// They asked not to be called.
    pub suppressed: bool,
    /// The guard's rule that never lets them be called.
    pub because: Option<String>,
    /// When they may first be called, and until when.
    pub window: Option<(Timestamp, Timestamp)>,
    /// How many.
    pub people: u64,
}

/// The rows that count: of each number the first.
const FIRST: &str = "select distinct on (number) * from import_rows where import_id = $1 order by number, line";

impl Store {
    /// What is to be expected of the rows of an import, in groups.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forecast_import(&self, job: &Job) -> Result<Vec<Likely>, StoreError> {
        let sql = format!(
            "select n.suppressed_at is not null, r.because, r.due_at, r.until, count(*) from ({FIRST}) r
                left join numbers n on n.number = r.number
             where not exists (select from contacts c where c.campaign_id = $2 and c.number = r.number)
             group by 1, 2, 3, 4"
        );
        let values = [(&job.id as _, Type::UUID), (&job.campaign_id as _, Type::UUID)];
        let rows = self.session().await?.client()?.query_typed(&sql, &values).await?;
        let likely = |row: &tokio_postgres::Row| Likely {
            suppressed: row.get(0),
            because: row.get(1),
            window: row.get::<_, Option<Timestamp>>(2).zip(row.get(3)),
            people: count(row.get(4)),
        };
        Ok(rows.iter().map(likely).collect())
    }

    /// Ends an import: its rows become contacts, unless it is a dry run, and are thrown away.
    ///
    /// # Errors
    /// When the database does not answer, or not in time.
    pub async fn finish_import(&self, job: &Job, end: &Finish<'_>, now: Timestamp) -> Result<Swapped, StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        // A worker that is gone must not hold the job's row for ever.
        let patience = end.patience.as_millis();
        tx.batch_execute(&format!(
            "set local statement_timeout = {patience}; set local idle_in_transaction_session_timeout = 60000"
        ))
        .await?;
        let mine = "select from imports where id = $1 and runs = $2 and state = 'running' for update";
        let mine = tx.query_typed_opt(mine, &[(&job.id, Type::UUID), (&job.run, Type::INT4)]).await?;
        if mine.is_none() {
            return Ok(Swapped::Lost);
        }
        let over = "select from campaigns where id = $1 and state in ('canceled', 'finished')";
        if tx.query_typed_opt(over, &[(&job.campaign_id, Type::UUID)]).await?.is_some() {
            return Ok(Swapped::CampaignOver);
        }
        let swapped = swap(&tx, job, now).await?;
        write_down(&tx, job, end, &swapped, now).await?;
        throw_away(&tx, job.id).await?;
        commit(tx).await?;
        let [taken, duplicates_in_file, duplicates_in_campaign] = swapped.map(count);
        Ok(Swapped::Done { taken, duplicates_in_file, duplicates_in_campaign })
    }
}

/// Taken, duplicates in the file, duplicates in the campaign.
async fn swap(tx: &Transaction<'_>, job: &Job, now: Timestamp) -> Result<[i64; 3], StoreError> {
    let id = [(&job.id as _, Type::UUID)];
    let sql = "select count(*), count(distinct number) from import_rows where import_id = $1";
    let row = tx.query_typed_one(sql, &id).await?;
    let (rows, numbers): (i64, i64) = (row.get(0), row.get(1));
    let taken = if job.dry_run {
        let sql = "select count(distinct r.number) from import_rows r where r.import_id = $1
            and not exists (select from contacts c where c.campaign_id = $2 and c.number = r.number)";
        let values = [(&job.id as _, Type::UUID), (&job.campaign_id as _, Type::UUID)];
        tx.query_typed_one(sql, &values).await?.get(0)
    } else {
        let sql = format!(
            "insert into contacts (campaign_id, number, timezone, state, postal_code, consent_type, consent_at,
                 consent_source, variables, due_at, import_id, line, created_at, updated_at)
             select $2, number, timezone, state, postal_code, consent_type, consent_at, consent_source, variables,
                 coalesce(due_at, $3), import_id, line, $3, $3
             from ({FIRST}) first on conflict (campaign_id, number) do nothing"
        );
        let values = [(&job.id as _, Type::UUID), (&job.campaign_id as _, Type::UUID), (&now as _, Type::TIMESTAMPTZ)];
        i64::try_from(tx.execute_typed(&sql, &values).await?).unwrap_or(i64::MAX)
    };
    Ok([taken, rows - numbers, numbers - taken])
}

async fn write_down(
    tx: &Transaction<'_>,
    job: &Job,
    end: &Finish<'_>,
    [taken, in_file, in_campaign]: &[i64; 3],
    now: Timestamp,
) -> Result<(), StoreError> {
    let [bytes_read, rows_read, bad] = [end.staged.bytes_read, end.staged.rows_read, end.staged.bad].map(bigint);
    let sql = "update imports set state = 'done', bytes_read = $2, rows_read = $3, bad = $4, taken = $5,
            duplicates_in_file = $6, duplicates_in_campaign = $7, columns = $8, report_key = $10,
            forecast = $9 || jsonb_build_object('duplicates_in_file', $6, 'duplicates_in_campaign', $7),
            heartbeat_at = $11, updated_at = $11, finished_at = $11
        where id = $1";
    tx.execute_typed(
        sql,
        &[
            (&job.id, Type::UUID),
            (&bytes_read, Type::INT8),
            (&rows_read, Type::INT8),
            (&bad, Type::INT8),
            (taken, Type::INT8),
            (in_file, Type::INT8),
            (in_campaign, Type::INT8),
            (&end.columns.map(Json), Type::JSONB),
            (&end.forecast.map(Json), Type::JSONB),
            (&end.report_key, Type::TEXT),
            (&now, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or(0)
}

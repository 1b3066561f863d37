//! Imports: a file becomes contacts of a campaign. Rows wait in a table of their own until all were read; one transaction
//! then takes them over, so that a run that dies anywhere leaves the campaign as it was.

mod job;
mod staging;
mod swap;

use jiff::Timestamp;
pub use job::Job;
use serde::Serialize;
use serde_json::Value;
pub use staging::{Batch, Staged};
pub use swap::{Finish, Likely, Swapped};
use tokio_postgres::types::Type;
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use super::reading::Slice;
use super::{Store, StoreError};

/// An import as its owner sees it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Import {
    /// Its id.
    pub id: Uuid,
    /// Whose contacts it brings.
    pub campaign_id: Uuid,
    /// `awaiting_upload`, `queued`, `running`, `done`, `failed`, `canceled`.
    pub state: String,
    /// Whether it only forecasts.
    pub dry_run: bool,
    /// What numbers without a country code are.
    pub default_country: Option<String>,
    /// The owner's name of the file.
    pub filename: Option<String>,
    /// Its size.
    pub bytes: Option<i64>,
    /// How much of it was read.
    pub bytes_read: i64,
    /// Rows that were read.
    pub rows_read: i64,
    /// Rows that became contacts; of a dry run, that would.
    pub taken: i64,
    /// Rows that cannot be taken.
    pub bad: i64,
    /// Rows whose number stands further up in the file.
    pub duplicates_in_file: i64,
    /// Rows whose number the campaign has already.
    pub duplicates_in_campaign: i64,
    /// How the header was understood.
    #[schema(value_type = Option<Vec<Object>>)]
    pub columns: Option<Value>,
    /// What the guard would say, with a sentence.
    #[schema(value_type = Option<Object>)]
    pub forecast: Option<Value>,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Where the CSV of the bad rows lies.
    #[serde(skip)]
    pub report_key: Option<String>,
    /// Where the file lies.
    #[serde(skip)]
    pub source_key: String,
}

const COLUMNS: &str = "id, campaign_id, state, dry_run, default_country, filename, bytes, bytes_read, rows_read, taken, bad,
    duplicates_in_file, duplicates_in_campaign, columns, forecast, error, created_at, updated_at, finished_at, report_key,
    source_key";

fn import(row: &Row) -> Import {
    Import {
        id: row.get(0),
        campaign_id: row.get(1),
        state: row.get(2),
        dry_run: row.get(3),
        default_country: row.get(4),
        filename: row.get(5),
        bytes: row.get(6),
        bytes_read: row.get(7),
        rows_read: row.get(8),
        taken: row.get(9),
        bad: row.get(10),
        duplicates_in_file: row.get(11),
        duplicates_in_campaign: row.get(12),
        columns: row.get(13),
        forecast: row.get(14),
        error: row.get(15),
        created_at: row.get(16),
        updated_at: row.get(17),
        finished_at: row.get(18),
        report_key: row.get(19),
        source_key: row.get(20),
    }
}

/// An import that is asked for.
#[derive(Debug, Clone)]
pub struct NewImport {
    /// Its id.
    pub id: Uuid,
    /// Whose contacts it brings.
    pub campaign_id: Uuid,
    /// Whether it only forecasts.
    pub dry_run: bool,
    /// Whether numbers without a country code are of the United States.
    pub us_numbers: bool,
    /// The owner's name of the file.
    pub filename: Option<String>,
    /// Where the file lies, or will.
    pub source_key: String,
    /// Name of the token.
    pub requested_by: String,
}

/// What became of asking for an import.
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// It waits for its file.
    Waits(Box<Import>),
    /// There is no such campaign.
    NoCampaign,
    /// The campaign ended, in this state.
    Over(String),
}

impl Store {
    /// Writes an import down, which then waits for its file.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn create_import(&self, new: &NewImport, now: Timestamp) -> Result<Created, StoreError> {
        let sql = format!(
            "insert into imports (id, campaign_id, state, dry_run, default_country, source_key, filename, requested_by,
                 created_at, updated_at)
             select $1, id, 'awaiting_upload', $3, $4, $5, $6, $7, $8, $8 from campaigns
             where id = $2 and state not in ('canceled', 'finished') returning {COLUMNS}"
        );
        let country = new.us_numbers.then_some("US");
        let mut session = self.session().await?;
        let created = session
            .write_returning(
                &sql,
                &[
                    (&new.id, Type::UUID),
                    (&new.campaign_id, Type::UUID),
                    (&new.dry_run, Type::BOOL),
                    (&country, Type::TEXT),
                    (&new.source_key, Type::TEXT),
                    (&new.filename, Type::TEXT),
                    (&new.requested_by, Type::TEXT),
                    (&now, Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        if let Some(row) = created {
            return Ok(Created::Waits(Box::new(import(&row))));
        }
        let state = "select state from campaigns where id = $1";
        let row = session.client()?.query_typed_opt(state, &[(&new.campaign_id, Type::UUID)]).await?;
        Ok(row.map_or(Created::NoCampaign, |row| Created::Over(row.get(0))))
    }

    /// The file of an import lies there, with so many bytes: it is to be worked on. Done again, it changes nothing. `None`
    /// when it does not wait any more, or its campaign ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn queue_import(&self, id: Uuid, bytes: u64, now: Timestamp) -> Result<Option<Import>, StoreError> {
        let sql = format!(
            "update imports set state = 'queued', bytes = $2, updated_at = $3
             where id = $1 and state in ('awaiting_upload', 'queued') and exists (select from campaigns c
                 where c.id = campaign_id and c.state not in ('canceled', 'finished')) returning {COLUMNS}"
        );
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let values = [(&id as _, Type::UUID), (&bytes as _, Type::INT8), (&now as _, Type::TIMESTAMPTZ)];
        let row = self.session().await?.write_returning(&sql, &values).await?;
        Ok(row.as_ref().map(import))
    }

    /// An import of a campaign.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn import(&self, campaign_id: Uuid, id: Uuid) -> Result<Option<Import>, StoreError> {
        let sql = format!("select {COLUMNS} from imports where campaign_id = $1 and id = $2");
        let values = [(&campaign_id as _, Type::UUID), (&id as _, Type::UUID)];
        let row = self.session().await?.client()?.query_typed_opt(&sql, &values).await?;
        Ok(row.as_ref().map(import))
    }

    /// Imports of a campaign, newest first; `None` when there is no such campaign.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn imports(&self, campaign_id: Uuid, slice: &Slice<Uuid>) -> Result<Option<Vec<Import>>, StoreError> {
        let sql = format!(
            "select {COLUMNS} from imports
             where campaign_id = $1 and ($2::timestamptz is null or (created_at, id) < ($2, $3))
             order by created_at desc, id desc limit $4"
        );
        let (at, id) = slice.after.unzip();
        let mut session = self.session().await?;
        let client = session.client()?;
        let values = [
            (&campaign_id as _, Type::UUID),
            (&at as _, Type::TIMESTAMPTZ),
            (&id as _, Type::UUID),
            (&slice.most as _, Type::INT8),
        ];
        let rows = client.query_typed(&sql, &values).await?;
        if rows.is_empty() {
            let known = "select from campaigns where id = $1";
            let known = client.query_typed_opt(known, &[(&campaign_id, Type::UUID)]).await?;
            return Ok(known.map(|_| Vec::new()));
        }
        Ok(Some(rows.iter().map(import).collect()))
    }

    /// Whether contacts are being brought into a campaign, which then cannot start. A dry run brings none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn import_running(&self, campaign_id: Uuid) -> Result<bool, StoreError> {
        running(self.session().await?.client()?, campaign_id).await
    }
}

/// The same inside a transaction.
pub(super) async fn running(client: &impl GenericClient, campaign_id: Uuid) -> Result<bool, StoreError> {
    let sql = "select exists (select from imports where campaign_id = $1 and state in ('queued', 'running')
        and not dry_run)";
    Ok(client.query_typed_one(sql, &[(&campaign_id, Type::UUID)]).await?.get(0))
}

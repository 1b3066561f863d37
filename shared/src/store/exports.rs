//! Exports: who asked for which file, and how far it is.

mod job;

use jiff::Timestamp;
pub use job::{Job, Made, Next, Progress};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::reading::{Entry, Exported, Slice};
use super::{Store, StoreError};
use crate::export::Format;

/// Exports of a token that are not over.
const MOST_OPEN: i64 = 10;

/// An export as whoever asked for it sees it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Export {
    /// Its id.
    pub id: Uuid,
    /// What it holds.
    pub what: String,
    /// `csv` or `jsonl`.
    pub format: String,
    /// Whether a CSV begins with a byte order mark.
    pub bom: bool,
    /// By the names of the lists' parameters.
    pub filters: Value,
    /// `queued`, `running`, `done`, `failed`.
    pub state: String,
    /// Name of the token.
    pub requested_by: String,
    /// Rows that are in it so far.
    pub rows: i64,
    /// Its size so far.
    pub bytes: i64,
    /// Of the whole file, once it is done.
    pub sha256: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was asked for: what was written later is not in it.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

const COLUMNS: &str =
    "id, what, format, bom, filters, state, requested_by, rows, bytes, sha256, error, created_at, updated_at,
    finished_at";

impl Export {
    /// Where its file lies.
    #[must_use]
    pub fn key(&self) -> String {
        format!("exports/{}.{}", self.id, self.format)
    }
}

fn export(row: &Row) -> Export {
    Export {
        id: row.get(0),
        what: row.get(1),
        format: row.get(2),
        bom: row.get(3),
        filters: row.get(4),
        state: row.get(5),
        requested_by: row.get(6),
        rows: row.get(7),
        bytes: row.get(8),
        sha256: row.get(9),
        error: row.get(10),
        created_at: row.get(11),
        updated_at: row.get(12),
        finished_at: row.get(13),
    }
}

/// An export that is asked for.
#[derive(Debug, Clone)]
pub struct NewExport {
    /// Its id.
    pub id: Uuid,
    /// What it is to hold.
    pub exported: Exported,
    /// What it is written in.
    pub format: Format,
    /// Whether a CSV begins with a byte order mark.
    pub bom: bool,
    /// Name of the token.
    pub requested_by: String,
    /// Sent twice with the same key, a request makes one export.
    pub idempotency_key: Option<String>,
}

/// What became of asking for an export.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// It waits.
    Fresh(Box<Export>),
    /// It was asked for before, with this key.
    Known(Box<Export>),
    /// The key belongs to another request.
    KeyReused,
    /// This token has so many that are not over.
    TooMany(i64),
}

impl Store {
    /// Writes an export down, once for each key.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ask_export(&self, new: &NewExport, now: Timestamp) -> Result<Asked, StoreError> {
        let sql = format!(
            "insert into exports (id, what, format, bom, filters, state, requested_by, idempotency_key, created_at, updated_at)
             select $1, $2, $3, $4, $5, 'queued', $6, $7, $8, $8
             where (select count(*) from exports where requested_by = $6 and state in ('queued', 'running')) < $9
             on conflict (requested_by, idempotency_key) where idempotency_key is not null do nothing returning {COLUMNS}"
        );
        let (what, filters, format) = (new.exported.what(), new.exported.filters(), new.format.as_str());
        let values = [
            (&new.id as _, Type::UUID),
            (&what as _, Type::TEXT),
            (&format as _, Type::TEXT),
            (&new.bom as _, Type::BOOL),
            (&filters as _, Type::JSONB),
            (&new.requested_by as _, Type::TEXT),
            (&new.idempotency_key as _, Type::TEXT),
            (&now as _, Type::TIMESTAMPTZ),
            (&MOST_OPEN as _, Type::INT8),
        ];
        let mut session = self.session().await?;
        if let Some(row) = session.write_returning(&sql, &values).await? {
            return Ok(Asked::Fresh(Box::new(export(&row))));
        }
        let sql = format!("select {COLUMNS} from exports where requested_by = $1 and idempotency_key = $2");
        let values = [(&new.requested_by as _, Type::TEXT), (&new.idempotency_key as _, Type::TEXT)];
        let known = session.client()?.query_typed_opt(&sql, &values).await?.as_ref().map(export);
        Ok(match known {
            None => Asked::TooMany(MOST_OPEN),
            Some(known) if (known.what.as_str(), &known.filters) != (what, &filters) => Asked::KeyReused,
            Some(known) if (known.format.as_str(), known.bom) != (format, new.bom) => Asked::KeyReused,
            Some(known) => Asked::Known(Box::new(known)),
        })
    }

    /// An export.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn export(&self, id: Uuid) -> Result<Option<Export>, StoreError> {
        let sql = format!("select {COLUMNS} from exports where id = $1");
        let row = self.session().await?.client()?.query_typed_opt(&sql, &[(&id, Type::UUID)]).await?;
        Ok(row.as_ref().map(export))
    }

    /// Exports, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn exports(&self, slice: &Slice<Uuid>) -> Result<Vec<Entry<Uuid>>, StoreError> {
        let sql = format!(
            "select {COLUMNS} from exports where $1::timestamptz is null or (created_at, id) < ($1, $2)
             order by created_at desc, id desc limit $3"
        );
        let (at, id) = slice.after.unzip();
        let values = [(&at as _, Type::TIMESTAMPTZ), (&id as _, Type::UUID), (&slice.most as _, Type::INT8)];
        let rows = self.session().await?.client()?.query_typed(&sql, &values).await?;
        let entry = |export: Export| Entry {
            view: serde_json::to_value(&export).unwrap_or_default(),
            at: export.created_at,
            id: export.id,
        };
        Ok(rows.iter().map(export).map(entry).collect())
    }
}

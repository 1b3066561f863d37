//! Long work that one worker has at a time: whoever falls silent is taken over, and its wake-up is sent again.

use jiff::{Timestamp, ToSpan};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{Store, StoreError};

/// Whoever works on something says so more often than this.
const SILENT_SECS: i64 = 120;

/// What became of taking a job.
#[derive(Debug)]
pub enum Taken<J> {
    /// It is ours.
    Mine(Box<J>),
    /// Somebody else works on it; if that one falls silent, it can be taken over.
    Busy,
    /// There is nothing to do: it ended, or waits for its file, or there is none.
    Over,
}

/// Whoever has said nothing since then is silent.
pub(super) fn silent_since(now: Timestamp) -> Timestamp {
    now.checked_sub(SILENT_SECS.seconds()).unwrap_or(now)
}

/// A count, as a column holds it.
pub(super) fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Store {
    /// Jobs of a table on which nobody works.
    pub(super) async fn overdue_jobs(&self, table: &str, now: Timestamp, most: i64) -> Result<Vec<Uuid>, StoreError> {
        let sql = format!(
            "select id from {table} where (state = 'queued' and updated_at < $1)
                or (state = 'running' and heartbeat_at < $1)
            order by updated_at limit $2"
        );
        let since = silent_since(now);
        let values = [(&since as _, Type::TIMESTAMPTZ), (&most as _, Type::INT8)];
        let rows = self.session().await?.client()?.query_typed(&sql, &values).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

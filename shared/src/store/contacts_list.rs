//! The contacts of a campaign, page by page, for whoever looks at it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{Store, StoreError};

/// A contact as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listed {
    /// Its id: where the next page begins.
    pub id: i64,
    /// Its number.
    pub number: String,
    /// `waiting`, `calling` or `done`.
    pub status: String,
    /// What became of it, once it is done.
    pub outcome: Option<String>,
    /// Why it waits or is done.
    pub because: Option<String>,
    /// When its turn comes, while it waits.
    pub due_at: Option<Timestamp>,
    /// Calls that were placed.
    pub attempts: i32,
    /// The last of them.
    pub last_call: Option<Uuid>,
    /// Its own variables.
    pub variables: Value,
}

const PAGE: &str = "
select id, number, status, outcome, because, due_at, attempts, last_call, variables
from contacts where campaign_id = $1 and id > $2 and ($3::text is null or status = $3)
order by id limit $4";

fn listed(row: &Row) -> Listed {
    Listed {
        id: row.get("id"),
        number: row.get("number"),
        status: row.get("status"),
        outcome: row.get("outcome"),
        because: row.get("because"),
        due_at: row.get("due_at"),
        attempts: row.get("attempts"),
        last_call: row.get("last_call"),
        variables: row.get("variables"),
    }
}

impl Store {
    /// The next contacts of a campaign after an id, in the order in which they came; of one status if it is given.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn contacts(
        &self,
        campaign: Uuid,
        status: Option<&str>,
        after: i64,
        most: i64,
    ) -> Result<Vec<Listed>, StoreError> {
        let typed = [
            (&campaign as _, Type::UUID),
            (&after as _, Type::INT8),
            (&status as _, Type::TEXT),
            (&most as _, Type::INT8),
        ];
        let rows = self.session().await?.client()?.query_typed(PAGE, &typed).await?;
        Ok(rows.iter().map(listed).collect())
    }
}

//! Whose dead letters are: a letter names a call, a conversation, a delivery or an import.

use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::store::{Store, StoreError};

/// What a letter belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// What the letter names: an id, or a digest.
    pub name: String,
    /// The call.
    pub call_id: Option<Uuid>,
    /// The id of the campaign, or the label of a single call.
    pub campaign: Option<String>,
    /// Why it failed, as the ledger of deliveries or of imports has it.
    pub reason: Option<String>,
}

const OWNERS: &str = "
select c.id::text, c.id, c.campaign_id, null from calls c where c.id = any ($1)
union all select c.conversation_id, c.id, c.campaign_id, null from calls c where c.conversation_id = any ($2)
union all select d.digest, c.id, c.campaign_id, d.reason
    from deliveries d left join calls c on c.conversation_id = d.conversation_id where d.digest = any ($2)
union all select i.id::text, null, i.campaign_id::text, i.error from imports i where i.id = any ($1)";

impl Store {
    /// What is known of the things that letters name: ids of calls and imports, and names (conversations, digests).
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn owners(&self, ids: &[Uuid], names: &[String]) -> Result<Vec<Owner>, StoreError> {
        let typed = [(&ids as _, Type::UUID_ARRAY), (&names as _, Type::TEXT_ARRAY)];
        let rows = self.session().await?.client()?.query_typed(OWNERS, &typed).await?;
        let owner = |row: &tokio_postgres::Row| Owner {
            name: row.get(0),
            call_id: row.get(1),
            campaign: row.get(2),
            reason: row.get(3),
        };
        Ok(rows.iter().map(owner).collect())
    }
}

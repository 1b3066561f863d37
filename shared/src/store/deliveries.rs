//! The ledger of deliveries: what the agent's vendor sent, and what became of it.

use jiff::Timestamp;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::{Store, StoreError, commit};

/// One delivery.
#[derive(Debug, Clone)]
pub struct Delivery<'d> {
    /// SHA-256 of its bytes, hex.
    pub digest: &'d str,
    /// The vendor's event type.
    pub event_type: &'d str,
    /// The conversation that it speaks of.
    pub conversation_id: Option<&'d str>,
    /// Where its bytes lie.
    pub raw_key: &'d str,
    /// When it came.
    pub received_at: Timestamp,
}

/// Notes a delivery as handled, once: the same bytes again change nothing, unless they were refused before and are
/// understood now.
///
/// # Errors
/// When the database does not answer.
pub async fn note(
    tx: &Transaction<'_>,
    delivery: &Delivery<'_>,
    result: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    insert(tx, delivery, result, None, now).await
}

async fn insert(
    tx: &Transaction<'_>,
    delivery: &Delivery<'_>,
    result: &str,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql =
        "insert into deliveries (digest, event_type, conversation_id, raw_key, received_at, handled_at, result, reason)
               values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (digest) do update set conversation_id = excluded.conversation_id, handled_at = excluded.handled_at,
             result = excluded.result, reason = excluded.reason
         where deliveries.result = 'refused' and excluded.result <> 'refused'";
    tx.execute_typed(
        sql,
        &[
            (&delivery.digest, Type::TEXT),
            (&delivery.event_type, Type::TEXT),
            (&delivery.conversation_id, Type::TEXT),
            (&delivery.raw_key, Type::TEXT),
            (&delivery.received_at, Type::TIMESTAMPTZ),
            (&now, Type::TIMESTAMPTZ),
            (&result, Type::TEXT),
            (&reason, Type::TEXT),
        ],
    )
    .await?;
    Ok(())
}

impl Store {
    /// Notes a delivery that can never be used, with its reason.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn refuse_delivery(
        &self,
        delivery: &Delivery<'_>,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        insert(&tx, delivery, "refused", Some(reason), now).await?;
        commit(tx).await
    }

    /// When the last delivery came.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn last_delivery_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut session = self.session().await?;
        let row = session.client()?.query_typed_one("select max(received_at) from deliveries", &[]).await?;
        Ok(row.get(0))
    }
}

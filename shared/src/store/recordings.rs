//! Recordings: the row that stands for an object in S3, and completes its call.

use jiff::Timestamp;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::conversations::{Tied, by_call_id, lock, noted};
use super::{Store, StoreError, commit};
use crate::queue::RecordingArrived;

impl Store {
    /// Stores a recording, and notes on its call that it is there: one transaction. Of two recordings of one conversation
    /// the longer one stays. Answers the call's id, if the call is known already.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn put_recording(
        &self,
        arrived: &RecordingArrived,
        duration_secs: Option<f64>,
        source: &str,
        now: Timestamp,
    ) -> Result<Option<Uuid>, StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        lock(&tx, &arrived.conversation_id).await?;
        let tied = match noted(&tx, &arrived.conversation_id).await? {
            Some(tied) => Some(tied),
            // The guide's flat shape names the call itself.
            None => by_call_id(&tx, &arrived.conversation_id).await?,
        };
        upsert(&tx, arrived, tied.as_ref(), duration_secs, source, now).await?;
        let id = tied.as_ref().map_or(arrived.conversation_id.as_str(), |tied| tied.stored_as.as_str());
        let here = "update conversations set audio_at = null where conversation_id = $1 and audio_at is not null";
        tx.execute_typed(here, &[(&id, Type::TEXT)]).await?;
        if let Some(tied) = &tied {
            let sql = "update calls set recording = 'stored', updated_at = $2,
                           healed_at = case when $3 then coalesce(healed_at, $2) else healed_at end
                       where id = $1 and recording <> 'stored'";
            let healed = source == "api";
            tx.execute_typed(sql, &[(&tied.call_id, Type::UUID), (&now, Type::TIMESTAMPTZ), (&healed, Type::BOOL)])
                .await?;
        }
        commit(tx).await?;
        Ok(tied.map(|tied| tied.call_id))
    }
}

async fn upsert(
    tx: &Transaction<'_>,
    arrived: &RecordingArrived,
    tied: Option<&Tied>,
    duration_secs: Option<f64>,
    source: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql =
        "insert into call_recordings (call_id, conversation_id, campaign_id, storage_path, duration_seconds, bytes,
            sha256, content_type, source, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
        on conflict (conversation_id) do update set call_id = excluded.call_id, campaign_id = excluded.campaign_id,
            storage_path = excluded.storage_path, duration_seconds = excluded.duration_seconds, bytes = excluded.bytes,
            sha256 = excluded.sha256, content_type = excluded.content_type, source = excluded.source,
            updated_at = excluded.updated_at
        where (excluded.bytes, excluded.sha256) > (call_recordings.bytes, call_recordings.sha256)";
    let id = tied.map_or(arrived.conversation_id.as_str(), |tied| tied.stored_as.as_str());
    let call_id = tied.map_or_else(|| id.to_owned(), |tied| tied.call_id.to_string());
    let bytes = i64::try_from(arrived.bytes).unwrap_or(i64::MAX);
    tx.execute_typed(
        sql,
        &[
            (&call_id, Type::VARCHAR),
            (&id, Type::TEXT),
            (&tied.and_then(|tied| tied.campaign.as_deref()), Type::VARCHAR),
            (&arrived.key, Type::TEXT),
            (&duration_secs, Type::FLOAT8),
            (&bytes, Type::INT8),
            (&arrived.sha256, Type::TEXT),
            (&arrived.content_type, Type::TEXT),
            (&source, Type::TEXT),
            (&now, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

//! Conversations, also those that nobody placed: their `call_id` then is their own id.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{Conditions, Entry, Slice, Span};
use crate::store::{Store, StoreError};

/// Which conversations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ConversationFilter {
    /// Of a call of ours.
    pub call_id: Option<Uuid>,
    /// ElevenLabs' id of the agent.
    #[param(max_length = 500)]
    pub agent_id: Option<String>,
    /// The id of a campaign, or the label of a single call.
    #[param(max_length = 500)]
    pub campaign: Option<String>,
    /// The vendor's status.
    #[param(max_length = 500)]
    pub status: Option<String>,
    /// When it was stored first.
    #[serde(flatten)]
    #[param(ignore)]
    pub created: Span,
    /// Words that were said, as people write them into a search field: all of them, "a phrase", or, -not.
    #[param(max_length = 500)]
    pub text: Option<String>,
}

impl ConversationFilter {
    pub(super) fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.and("v.call_uuid = :value", self.call_id, Type::UUID);
        conditions.text("v.agent_id = :value", self.agent_id.as_ref());
        conditions.text("v.campaign_id = :value", self.campaign.as_ref());
        conditions.text("v.status = :value", self.status.as_ref());
        conditions.within("v.created_at", self.created);
        conditions.text("v.words @@ websearch_to_tsquery('simple', :value)", self.text.as_ref());
        conditions
    }
}

impl Store {
    /// Conversations, the newest first, without what was said.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn conversations(
        &self,
        filter: &ConversationFilter,
        slice: &Slice<i32>,
    ) -> Result<Vec<Entry<i32>>, StoreError> {
        let (sql, conditions) = listing(filter, slice);
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(&sql, &conditions.typed()).await?;
        Ok(rows.iter().map(|row| Entry { view: row.get(0), at: row.get(1), id: row.get(2) }).collect())
    }

    /// How the database goes about a list, for the tests of the indexes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn plan_of_conversations(
        &self,
        filter: &ConversationFilter,
        slice: &Slice<i32>,
    ) -> Result<Value, StoreError> {
        let (sql, conditions) = listing(filter, slice);
        let mut session = self.session().await?;
        let sql = format!("explain (format json) {sql}");
        Ok(session.client()?.query_typed_one(&sql, &conditions.typed()).await?.get(0))
    }

    /// One conversation with everything that was said in it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn conversation(&self, conversation_id: &str) -> Result<Option<Value>, StoreError> {
        let sql = format!(
            "select {FIELDS} || jsonb_build_object('messages', v.messages, 'analysis', v.analysis, 'latencies', v.latencies,
                 'raw_key', v.raw_key) from conversations v {JOINS} where v.conversation_id = $1"
        );
        let mut session = self.session().await?;
        let row = session.client()?.query_typed_opt(&sql, &[(&conversation_id, Type::TEXT)]).await?;
        Ok(row.map(|row| row.get(0)))
    }
}

fn listing(filter: &ConversationFilter, slice: &Slice<i32>) -> (String, Conditions) {
    let mut conditions = filter.conditions();
    conditions.behind("v.created_at, v.id", slice.after, Type::INT4);
    let most = conditions.value(slice.most, Type::INT8);
    let wanted = conditions.sql();
    let sql = format!(
        "select {FIELDS}, v.created_at, v.id
         from (select * from conversations v where {wanted} order by v.created_at desc, v.id desc limit {most}) v {JOINS}
         order by v.created_at desc, v.id desc"
    );
    (sql, conditions)
}

const FIELDS: &str = "jsonb_build_object(
    'id', v.conversation_id, 'call_id', v.call_id, 'agent_id', v.agent_id, 'campaign', v.campaign_id, 'status', v.status,
    'final', v.final, 'turns', v.turns, 'started_at', v.started_at, 'created_at', v.created_at, 'updated_at', v.updated_at,
    'duration_secs', v.duration_seconds, 'summary', v.summary, 'successful', v.successful, 'cost', v.cost,
    'cost_fiat', v.cost_fiat, 'termination_reason', v.termination_reason, 'has_audio', v.has_audio, 'user_id', v.user_id,
    'text_mended', v.text_mended, 'source', v.source,
    'recording', case when r.id is not null then jsonb_build_object(
        'storage_path', r.storage_path, 'bytes', r.bytes, 'sha256', r.sha256, 'duration_secs', r.duration_seconds,
        'content_type', r.content_type, 'source', r.source) end)";

const JOINS: &str = "left join call_recordings r on r.conversation_id = v.conversation_id";

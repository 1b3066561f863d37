//! Calls: one, a list, the timeline of one, its recording.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{Conditions, Entry, Slice, Span};
use crate::cost::Tariff;
use crate::explain::{self, CallFacts};
use crate::store::costs::{CONVERSATION, parts};
use crate::store::{Store, StoreError};

/// Which calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct CallFilter {
    /// Who was called, E.164.
    #[param(max_length = 100, example = "+14155550123")]
    pub number: Option<String>,
    /// A carrier's id, also of a second dial that was found.
    #[param(max_length = 500)]
    pub carrier_sid: Option<String>,
    /// The agent's conversation.
    #[param(max_length = 500)]
    pub conversation_id: Option<String>,
    /// The id of a campaign, or the label of a single call.
    #[param(max_length = 500)]
    pub campaign: Option<String>,
    /// Our name of the agent.
    #[param(max_length = 500)]
    pub agent: Option<String>,
    /// What became of it.
    #[param(inline, value_type = Option<crate::call::Outcome>)]
    pub outcome: Option<String>,
    /// Where it stands.
    #[param(inline, value_type = Option<crate::call::State>)]
    pub state: Option<String>,
    /// When it was written down.
    #[serde(flatten)]
    #[param(ignore)]
    pub created: Span,
    /// Words that were said, as people write them into a search field: all of them, "a phrase", or, -not.
    #[param(max_length = 500, example = "call tomorrow")]
    pub text: Option<String>,
}

impl CallFilter {
    pub(super) fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.text("c.to_number = :value", self.number.as_ref());
        conditions.text(
            "c.id = any (array(select id from calls where carrier_sid = :value
                union select call_id from call_events where fact ? 'sid' and fact->>'sid' = :value))",
            self.carrier_sid.as_ref(),
        );
        conditions.text(
            "c.id = any (array(select id from calls where conversation_id = :value
                union select call_uuid from conversations where conversation_id = :value and call_uuid is not null))",
            self.conversation_id.as_ref(),
        );
        conditions.text("c.campaign_id = :value", self.campaign.as_ref());
        conditions.text("c.agent = :value", self.agent.as_ref());
        conditions.text("c.outcome = :value", self.outcome.as_ref());
        conditions.text("c.state = :value", self.state.as_ref());
        conditions.within("c.created_at", self.created);
        conditions.text(
            "exists (select 1 from conversations w where w.call_uuid = c.id and w.words @@ websearch_to_tsquery('simple', :value))",
            self.text.as_ref(),
        );
        conditions
    }
}

/// Where a recording lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Its key in the bucket; `None` when there is no recording.
    pub key: Option<String>,
    /// Why there is none, if that is known.
    pub absent_because: Option<String>,
    /// Bytes, digest, length, content type.
    pub view: Value,
}

impl Store {
    /// Calls, the newest first, each with its explanation.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn calls(&self, filter: &CallFilter, slice: &Slice<Uuid>) -> Result<Vec<Entry<Uuid>>, StoreError> {
        let (sql, conditions) = listing(filter, slice, &self.tariff);
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(&sql, &conditions.typed()).await?;
        Ok(rows.iter().map(|row| Entry { view: view(row), at: row.get("created_at"), id: row.get("id") }).collect())
    }

    /// How the database goes about a list: EXPLAIN's JSON, for the tests of the indexes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn plan_of_calls(&self, filter: &CallFilter, slice: &Slice<Uuid>) -> Result<Value, StoreError> {
        let (sql, conditions) = listing(filter, slice, &self.tariff);
        let mut session = self.session().await?;
        let sql = format!("explain (format json) {sql}");
        Ok(session.client()?.query_typed_one(&sql, &conditions.typed()).await?.get(0))
    }

    /// One call, with its explanation and what was said.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn call_view(&self, call_id: Uuid) -> Result<Option<Value>, StoreError> {
        let fields = fields(&self.tariff);
        let sql = format!(
            "select {fields} as view, {FACTS} as facts, v.messages from calls c {CONVERSATION} {JOINS} where c.id = $1"
        );
        let mut session = self.session().await?;
        let row = session.client()?.query_typed_opt(&sql, &[(&call_id, Type::UUID)]).await?;
        Ok(row.map(|row| {
            let mut view = view(&row);
            if let Some(conversation) = view["conversation"].as_object_mut() {
                let messages = row.get::<_, Option<Value>>("messages").unwrap_or_default();
                conversation.insert("messages".to_owned(), messages);
            }
            view
        }))
    }

    /// Everything that was learnt about a call, in the order in which it happened, and what the guard said. `None`: there is
    /// no such call.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn timeline(&self, call_id: Uuid) -> Result<Option<Value>, StoreError> {
        let mut session = self.session().await?;
        let row = session.client()?.query_typed_opt(TIMELINE, &[(&call_id, Type::UUID)]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Where a call's recording lies. `None`: there is no such call.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recording_of(&self, call_id: Uuid) -> Result<Option<Recording>, StoreError> {
        let mut session = self.session().await?;
        let row = session.client()?.query_typed_opt(RECORDING, &[(&call_id, Type::UUID)]).await?;
        Ok(row.map(|row| Recording { key: row.get(0), absent_because: row.get(1), view: row.get(2) }))
    }
}

/// A call as the API shows it.
fn fields(tariff: &Tariff) -> String {
    FIELDS.replace(":cost", &parts(tariff, "null").json())
}

fn listing(filter: &CallFilter, slice: &Slice<Uuid>, tariff: &Tariff) -> (String, Conditions) {
    let fields = fields(tariff);
    let mut conditions = filter.conditions();
    conditions.behind("c.created_at, c.id", slice.after, Type::UUID);
    let most = conditions.value(slice.most, Type::INT8);
    let wanted = conditions.sql();
    // Limited before anything is joined.
    let sql = format!(
        "select {fields} as view, {FACTS} as facts, c.created_at, c.id
         from (select * from calls c where {wanted} order by c.created_at desc, c.id desc limit {most}) c {CONVERSATION} {JOINS}
         order by c.created_at desc, c.id desc"
    );
    (sql, conditions)
}

fn view(row: &Row) -> Value {
    let mut view: Value = row.get("view");
    // A state or an outcome that this version does not know was written by a newer one.
    if let Ok(facts) = serde_json::from_value::<CallFacts>(row.get("facts")) {
        view["explanation"] = serde_json::to_value(explain::call(&facts)).unwrap_or_default();
    }
    view
}

const FIELDS: &str = "jsonb_build_object(
    'id', c.id, 'to', c.to_number, 'from', c.from_number, 'agent', c.agent, 'connect', c.connect, 'campaign', c.campaign_id,
    'variables', c.variables, 'metadata', c.metadata,
    'state', c.state, 'outcome', c.outcome, 'outcome_final', c.outcome_final, 'reason', c.reason,
    'created_at', c.created_at, 'due_at', c.due_at, 'placed_at', c.placed_at, 'ringing_at', c.ringing_at,
    'answered_at', c.answered_at, 'ended_at', c.ended_at, 'settled_at', c.settled_at, 'duration_secs', c.duration_secs,
    'carrier_sid', c.carrier_sid, 'sip_code', c.sip_code, 'answered_by', c.answered_by, 'double_dial', c.double_dial,
    'conversation', case when v.id is not null then jsonb_build_object(
        'id', v.conversation_id, 'status', v.status, 'summary', v.summary, 'successful', v.successful,
        'duration_secs', v.duration_seconds, 'termination_reason', v.termination_reason, 'cost', v.cost) end,
    'recording', case when r.id is not null then jsonb_build_object(
        'storage_path', r.storage_path, 'bytes', r.bytes, 'sha256', r.sha256, 'duration_secs', r.duration_seconds,
        'content_type', r.content_type, 'source', r.source) end,
    'missing', u.missing, 'cost', :cost)";

/// With `limit 1` instead of `exists`: of that the planner may make a hash of the whole table.
const FACTS: &str = "jsonb_build_object(
    'state', c.state, 'outcome', c.outcome, 'outcome_final', c.outcome_final, 'reason', c.reason, 'asks', c.asks,
    'due_at', c.due_at, 'sip_code', c.sip_code, 'answered_by', c.answered_by, 'agent_connected', c.agent_connected,
    'connect', c.connect, 'hang_up_at', c.hang_up_at, 'cancel_at', c.cancel_at, 'double_dial', c.double_dial,
    'duration_secs', c.duration_secs, 'missing', u.missing,
    'opted_out', coalesce((select true from suppression_events s where s.call_id = c.id and s.action = 'added' limit 1), false),
    'guard', (select jsonb_build_object('decision', g.decision,
            'because', coalesce(g.inputs->'answer'->'because', '[]'), 'until', g.inputs->'answer'->'until')
        from guard_decisions g where g.call_id = c.id order by g.decided_at desc limit 1),
    'stop', (select jsonb_build_object('scope', s.scope, 'reason', s.reason, 'by', s.by_whom) from stops s
        where s.at in (c.cancel_at, c.hang_up_at) or (c.state = 'intent' and s.lifted_at is null and (s.scope = 'all'
            or (s.scope = 'campaign' and s.value = c.campaign_id) or (s.scope = 'agent' and s.value = c.agent)
            or (s.scope = 'from' and s.value = c.from_number)))
        order by s.at limit 1),
    'campaign', case when m.id is not null then jsonb_build_object(
        'name', m.name, 'state', m.state, 'because', m.because, 'decided_by', m.decided_by) end,
    'contact', case when k.id is not null then jsonb_build_object(
        'status', k.status, 'outcome', k.outcome, 'due_at', k.due_at, 'last', coalesce(k.last_call = c.id, false)) end)";

/// Behind [`CONVERSATION`].
const JOINS: &str = "
left join call_recordings r on r.conversation_id = coalesce(c.conversation_id, c.id::text)
left join contacts k on k.id = c.contact_id
left join campaigns m on m.id = k.campaign_id
cross join lateral (select case when c.settled_at is not null then '[]'::jsonb else to_jsonb(array_remove(array[
    case when not (c.state = 'ended' and c.outcome_final) then 'outcome' end,
    case when c.agent_connected is not false and c.transcript = 'expected' then 'transcript' end,
    case when c.agent_connected is not false and c.recording = 'expected' then 'recording' end], null)) end as missing) u";

const TIMELINE: &str = "
select jsonb_build_object('call_id', c.id,
    'events', (select coalesce(jsonb_agg(jsonb_build_object(
            'at', e.at, 'received_at', e.received_at, 'kind', e.kind, 'fact', e.fact - 'kind', 'raw', e.raw)
            order by e.at, e.received_at, e.key), '[]')
        from call_events e where e.call_id = c.id),
    'guard', (select coalesce(jsonb_agg(jsonb_build_object(
            'at', g.decided_at, 'decision', g.decision, 'because', g.because, 'rules_version', g.rules_version,
            'inputs', g.inputs) order by g.decided_at), '[]')
        from guard_decisions g where g.call_id = c.id))
from calls c where c.id = $1";

const RECORDING: &str = "
select r.storage_path, c.recording_absent_because, jsonb_build_object('content_type', r.content_type, 'bytes', r.bytes,
    'sha256', r.sha256, 'duration_secs', r.duration_seconds)
from calls c left join call_recordings r on r.conversation_id = coalesce(c.conversation_id, c.id::text)
where c.id = $1";

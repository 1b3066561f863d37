//! The calls that the webhooks belong to. They ended when they were written down, so that nothing ever dials them; what
//! is awaited of them is what the webhooks bring. `requested_by` is `load`.

use elevenwire::store::{Store, StoreError, commit};
use uuid::Uuid;

/// Written down at once: far below what a statement may hold.
const BATCH: usize = 5000;

/// 555-0100 to 555-0199 belong to nobody.
const NUMBERS: &str = "insert into numbers (number) select '+14155550' || n from generate_series(100, 199) n \
    on conflict do nothing";

const CALLS: &str = "
    insert into calls (id, to_number, from_number, agent, elevenlabs_agent_id, variables, metadata, requested_by,
        ring_timeout_secs, max_duration_secs, state, outcome, outcome_final, due_at, expires_at, asks, carrier_sid,
        double_dial, agent_connected, transcript, recording, recording_absent_because, placed_at, answered_at, ended_at, created_at,
        updated_at)
    select id, '+14155550' || 100 + at % 100, $2, $3, $4, '{}', '{}', 'load', 45, 600, 'ended', 'answered', true, now(),
        now(), 1, id::text, false, true, 'expected', 'absent', 'a load test has none', now(), now(), now(), now(), now()
    from unnest($1::uuid[]) with ordinality as given (id, at)
    returning id, to_number";

/// A call, as its webhooks name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Call {
    pub id: Uuid,
    pub from: String,
    pub to: String,
    pub elevenlabs_agent_id: String,
}

impl Call {
    pub fn conversation_id(&self) -> String {
        format!("conv_load_{}", self.id.simple())
    }
}

/// Writes down `count` calls of the agent `demo`, else of any that is registered.
pub(super) async fn write_down(
    store: &Store,
    count: usize,
) -> Result<Vec<Call>, Box<dyn std::error::Error + Send + Sync>> {
    let mut session = store.session().await?;
    let client = session.begin().await?;
    let agent = "select name, elevenlabs_agent_id, caller_ids[1] from agents order by name <> 'demo', name limit 1";
    let agent = client.query_opt(agent, &[]).await?.ok_or("no agent is registered: POST /api/agents first")?;
    let (name, elevenlabs_agent_id, from): (String, String, String) = (agent.get(0), agent.get(1), agent.get(2));
    client.execute(NUMBERS, &[]).await?;
    let ids: Vec<Uuid> = (0..count).map(|_| Uuid::new_v4()).collect();
    let mut calls = Vec::with_capacity(count);
    for batch in ids.chunks(BATCH) {
        let rows = client.query(CALLS, &[&batch, &from, &name, &elevenlabs_agent_id]).await?;
        calls.extend(rows.iter().map(|row| Call {
            id: row.get(0),
            to: row.get(1),
            from: from.clone(),
            elevenlabs_agent_id: elevenlabs_agent_id.clone(),
        }));
    }
    commit(client).await?;
    Ok(calls)
}

/// Takes back calls of which no webhook was sent.
pub(super) async fn forget(store: &Store, calls: &[Call]) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = calls.iter().map(|call| call.id).collect();
    let mut session = store.session().await?;
    let transaction = session.begin().await?;
    transaction.execute("delete from calls where id = any ($1)", &[&ids]).await?;
    commit(transaction).await
}

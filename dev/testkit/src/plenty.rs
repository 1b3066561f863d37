//! A database as it is after a year: 100,000 calls with everything that comes of them.

use tokio_postgres::Client;

const AGENT: &str =
    "insert into agents values ('demo', 'agent_demo', '+15550001111', '{+14155550100}', 'sip', 'off', null,
    600, now(), now()) on conflict do nothing;";

/// Tables that grow with every call.
pub const LARGE: [&str; 8] = [
    "calls",
    "conversations",
    "deliveries",
    "call_recordings",
    "contacts",
    "guard_decisions",
    "call_events",
    "suppression_events",
];

/// SQL that makes so many calls, over a thousand numbers.
#[must_use]
pub fn calls(count: u32, created: &str) -> String {
    format!(
        "{AGENT}
         insert into numbers (number) select '+1415' || (2200000 + at) from generate_series(0, 999) at;
         insert into calls (id, to_number, from_number, agent, elevenlabs_agent_id, campaign_id, variables, metadata,
             requested_by, ring_timeout_secs, max_duration_secs, state, outcome, outcome_final, due_at, expires_at, asks,
             claimed_at, carrier_sid, double_dial, agent_connected, ended_at, transcript, recording, created_at, updated_at,
             conversation_id)
         select gen_random_uuid(), '+1415' || (2200000 + at % 1000), '+14155550100', 'demo', 'agent_demo',
             'campaign-' || at % 50, '{{}}', '{{}}', 'test', 60, 600, 'ended',
             (array['answered', 'voicemail', 'busy', 'no_answer', 'failed'])[1 + at % 5], true, {created}, {created}, 1,
             {created}, 'sid-' || at, false, at % 5 = 0, {created}, 'stored', 'stored', {created}, {created}, 'conv-' || at
         from generate_series(1, {count}) at;"
    )
}

/// 100,000 calls, and what comes of them.
pub async fn fill(client: &Client) {
    client.batch_execute(&calls(100_000, "'2026-01-01'::timestamptz + at * interval '4 minutes'")).await.unwrap();
    client
        .batch_execute(
            "insert into conversations (call_id, agent_id, campaign_id, messages, created_at, updated_at, conversation_id,
                 status, final, turns, event_timestamp, text_mended, raw_key, source)
             select id, 'agent_demo', campaign_id, jsonb_build_array(
                     jsonb_build_object('role', 'agent', 'message', 'Hello, this is Ava, how are you today'),
                     jsonb_build_object('role', 'user', 'message', 'Fine, my number is ' || carrier_sid || ' and '
                         || case when random() < 0.001 then 'giraffe' else 'thanks' end)),
                 created_at, created_at, conversation_id, 'done', true, 2, 1, false, 'raw/x', 'webhook'
             from calls where outcome = 'answered';
             insert into deliveries select md5(id::text), 'post_call_transcription', conversation_id, 'raw/x', created_at,
                 created_at, case when random() < 0.001 then 'refused' else 'stored' end from calls;
             insert into call_recordings (call_id, conversation_id, storage_path, bytes, sha256, content_type, source,
                 created_at, updated_at)
             select call_id, conversation_id, 'recordings/' || conversation_id, 1000, repeat('a', 64), 'audio/mpeg', 'webhook',
                 created_at, created_at from conversations;
             insert into campaigns (id, name, agent, purpose, state, settings, max_concurrent, rate, max_attempts, created_at,
                 updated_at)
             select uuidv7(), 'campaign ' || at, 'demo', 'informational', 'finished', '{}', 1, 1, 1, now(), now()
             from generate_series(1, 50) at;
             insert into contacts (campaign_id, number, status, outcome, because, created_at, updated_at)
             select id, number, 'done', 'answered', 'answered', now(), now() from campaigns, numbers;
             insert into guard_decisions (call_id, decided_at, decision, rules_version, inputs)
             select id, created_at, 'allow', 'test', '{}' from calls;
             insert into guard_decisions (contact_id, decided_at, decision, rules_version, inputs)
             select id, created_at, 'defer', 'test', '{}' from contacts;
             insert into call_events (call_id, key, kind, fact, at, received_at)
             select id, 'placed', 'placed', jsonb_build_object('sid', carrier_sid), created_at, created_at from calls;
             insert into suppression_events (number, action, source, because, call_id, at)
             select to_number, 'added', 'transcript', 'said so', id, created_at from calls where outcome = 'answered';",
        )
        .await
        .unwrap();
    for table in LARGE {
        client.batch_execute(&format!("vacuum analyze {table}")).await.unwrap();
    }
}

//! What was archived is sent through the same path again, and changes no row. The messages are those that `elevenwire replay`
//! makes, at the times of this world's clock; the deployed bundle is tested with the command itself.

use std::collections::BTreeMap;
use std::time::Duration;

use elevenwire::queue::{API_CONVERSATION, ConversationArrived, RecordingArrived, RecordingTask};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::World;

/// All rows of all tables, as text.
type Dump = BTreeMap<String, Vec<String>>;

async fn dump(world: &World) -> Dump {
    let client = world.database.client().await;
    let sql = "select table_name::text from information_schema.tables
               where table_schema = 'public' and table_type = 'BASE TABLE'";
    let mut dump = Dump::new();
    for table in client.query(sql, &[]).await.unwrap() {
        let table: String = table.get(0);
        let sql = format!("select to_jsonb(row)::text from \"{table}\" row order by 1");
        let rows = client.query(&sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        dump.insert(table, rows);
    }
    dump
}

fn assert_same(before: &Dump, after: &Dump) {
    for (table, rows) in before {
        let changed: Vec<_> = after[table].iter().filter(|row| !rows.contains(row)).collect();
        assert!(changed.is_empty() && after[table].len() == rows.len(), "{table} changed: {changed:#?}");
    }
}

/// Sends the message of every archived body and of every recording again; answers how many of each kind.
async fn replay(world: &World) -> BTreeMap<String, usize> {
    let mut sent = BTreeMap::new();
    let listed = world.cloud.s3.list_objects_v2().bucket(&world.cloud.bucket).send().await.unwrap();
    for object in listed.contents() {
        let (key, stored_at) = (object.key().unwrap(), object.last_modified().unwrap().secs());
        // The bucket knows the real time, to which the world's clock is ahead.
        let received_at = Timestamp::from_second(stored_at + 1).unwrap() + world.began_ahead;
        let parts: Vec<&str> = key.split('/').collect();
        let kind = match parts[..] {
            ["raw", kind @ "call_initiation_failure", ..] => {
                let body = world.cloud.blobs().get(key).await.unwrap();
                let news = elevenlabs_webhook::news(&body, received_at).unwrap();
                world.cloud.call_events.queue().send(&news).await.unwrap();
                kind
            }
            ["raw", kind, _, _, _, name] => {
                let digest = name.strip_suffix(".json").unwrap().rsplit_once('-').unwrap().1.to_owned();
                let event_type = kind.to_owned();
                let arrived = ConversationArrived { raw_key: key.to_owned(), digest, event_type, received_at };
                world.cloud.transcriptions.queue().send(&arrived).await.unwrap();
                kind
            }
            ["recordings", conversation_id, name] => {
                let arrived = RecordingArrived {
                    conversation_id: conversation_id.to_owned(),
                    agent_id: None,
                    key: key.to_owned(),
                    sha256: name.strip_suffix(".mp3").unwrap().to_owned(),
                    bytes: u64::try_from(object.size().unwrap()).unwrap(),
                    content_type: "audio/mpeg".to_owned(),
                    received_at,
                };
                world.cloud.recordings.queue().send(&RecordingTask::Arrived(arrived)).await.unwrap();
                "recordings"
            }
            _ => panic!("{key}"),
        };
        *sent.entry(kind.to_owned()).or_default() += 1;
    }
    work_off(world).await;
    sent
}

async fn work_off(world: &World) {
    let queues = [&world.cloud.call_events, &world.cloud.transcriptions, &world.cloud.recordings];
    for _ in 0..50 {
        world.pump().await;
        let mut left = 0;
        for queue in queues {
            left += queue.queue().load().await.unwrap().waiting;
        }
        if left == 0 {
            return;
        }
    }
    panic!("the queues are never worked off");
}

fn transcription(conversation_id: &str, data: &Value) -> String {
    let mut body = json!({ "type": "post_call_transcription", "event_timestamp": 1_790_000_000, "data": {
        "agent_id": "agent_demo", "conversation_id": conversation_id, "status": "done", "has_audio": true,
        "transcript": [{ "role": "agent", "message": "Hello.", "time_in_call_secs": 0 }],
        "metadata": { "start_time_unix_secs": 1_790_000_000, "call_duration_secs": 9 } } });
    body["data"].as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
    body.to_string()
}

/// Everything that the door takes in on a day, beside the calls that go well.
async fn odd_deliveries(world: &World) {
    let failed = world.written_down("+14155550155").await;
    let failure = json!({ "type": "call_initiation_failure", "event_timestamp": 1_790_000_000, "data": {
        "agent_id": "agent_demo", "conversation_id": "conv_failed", "failure_reason": "busy",
        "metadata": { "type": "sip", "body": { "call_sid": failed, "sip_status_code": 486 } } } });
    let flat = world.written_down("+14155550102").await;
    let flat = json!({ "call_id": flat, "metadata": { "duration": 12, "agent_id": "agent_demo" },
        "conversation": { "messages": [{ "role": "agent", "message": "Hello." }] }, "audio": "SUQzBAAAAAAAAA==" });
    let poorer = json!({ "transcript": [], "event_timestamp": 1_789_999_999 });
    let bodies = [
        failure.to_string(),
        flat.to_string(),
        transcription("conv_inbound", &json!({})),
        transcription("conv_inbound", &poorer),
        transcription("conv_unfinished", &json!({ "status": "processing" })),
        // It does not say when it was: it is dated by its arrival.
        transcription("conv_undated", &json!({ "metadata": null, "status": "failed", "transcript": [] })),
        // It can never be read.
        transcription("", &json!({})),
    ];
    for body in bodies {
        assert_eq!(world.post_webhook(&body).await, 200, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replaying_a_whole_day_changes_no_row() {
    let world = World::start().await;
    odd_deliveries(&world).await;
    let mut calls = Vec::new();
    for fate in ["01", "50", "51", "55", "58", "61"] {
        calls.push(world.call(&format!("+141555502{fate}")).await);
    }
    for call in calls {
        world.settled(call).await;
    }
    // One whose recording is still awaited, one that comes as a trace.
    world.vendors.configure(json!({ "faults": [{ "where": "post_call_audio", "kind": "drop" }] })).unwrap();
    let awaited = world.call("+14155550301").await;
    world.until(awaited, |call| call["missing"] == json!(["recording"])).await;
    world.vendors.configure(json!({ "faults": [], "switches": { "transcript_format": "opentelemetry" } })).unwrap();
    let traced = world.call("+14155550401").await;
    world.settled(traced).await;
    work_off(&world).await;
    // One whose webhooks are lost: its conversation is fetched, its recording pulled.
    let lost = ["status_callback", "post_call_transcription", "post_call_transcription_otel", "post_call_audio"];
    let lost: Vec<Value> = lost.iter().map(|place| json!({ "where": place, "kind": "drop" })).collect();
    world.vendors.configure(json!({ "faults": lost })).unwrap();
    let healed = world.call("+14155550501").await;
    world.until(healed, |call| call["state"] != "intent").await;
    world.vendors.wait_idle(Duration::from_secs(10)).await;
    for _ in 0..20 {
        world.clock.advance(Duration::from_mins(2));
        world.reconcile().await;
        work_off(&world).await;
    }
    let call = world.view(healed).await;
    assert!(!call["settled_at"].is_null(), "{call:#}");

    let before = dump(&world).await;
    world.clock.advance(Duration::from_hours(26));
    let sent = replay(&world).await;
    assert_same(&before, &dump(&world).await);
    for kind in ["post_call_transcription", "post_call_transcription_otel", "flat", API_CONVERSATION, "recordings"] {
        assert!(sent.get(kind).is_some_and(|count| *count > 0), "{kind}: {sent:?}");
    }
    assert!(sent.contains_key("call_initiation_failure"), "{sent:?}");
    replay(&world).await;
    assert_same(&before, &dump(&world).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_recording_is_still_awaited_is_not_touched_by_its_transcript_again() {
    let world = World::start().await;
    let call_id = world.written_down("+14155550101").await;
    let named = json!({ "conversation_initiation_client_data": { "dynamic_variables": { "call_id": call_id } } });
    let body = transcription("conv_1", &named);
    assert_eq!(world.post_webhook(&body).await, 200);
    work_off(&world).await;
    assert_eq!(world.database.count("select count(*) from calls where recording = 'expected'").await, 1);
    let before = dump(&world).await;
    world.clock.advance(Duration::from_mins(5));
    replay(&world).await;
    assert_same(&before, &dump(&world).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_and_is_understood_by_now_is_noted_as_stored() {
    let world = World::start().await;
    let body = transcription("conv_1", &json!({}));
    assert_eq!(world.post_webhook(&body).await, 200);
    work_off(&world).await;
    let refuse = "update deliveries set result = 'refused', reason = 'an older version could not read it'";
    world.database.client().await.execute(refuse, &[]).await.unwrap();
    world.database.client().await.execute("delete from conversations", &[]).await.unwrap();
    replay(&world).await;
    let digest = hex::encode(Sha256::digest(body.as_bytes()));
    let stored = format!(
        "select count(*) from deliveries join conversations using (conversation_id)
         where digest = '{digest}' and result = 'stored' and reason is null"
    );
    assert_eq!(world.database.count(&stored).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_whose_call_could_not_be_told_is_tied_by_a_replay() {
    let world = World::start().await;
    let call_id = world.written_down("+14155550101").await;
    let phone = json!({ "metadata": { "phone_call": { "call_sid": "SCL_1" } } });
    assert_eq!(world.post_webhook(&transcription("conv_1", &phone)).await, 200);
    work_off(&world).await;
    assert_eq!(world.view(call_id).await["conversation"], Value::Null);
    world.database.client().await.execute("update calls set carrier_sid = 'SCL_1'", &[]).await.unwrap();
    replay(&world).await;
    let tied = "select count(*) from conversations v join calls c on v.call_id = c.id::text
                where c.conversation_id = v.conversation_id and c.transcript = 'stored'";
    assert_eq!(world.database.count(tied).await, 1);
}

//! Transcripts and recordings: in any order, any number of times, in any shape.

use serde_json::{Value, json};
use testkit::World;

const AUDIO: &str = "SUQzBAAAAAAAAA==";

fn transcription(conversation_id: &str, call_id: &str) -> Value {
    json!({ "type": "post_call_transcription", "event_timestamp": 1_790_000_000, "data": {
        "agent_id": "agent_demo", "conversation_id": conversation_id, "status": "done", "has_audio": true,
        "transcript": [
            { "role": "agent", "message": "Hello.", "time_in_call_secs": 0 },
            { "role": "user", "message": "Who is this?", "time_in_call_secs": 2 },
        ],
        "metadata": { "start_time_unix_secs": 1_790_000_000, "call_duration_secs": 9 },
        "conversation_initiation_client_data": { "dynamic_variables": { "call_id": call_id } },
    } })
}

fn audio(conversation_id: &str) -> Value {
    json!({ "type": "post_call_audio", "event_timestamp": 1_790_000_000,
        "data": { "agent_id": "agent_demo", "conversation_id": conversation_id, "full_audio": AUDIO } })
}

async fn deliver(world: &World, body: &Value) {
    assert_eq!(world.post_webhook(&body.to_string()).await, 200);
    world.pump().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_webhook_sent_fifty_times_makes_one_row() {
    let world = World::start().await;
    let body = transcription("conv_1", "none").to_string();
    for _ in 0..50 {
        assert_eq!(world.post_webhook(&body).await, 200);
    }
    for _ in 0..6 {
        world.pump().await;
    }
    assert_eq!(world.database.count("select count(*) from conversations").await, 1);
    assert_eq!(world.database.count("select count(*) from deliveries").await, 1);
    assert_eq!(world.cloud.keys("raw/").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_may_come_before_its_transcript() {
    let world = World::start().await;
    let call_id = world.written_down("+14155550111").await;
    deliver(&world, &audio("conv_1")).await;
    assert_eq!(world.view(call_id).await["recording"], Value::Null, "nobody knows whose it is yet");
    deliver(&world, &transcription("conv_1", &call_id.to_string())).await;
    let call = world.view(call_id).await;
    assert_eq!((&call["recording"]["bytes"], &call["conversation"]["id"]), (&10.into(), &"conv_1".into()), "{call:#}");
    let tied =
        "select count(*) from call_recordings r join calls c on r.call_id = c.id::text and c.recording = 'stored'";
    assert_eq!(world.database.count(tied).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fuller_copy_replaces_a_poorer_one_and_never_the_reverse() {
    let world = World::start().await;
    let fuller = transcription("conv_1", "none");
    let mut poorer = fuller.clone();
    poorer["data"]["transcript"].as_array_mut().unwrap().pop();
    poorer["event_timestamp"] = json!(1_790_000_100);
    let turns = "select turns::bigint from conversations";
    deliver(&world, &poorer).await;
    assert_eq!(world.database.count(turns).await, 1);
    deliver(&world, &fuller).await;
    assert_eq!(world.database.count(turns).await, 2);
    deliver(&world, &poorer).await;
    assert_eq!(world.database.count(turns).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echoed_id_binds_only_a_free_call_of_the_same_agent() {
    let world = World::start().await;
    let call_id = world.written_down("+14155550111").await;
    let mut stranger = transcription("conv_stranger", &call_id.to_string());
    stranger["data"]["agent_id"] = json!("agent_other");
    deliver(&world, &stranger).await;
    assert_eq!(world.view(call_id).await["conversation"], Value::Null);
    deliver(&world, &transcription("conv_1", &call_id.to_string())).await;
    deliver(&world, &transcription("conv_2", &call_id.to_string())).await;
    assert_eq!(world.view(call_id).await["conversation"]["id"], "conv_1");
    assert_eq!(world.database.count("select count(*) from conversations").await, 3, "all are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_nobody_placed_is_stored_under_its_own_id() {
    let world = World::start().await;
    deliver(&world, &transcription("conv_inbound", "")).await;
    let sql = "select count(*) from conversations where call_id = 'conv_inbound'";
    assert_eq!(world.database.count(sql).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_without_audio_waits_for_none() {
    let world = World::start().await;
    let call_id = world.written_down("+14155550111").await;
    let mut silent = transcription("conv_1", &call_id.to_string());
    silent["data"]["has_audio"] = json!(false);
    deliver(&world, &silent).await;
    let sql = "select count(*) from calls where recording = 'absent' and recording_absent_because like '%no audio%'";
    assert_eq!(world.database.count(sql).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_flat_shape_brings_transcript_and_recording_home() {
    let world = World::start().await;
    let call_id = world.written_down("+14155550111").await;
    let flat = json!({ "call_id": call_id, "conversation": { "messages": [
            { "role": "agent", "message": "Hello." }, { "role": "user", "message": "Hi." } ] },
        "metadata": { "duration": 12, "agent_id": "agent_demo" }, "audio": AUDIO });
    deliver(&world, &flat).await;
    let call = world.view(call_id).await;
    assert_eq!(call["conversation"]["messages"].as_array().map(Vec::len), Some(2), "{call:#}");
    assert_eq!(call["recording"]["bytes"], 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_postgresql_cannot_hold_is_replaced_and_marked() {
    let world = World::start().await;
    let body = transcription("conv_1", "none").to_string().replace("Who is this?", "Who\\u0000 is \\ud800 this?");
    assert_eq!(world.post_webhook(&body).await, 200);
    world.pump().await;
    assert_eq!(world.database.count("select count(*) from conversations where text_mended").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_be_read_is_put_aside_with_its_reason_and_noted_in_the_ledger() {
    let world = World::start().await;
    deliver(&world, &json!({ "type": "post_call_transcription", "data": { "agent_id": "a" } })).await;
    assert_eq!(world.cloud.transcriptions.buried().await.len(), 1);
    assert_eq!(
        world.database.count("select count(*) from deliveries where result = 'refused' and reason <> ''").await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_message_never_fails_its_neighbours() {
    let world = World::start().await;
    world.cloud.transcriptions.queue().send(&json!("poison")).await.unwrap();
    deliver(&world, &transcription("conv_1", "none")).await;
    world.pump().await;
    assert_eq!(world.database.count("select count(*) from conversations").await, 1);
    let reasons = world.cloud.transcriptions.buried().await;
    assert!(reasons.len() == 1 && reasons[0].contains("not one of ours"), "{reasons:?}");
}

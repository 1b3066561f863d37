//! What an operator does by hand: dead letters go back, a day is replayed.

use std::time::Duration;

use aws_sdk_sqs::types::MessageAttributeValue;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::stack::{Stack, conversation_id, transcription};

/// The day of [`transcription`]'s event.
const DAY: &str = "2026-09-21";

/// A number that stands for all rows of the tables that a replay writes to. What schedules may touch meanwhile is left out.
async fn rows(stack: &Stack) -> i64 {
    let sql = "select ('x' || left(md5(string_agg(row, '' order by row)), 15))::bit(60)::bigint from (
            select to_jsonb(v)::text from conversations v union all select to_jsonb(d)::text from deliveries d
            union all select to_jsonb(e)::text from call_events e) as rows (row)";
    stack.count(sql).await
}

#[tokio::test]
async fn replaying_a_day_with_the_command_changes_no_row() {
    let stack = Stack::open().await;
    let id = conversation_id();
    assert_eq!(stack.webhook(transcription(&id, "none").to_string()).send().await.unwrap().status(), 200);
    let stored = format!("select count(*) from conversations where conversation_id = '{id}'");
    stack.until_count(&stored, 1, Duration::from_secs(10)).await;
    let failure = json!({ "type": "call_initiation_failure", "event_timestamp": 1_790_000_000, "data": {
        "conversation_id": conversation_id(), "failure_reason": "busy", "metadata": { "body": { "call_sid": 7 } } } });
    assert_eq!(stack.webhook(failure.to_string()).send().await.unwrap().status(), 200);
    stack.until_empty(stack.setting("CALL_EVENTS_QUEUE_URL")).await;

    let before = rows(&stack).await;
    let done = stack.python(&["dev/stack/replay.py", DAY, "--rate", "100"]);
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success() && said.contains("post_call_transcription"), "{said}");
    assert!(!said.contains("left out"), "{said}");
    for queue in ["TRANSCRIPTIONS_QUEUE_URL", "CALL_EVENTS_QUEUE_URL"] {
        stack.until_empty(stack.setting(queue)).await;
    }
    assert_eq!(rows(&stack).await, before);
}

#[tokio::test]
async fn dead_letters_are_shown_with_their_reason_and_sent_back() {
    let stack = Stack::open().await;
    let id = conversation_id();
    let body = transcription(&id, "none").to_string();
    let digest = hex::encode(Sha256::digest(body.as_bytes()));
    let raw_key = format!("raw/post_call_transcription/2026/09/21/{id}-{digest}.json");
    let put = stack.s3.put_object().bucket(stack.setting("S3_BUCKET")).key(&raw_key);
    put.body(body.into_bytes().into()).send().await.unwrap();
    let pointer = json!({ "raw_key": raw_key, "digest": digest, "event_type": "post_call_transcription",
        "received_at": "2026-09-21T14:13:20Z" });
    let reason = MessageAttributeValue::builder().data_type("String").string_value("a column was missing").build();
    let dead = stack.sqs.send_message().queue_url(stack.setting("TRANSCRIPTIONS_DLQ_URL"));
    let dead = dead.message_body(pointer.to_string()).message_attributes("reason", reason.unwrap());
    dead.send().await.unwrap();
    // Dates are in whole seconds: what is younger than the command counts as come back.
    tokio::time::sleep(Duration::from_millis(1100)).await;

    let stored = format!("select count(*) from conversations where conversation_id = '{id}'");
    let shown = stack.python(&["dev/stack/redrive.py", "transcriptions", "--dry-run"]);
    let said = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.status.success() && said.contains(&raw_key) && said.contains("a column was missing"), "{said}");
    assert_eq!(stack.count(&stored).await, 0, "it is still there");
    let done = stack.python(&["dev/stack/redrive.py", "transcriptions"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    stack.until_count(&stored, 1, Duration::from_secs(10)).await;
}

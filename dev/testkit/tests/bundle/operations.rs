//! What an operator does by hand: dead letters go back, a day is replayed. By the verbs of `make`, which are the command
//! line's; on the local stack, and on a stack that is only named, as one in AWS is.

use std::time::Duration;

use aws_sdk_sqs::types::MessageAttributeValue;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::stack::{Stack, conversation_id, transcription};

/// The day of [`transcription`]'s event.
const FROM: &str = "FROM=2026-09-21";

/// A number that stands for all rows of the tables that a replay writes to. What schedules may touch meanwhile is left out.
async fn rows(stack: &Stack) -> i64 {
    let sql = "select ('x' || left(md5(string_agg(row, '' order by row)), 15))::bit(60)::bigint from (
            select to_jsonb(v)::text from conversations v union all select to_jsonb(d)::text from deliveries d
            union all select to_jsonb(e)::text from call_events e) as rows (row)";
    stack.count(sql).await
}

/// The stack in CloudFormation, at the endpoint that the environment names.
fn named(stack: &Stack) -> String {
    format!("AWS_STACK={}", stack.setting("STACK_NAME"))
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
    for (place, says) in [("AWS_STACK=", "local stack: "), (&named(&stack), "AWS stack elevenwire: ")] {
        let (counted, said) = stack.make(&["replay", FROM, place, "ARGS=--dry-run"]).await;
        assert!(counted && said.contains(says) && !said.contains("sent"), "{said}");
        let (done, said) = stack.make(&["replay", FROM, place, "ARGS=--rate 100"]).await;
        assert!(done && said.contains("post_call_transcription") && said.contains("call_initiation_failure"), "{said}");
        assert!(said.contains(stack.setting("S3_BUCKET")) && !said.contains("left out"), "{said}");
        let kind = "TYPE=call_initiation_failure";
        let (done, said) = stack.make(&["replay", FROM, "TO=2026-09-22", kind, place]).await;
        assert!(done && !said.contains("post_call_transcription"), "{said}");
        for queue in ["TRANSCRIPTIONS_QUEUE_URL", "CALL_EVENTS_QUEUE_URL"] {
            stack.until_empty(stack.setting(queue)).await;
        }
        assert_eq!(rows(&stack).await, before);
    }
}

/// Puts a transcript that could not be stored into the dead letters; answers its key in the bucket.
async fn dead_letter(stack: &Stack, id: &str) -> String {
    let body = transcription(id, "none").to_string();
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
    raw_key
}

#[tokio::test]
async fn dead_letters_are_shown_with_their_reason_and_sent_back() {
    let stack = Stack::open().await;
    for place in ["AWS_STACK=", &named(&stack)] {
        let id = conversation_id();
        let raw_key = dead_letter(&stack, &id).await;
        let stored = format!("select count(*) from conversations where conversation_id = '{id}'");
        let (shown, said) = stack.make(&["redrive", "QUEUE=transcriptions", place, "ARGS=--dry-run"]).await;
        assert!(shown && said.contains(&raw_key) && said.contains("a column was missing"), "{said}");
        assert_eq!(stack.count(&stored).await, 0, "it is still there");
        let (done, said) = stack.make(&["redrive", "QUEUE=transcriptions", place]).await;
        assert!(done && said.contains(&raw_key) && !said.contains("left there"), "{said}");
        stack.until_count(&stored, 1, Duration::from_secs(10)).await;
    }
}

#[tokio::test]
async fn a_stack_that_is_not_there_is_named() {
    let stack = Stack::open().await;
    let (done, said) = stack.make(&["redrive", "QUEUE=calls", "AWS_STACK=mislaid"]).await;
    assert!(!done && said.contains("error: AWS: ") && said.contains("mislaid"), "{said}");
    let (done, said) = stack.make(&["replay", FROM, "AWS_STACK=mislaid"]).await;
    assert!(!done && said.contains("error: AWS: ") && said.contains("mislaid"), "{said}");
}

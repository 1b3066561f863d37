//! The local AWS enforces the template's policies: each function does what it must and is refused what it must not.

use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use crate::stack::Stack;

/// How often transcription-webhook's log says that it was refused an object.
fn refusals(stack: &Stack) -> usize {
    let logs = stack.python(&["dev/stack", "logs", "transcription-webhook"]);
    let text = String::from_utf8_lossy(&logs.stdout).into_owned();
    text.lines().filter(|line| line.contains("AccessDenied") && line.contains("will be tried again")).count()
}

/// transcription-webhook may read `raw/` and nothing else, so a pointer to health's object leads nowhere.
#[tokio::test]
async fn a_function_is_refused_what_its_policy_does_not_grant() {
    let stack = Stack::open().await;
    let digest = Uuid::new_v4().to_string();
    assert_eq!(stack.keys("health/latest.json", "").await.len(), 1, "it is there to be read");
    let pointer = json!({ "raw_key": "health/latest.json", "digest": digest, "event_type": "post_call_transcription",
        "received_at": "2026-01-01T00:00:00Z" });
    let queue = stack.setting("TRANSCRIPTIONS_QUEUE_URL");
    let before = refusals(&stack);
    stack.sqs.send_message().queue_url(queue).message_body(pointer.to_string()).send().await.unwrap();
    let begun = Instant::now();
    loop {
        if refusals(&stack) > before {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "it was not refused");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let read = format!("select count(*) from deliveries where digest = '{digest}'");
    assert_eq!(stack.count(&read).await, 0);
    // It would come back for days.
    stack.sqs.purge_queue().queue_url(queue).send().await.unwrap();
}

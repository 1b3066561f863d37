//! Both vendors' doors, by plain POST.

use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use crate::stack::{Stack, conversation_id, number, transcription};

/// Long enough for a message to have been worked off, had there been one.
const A_WHILE: Duration = Duration::from_millis(1500);

fn stored(conversation_id: &str) -> String {
    format!("select count(*) from conversations where conversation_id = '{conversation_id}'")
}

#[tokio::test]
async fn a_signed_webhook_is_in_postgresql_within_five_seconds() {
    let stack = Stack::open().await;
    let id = conversation_id();
    let begun = Instant::now();
    assert_eq!(stack.webhook(transcription(&id, "none").to_string()).send().await.unwrap().status(), 200);
    stack.until_count(&stored(&id), 1, Duration::from_secs(5).saturating_sub(begun.elapsed())).await;
    println!("stored after {} ms", begun.elapsed().as_millis());
}

#[tokio::test]
async fn a_forged_webhook_is_refused_and_nothing_is_stored() {
    let stack = Stack::open().await;
    let id = conversation_id();
    let body = transcription(&id, "none").to_string();
    let answer = stack.webhook_signed_by("forged", body.clone()).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (401, String::new()));
    let signed = stack.webhook(body.replace("Hello.", "Hell!.")).build().unwrap();
    let mut changed = stack.http.post(signed.url().clone()).body(body).build().unwrap();
    *changed.headers_mut() = signed.headers().clone();
    assert_eq!(stack.http.execute(changed).await.unwrap().status(), 401, "the signature is of another body");
    let question = json!({ "agent_id": "agent_demo0000000000000000000000", "conversation_id": id });
    let initiation = stack.http.post(stack.url("/api/webhooks/elevenlabs/initiation")).json(&question);
    assert_eq!(initiation.header("X-Elevenwire-Secret", "guessed").send().await.unwrap().status(), 401);
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(stack.count(&stored(&id)).await, 0);
    assert!(stack.keys("raw/", &id).await.is_empty());
}

#[tokio::test]
async fn a_forged_callback_of_the_carrier_is_refused_and_nothing_is_learnt() {
    let stack = Stack::open().await;
    let call_id = stack.call(&number("51")).await;
    let settled = stack.settled(&call_id).await;
    let fields = [("CallSid", "forged"), ("CallStatus", "in-progress"), ("DialCallStatus", "completed")];
    for route in ["voice", "fallback", "action", "status"] {
        let answer = stack.callback_signed_by("forged", route, &call_id, &fields).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (403, String::new()), "{route}");
        let unsigned = stack.http.post(stack.url(&format!("/api/webhooks/signalwire/{route}/{call_id}")));
        assert_eq!(unsigned.form(&fields).send().await.unwrap().status(), 403, "{route}");
    }
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(stack.view(&call_id).await, settled);
}

#[tokio::test]
async fn the_same_webhook_sent_fifty_times_makes_one_row() {
    let stack = Stack::open().await;
    let id = conversation_id();
    let body = transcription(&id, "none").to_string();
    let mut sent = Vec::new();
    for _ in 0..50 {
        sent.push(tokio::spawn(stack.webhook(body.clone()).send()));
    }
    for answer in sent {
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }
    stack.until_count(&stored(&id), 1, Duration::from_secs(10)).await;
    stack.until_empty(stack.setting("TRANSCRIPTIONS_QUEUE_URL")).await;
    assert_eq!(stack.count(&stored(&id)).await, 1);
    let deliveries = format!("select count(*) from deliveries where conversation_id = '{id}'");
    assert_eq!(stack.count(&deliveries).await, 1);
    assert_eq!(stack.keys("raw/", &id).await.len(), 1);
}

#[tokio::test]
async fn a_body_of_twenty_megabytes_is_refused_and_nothing_is_stored() {
    let stack = Stack::open().await;
    let id = conversation_id();
    let mut body = transcription(&id, "none");
    body["data"]["padding"] = "x".repeat(20 * 1024 * 1024).into();
    assert_eq!(stack.webhook(body.to_string()).send().await.unwrap().status(), 413);
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(stack.count(&stored(&id)).await, 0);
    assert!(stack.keys("raw/", &id).await.is_empty());
}

#[tokio::test]
async fn a_poison_message_is_put_aside_with_its_reason_and_its_neighbours_are_stored() {
    let stack = Stack::open().await;
    let (id, poison) = (conversation_id(), format!("poison {}", Uuid::new_v4()));
    let queue = stack.setting("TRANSCRIPTIONS_QUEUE_URL");
    stack.sqs.send_message().queue_url(queue).message_body(&poison).send().await.unwrap();
    assert_eq!(stack.webhook(transcription(&id, "none").to_string()).send().await.unwrap().status(), 200);
    stack.until_count(&stored(&id), 1, Duration::from_secs(10)).await;

    let begun = Instant::now();
    let reason = loop {
        let asked = stack.sqs.receive_message().queue_url(stack.setting("TRANSCRIPTIONS_DLQ_URL"));
        let asked = asked.max_number_of_messages(10).visibility_timeout(1).message_attribute_names("All");
        let messages = asked.send().await.unwrap().messages.unwrap_or_default();
        if let Some(found) = messages.iter().find(|message| message.body() == Some(&poison)) {
            break found.message_attributes().unwrap()["reason"].string_value().unwrap().to_owned();
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "it is not in the dead-letter queue");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(reason.contains("not one of ours"), "{reason}");
}

//! The database goes away and comes back. What was promised to the vendors in between is kept.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stack::{Stack, conversation_id, number, transcription};

/// PostgreSQL, stopped for as long as this lives.
struct Stopped<'s>(&'s Stack);

impl<'s> Stopped<'s> {
    fn now(stack: &'s Stack) -> Self {
        let stopped = Self(stack);
        stopped.tell("stop");
        stopped
    }

    fn tell(&self, verb: &str) {
        let done = self.0.python(&["dev/stack", "postgres", verb]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.tell("start");
    }
}

#[tokio::test]
async fn with_postgresql_stopped_webhooks_are_taken_and_stored_once_it_is_back() {
    let stack = Stack::open().await;
    let call_id = stack.call(&number("51")).await;
    let settled = stack.settled(&call_id).await;
    let (with_text, with_audio) = (conversation_id(), conversation_id());
    let audio = json!({ "type": "post_call_audio", "event_timestamp": 1_790_000_000,
        "data": { "agent_id": "agent_demo", "conversation_id": with_audio, "full_audio": "SUQzBAAAAAAAAA==" } });

    let stopped = Stopped::now(&stack);
    let transcript = stack.webhook(transcription(&with_text, "none").to_string()).send().await.unwrap();
    assert_eq!(transcript.status(), 200);
    assert_eq!(stack.webhook(audio.to_string()).send().await.unwrap().status(), 200);
    let sid = settled["carrier_sid"].as_str().unwrap();
    let late = [("CallSid", sid), ("CallStatus", "brand-new"), ("SequenceNumber", "77")];
    assert_eq!(stack.callback("status", &call_id, &late).send().await.unwrap().status(), 204);
    let question = json!({ "agent_id": "agent_demo", "sip_headers": { "X-Elevenwire-Call": call_id } });
    let asked = stack.http.post(stack.url("/api/webhooks/elevenlabs/initiation")).json(&question);
    let asked = asked.header("X-Elevenwire-Secret", stack.setting("ELEVENLABS_INITIATION_SECRET"));
    let told = asked.send().await.unwrap();
    assert_eq!(told.status(), 200, "somebody is on the line: the agent is told what the headers know");
    assert_eq!(told.json::<Value>().await.unwrap()["dynamic_variables"]["call_id"], call_id);
    let refused = stack.wish(&Uuid::new_v4().to_string(), &json!({ "to": number("51"), "agent": "demo" })).await;
    assert_eq!(refused.status(), 503, "nothing is promised that is not written down");
    assert!(refused.headers().contains_key("retry-after"));
    // Until the workers have tried in vain.
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(stopped);

    let back = Instant::now();
    let stored = format!(
        "select (select count(*) from conversations where conversation_id = '{with_text}')
              + (select count(*) from call_recordings where conversation_id = '{with_audio}')
              + (select count(*) from call_events where call_id = '{call_id}' and raw->>'SequenceNumber' = '77')"
    );
    stack.until_count(&stored, 3, Duration::from_mins(1)).await;
    println!("stored {} ms after PostgreSQL was back", back.elapsed().as_millis());
    // A check may have run in between, and would be shown until the next.
    assert_eq!(stack.request(Method::GET, "/api/health?deep=1").send().await.unwrap().status(), 200);
}

//! A call that ElevenLabs dials, by the deployed function behind its own queue.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stack::{Stack, number};

#[tokio::test]
async fn a_call_that_elevenlabs_dials_through_its_trunk_comes_home() {
    let stack = Stack::open().await;
    let demo: Value = stack.request(Method::GET, "/api/agents/demo").send().await.unwrap().json().await.unwrap();
    let (call_id, to) = (Uuid::new_v4(), number("01"));
    // Written down as initiate-call does it for such an agent: the stack's one imported number has another.
    let write = format!(
        "with known as (insert into numbers (number) values ('{to}')), written as (
            insert into calls (id, to_number, from_number, agent, elevenlabs_agent_id, variables, metadata, requested_by,
                ring_timeout_secs, max_duration_secs, due_at, expires_at, state, outcome_final, asks, double_dial,
                created_at, updated_at, connect, elevenlabs_phone_number_id)
            values ('{call_id}', '{to}', '{from}', 'demo', '{agent}', '{{}}', '{{}}', 'test', 60, 600, now(),
                now() + interval '1 hour', 'intent', false, 0, false, now(), now(), 'trunk', 'phnum_{digits}')
            returning 1)
         select count(*) from written",
        from = demo["caller_ids"][0].as_str().unwrap(),
        agent = demo["elevenlabs_agent_id"].as_str().unwrap(),
        digits = demo["number"].as_str().unwrap().trim_start_matches('+'),
    );
    assert_eq!(stack.count(&write).await, 1);
    let wake = json!({ "kind": "place", "call_id": call_id }).to_string();
    let queue = stack.setting("TRUNK_CALLS_QUEUE_URL");
    stack.sqs.send_message().queue_url(queue).message_body(wake).send().await.unwrap();

    let call = stack.settled(&call_id.to_string()).await;
    assert_eq!((&call["outcome"], &call["connect"]), (&"answered".into(), &"trunk".into()), "{call:#}");
    let book = stack.book(&to).await;
    assert_eq!(book["dials"].as_object().unwrap().len(), 1, "it was dialled once");
    let (conversation_id, heard) = book["conversations"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(call["conversation"]["id"], conversation_id.as_str());
    assert_eq!(call["recording"]["sha256"], heard["recording"]["sha256"]);
}

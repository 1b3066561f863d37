//! Whole calls: asked for over HTTP, carried by both vendors, judged by the simulator's book.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stack::{Stack, number};

#[tokio::test]
async fn an_answered_call_comes_home_word_for_word_and_byte_for_byte() {
    let stack = Stack::open().await;
    let to = number("01");
    let call_id = stack.call(&to).await;
    let call = stack.settled(&call_id).await;
    assert_eq!((&call["state"], &call["outcome"]), (&"ended".into(), &"answered".into()), "{call:#}");
    assert_eq!(call["missing"], json!([]));

    let book = stack.book(&to).await;
    assert_eq!(book["dials"].as_object().unwrap().len(), 1, "it was dialled once");
    let (conversation_id, heard) = book["conversations"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(call["conversation"]["id"], conversation_id.as_str());
    let turns = call["conversation"]["messages"].as_array().unwrap();
    let stored: Vec<Value> = turns.iter().map(|turn| json!([turn["role"], turn["message"]])).collect();
    assert_eq!(json!(stored), heard["turns"]);
    assert!(heard["turns"].to_string().contains("Maria"), "the agent knew whom it called: {heard:#}");

    let audio = stack.http.get(stack.simulator(&format!("/control/conversations/{conversation_id}/audio")));
    let recorded = audio.send().await.unwrap().bytes().await.unwrap();
    let kept = stack.object(call["recording"]["storage_path"].as_str().unwrap()).await;
    assert!(kept == recorded, "{} bytes were kept of {}", kept.len(), recorded.len());
    assert_eq!(call["recording"]["sha256"], heard["recording"]["sha256"]);
    let tables = format!(
        "select count(*) from conversations v join call_recordings r using (call_id) \
         where call_id = '{call_id}' and v.conversation_id = '{conversation_id}' and r.bytes = {}",
        kept.len()
    );
    assert_eq!(stack.count(&tables).await, 1);
}

#[tokio::test]
async fn calls_of_every_fate_settle_with_their_outcome() {
    let stack = Stack::open().await;
    let fates = [
        ("50", "voicemail"),
        ("51", "busy"),
        ("52", "no_answer"),
        ("53", "declined"),
        ("54", "unreachable"),
        ("55", "abandoned"),
        ("56", "network_blocked"),
        ("58", "answered"),
        ("60", "unreachable"),
        ("61", "screened"),
        ("03", "answered"),
    ];
    let mut calls = Vec::new();
    for (fate, outcome) in fates {
        calls.push((stack.call(&number(fate)).await, fate, outcome));
    }
    for (call_id, fate, outcome) in calls {
        let call = stack.settled(&call_id).await;
        assert_eq!(call["outcome"], outcome, "fate {fate}: {call:#}");
        let with_agent = ["answered", "voicemail", "screened"].contains(&outcome);
        assert_eq!(call["conversation"].is_object(), with_agent, "fate {fate}: {call:#}");
        assert_eq!(call["double_dial"], false);
    }
}

#[tokio::test]
async fn a_wish_sent_again_under_its_key_is_the_same_call() {
    let stack = Stack::open().await;
    let (key, to) = (Uuid::new_v4().to_string(), number("51"));
    let wish = json!({ "to": to, "agent": "demo" });
    let first = stack.wish(&key, &wish).await;
    assert_eq!((first.status().as_u16(), first.headers().get("idempotency-replayed")), (202, None));
    let location = first.headers()["location"].to_str().unwrap().to_owned();
    let first: Value = first.json().await.unwrap();
    assert_eq!(location, stack.url(&format!("/api/calls/{}", first["id"].as_str().unwrap())));
    stack.settled(first["id"].as_str().unwrap()).await;

    let second = stack.wish(&key, &wish).await;
    assert_eq!((second.status().as_u16(), &second.headers()["idempotency-replayed"]), (202, &"true".parse().unwrap()));
    assert_eq!(second.json::<Value>().await.unwrap(), first);
    assert_eq!(stack.wish(&key, &json!({ "to": number("51"), "agent": "demo" })).await.status(), 422);
    assert_eq!(stack.count(&format!("select count(*) from calls where to_number = '{to}'")).await, 1);
    assert_eq!(stack.book(&to).await["dials"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_a_problem_document() {
    let stack = Stack::open().await;
    let nobody = format!("/api/calls/{}", Uuid::new_v4());
    for (method, path, status) in [
        (Method::GET, "/api/nothing/here", 404),
        (Method::GET, nobody.as_str(), 404),
        (Method::DELETE, "/api/agents/demo", 405),
        (Method::POST, "/api/calls", 400),
    ] {
        let answer = stack.request(method, path).json(&json!({})).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
    }
    for path in ["/api/agents", "/api/calls/x"] {
        let answer = stack.http.get(stack.url(path)).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["www-authenticate"]),
            (401, &"Bearer".parse().unwrap())
        );
    }
}

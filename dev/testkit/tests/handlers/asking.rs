//! `POST /api/calls`, agents, and what they refuse.

use http::Method;
use serde_json::{Value, json};
use testkit::World;

fn wish() -> Value {
    json!({ "to": "+14155550111", "agent": "demo" })
}

async fn post(world: &World, key: &str, body: &Value) -> (u16, Value) {
    world.send(Method::POST, "/api/calls", Some(body), &[("Idempotency-Key", key)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_and_body_give_the_same_answer_and_one_call() {
    let world = World::start().await;
    let (status, first) = post(&world, "\"k-1\"", &wish()).await;
    let (again, second) = post(&world, "\"k-1\"", &wish()).await;
    assert_eq!((status, again), (202, 202));
    assert_eq!(first, second);
    assert_eq!(world.database.count("select count(*) from calls").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_comes_with_another_body_is_refused() {
    let world = World::start().await;
    post(&world, "k-1", &wish()).await;
    let (status, problem) = post(&world, "k-1", &json!({ "to": "+14155550112", "agent": "demo" })).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &"Idempotency-Key".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_sent_twenty_times_at_once_makes_one_call() {
    let world = World::start().await;
    let wish = wish();
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(post(&world, "k-1", &wish));
    }
    let answers = futures_util::future::join_all(all).await;
    assert!(answers.iter().all(|(status, _)| matches!(status, 202 | 409)), "{answers:?}");
    assert!(answers.iter().any(|(status, _)| *status == 202));
    assert_eq!(world.database.count("select count(*) from calls").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_call_to_a_live_number_is_refused_with_a_link_to_the_first() {
    let world = World::start().await;
    let first = world.call("+14155550111").await;
    let (status, problem) = post(&world, "other", &wish()).await;
    assert_eq!(status, 409);
    assert!(problem["link"].as_str().unwrap().ends_with(&format!("/api/calls/{first}")), "{problem}");
    world.settled(first).await;
    assert_eq!(post(&world, "third", &wish()).await.0, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_request_names_its_fields_and_writes_nothing() {
    let world = World::start().await;
    let cases = [
        (json!({ "to": "4155550111", "agent": "demo" }), "to"),
        (json!({ "to": "+14155550111", "agent": "nobody" }), "agent"),
        (json!({ "to": "+14155550111", "agent": "demo", "from": "+14155550199" }), "from"),
        (json!({ "to": "+14155550111", "agent": "demo", "variables": { "system__x": 1 } }), "variables.system__x"),
    ];
    for (body, field) in cases {
        let (status, problem) = post(&world, "k", &body).await;
        assert_eq!((status, problem["errors"][0]["field"].as_str()), (422, Some(field)), "{problem}");
        assert!(problem["errors"][0]["mend"].as_str().is_some_and(|mend| !mend.is_empty()));
    }
    assert_eq!(world.send(Method::POST, "/api/calls", Some(&wish()), &[]).await.0, 400, "no key");
    assert_eq!(post(&world, "k", &json!([1])).await.0, 400, "no object");
    assert_eq!(world.database.count("select count(*) from calls").await, 0);
    assert_eq!(world.database.count("select count(*) from idempotency_keys").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_a_token() {
    let world = World::start().await;
    let paths = [("POST", "/api/calls"), ("GET", "/api/agents"), ("GET", "/api/calls/0"), ("PUT", "/api/agents/demo")];
    for (method, path) in paths {
        for token in [None, Some("Bearer wrong")] {
            let mut request = world.http.request(method.parse().unwrap(), format!("{}{path}", world.url)).json(&wish());
            if let Some(token) = token {
                request = request.header("Authorization", token);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401, "{method} {path}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_registered_read_and_changed() {
    let world = World::start().await;
    let agent = json!({ "name": "second", "elevenlabs_agent_id": "agent_2", "number": "+15550002222",
        "caller_ids": ["+14155550100"], "amd": "hang_up", "ring_timeout_secs": 30, "max_concurrent": 3 });
    assert_eq!(world.send(Method::POST, "/api/agents", Some(&agent), &[]).await.0, 201);
    assert_eq!(world.send(Method::POST, "/api/agents", Some(&agent), &[]).await.0, 409, "its name is taken");
    let read = world.get("/api/agents/second").await;
    assert_eq!(
        (&read["amd"], &read["ring_timeout_secs"], &read["max_duration_secs"]),
        (&"hang_up".into(), &30.into(), &600.into())
    );
    assert_eq!(world.get("/api/agents").await["agents"].as_array().unwrap().len(), 2);
    let stolen = json!({ "elevenlabs_agent_id": "agent_2", "number": testkit::world::AGENT_NUMBER, "caller_ids": ["+14155550100"],
        "max_concurrent": 3 });
    let (status, problem) = world.send(Method::PUT, "/api/agents/second", Some(&stolen), &[]).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &"number".into()), "one number is one agent");
    assert_eq!(world.send(Method::GET, "/api/agents/third", None, &[]).await.0, 404);
    assert_eq!(world.send(Method::DELETE, "/api/agents/second", None, &[]).await.0, 405);
}

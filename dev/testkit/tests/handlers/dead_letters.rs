//! What was put aside is shown with its reason and its owner, and goes back when somebody says so.

use elevenwire::queue::{ConversationArrived, ImportTask, Letter};
use http::Method;
use serde_json::{Value, json};
use testkit::World;
use testkit::world::{CALL_TOKEN, READ_TOKEN};
use uuid::Uuid;

async fn letters(world: &World) -> Value {
    world.get("/api/dead-letters").await["queues"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_tells_why_and_whose_it_is_but_not_what_was_said() {
    let world = World::start().await;
    assert_eq!(letters(&world).await, json!([]));
    let garbled = json!({ "kind": "carrier", "call_id": Uuid::from_u128(7), "fields": { "To": "+14155550101" } });
    world.cloud.call_events.queue().send(&garbled).await.unwrap();
    world.pump().await;
    let queues = letters(&world).await;
    let letter = &queues[0]["letters"][0];
    assert_eq!((&queues[0]["queue"], &queues[0]["count"]), (&"call-events".into(), &1.into()));
    assert_eq!((&letter["kind"], &letter["id"]), (&"carrier".into(), &json!(Uuid::from_u128(7))));
    assert!(letter["reason"].as_str().unwrap().contains("not one of ours"), "{letter}");
    assert!(!queues.to_string().contains("4155550101"), "{queues}");
    assert_eq!(letters(&world).await, queues, "who looks takes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_back_is_worked_on_again() {
    let world = World::start().await;
    for n in 0..12 {
        let task = ImportTask { import_id: Uuid::from_u128(n) };
        world.cloud.imports.worker().dead_letters.send(&task).await.unwrap();
    }
    let queues = letters(&world).await;
    assert_eq!((&queues[0]["count"], queues[0]["letters"].as_array().unwrap().len()), (&12.into(), 10));
    let path = "/api/dead-letters/imports/redrive";
    for token in [READ_TOKEN, CALL_TOKEN] {
        let sent = world.http.post(format!("{}{path}", world.url)).bearer_auth(token).send().await.unwrap();
        assert_eq!(sent.status(), 403);
    }
    assert_eq!(world.send(Method::POST, path, None, &[]).await, (200, json!({ "sent": 12 })));
    assert_eq!(letters(&world).await, json!([]));
    assert_eq!(world.cloud.imports.queue().load().await.unwrap().waiting, 12);
    // Ten at a time.
    world.pump().await;
    world.pump().await;
    assert_eq!(world.cloud.imports.queue().load().await.unwrap().waiting, 0, "each was worked on");
    assert_eq!(world.send(Method::POST, path, None, &[]).await, (200, json!({ "sent": 0 })));
    assert_eq!(world.send(Method::POST, "/api/dead-letters/nothing/redrive", None, &[]).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_known_by_its_ledger() {
    let world = World::start().await;
    let call = world.call("+14155550101").await;
    world.settled(call).await;
    let client = world.database.client().await;
    let row = client.query_one("select digest, raw_key from deliveries limit 1", &[]).await.unwrap();
    let (digest, raw_key): (String, String) = (row.get(0), row.get(1));
    client.execute("update deliveries set reason = 'no turns'", &[]).await.unwrap();
    let arrived = ConversationArrived {
        raw_key,
        digest: digest.clone(),
        event_type: "post_call_transcription".to_owned(),
        received_at: world.clock.now(),
    };
    let worker = world.cloud.transcriptions.worker();
    worker.dead_letters.send(&arrived).await.unwrap();
    let found: Vec<Letter> = worker.look().await.unwrap();
    let conversation = found[0].conversation_id.clone().unwrap();
    let owners = world.database.store().owners(&[call], &[digest.clone(), conversation.clone()]).await.unwrap();
    let named = |name: &str| owners.iter().find(|owner| owner.name == name).unwrap();
    assert_eq!((named(&digest).call_id, named(&digest).reason.as_deref()), (Some(call), Some("no turns")));
    assert_eq!((named(&conversation).call_id, named(&call.to_string()).call_id), (Some(call), Some(call)));
}

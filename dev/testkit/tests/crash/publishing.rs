//! An event, from the outbox to whoever wants it: whoever dies, it arrives, and always under the same id.

use std::collections::BTreeSet;
use std::time::Duration;

use elevenwire::crash::Effect::{Commit, Post, Publish, Write};
use http::Method;
use serde_json::json;
use testkit::listener::Listener;

use crate::alone::{each, world};
use crate::walk::Walk;

async fn suppress(walk: &Walk) {
    let body = json!({ "number": "+14155550999", "reason": "asked by mail" });
    assert!(walk.world.send(Method::POST, "/api/suppressions", Some(&body), &[]).await.0 < 300);
}

/// The one delivery is done, and what came were few of the same.
async fn arrived(walk: &Walk, ids: &[String], died: bool) {
    let waiting = "select count(*) from outbox_deliveries where state <> 'delivered'";
    assert_eq!(walk.world.database.count(waiting).await, 0);
    assert_eq!(walk.world.database.count("select count(*) from outbox").await, 1);
    let different: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(different.len(), 1, "{ids:?}");
    assert!(ids.len() <= 1 + usize::from(died), "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_posted() {
    let walk = world(&["publish-events"], json!({})).await;
    let listener = Listener::start().await;
    each(&walk, &[Commit, Post, Write], async |mark| {
        listener.forget();
        let body = json!({ "url": listener.url() });
        assert_eq!(walk.world.send(Method::POST, "/api/event-endpoints", Some(&body), &[]).await.0, 201);
        suppress(&walk).await;
        for _ in 0..2 {
            walk.stage.run("publish-events", walk.world.publish()).await;
            walk.world.clock.advance(Duration::from_mins(3));
        }
        // The one that died may have been on its way.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let ids: Vec<String> = listener.taken().into_iter().map(|one| one.id).collect();
        arrived(&walk, &ids, mark.is_some()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_put_on_the_bus() {
    let walk = world(&["publish-events"], json!({})).await;
    each(&walk, &[Commit, Publish, Write], async |mark| {
        // The bus becomes an endpoint, also when who makes it one dies.
        for _ in 0..2 {
            walk.stage.run("publish-events", walk.world.publish_to_bus()).await;
        }
        suppress(&walk).await;
        for _ in 0..2 {
            walk.stage.run("publish-events", walk.world.publish_to_bus()).await;
            walk.world.clock.advance(Duration::from_mins(3));
        }
        arrived(&walk, &walk.memory.on_bus(), mark.is_some()).await;
    })
    .await;
}

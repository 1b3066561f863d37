//! The breaker: what pauses a campaign by itself, and what its owner may say then.

use http::Method;
use serde_json::json;
use testkit::World;
use testkit::world::CALLER_ID;

use crate::campaigning::{campaign, go, numbers, play, view};

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_of_calls_pauses_the_campaign_and_says_why() {
    let world = World::start().await;
    let settings = json!({"budget": {"max_calls": 2}, "max_concurrent": 2});
    let id = campaign(&world, settings, &numbers(4, "01")).await;
    go(&world, id, "start").await;
    let paused = play(&world, id).await;
    assert_eq!((&paused["state"], &paused["decided_by"]), (&"paused".into(), &"breaker".into()), "{paused:#}");
    assert!(paused["because"].as_str().unwrap().starts_with("budget_calls"), "{paused:#}");
    let (status, problem) = world.send(Method::POST, &format!("/api/campaigns/{id}/resume"), None, &[]).await;
    assert_eq!(status, 409, "{problem:#}");
    assert!(problem["detail"].as_str().unwrap().contains("budget of 2 calls is used up"), "{problem:#}");
    let more = json!({"budget": {"max_calls": 5}});
    let (status, _) = world.send(Method::PATCH, &format!("/api/campaigns/{id}"), Some(&more), &[]).await;
    assert_eq!(status, 200);
    go(&world, id, "resume").await;
    assert_eq!(play(&world, id).await["state"], "finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_lets_it_go_on_is_forgiven_the_last_attempts() {
    let world = World::start().await;
    let settings = json!({"max_concurrent": 5});
    let id = campaign(&world, settings, &numbers(90, "59")).await;
    go(&world, id, "start").await;
    let paused = play(&world, id).await;
    assert!(paused["because"].as_str().is_some_and(|why| why.starts_with("opt_outs")), "{paused:#}");
    let dials = || world.vendors.book(|book| book.dials.len());
    let before = dials();
    go(&world, id, "resume").await;
    world.watch().await;
    assert_eq!(view(&world, id).await["state"], "running", "what was before the resume does not count");
    let paused = play(&world, id).await;
    assert!(paused["because"].as_str().is_some_and(|why| why.starts_with("opt_outs")), "{paused:#}");
    // Five may have been under way, and ended after it.
    assert!(dials() >= before + 15, "twenty new ends are what it takes: {before} dials, then {}", dials());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_id_that_networks_refuse_rests_and_its_campaign_pauses() {
    let world = World::start().await;
    let settings = json!({"max_concurrent": 5, "retries": {"network_blocked": null}});
    let id = campaign(&world, settings, &numbers(40, "56")).await;
    go(&world, id, "start").await;
    let paused = play(&world, id).await;
    assert!(paused["because"].as_str().is_some_and(|why| why.starts_with("network_blocked")), "{paused:#}");
    let resting = format!("select count(*) from caller_ids where number = '{CALLER_ID}' and rests_until is not null");
    assert_eq!(world.database.count(&resting).await, 1);
    let dials = world.vendors.book(|book| book.dials.len());
    assert!((20..40).contains(&dials), "{dials} dials from a caller id that nobody lets through");
}

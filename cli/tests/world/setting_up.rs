//! `setup`, from nothing, again, and after it died.

use std::os::unix::fs::PermissionsExt;

use cli::here::Here;
use cli::setup::{Run, Setup};
use serde_json::json;
use testkit::World;

use crate::{Dir, caller, client, dashboard, here};

/// A workspace in which only an agent was made.
async fn new_workspace() -> (World, Here) {
    let world = World::start().await;
    let nothing = json!({ "webhook_url": null, "initiation_url": null, "initiation_headers": {}, "numbers": [],
        "agents": [{ "agent_id": "agent_new", "name": "Nia" }] });
    world.vendors.configure(nothing).unwrap();
    let mut here = here(&world);
    here.known.webhook_secret = None;
    (world, here)
}

fn wish(dir: &Dir) -> Setup {
    Setup {
        agent: "nia".to_owned(),
        elevenlabs_agent: Some("agent_new".to_owned()),
        number: Some("+15550002222".to_owned()),
        caller_ids: caller(),
        max_concurrent: None,
        dir: dir.0.clone(),
        yes: true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_nothing_everything_is_set_up_once_and_the_second_run_has_nothing_to_do() {
    let (world, here) = new_workspace().await;
    let (client, dir) = (client(&world), Dir::new());
    let setup = wish(&dir);
    let run = Run::new(&client, &here, &setup).unwrap();
    let steps = run.plan().await.unwrap();
    let lines: Vec<&str> = steps.iter().map(|step| step.line.as_str()).collect();
    assert!(
        lines[0].starts_with("+ webhook 11Wire") && lines.last().unwrap().starts_with("+ our agent nia"),
        "{lines:#?}"
    );
    assert_eq!(run.apply(&steps, 40, |_| {}).await.unwrap(), steps.len());
    assert!(run.plan().await.unwrap().is_empty(), "nothing to change");

    let secret = dir.0.join("webhook-secret");
    assert!(std::fs::read_to_string(&secret).unwrap().starts_with("wsec_"));
    assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    let config = world.vendors.config();
    assert_eq!(
        config.initiation_url.as_deref(),
        Some(format!("{}/api/webhooks/elevenlabs/initiation", world.url).as_str())
    );
    assert_eq!(config.initiation_headers["x-elevenwire-secret"], testkit::world::INITIATION_SECRET);
    let registered = world.get("/api/agents/nia").await;
    assert_eq!(registered["number"], "+15550002222");
    assert_eq!(registered["max_concurrent"], config.agent_concurrency, "as ElevenLabs limits it");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_many_calls_at_once_is_asked_for_where_nobody_says_it() {
    let (world, here) = new_workspace().await;
    let (client, dir) = (client(&world), Dir::new());
    let unlimited = json!({ "platform_settings": { "call_limits": { "agent_concurrency_limit": -1 } } });
    dashboard(&world, http::Method::PATCH, "/v1/convai/agents/agent_new", unlimited).await;
    let setup = wish(&dir);
    let refusal = Run::new(&client, &here, &setup).unwrap().plan().await.unwrap_err();
    assert!(refusal.to_string().contains("--max-concurrent"), "{refusal}");
    let setup = Setup { max_concurrent: Some(4), ..setup };
    let run = Run::new(&client, &here, &setup).unwrap();
    run.apply(&run.plan().await.unwrap(), 40, |_| {}).await.unwrap();
    assert_eq!(world.get("/api/agents/nia").await["max_concurrent"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_after_any_step_is_gone_on_with() {
    let (world, here) = new_workspace().await;
    let (client, dir) = (client(&world), Dir::new());
    let setup = wish(&dir);
    let mut runs = 0;
    loop {
        let run = Run::new(&client, &here, &setup).unwrap();
        let steps = run.plan().await.unwrap();
        if steps.is_empty() {
            break;
        }
        run.apply(&steps, 1, |_| {}).await.unwrap();
        runs += 1;
        assert!(runs < 20, "{steps:#?}");
    }
    let made = world.vendors.book(|book| book.requests.get("POST /v1/workspace/webhooks").cloned());
    assert_eq!(made.unwrap().values().sum::<u32>(), 1, "one webhook");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_whose_secret_was_lost_on_the_way_is_replaced() {
    let (world, here) = new_workspace().await;
    let (client, dir) = (client(&world), Dir::new());
    let setup = wish(&dir);
    let run = Run::new(&client, &here, &setup).unwrap();
    let steps = run.plan().await.unwrap();
    let lost = json!({ "where": "webhooks", "kind": "taken_but_no_answer", "times": 1 });
    // The first request of a run reads the list; the answer to the second, which makes the webhook, is to be lost.
    let only_read = run.plan().await.unwrap();
    assert_eq!(only_read.len(), steps.len());
    dashboard(
        &world,
        http::Method::POST,
        "/v1/workspace/webhooks",
        json!({ "settings": { "auth_type": "hmac",
        "name": "11Wire", "webhook_url": format!("{}/api/webhooks/elevenlabs", world.url) } }),
    )
    .await;
    world.vendors.configure(json!({ "faults": [lost] })).unwrap();
    assert!(run.plan().await.is_err(), "nobody answers");
    let again = run.plan().await.unwrap();
    assert!(again[0].line.contains("nobody has its secret"), "{}", again[0].line);
    run.apply(&again, 40, |_| {}).await.unwrap();
    assert!(run.plan().await.unwrap().is_empty());
    assert!(dir.0.join("webhook-secret").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_needed_and_not_known_is_asked_for() {
    let (world, mut here) = new_workspace().await;
    let (client, dir) = (client(&world), Dir::new());
    let setup = Setup { number: None, ..wish(&dir) };
    let said = Run::new(&client, &here, &setup).unwrap().plan().await.unwrap_err();
    assert!(said.exit_code() == 2 && said.to_string().contains("--number"), "{said}");
    here.known.initiation_secret = None;
    let setup = wish(&dir);
    let said = Run::new(&client, &here, &setup).unwrap().plan().await.unwrap_err();
    assert!(said.to_string().contains("ELEVENLABS_INITIATION_SECRET"), "{said}");
}

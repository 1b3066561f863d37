//! Every fault that doctor knows, planted once.

use std::time::Duration;

use cli::doctor::{self, CHECKS, Doctor, Finding, Verdict};
use cli::here::Here;
use cli::setup::{Run, Setup};
use cli::{Client, Global};
use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use testkit::World;
use testkit::world::AGENT_NUMBER;

use crate::{Dir, client, dashboard, global, healthy};

async fn examine(client: &Client, here: &Here) -> Vec<Finding> {
    doctor::examine(client, here, &Doctor::default()).await.unwrap()
}

/// The check, a word of its mend, and how its fault is planted.
const FAULTS: [(&str, &str); 29] = [
    ("api", "API_TOKEN"),
    ("public-url", "PUBLIC_BASE_URL"),
    ("carrier-door", "PSK_"),
    ("webhook-secret", "ElevenLabsWebhookSecret"),
    ("initiation-secret", "ElevenLabsInitiationSecret"),
    ("signalwire-credentials", "SIGNALWIRE_API_TOKEN"),
    ("caller-ids", "Buy or verify"),
    ("elevenlabs-credentials", "ELEVENLABS_API_KEY"),
    ("agents", "agent's id"),
    ("numbers", "setup"),
    ("number-format", "exactly as it was imported"),
    ("number-trunk", "no inbound user name"),
    ("initiation-webhook", "setup"),
    ("initiation-switch", "setup"),
    ("webhook", "setup"),
    ("webhook-enabled", "Switch it on"),
    ("webhook-events", "setup"),
    ("webhook-retries", "ElevenLabsWebhookMend=true"),
    ("addresses", "ElevenLabsWebhookAllowedIps"),
    ("opt-out-tool", "setup"),
    ("opt-out-field", "setup"),
    ("agent-tools", "setup"),
    ("clock", "NTP"),
    ("database", "DatabaseUrl"),
    ("migrations", "MigrateFunction"),
    ("bucket", "Deploy the stack again"),
    ("deployed-credentials", "SecretsRevision"),
    ("queues", "place-call"),
    ("dead-letters", "redrive"),
];

async fn plant(check: &str, world: &World, here: &mut Here, global: &mut Global) {
    let known = &mut here.known;
    let set = |patch: Value| world.vendors.configure(patch).unwrap();
    let numbers = |number: &str, agent: &str, more: Value| {
        let mut entry = json!({ "number": number, "agent_id": agent });
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "numbers": [entry] })
    };
    let agent = async |patch: Value| drop(dashboard(world, Method::PATCH, "/v1/convai/agents/agent_demo", patch).await);
    let settings = async |patch: Value| drop(dashboard(world, Method::PATCH, "/v1/convai/settings", patch).await);
    let prompt = |prompt: Value| json!({ "conversation_config": { "agent": { "prompt": prompt } } });
    match check {
        "api" => global.token = Some("not-a-token".to_owned()),
        "public-url" => known.public_base_url = Some("http://127.0.0.1:9".to_owned()),
        "carrier-door" => known.signing_key = Some("PSK_of_another_project".into()),
        "webhook-secret" => known.webhook_secret = Some("wsec_of_another_webhook".into()),
        "initiation-secret" => known.initiation_secret = Some("another".into()),
        "signalwire-credentials" => known.carrier_token = Some("PT_wrong".into()),
        "caller-ids" => set(json!({ "owned_numbers": ["+14155550199"] })),
        "elevenlabs-credentials" => known.elevenlabs_key = Some("xi_wrong".into()),
        "agents" => {
            let ghost = json!({ "elevenlabs_agent_id": "agent_gone", "number": "+15550009999",
                "caller_ids": [testkit::world::CALLER_ID], "max_concurrent": 10 });
            assert_eq!(world.send(Method::PUT, "/api/agents/ghost", Some(&ghost), &[]).await.0, 201);
        }
        "numbers" => set(numbers(AGENT_NUMBER, "agent_other", json!({}))),
        "number-format" => set(numbers(AGENT_NUMBER.trim_start_matches('+'), "agent_demo", json!({}))),
        "number-trunk" => set(numbers(AGENT_NUMBER, "agent_demo", json!({ "username": "u", "password": "p" }))),
        "initiation-webhook" => set(json!({ "initiation_url": "https://old.example/initiation" })),
        "initiation-switch" => {
            let off = json!({ "enable_conversation_initiation_client_data_from_webhook": false });
            agent(json!({ "platform_settings": { "overrides": off } })).await;
        }
        "webhook" => settings(json!({ "webhooks": { "post_call_webhook_id": null } })).await,
        "webhook-enabled" => {
            let off = json!({ "name": "post-call", "is_disabled": true });
            dashboard(world, Method::PATCH, "/v1/workspace/webhooks/wh_configured", off).await;
        }
        "webhook-events" => settings(json!({ "webhooks": { "events": ["transcript"] } })).await,
        "webhook-retries" => set(json!({ "retry_enabled": false })),
        "addresses" => known.allowed_ips = Some("34.67.146.145".to_owned()),
        "opt-out-tool" => agent(prompt(json!({ "tool_ids": [] }))).await,
        "opt-out-field" => agent(json!({ "platform_settings": { "data_collection": { "opt_out": null } } })).await,
        "agent-tools" => agent(prompt(json!({ "built_in_tools": { "end_call": null } }))).await,
        "clock" => {
            let clock = world.clock.clone();
            here.now = Box::new(move || clock.now() - SignedDuration::from_mins(10));
        }
        other => plant_within(other, world, here).await,
    }
}

/// Faults of the deployment itself.
async fn plant_within(check: &str, world: &World, here: &mut Here) {
    let cloud = &world.cloud;
    match check {
        "database" => rewrite(world, "alter table deliveries rename to mislaid").await,
        "migrations" => {
            let newest = "delete from refinery_schema_history where version = (select max(version) from refinery_schema_history)";
            rewrite(world, newest).await;
        }
        "bucket" => {
            cloud.empty_bucket().await;
            cloud.s3.delete_bucket().bucket(&cloud.bucket).send().await.unwrap();
        }
        "deployed-credentials" => {
            world.vendors.configure(json!({ "api_token": "PT_rotated" })).unwrap();
            here.known.carrier_token = Some("PT_rotated".into());
        }
        "queues" => {
            world.written_down("+14155550101").await;
            world.clock.advance(Duration::from_mins(7));
        }
        "dead-letters" => {
            cloud.sqs.send_message().queue_url(&cloud.calls.dead_url).message_body("{}").send().await.unwrap();
        }
        other => panic!("nobody knows how to plant {other}"),
    }
}

async fn rewrite(world: &World, sql: &str) {
    world.database.client().await.batch_execute(sql).await.unwrap();
}

async fn every_fourth(of: usize) {
    for (check, mend) in FAULTS.into_iter().skip(of).step_by(4) {
        let (world, mut here) = healthy().await;
        let mut global = global(&world);
        plant(check, &world, &mut here, &mut global).await;
        let findings = examine(&Client::new(&global).unwrap(), &here).await;
        let ails: Vec<&Finding> =
            findings.iter().filter(|f| matches!(f.verdict, Verdict::Fails | Verdict::Warns)).collect();
        assert_eq!(ails.iter().map(|f| f.check).collect::<Vec<_>>(), [check], "{ails:#?}");
        assert!(ails[0].mend.as_ref().unwrap().contains(mend), "{:#?}", ails[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_fault_is_named_alone_and_with_its_mend_first_quarter() {
    every_fourth(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_fault_is_named_alone_and_with_its_mend_second_quarter() {
    every_fourth(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_fault_is_named_alone_and_with_its_mend_third_quarter() {
    every_fourth(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_fault_is_named_alone_and_with_its_mend_last_quarter() {
    every_fourth(3).await;
}

#[test]
fn every_check_has_its_fault_and_stands_in_the_documentation() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/setup.md")).unwrap();
    for (check, _) in CHECKS {
        // The quota's fault is planted beside its code: no World has an account of AWS.
        assert!(check == "lambda-concurrency" || FAULTS.iter().any(|(fault, _)| *fault == check), "{check}");
        assert!(page.contains(&format!("| `{check}` |")), "{check} is not in docs/setup.md");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_only_what_cannot_be_seen_is_left_open_and_told() {
    let (world, here) = healthy().await;
    let findings = examine(&client(&world), &here).await;
    let names: Vec<&str> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(names, CHECKS.map(|(name, _)| name), "each once, in order");
    for finding in &findings {
        let open = finding.check == "lambda-concurrency";
        assert_eq!(finding.verdict, if open { Verdict::NotChecked } else { Verdict::Ok }, "{finding:?}");
    }
    let text = doctor::table(&findings);
    assert!(text.contains("29 ok, 0 fail, 0 warn, 1 not checked"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_the_one_that_is_signed_is_named() {
    let (world, mut here) = healthy().await;
    here.known.public_base_url = Some(world.url.replace("127.0.0.1", "localhost"));
    let findings = examine(&client(&world), &here).await;
    let door = findings.iter().find(|finding| finding.check == "carrier-door").unwrap();
    assert!(door.verdict == Verdict::Fails && door.detail.contains(&world.url), "{door:?}");
    assert!(door.mend.as_ref().unwrap().contains("PublicBaseUrl="));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_here_is_not_checked_and_says_why() {
    let (world, mut here) = healthy().await;
    here.known = cli::here::Known { elevenlabs_url: here.known.elevenlabs_url, ..cli::here::Known::default() };
    world.vendors.configure(json!({ "switches": { "retry_shown": "no" } })).unwrap();
    let findings = examine(&client(&world), &here).await;
    assert!(!doctor::ails(&findings), "{findings:#?}");
    for (check, why) in [
        ("signalwire-credentials", "SIGNALWIRE_SPACE_URL"),
        ("elevenlabs-credentials", "ELEVENLABS_API_KEY"),
        ("carrier-door", "SIGNALWIRE_SIGNING_SECRET"),
        ("webhook-secret", "ELEVENLABS_WEBHOOK_SECRET"),
        ("initiation-secret", "ELEVENLABS_INITIATION_SECRET"),
        ("numbers", "elevenlabs-credentials"),
    ] {
        let finding = findings.iter().find(|finding| finding.check == check).unwrap();
        assert!(finding.verdict == Verdict::NotChecked && finding.detail.contains(why), "{finding:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_calls_alone_cannot_tell_what_is_owned() {
    let (world, here) = healthy().await;
    world.vendors.configure(json!({ "token_scopes": [] })).unwrap();
    let findings = examine(&client(&world), &here).await;
    let ids = findings.iter().find(|finding| finding.check == "caller-ids").unwrap();
    assert!(ids.verdict == Verdict::NotChecked && ids.detail.contains("scope Numbers"), "{ids:?}");
}

/// What ElevenLabs says of the webhook.
async fn webhook_at_the_vendor(world: &World) -> Value {
    let list = dashboard(world, Method::GET, "/v1/workspace/webhooks", Value::Null).await;
    list["webhooks"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_elevenlabs_switched_off_by_itself_is_told_from_one_that_somebody_did() {
    let (world, here) = healthy().await;
    // Its secret was changed there, and not here: everything that it sends is refused.
    let ours = world.vendors.config().webhook_secret.clone();
    world.vendors.configure(json!({ "webhook_secret": "wsec_changed" })).unwrap();
    for _ in 0..5 {
        let call = json!({ "number": AGENT_NUMBER, "from": "+14155550177" });
        let asked = world.http.post(format!("{}/control/inbound", world.vendors.url())).json(&call).send().await;
        assert_eq!(asked.unwrap().status(), 202);
    }
    assert!(world.vendors.wait_idle(Duration::from_secs(30)).await);
    let shown = webhook_at_the_vendor(&world).await;
    assert_eq!((&shown["is_auto_disabled"], &shown["is_disabled"]), (&true.into(), &false.into()), "{shown:#}");

    let findings = examine(&client(&world), &here).await;
    let ails: Vec<&Finding> = findings.iter().filter(|finding| finding.verdict == Verdict::Fails).collect();
    assert_eq!(ails.iter().map(|finding| finding.check).collect::<Vec<_>>(), ["webhook-enabled"], "{ails:#?}");
    assert_eq!(ails[0].detail, "ElevenLabs switched it off after ten failures; its last failure was HTTP 401");
    let mend = ails[0].mend.as_ref().unwrap();
    assert!(mend.starts_with("Mend what failed, then switch it on again") && mend.contains("reconcile"), "{mend}");

    world.vendors.configure(json!({ "webhook_secret": ours })).unwrap();
    let (client, dir) = (client(&world), Dir::new());
    let setup = Setup { agent: "demo".to_owned(), dir: dir.0.clone(), ..Setup::default() };
    let run = Run::new(&client, &here, &setup).unwrap();
    let steps = run.plan().await.unwrap();
    assert!(steps.iter().any(|step| step.line.contains("switched off → on")), "what doctor names setup mends");
    run.apply(&steps, 40, |_| {}).await.unwrap();
    assert!(!doctor::ails(&examine(&client, &here).await));
    assert_eq!(webhook_at_the_vendor(&world).await["is_auto_disabled"], false);
}

//! What works on queues and the bucket, and what is signed: from a folder with the `.local/env` of a local stack.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::json;
use testkit::World;
use testkit::world::{INITIATION_SECRET, TOKEN};

use crate::{folder, run_in};

/// A folder whose local stack is this world.
pub(crate) fn stack(world: &World) -> PathBuf {
    let folder = folder();
    let it = |name: &str| std::env::vars().find(|(known, _)| known == name).map(|(_, value)| value).unwrap_or_default();
    let (cloud, known) = (&world.cloud, world.vendors.config());
    let region = if it("AWS_REGION").is_empty() { "us-east-1".to_owned() } else { it("AWS_REGION") };
    let mut env = format!(
        "BASE_URL={0}\nPUBLIC_BASE_URL={0}\nAPI_TOKEN={TOKEN}\nS3_BUCKET={1}\nAWS_ENDPOINT_URL={2}\nAWS_REGION={region}\n",
        world.url,
        cloud.bucket,
        it("TEST_AWS_ENDPOINT_URL"),
    );
    writeln!(
        env,
        "AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}",
        it("AWS_ACCESS_KEY_ID"),
        it("AWS_SECRET_ACCESS_KEY")
    )
    .unwrap();
    writeln!(
        env,
        "ELEVENLABS_WEBHOOK_SECRET={}\nELEVENLABS_INITIATION_SECRET={INITIATION_SECRET}",
        known.webhook_secret
    )
    .unwrap();
    writeln!(env, "SIGNALWIRE_SIGNING_SECRET={}", known.signing_key).unwrap();
    let queues = [
        ("TRANSCRIPTIONS", &cloud.transcriptions),
        ("CALL_EVENTS", &cloud.call_events),
        ("RECORDINGS", &cloud.recordings),
    ];
    for (name, pair) in queues {
        writeln!(env, "{name}_QUEUE_URL={}\n{name}_DLQ_URL={}", pair.url, pair.dead_url).unwrap();
    }
    std::fs::write(folder.join(".local/env"), env).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_webhooks_are_taken_and_forged_ones_refused() {
    let world = World::start().await;
    let folder = stack(&world);
    let sent = run_in(&folder, &[], &["webhook", "send", "--at", &world.clock.now().to_string(), "--json"]).await.ok();
    assert_eq!(sent.json().len(), 7, "{sent:?}");
    let old = run_in(&folder, &[], &["webhook", "send", "--at", "2026-01-01T00:00:00Z"]).await;
    assert!(old.code == 1 && old.err.contains("3 of 7"), "{old:?}");
    let forged = run_in(&folder, &[], &["webhook", "send", "--forge"]).await;
    assert!(forged.code == 1 && forged.err.contains("7 of 7"), "{forged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_replayed_and_dead_letters_go_back() {
    let world = World::start().await;
    let folder = stack(&world);
    let local = run_in(&folder, &[], &["agents"]).await.ok();
    assert!(local.err.contains("the local stack (.local/env)"), "{local:?}");
    let call = world.call("+14155550101").await;
    world.settled(call).await;
    let keys = world.cloud.keys("raw/post_call_transcription/").await;
    let day = keys[0].split('/').skip(2).take(3).collect::<Vec<_>>().join("-");
    let counted = run_in(&folder, &[], &["replay", &day, "--dry-run"]).await.ok();
    assert!(counted.out.contains("1  post_call_transcription"), "{counted:?}");
    let queue = world.cloud.transcriptions.queue();
    assert_eq!(queue.load().await.unwrap().waiting, 0);
    let done = run_in(&folder, &[], &["replay", &day, "--type", "post_call_transcription", "--json"]).await.ok();
    assert_eq!(done.json()[1], json!({ "sent": 1, "left_out": {} }));
    assert_eq!(queue.load().await.unwrap().waiting, 1);
    world.pump().await;

    let dead = world.cloud.sqs.send_message().queue_url(&world.cloud.transcriptions.dead_url);
    dead.message_body(json!({ "raw_key": keys[0], "words": "secret" }).to_string()).send().await.unwrap();
    // Dates are in whole seconds: what is younger than the command counts as come back.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let shown = run_in(&folder, &[], &["redrive", "transcriptions", "--dry-run"]).await.ok();
    assert!(shown.out.contains(&keys[0]) && !shown.out.contains("secret"), "{shown:?}");
    assert_eq!(queue.load().await.unwrap().waiting, 0);
    let done = run_in(&folder, &[], &["redrive", "transcriptions"]).await.ok();
    assert!(done.err.contains("1 found, 1 sent back"), "{done:?}");
    assert_eq!(queue.load().await.unwrap().waiting, 1);
    let again = run_in(&folder, &[], &["redrive", "transcriptions"]).await.ok();
    assert!(again.err.contains("0 found"), "{again:?}");

    // Without a stack: by addresses, with the environment's own credentials.
    let dead = world.cloud.sqs.send_message().queue_url(&world.cloud.transcriptions.dead_url);
    dead.message_body(json!({ "raw_key": keys[0] }).to_string()).send().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let endpoint = testkit::database::env("TEST_AWS_ENDPOINT_URL");
    let mine =
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"].map(|name| (name, testkit::database::env(name)));
    let mut env: Vec<(&str, &str)> = mine.iter().map(|(name, value)| (*name, value.as_str())).collect();
    env.push(("AWS_ENDPOINT_URL", &endpoint));
    let ends = &world.cloud.transcriptions;
    let by_address = ["redrive", "--queue-url", &ends.url, "--dead-letter-url", &ends.dead_url];
    let done = run_in(&crate::folder(), &env, &by_address).await.ok();
    assert!(done.err.starts_with("AWS: ") && done.err.contains("1 found, 1 sent back"), "{done:?}");
    assert_eq!(queue.load().await.unwrap().waiting, 2);
    let half = run_in(&crate::folder(), &env, &by_address[..3]).await;
    assert!(half.code == 2 && half.err.contains("--dead-letter-url"), "{half:?}");
    let unknown = run_in(&folder, &[], &["redrive", "callss"]).await;
    assert!(unknown.code == 2 && unknown.err.contains("trunk-calls"), "it names those that there are: {unknown:?}");
}

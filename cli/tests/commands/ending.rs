//! Long work that is interrupted, whose reader goes away, or whose progress is shown.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use testkit::World;
use testkit::world::TOKEN;

use crate::campaigning::running_campaign;
use crate::clouding::stack;
use crate::running::{Running, command};
use crate::{Said, folder, run, run_in};

/// Runs a command whose reader has gone already.
async fn unread(world: &World, line: &str) -> Said {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let arguments: Vec<&str> = line.split_whitespace().collect();
    let mut command = command(&folder(), &[("BASE_URL", &world.url), ("API_TOKEN", TOKEN)], &arguments);
    command.stdout(writer).stderr(Stdio::piped());
    let done = tokio::task::spawn_blocking(move || command.spawn().unwrap().wait_with_output().unwrap()).await.unwrap();
    let err = String::from_utf8(done.stderr).unwrap();
    Said { code: done.status.code().unwrap_or(-1), out: String::new(), err }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_followed_goes_on_when_its_watcher_leaves() {
    let world = World::start().await;
    let mut waits = Running::start(&world, "call --to +14155550101 --agent demo --wait");
    waits.until("Ctrl-C leaves it alone").await;
    waits.until("waits, due at").await;
    waits.interrupt();
    let said = waits.end().await;
    assert!(said.code == 130 && said.out.is_empty() && said.err.ends_with("interrupted\n"), "{said:?}");
    let calls = run(&world, "calls --json").await.ok().json();
    assert_eq!((calls.len(), &calls[0]["state"]), (1, &"intent".into()), "nothing was taken back");

    let key = said.err.lines().find_map(|line| line.strip_prefix("key ")).unwrap().to_owned();
    let line = format!("call --to +14155550101 --agent demo --key {key} --wait --json");
    let mut again = Running::start(&world, &line);
    again.until("\"intent\"").await;
    again.interrupt();
    let said = again.end().await;
    assert_eq!((said.code, &said.json()[0]["id"]), (130, &calls[0]["id"]), "the same call");
    assert!(said.err.ends_with("interrupted\n"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_that_is_watched_goes_on_when_its_watcher_leaves() {
    let world = World::start().await;
    let id = running_campaign(&world, &["+14155550101"]).await;
    for json in ["", " --json"] {
        let mut watch = Running::start(&world, &format!("campaign watch {id}{json}"));
        watch.until("running").await;
        watch.interrupt();
        let said = watch.end().await;
        assert!(said.code == 130 && said.err.ends_with("interrupted\n"), "{said:?}");
        assert_eq!(said.json().len(), json.len().min(1), "{said:?}");
    }
    assert_eq!(world.get(&format!("/api/campaigns/{id}")).await["state"], "running");
}

/// Bodies of a day in the archive.
async fn archive(world: &World, count: usize) {
    for at in 0..count {
        let body = json!({ "type": "post_call_transcription", "data": { "conversation_id": format!("conv_{at}") } });
        let body = body.to_string();
        let digest = hex::encode(Sha256::digest(body.as_bytes()));
        let key = format!("raw/post_call_transcription/2026/09/21/conv_{at:02}-{digest}.json");
        let put = world.cloud.s3.put_object().bucket(&world.cloud.bucket).key(key);
        put.body(body.into_bytes().into()).send().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_is_interrupted_says_how_to_go_on_and_then_sends_the_rest() {
    let world = World::start().await;
    let folder = stack(&world);
    archive(&world, 15).await;
    // Ten go at once; the others would follow an hour later.
    let slow = Running::start_in(&folder, &[], &["replay", "2026-09-21", "--rate", "0.003"]);
    let queue = world.cloud.transcriptions.queue();
    while queue.load().await.unwrap().waiting < 10 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    slow.interrupt();
    let said = slow.end().await;
    assert!(said.code == 130 && said.err.ends_with("interrupted\n"), "{said:?}");
    let told = said.err.lines().find_map(|line| line.strip_prefix("ended early, 10 sent; go on with ")).unwrap();
    let mend: Vec<&str> = told.split_whitespace().collect();
    let rest = run_in(&folder, &[], &[&["replay", "2026-09-21", "--json"], &mend[..]].concat()).await.ok();
    assert_eq!(
        rest.json(),
        [json!({ "found": { "post_call_transcription": 5 } }), json!({ "sent": 5, "left_out": {} })]
    );
    assert_eq!(queue.load().await.unwrap().waiting, 15, "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_that_is_interrupted_lets_go_of_what_it_held() {
    let world = World::start().await;
    let folder = stack(&world);
    let dead = world.cloud.sqs.send_message().queue_url(&world.cloud.transcriptions.dead_url);
    dead.message_body(r#"{"raw_key": "raw/x"}"#).send().await.unwrap();
    // Dates are in whole seconds: what is younger than the command counts as come back.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let mut shows = Running::start_in(&folder, &[], &["redrive", "transcriptions", "--dry-run"]);
    shows.until("raw_key=raw/x").await;
    shows.interrupt();
    let said = shows.end().await;
    assert!(said.code == 130 && said.err.ends_with("1 found, left there\ninterrupted\n"), "{said:?}");
    let done = run_in(&folder, &[], &["redrive", "transcriptions"]).await.ok();
    assert!(done.err.contains("1 found, 1 sent back"), "it was visible at once: {done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_may_go_away_at_any_time() {
    let world = World::start().await;
    let id = running_campaign(&world, &["+14155550101"]).await;
    world.written_down("+14155550102").await;
    run(&world, "suppress add +14155550199 --reason mail").await.ok();
    let lines = [
        "calls".to_owned(),
        "calls --all --limit 1 --json".to_owned(),
        "suppress export".to_owned(),
        "number +14155550102".to_owned(),
        "agents --json".to_owned(),
        // What goes on for long is not followed for nobody.
        format!("campaign watch {id} --json"),
        "completions bash".to_owned(),
        "call --help".to_owned(),
    ];
    for line in lines {
        let said = unread(&world, &line).await;
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{line}");
    }
    let said = unread(&world, "call --to +14155550103 --agent demo --wait --json").await;
    assert!(said.code == 0 && said.err.starts_with("key ") && said.err.lines().count() == 1, "{said:?}");
    assert_eq!(run(&world, "calls --number +14155550103 --json").await.ok().json()[0]["state"], "intent");
}

/// A list that does not fit into one request.
fn long_list(folder: &Path) -> String {
    let row =
        |at: usize| if at == 29_999 { "nobody,law\n".to_owned() } else { format!("+1415{},law\n", 2_000_000 + at) };
    let list = folder.join("dnc.csv");
    std::fs::write(&list, format!("number,reason\n{}", (0..30_000).map(row).collect::<String>())).unwrap();
    list.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_numbers_goes_in_parts_and_its_bad_rows_keep_their_lines() {
    let world = World::start().await;
    let folder = folder();
    let list = long_list(&folder);
    let said = run(&world, &format!("suppress import {list} --json")).await;
    assert_eq!((said.code, said.err.contains("1 rows are bad")), (1, true), "{said:?}");
    let report = &said.json()[0];
    let figures = ["taken", "added", "known_before", "bad"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(figures, [29_999, 29_999, 0, 1], "{report:#}");
    assert_eq!((&report["bad_rows"][0]["line"], report["bad_rows"].as_array().unwrap().len()), (&30_001.into(), 1));
    let stored = "select count(*) from suppression_events where source = 'import' and because = 'law'";
    assert_eq!(world.database.count(stored).await, 29_999);
    let again = run(&world, &format!("suppress import {list}")).await;
    assert!(again.code == 1 && again.out.contains("30001") && again.out.contains("29,999"), "{again:?}");
    assert_eq!(world.database.count(stored).await, 29_999, "sent again it changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_progress_is_a_bar_beside_the_answer() {
    let world = World::start().await;
    let folder = folder();
    let list = long_list(&folder);
    // `script` gives the command a terminal; its standard output goes into a file.
    let shown = folder.join("terminal.txt");
    let line = format!("exec {} suppress import {list} --json > out.txt", env!("CARGO_BIN_EXE_elevenwire"));
    let mut script = std::process::Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, shown.to_str().unwrap()]).current_dir(&folder);
    script.env_clear().envs([("BASE_URL", world.url.as_str()), ("API_TOKEN", TOKEN), ("TERM", "xterm")]);
    script.env("PATH", "/usr/bin:/bin").env("SHELL", "/bin/sh").stdin(Stdio::null()).stdout(Stdio::null());
    let ended = tokio::task::spawn_blocking(move || script.status().unwrap()).await.unwrap();
    let shown = String::from_utf8_lossy(&std::fs::read(shown).unwrap()).into_owned();
    assert_eq!(ended.code(), Some(1), "{shown}");
    assert!(shown.contains("33%") && shown.contains('#') && shown.contains("taken"), "{shown}");
    let out = std::fs::read_to_string(folder.join("out.txt")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["bad"], out.lines().count()), (&1.into(), 1), "the answer alone");
}

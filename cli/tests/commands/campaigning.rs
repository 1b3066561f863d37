//! A campaign from its file to its end.

use std::time::Duration;

use testkit::World;

use crate::running::Running;
use crate::{folder, run, run_meanwhile};

/// A campaign that was started, with people who are called only when a test moves the world.
pub(crate) async fn running_campaign(world: &World, people: &[&str]) -> String {
    let folder = folder();
    let (file, list) = (folder.join("recall.toml"), folder.join("people.csv"));
    std::fs::write(&file, "name = \"recall\"\nagent = \"demo\"\npurpose = \"informational\"\n").unwrap();
    let made = run(world, &format!("campaign create {} --json", file.display())).await.ok().json();
    let id = made[0]["id"].as_str().unwrap().to_owned();
    let rows = people.join(",express\n");
    std::fs::write(&list, format!("phone_number,consent_type\n{rows},express\n")).unwrap();
    run_meanwhile(world, &format!("campaign import {id} {}", list.display())).await.ok();
    run(world, &format!("campaign start {id}")).await.ok();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_made_given_people_and_moved() {
    let world = World::start().await;
    let folder = folder();
    let file = folder.join("recall.toml");
    std::fs::write(&file, "name = \"recall\"\nagent = \"demo\"\npurpose = \"informational\"\nrate = 2\n").unwrap();
    let made = run(&world, &format!("campaign create {} --max-calls 9 --json", file.display())).await.ok().json();
    assert_eq!((&made[0]["name"], &made[0]["budget"]["max_calls"]), (&"recall".into(), &9.into()));
    let id = made[0]["id"].as_str().unwrap();

    let people = folder.join("people.csv");
    let rows = "phone_number,consent_type\n+14155550101,express\n+14155550102,express\nnobody,express\n";
    std::fs::write(&people, rows).unwrap();
    let import = format!("campaign import {id} {}", people.display());
    let dry = run_meanwhile(&world, &format!("{import} --dry-run")).await.ok();
    assert!(dry.out.contains("2 callable") && dry.out.contains("would be taken"), "{dry:?}");
    let said = run_meanwhile(&world, &format!("{import} --json")).await.ok();
    assert_eq!((&said.json()[0]["taken"], &said.json()[0]["bad"]), (&2.into(), &1.into()), "{said:?}");
    let bad = std::fs::read_to_string(folder.join("people.bad.csv")).unwrap();
    assert!(bad.contains("line,column,reason") && bad.contains("\n4,"), "{bad}");

    let contacts = run(&world, &format!("campaign show {id} --contacts")).await.ok();
    assert!(contacts.out.contains("+14155550101") && contacts.out.contains("waiting"), "{contacts:?}");
    assert!(run(&world, &format!("campaign start {id}")).await.ok().out.contains("running"));
    assert!(run(&world, &format!("campaign pause {id} --reason lunch")).await.ok().out.contains("lunch"));
    assert!(run(&world, &format!("campaign resume {id}")).await.ok().out.contains("running"));
    assert!(run(&world, "campaign list").await.ok().out.contains("recall"));
    run(&world, &format!("campaign cancel {id}")).await.ok();
    let watched = run(&world, &format!("campaign watch {id}")).await.ok();
    assert!(watched.out.contains("canceled"), "{watched:?}");
    let watched = run(&world, &format!("campaign watch {id} --json")).await.ok().json();
    assert_eq!(watched[0]["state"], "canceled");
    assert_eq!(run(&world, &format!("campaign start {id}")).await.code, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_campaign_is_watched_to_its_end() {
    let world = World::start().await;
    let people = ["+14155550101", "+14155550153"];
    let id = running_campaign(&world, &people).await;
    let mut told = Running::start(&world, &format!("campaign watch {id} --every 0.1"));
    let mut lines = Running::start(&world, &format!("campaign watch {id} --every 0.1 --json"));
    told.until("running").await;
    lines.until("\"running\"").await;
    while !told.has_ended() || !lines.has_ended() {
        world.watch().await;
        world.tick().await;
        world.pump().await;
        world.clock.advance(Duration::from_secs(1));
        world.sweep().await;
        world.reconcile().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = told.end().await.ok();
    assert_eq!(told.err, "running\nfinished: every contact is done\n");
    for words in ["recall  finished\n", "people    2\n", "done      2\n", "outcomes  1 answered, 1 declined\n"] {
        assert!(told.out.contains(words), "{words}: {told:?}");
    }
    let lines = lines.end().await.ok();
    let steps = lines.json();
    assert_eq!((&steps[0]["state"], steps[0]["progress"]["done"].as_u64()), (&"running".into(), Some(0)));
    let last = steps.last().unwrap();
    assert_eq!((&last["state"], last["progress"]["done"].as_u64()), (&"finished".into(), Some(2)));
    assert!(steps.windows(2).all(|pair| pair[0] != pair[1]), "a line whenever it changed: {steps:#?}");
    assert_eq!(lines.err, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_is_told_why_the_breaker_paused_it_and_waits_out_an_owners_pause() {
    let world = World::start().await;
    let id = running_campaign(&world, &["+14155550101"]).await;
    let mut watch = Running::start(&world, &format!("campaign watch {id} --every 0.1"));
    watch.until("running").await;
    run(&world, &format!("campaign pause {id} --reason lunch")).await.ok();
    watch.until("paused: lunch").await;
    run(&world, &format!("campaign resume {id}")).await.ok();
    watch.until("lunch\nrunning").await;
    let breaker =
        "update campaigns set state = 'paused', decided_by = 'breaker', because = 'failures: most calls failed'";
    world.database.client().await.batch_execute(breaker).await.unwrap();
    let said = watch.end().await;
    assert!(
        said.code == 1 && said.err.ends_with("error: the breaker paused it: failures: most calls failed\n"),
        "{said:?}"
    );
}

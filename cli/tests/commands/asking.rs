//! One call, and everything that is asked about it.

use testkit::World;

use crate::{run, run_meanwhile};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_placed_followed_and_explained() {
    let world = World::start().await;
    let line = "call --to +14155550101 --agent demo --variable first_name=Ada --wait";
    let said = run_meanwhile(&world, line).await.ok();
    assert!(said.err.contains("key 0") && said.err.contains("settled"), "{said:?}");
    for words in ["answered", "conversation conv_", "agent   ", "callee  ", "recording"] {
        assert!(said.out.contains(words), "{words}: {said:?}");
    }
    let calls = run(&world, "calls --number +14155550101 --json").await.ok().json();
    let id = calls[0]["id"].as_str().unwrap().to_owned();
    let shown = run(&world, &format!("show {id}")).await.ok();
    assert!(shown.out.contains("link") && shown.out.contains("http"), "{shown:?}");
    let shown = run(&world, &format!("show {id} --json")).await.ok().json();
    assert_eq!(shown, [world.get(&format!("/api/calls/{id}")).await]);
    let events = run(&world, &format!("show {id} --events")).await.ok();
    assert!(events.out.contains("guard") && events.out.contains("allow"), "{events:?}");
    let table = run(&world, "calls").await.ok();
    assert!(table.out.starts_with("written down") && table.out.contains(&id), "{table:?}");
    let dossier = run(&world, "number +14155550101").await.ok();
    assert!(dossier.out.starts_with("Dossier of +14155550101"), "{dossier:?}");
    let dossier = run(&world, "number +14155550101 --json").await.ok().json();
    assert_eq!(dossier[0]["known"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_is_the_same_call() {
    let world = World::start().await;
    let line = "call --to +14155550101 --agent demo --key again --json";
    let first = run(&world, line).await.ok().json();
    assert_eq!(run(&world, line).await.ok().json(), first);
    let busy = run(&world, "call --to +14155550101 --agent demo").await;
    let id = first[0]["id"].as_str().unwrap();
    assert!(busy.code == 3 && busy.err.contains(&format!("elevenwire show {id}")), "{busy:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_page_by_page() {
    let world = World::start().await;
    for number in 1..=5 {
        world.written_down(&format!("+1415555010{number}")).await;
    }
    let page = run(&world, "calls --limit 2 --json").await.ok();
    assert!(page.json().len() == 2 && page.err.contains("there are more"), "{page:?}");
    assert_eq!(run(&world, "calls --limit 2 --all --json").await.ok().json().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_not_settled_is_found() {
    let world = World::start().await;
    assert_eq!(run(&world, "settle --json").await.code, 0);
    let call = world.call("+14155550101").await;
    world.until(call, |call| call["state"] != "intent").await;
    let day = world.clock.now().to_string();
    let line = format!("settle --day {}", &day[..10]);
    let said = run(&world, &line).await;
    assert!(said.code == 1 && said.out.contains("not settled"), "{said:?}");
    world.settled(call).await;
    let said = run(&world, &line).await.ok();
    assert!(said.out.contains("answered"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn guard_agents_stops_and_suppressions_are_commanded() {
    let world = World::start().await;
    let at = world.clock.now().to_string();
    let said = run(&world, &format!("guard +14155550101 --purpose informational --at {at}")).await.ok();
    assert!(said.out.starts_with("allow until"), "{said:?}");
    assert!(run(&world, "agents").await.ok().out.contains("demo"));
    assert_eq!(run(&world, "agents demo --json").await.ok().json()[0]["name"], "demo");

    let stopped = run(&world, "stop agent demo --reason complaints --json").await.ok().json();
    assert_eq!((&stopped[0]["scope"], &stopped[0]["value"]), (&"agent".into(), &"demo".into()));
    assert!(run(&world, "stop list").await.ok().out.contains("complaints"));
    let id = stopped[0]["id"].as_str().unwrap();
    assert!(run(&world, &format!("stop lift {id}")).await.ok().out.contains("lifted: agent demo"));
    assert_eq!(run(&world, "stop").await.code, 2);

    run(&world, "suppress add +14155550155 --reason mail").await.ok();
    let known = run(&world, "suppress list --number +14155550155").await.ok();
    assert!(known.out.contains("mail") && known.out.contains("added"), "{known:?}");
    let list = crate::folder().join("dnc.csv");
    std::fs::write(&list, "number,reason\n+14155550156,law\nnobody,law\n").unwrap();
    let said = run(&world, &format!("suppress import {}", list.display())).await;
    assert!(said.code == 1 && said.out.contains("nobody") == said.err.contains("nobody"), "{said:?}");
    let export = run(&world, "suppress export").await.ok();
    assert!(export.out.contains("+14155550155") && export.out.contains("+14155550156"), "{export:?}");
    assert_eq!(run(&world, "suppress list --json").await.ok().json().len(), 2);
    run(&world, "suppress remove +14155550155 --reason asked").await.ok();
    assert_eq!(run(&world, "suppress remove +14155550155 --reason asked").await.code, 3);
}

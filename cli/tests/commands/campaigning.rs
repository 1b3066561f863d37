//! A campaign from its file to its end.

use testkit::World;

use crate::{folder, run, run_meanwhile};

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

//! What goes wrong has its exit code, and says how to mend it.

use std::os::unix::fs::PermissionsExt as _;

use testkit::World;
use testkit::world::{READ_TOKEN, TOKEN};

use crate::{folder, run, run_in};

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_a_narrow_one_and_a_wrong_field_are_refused_with_their_mend() {
    let world = World::start().await;
    let at = |token: &'static str| [("BASE_URL", world.url.clone()), ("API_TOKEN", token.to_owned())];
    for (token, line, mend) in [
        ("wrong", "agents", "elevenwire profile set"),
        (READ_TOKEN, "stop all --reason x", "wider scope"),
        (TOKEN, "call --to 415 --agent demo", "country code"),
        (TOKEN, "calls --outcome strange", "Use one of"),
        (TOKEN, "show nothing", "no call with this id"),
    ] {
        let env = at(token);
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let said = run_in(&folder(), &env, &line.split_whitespace().collect::<Vec<_>>()).await;
        assert!(said.code == 3 && said.err.contains(mend) && said.out.is_empty(), "{line}: {said:?}");
    }
    let said = run(&world, "show nothing --json").await;
    let problem: serde_json::Value = serde_json::from_str(said.err.trim()).unwrap();
    assert_eq!(problem["status"], 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_and_nothing_named_differ() {
    let said = run_in(&folder(), &[("BASE_URL", "http://127.0.0.1:1"), ("API_TOKEN", "x")], &["agents"]).await;
    assert!(said.code == 4 && said.err.contains("does not answer"), "{said:?}");
    let said = run_in(&folder(), &[], &["agents"]).await;
    assert!(said.code == 2 && said.err.contains("--url"), "{said:?}");
    assert_eq!(run_in(&folder(), &[], &["redrive", "calls"]).await.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_stored_for_its_owner_alone_and_used() {
    let world = World::start().await;
    let folder = folder();
    run_in(&folder, &[], &["profile", "set", "here", "--url", &world.url, "--token", TOKEN]).await.ok();
    let file = folder.join(".config/elevenwire/config.toml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(run_in(&folder, &[], &["agents"]).await.ok().out.contains("demo"));
    let listed = run_in(&folder, &[], &["profile", "list", "--json"]).await.ok().json();
    assert_eq!((&listed[0]["name"], &listed[0]["has_token"]), (&"here".into(), &true.into()));
    assert_eq!(run_in(&folder, &[], &["--profile", "there", "agents"]).await.code, 2);
    run_in(&folder, &[], &["profile", "remove", "here"]).await.ok();
    assert_eq!(run_in(&folder, &[], &["agents"]).await.code, 2);
}

//! The description of the API: it is the code's, it names every address, and what it says holds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use http::Method;
use serde_json::{Value, json};
use testkit::World;
use testkit::world::{TOKEN, dialling};

use crate::campaigning::{campaign, go, numbers, play};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Method and path of everything that is described.
fn described() -> BTreeSet<(String, String)> {
    let document = testkit::contract::document();
    let paths = document["paths"].as_object().unwrap().clone();
    let operations = paths.into_iter().flat_map(|(path, operations)| {
        let methods: Vec<String> = operations.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        methods.into_iter().map(move |method| (method, path.clone()))
    });
    operations.collect()
}

#[test]
fn the_document_that_is_checked_in_is_that_of_the_code() {
    let known = std::fs::read_to_string(root().join("docs/openapi.json")).unwrap();
    assert!(known == testkit::contract::text(), "run `make openapi`");
}

#[test]
fn every_operation_has_a_name_of_its_own_a_summary_and_a_tag() {
    let document = testkit::contract::document();
    let mut names = BTreeSet::new();
    let tags: Vec<&Value> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for operation in operations.as_object().unwrap().values() {
            assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{path}: {operation:#}");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{path}");
            assert!(tags.contains(&&operation["tags"][0]), "{path}: {}", operation["tags"]);
        }
    }
}

/// Paths that stand in `.route("…"` of the function.
fn routed(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            routed(&path, found);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            let paths = text.split(".route(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
            found.extend(paths.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
}

#[test]
fn every_address_of_the_template_and_of_the_router_is_described_and_no_other() {
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    let keys = template.lines().filter_map(|line| line.trim().strip_prefix("RouteKey: "));
    let doors: BTreeSet<(String, String)> = keys
        .filter_map(|key| key.split_once(' '))
        .filter(|(method, _)| *method != "ANY")
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .collect();
    let elsewhere = api::openapi::ELSEWHERE.map(|(path, method)| (method.to_owned(), path.to_owned()));
    assert_eq!(doors, BTreeSet::from(elsewhere), "the router knows the other functions' addresses");
    let mut routes = BTreeSet::new();
    routed(&root().join("functions/api/src"), &mut routes);
    routes.retain(|path| path.starts_with("/api/"));
    routes.extend(doors.iter().map(|(_, path)| path.clone()));
    let paths: BTreeSet<String> = described().into_iter().map(|(_, path)| path).collect();
    assert_eq!(routes, paths);
    assert!(doors.is_subset(&described()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_takes_the_methods_that_are_described_and_names_them_to_all_others() {
    let world = World::start().await;
    let all = described();
    let paths: BTreeSet<&String> = all.iter().map(|(_, path)| path).collect();
    for path in paths {
        let url = format!("{}{}", world.url, path.replace(['{', '}'], "x"));
        let answer = world.http.request(Method::TRACE, url).send().await.unwrap();
        assert_eq!(answer.status(), 405, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
        let allowed = answer.headers()["allow"].to_str().unwrap().to_owned();
        let allowed: BTreeSet<&str> = allowed.split(',').map(str::trim).filter(|method| *method != "HEAD").collect();
        let known: BTreeSet<&str> =
            all.iter().filter(|(_, known)| known == path).map(|(method, _)| method.as_str()).collect();
        assert_eq!(allowed, known, "{path}");
    }
    let served = world.http.get(format!("{}/api/openapi.json", world.url)).send().await.unwrap();
    assert_eq!(served.headers()["content-type"], "application/json");
    assert!(served.text().await.unwrap() == testkit::contract::text(), "run `make openapi`");
}

/// What no list takes. Some of it no schema can say: schemathesis leaves these parameters alone (`dev/schemathesis.toml`).
const MALFORMED: [&str; 20] = [
    "limit=0",
    "limit=201",
    "limit=1e1",
    "limit=2&limit=2",
    "cursor=%F0",
    "cursor=%00",
    "cursor=_",
    "cursor=x_y",
    "cursor=2026-11-24T17:00:00Z",
    "cursor=2026-11-24T17:00:00Z_",
    "cursor=99999-11-24T17:00:00Z_01a20efc-18a7-7a1a-b6ea-977a59938d7e",
    "from=yesterday",
    "from=0000-12-31T00:00:00Z",
    "to=%00",
    "to=2026-11-24",
    "to=-009999-01-01T00:00:00Z",
    "to=2026-11-24T17:00:00Z&from=2026-11-24T17:00:00Z",
    "number=415",
    "number=%2B1999",
    "number=%2B0000000000000",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_list_refuses_a_parameter_that_it_does_not_know_and_names_those_that_are_described() {
    let world = World::start().await;
    let id = campaign(&world, json!({}), &["+14155220002".to_owned()]).await.to_string();
    let document = testkit::contract::document();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let parameters = operations["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let known: BTreeSet<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        if known.is_empty() || path == "/api/health" {
            continue;
        }
        let path = path.replace("{id}", &id).replace("{number}", "+14155550123");
        let (status, problem) = world.send(Method::GET, &format!("{path}?nonsense=1"), None, &[]).await;
        assert_eq!(status, 422, "{path}: {problem}");
        let mend = problem["errors"][0]["mend"].as_str().unwrap();
        let told = mend.rsplit_once("one of: ").unwrap().1.trim_end_matches('.');
        assert_eq!(told.split(", ").collect::<BTreeSet<_>>(), known, "{path}");
        for query in MALFORMED {
            let name = query.split('=').next().unwrap();
            // A cursor of agents is a name, which may be any text.
            if !known.contains(name) || (path == "/api/agents" && name == "cursor") {
                continue;
            }
            let (status, problem) = world.send(Method::GET, &format!("{path}?{query}"), None, &[]).await;
            assert_eq!(status, 422, "{path}?{query}: {problem}");
            let fields: Vec<&Value> =
                problem["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
            assert!(fields.contains(&&name.into()), "{path}?{query}: {problem}");
        }
    }
}

/// Something in every list.
async fn furnish(world: &World) {
    let call = world.call("+14155550101").await;
    world.settled(call).await;
    let people: Vec<String> = ["01", "53"].iter().flat_map(|fate| numbers(1, fate)).collect();
    let id = campaign(world, json!({}), &people).await;
    go(world, id, "start").await;
    play(world, id).await;
    let wish = json!({ "number": "+14155550199", "reason": "asked by mail" });
    assert_eq!(world.send(Method::POST, "/api/suppressions", Some(&wish), &[]).await.0, 201);
    let wish = json!({ "scope": "agent", "value": "another", "reason": "a test" });
    assert_eq!(world.send(Method::POST, "/api/stop", Some(&wish), &[]).await.0, 201);
    let path = format!("/api/campaigns/{id}/imports");
    assert!(matches!(world.send(Method::POST, &path, Some(&json!({ "filename": "a.csv" })), &[]).await.0, 201 | 409));
    let client = world.database.client().await;
    let sql = "insert into opt_out_reviews (call_id, number, rule, words, created_at)
        select id, to_number, 'wrong_number', 'Wrong number.', created_at from calls where id = $1";
    client.execute(sql, &[&call]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_nothing() {
    let config = simulator::Config { time_scale: 200.0, calls_per_second: 1000.0, ..simulator::Config::default() };
    let world = World::start_as(config, dialling()).await;
    furnish(&world).await;
    let held = testkit::contract::hold_to_it(&world.url, TOKEN, &[]).await;
    held.unwrap_or_else(|found| panic!("{found}"));
}

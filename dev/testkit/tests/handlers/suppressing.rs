//! `/api/suppressions`: an owner adds, lists, imports, exports, removes.

use http::Method;
use serde_json::{Value, json};
use testkit::World;
use testkit::world::{CALL_TOKEN, READ_TOKEN, TOKEN};

async fn import(world: &World, content_type: &str, body: String) -> (u16, Value) {
    let request = world.http.post(format!("{}/api/suppressions/import", world.url)).bearer_auth(TOKEN);
    let answer = request.header("Content-Type", content_type).body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_added_once_and_removed_with_a_reason() {
    let world = World::start().await;
    let wish = json!({ "number": "+1 415 555 0101", "reason": "wrote to us" });
    let (status, first) = world.send(Method::POST, "/api/suppressions", Some(&wish), &[]).await;
    assert_eq!((status, &first["number"], &first["source"]), (201, &json!("+14155550101"), &json!("owner")));
    let (status, again) = world.send(Method::POST, "/api/suppressions", Some(&wish), &[]).await;
    assert_eq!((status, &again), (200, &first), "the first time and reason stay");
    assert_eq!(world.database.count("select count(*) from suppression_events").await, 1);
    let path = "/api/suppressions/+14155550101";
    for body in [None, Some(json!({})), Some(json!({ "reason": " " })), Some(json!({ "reason": "x".repeat(201) }))] {
        let (status, problem) = world.send(Method::DELETE, path, body.as_ref(), &[]).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("reason")), "{body:?}: {problem}");
    }
    let why = json!({ "reason": "a mistake" });
    assert_eq!(world.send(Method::DELETE, path, Some(&why), &[]).await.0, 204);
    assert_eq!(world.send(Method::DELETE, path, Some(&why), &[]).await.0, 404);
    let history = world.get("/api/suppressions?number=%2B14155550101").await;
    assert_eq!((&history["suppressions"], &history["history"][0]["reason"]), (&json!([]), &json!("a mistake")));
    assert_eq!(history["history"][0]["by"], "test");
    let (status, problem) = world.send(Method::POST, "/api/suppressions", Some(&json!({ "number": "415" })), &[]).await;
    let fields: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    assert_eq!((status, fields), (422, vec!["number", "reason"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_imported_with_its_bad_rows_told_and_comes_back_page_by_page() {
    let world = World::start().await;
    let mut csv = "phone,reason\n+14155550101,=cmd()\n4155550102,x\n\"+1 415 555 0103\",\"a, b\"\nhello\n".to_owned();
    let (status, report) = import(&world, "text/csv", csv.clone()).await;
    assert_eq!((status, &report["added"], &report["bad"]), (200, &json!(2), &json!(2)), "{report:#}");
    assert_eq!(
        report["bad_rows"][0],
        json!({ "line": 3, "column": "number",
        "reason": "has no country code: write it in E.164 form, such as +14155550123" })
    );
    let (_, report) = import(&world, "text/csv", csv.clone()).await;
    assert_eq!((&report["added"], &report["known_before"]), (&json!(0), &json!(2)));
    assert_eq!(world.database.count("select count(*) from suppression_events").await, 2);
    let (status, report) =
        import(&world, "application/json", json!(["+14155550104", { "number": "1" }]).to_string()).await;
    assert_eq!((status, &report["added"], &report["bad"]), (200, &json!(1), &json!(1)));
    let mut numbers = Vec::new();
    let mut path = "/api/suppressions?limit=2".to_owned();
    loop {
        let page = world.get(&path).await;
        numbers.extend(page["suppressions"].as_array().unwrap().iter().map(|row| row["number"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/suppressions?limit=2&cursor={next}");
    }
    assert_eq!(numbers, ["+14155550104", "+14155550101", "+14155550103"], "newest first, each once");
    let export =
        world.http.get(format!("{}/api/suppressions/export", world.url)).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(export.headers()["content-type"], "text/csv; charset=utf-8");
    let text = export.text().await.unwrap();
    assert!(text.contains(",import,'=cmd(),\r\n") && text.contains(",\"a, b\",\r\n"), "{text}");
    let other = World::start().await;
    assert_eq!(import(&other, "text/csv", text).await.1["added"], 3, "an export can be imported");
    csv.push_str(&" ".repeat(1024 * 1024));
    assert_eq!(import(&world, "text/csv", csv).await.0, 413);
    for path in ["/api/suppressions?limit=0", "/api/suppressions?cursor=zz", "/api/opt-out-reviews?state=x"] {
        assert_eq!(world.send(Method::GET, path, None, &[]).await.0, 422, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_thousand_numbers_are_imported_in_time() {
    let world = World::start().await;
    let csv = (0..50_000).map(|at| format!("+1415{:07}", 2_000_000 + at)).collect::<Vec<_>>().join("\n");
    let begun = std::time::Instant::now();
    let (status, report) = import(&world, "text/csv", csv).await;
    println!("50,000 numbers in {:?}", begun.elapsed());
    assert_eq!((status, &report["added"]), (200, &json!(50_000)), "{report:#}");
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    let mut path = "/api/suppressions/export".to_owned();
    let mut rows = 0;
    loop {
        let page = world.http.get(format!("{}{path}", world.url)).bearer_auth(TOKEN).send().await.unwrap();
        let link = page.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        rows += page.text().await.unwrap().lines().count() - 1;
        let Some(link) = link else { break };
        path = link.split(['<', '>']).nth(1).unwrap().to_owned();
    }
    assert_eq!(rows, 50_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_adding_and_removing_need_their_scopes() {
    let world = World::start().await;
    for (method, path, scope, expected) in [
        ("GET", "/api/suppressions", "read", 200),
        ("GET", "/api/suppressions/export", "read", 200),
        ("GET", "/api/opt-out-reviews", "read", 200),
        ("POST", "/api/suppressions", "read", 403),
        ("POST", "/api/suppressions/import", "read", 403),
        ("POST", "/api/suppressions", "call", 422),
        ("DELETE", "/api/suppressions/+14155550101", "call", 403),
        ("POST", "/api/opt-out-reviews/x", "read", 403),
        ("GET", "/api/suppressions", "nobody", 401),
    ] {
        let token = [("read", READ_TOKEN), ("call", CALL_TOKEN)].into_iter().find(|(name, _)| *name == scope);
        let request = world.http.request(method.parse().unwrap(), format!("{}{path}", world.url));
        let answer = request.bearer_auth(token.map_or("nobody", |(_, token)| token)).body("{}").send().await.unwrap();
        assert_eq!(answer.status(), expected, "{method} {path} as {scope}");
    }
}

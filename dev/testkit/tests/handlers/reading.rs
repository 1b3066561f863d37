//! Reading: calls, conversations, timelines, recordings, settlement, deliveries, and the dossier of a number.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use testkit::World;
use testkit::world::{CALLER_ID, READ_TOKEN};
use uuid::Uuid;

use crate::campaigning::{campaign, go, numbers, play};

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap()).collect()
}

async fn found(world: &World, query: &str) -> Vec<String> {
    let page = world.get(&format!("/api/calls?{query}")).await;
    ids(&page["calls"]).into_iter().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_found_by_everything_that_is_known_of_them() {
    let world = World::start().await;
    let talked = world.call("+14155550101").await;
    world.settled(talked).await;
    let busy = world.call("+14155550151").await;
    world.settled(busy).await;
    let waiting = world.written_down("+14155550120").await;
    let one = world.view(talked).await;
    let sid = one["carrier_sid"].as_str().unwrap();
    let conversation = one["conversation"]["id"].as_str().unwrap();
    let (created, later) = (one["created_at"].as_str().unwrap(), world.view(busy).await["created_at"].clone());
    let (created, later) = (created.replace('+', "%2B"), later.as_str().unwrap().replace('+', "%2B"));
    let (talked, busy, waiting) = (talked.to_string(), busy.to_string(), waiting.to_string());
    assert_eq!(found(&world, "").await, [waiting.clone(), busy.clone(), talked.clone()], "the newest first");
    for (query, expected) in [
        ("number=%2B14155550101".to_owned(), vec![&talked]),
        ("number=+1 (415) 555-0101".to_owned(), vec![&talked]),
        (format!("carrier_sid={sid}"), vec![&talked]),
        (format!("conversation_id={conversation}"), vec![&talked]),
        ("outcome=busy".to_owned(), vec![&busy]),
        ("outcome=busy&number=%2B14155550101".to_owned(), vec![]),
        ("state=intent".to_owned(), vec![&waiting]),
        ("state=ended".to_owned(), vec![&busy, &talked]),
        ("agent=demo".to_owned(), vec![&waiting, &busy, &talked]),
        ("agent=nobody".to_owned(), vec![]),
        ("campaign=nothing".to_owned(), vec![]),
        (format!("from={created}&to={later}"), vec![&talked]),
        (format!("from={later}"), vec![&waiting, &busy]),
        ("text=".to_owned(), vec![&waiting, &busy, &talked]),
    ] {
        assert_eq!(found(&world, &query).await.iter().collect::<Vec<_>>(), expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_the_same_as_one_call_without_what_was_said() {
    let world = World::start().await;
    let id = world.call("+14155550101").await;
    world.settled(id).await;
    let mut one = world.view(id).await;
    assert_eq!(one["explanation"]["who"], "callee", "{one:#}");
    assert!(one["explanation"]["what"].as_str().unwrap().contains("talked with the agent"), "{one:#}");
    let messages = one["conversation"].as_object_mut().unwrap().remove("messages").unwrap();
    assert!(!messages.as_array().unwrap().is_empty());
    let list = world.get("/api/calls").await;
    assert_eq!((&list["calls"], &list["next"]), (&json!([one]), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_is_found_as_people_search() {
    let world = World::start().await;
    let id = world.call("+14155550101").await;
    let call = world.settled(id).await;
    let said = json!([
        { "role": "agent", "message": "Hello, may I call you tomorrow?" },
        { "role": "user", "message": "No, please don't call me. Llámame el jueves.\nThanks" },
        { "role": "user", "message": null },
    ]);
    let conversation = call["conversation"]["id"].as_str().unwrap();
    let client = world.database.client().await;
    let sql = "update conversations set messages = $1 where conversation_id = $2";
    client.execute(sql, &[&said, &conversation]).await.unwrap();
    let id = id.to_string();
    for (text, hits) in [
        ("tomorrow", true),
        ("TOMORROW thanks", true),
        ("\"don't call me\"", true),
        ("\"call me don't\"", false),
        ("\"please don't\" -jueves", false),
        ("friday or jueves", true),
        ("llámame", true),
        ("agent", false),
        ("tomorrows", false),
        ("!&|:*('", false),
    ] {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("text", text).finish();
        assert_eq!(found(&world, &query).await.contains(&id), hits, "{text}");
        let conversations = world.get(&format!("/api/conversations?{query}")).await;
        assert_eq!(ids(&conversations["conversations"]).contains(&conversation), hits, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_of_any_length_is_stored_and_searched_at_its_beginning() {
    let world = World::start().await;
    let id = world.call("+14155550101").await;
    world.settled(id).await;
    // Every word another: as large as an index of words can become.
    let words = (0..200_000u32).map(|at| format!("w{at:x}")).collect::<Vec<_>>().join(" ");
    let said = json!([{ "role": "user", "message": "beginning" }, { "role": "user", "message": words },
        { "role": "user", "message": "ending" }]);
    let client = world.database.client().await;
    assert_eq!(client.execute("update conversations set messages = $1", &[&said]).await.unwrap(), 1);
    assert_eq!(found(&world, "text=beginning").await, [id.to_string()]);
    assert!(found(&world, "text=ending").await.is_empty());
    for odd in [json!(null), json!("text"), json!({"message": "x"}), json!([1, null, "x", {"message": {"a": 1}}])] {
        assert_eq!(client.execute("update conversations set messages = $1", &[&odd]).await.unwrap(), 1, "{odd}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_meet_without_a_gap_also_where_times_are_equal() {
    let world = World::start().await;
    let client = world.database.client().await;
    client.batch_execute(&testkit::plenty::calls(120, "'2026-11-24T17:00:00Z'::timestamptz")).await.unwrap();
    let mut seen = Vec::new();
    let mut path = "/api/calls?limit=50".to_owned();
    loop {
        let page = world.get(&path).await;
        seen.extend(ids(&page["calls"]).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/calls?limit=50&cursor={next}");
    }
    assert_eq!(seen.len(), 120);
    assert!(seen.is_sorted_by(|a, b| a > b), "each once, in order");
    assert_eq!(ids(&world.get("/api/calls").await["calls"]).len(), 50, "unless said otherwise");
    assert_eq!(ids(&world.get("/api/calls?limit=200").await["calls"]).len(), 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_named_with_its_mend() {
    let world = World::start().await;
    for (path, field) in [
        ("/api/calls?outcomes=busy", "outcomes"),
        ("/api/calls?outcome=nice", "outcome"),
        ("/api/calls?state=dead", "state"),
        ("/api/calls?number=415", "number"),
        ("/api/calls?from=yesterday", "from"),
        ("/api/calls?limit=201", "limit"),
        ("/api/calls?limit=0", "limit"),
        ("/api/calls?cursor=zz", "cursor"),
        ("/api/calls?state=ended&state=intent", "state"),
        ("/api/calls?text=%00", "text"),
        ("/api/conversations?call_id=7", "call_id"),
        ("/api/conversations?agent=demo", "agent"),
        ("/api/deliveries?result=good", "result"),
        ("/api/settlement?from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", "to"),
        ("/api/settlement?day=today", "day"),
        ("/api/numbers/4155550101", "number"),
        ("/api/numbers/%2B14155550101?format=pdf", "format"),
    ] {
        let (status, problem) = world.send(Method::GET, path, None, &[]).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &field.into()), "{path}: {problem}");
        assert!(problem["errors"][0]["mend"].as_str().is_some_and(|mend| mend.len() > 8), "{problem}");
    }
    let nobody = Uuid::nil();
    for path in ["", "/events", "/recording"].map(|end| format!("/api/calls/{nobody}{end}")) {
        assert_eq!(world.send(Method::GET, &path, None, &[]).await.0, 404, "{path}");
    }
    assert_eq!(world.send(Method::GET, "/api/conversations/x", None, &[]).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_read_may_read_and_nobody_else() {
    let world = World::start().await;
    let id = world.call("+14155550101").await;
    for path in [
        "/api/calls".to_owned(),
        format!("/api/calls/{id}/events"),
        "/api/conversations".to_owned(),
        "/api/deliveries".to_owned(),
        "/api/settlement".to_owned(),
        "/api/numbers/+14155550101".to_owned(),
    ] {
        let ask = |token: &'static str| world.http.get(format!("{}{path}", world.url)).bearer_auth(token).send();
        assert_eq!(ask(READ_TOKEN).await.unwrap().status(), 200, "{path}");
        assert_eq!(ask("nobody").await.unwrap().status(), 401, "{path}");
    }
    assert_eq!(world.http.get(format!("{}/api/calls/{id}/recording", world.url)).send().await.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timeline_of_a_call_tells_what_happened_in_order_and_by_which_rules() {
    let world = World::start().await;
    let id = world.call("+14155550101").await;
    world.settled(id).await;
    let timeline = world.get(&format!("/api/calls/{id}/events")).await;
    let events = timeline["events"].as_array().unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"placed") && kinds.contains(&"carrier") && kinds.contains(&"conversed"), "{kinds:?}");
    let times: Vec<&str> = events.iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let guard = &timeline["guard"][0];
    assert_eq!((&guard["decision"], guard["rules_version"].is_string()), (&"allow".into(), true), "{guard:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_fetched_from_the_bucket_whole_or_in_part() {
    let world = World::start().await;
    let id = world.call("+14155550101").await;
    let call = world.settled(id).await;
    let path = format!("/api/calls/{id}/recording");
    let link = world.get(&format!("{path}?format=json")).await;
    assert_eq!((&link["sha256"], &link["bytes"]), (&call["recording"]["sha256"], &call["recording"]["bytes"]));
    let whole = world.http.get(link["url"].as_str().unwrap()).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(whole.len() as u64, link["bytes"].as_u64().unwrap());
    let plain = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = plain.get(format!("{}{path}", world.url)).bearer_auth(READ_TOKEN).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    let url = answer.headers()["location"].to_str().unwrap().to_owned();
    let part = plain.get(url).header("Range", "bytes=10-19").send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.bytes().await.unwrap(), whole.slice(10..20));
    world.cloud.empty_bucket().await;
    assert_eq!(world.send(Method::GET, &path, None, &[]).await.0, 410);
    let busy = world.call("+14155550151").await;
    world.settled(busy).await;
    let (status, problem) = world.send(Method::GET, &format!("/api/calls/{busy}/recording"), None, &[]).await;
    assert_eq!((status, problem["detail"].as_str().unwrap().contains("no recording")), (404, true), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_deliveries_and_the_settlement_are_read() {
    let world = World::start().await;
    let id = world.call("+14155550101").await;
    let call = world.settled(id).await;
    let name = call["conversation"]["id"].as_str().unwrap();
    let list = world.get(&format!("/api/conversations?call_id={id}&agent_id=agent_demo")).await;
    assert_eq!(ids(&list["conversations"]), [name]);
    assert!(list["conversations"][0].get("messages").is_none());
    let one = world.get(&format!("/api/conversations/{name}")).await;
    assert_eq!((&one["messages"], &one["call_id"]), (&call["conversation"]["messages"], &json!(id)));
    let ledger = world.get(&format!("/api/deliveries?conversation_id={name}&result=stored")).await;
    let types: Vec<&str> =
        ledger["deliveries"].as_array().unwrap().iter().map(|row| row["event_type"].as_str().unwrap()).collect();
    assert!(types.contains(&"post_call_transcription"), "{types:?}");
    let page = world.get("/api/deliveries?limit=1").await;
    let rest = world.get(&format!("/api/deliveries?cursor={}", page["next"].as_str().unwrap())).await;
    assert!(!rest["deliveries"].as_array().unwrap().contains(&page["deliveries"][0]));
    let report = world.get("/api/settlement").await;
    assert_eq!((&report["placed"], &report["outcomes"]), (&json!(1), &json!({ "answered": 1 })), "{report:#}");
    let before = world.get("/api/settlement?to=2026-01-01T00:00:00Z").await;
    assert_eq!((&before["placed"], &before["from"]), (&json!(0), &json!("2025-12-31T00:00:00Z")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dossier_of_a_number_holds_everything_over_all_campaigns() {
    let world = World::start().await;
    // Talks, and opts out in the first campaign: the second one blocks the person.
    let number = &numbers(1, "59")[0];
    let first = campaign(&world, json!({ "name": "spring" }), std::slice::from_ref(number)).await;
    go(&world, first, "start").await;
    play(&world, first).await;
    let second = campaign(&world, json!({ "name": "autumn" }), std::slice::from_ref(number)).await;
    go(&world, second, "start").await;
    world.clock.advance(Duration::from_secs(1));
    play(&world, second).await;
    let dossier = world.get(&format!("/api/numbers/{number}")).await;
    assert_eq!((&dossier["number"], &dossier["known"]), (&json!(number), &json!(true)));
    let contacts = dossier["contacts"].as_array().unwrap();
    let names: Vec<&Value> = contacts.iter().map(|contact| &contact["campaign"]["name"]).collect();
    assert_eq!(names, ["autumn", "spring"], "{dossier:#}");
    assert_eq!(contacts[0]["consent"]["type"], "written");
    assert_eq!(dossier["attempts"].as_array().unwrap().len(), 1, "{dossier:#}");
    assert_eq!(dossier["attempts"][0]["recording"]["sha256"].as_str().map(str::len), Some(64));
    assert!(!dossier["suppression"]["now"].is_null(), "{dossier:#}");
    assert_eq!(dossier["suppression"]["history"][0]["action"], "added");
    assert_eq!(contacts[0]["explanation"]["who"], "guard", "{:#}", contacts[0]);
    let decisions = dossier["decisions"].as_array().unwrap();
    let words: Vec<&str> = decisions.iter().map(|decision| decision["decision"].as_str().unwrap()).collect();
    assert!(words.contains(&"allow") && words.contains(&"block"), "{words:?}");
    assert!(decisions.iter().all(|decision| decision["rules_version"].is_string()));
    assert_eq!(dossier["truncated"], json!([]));
    let page = world.http.get(format!("{}/api/numbers/{number}", world.url)).header("Accept", "text/plain");
    let page = page.bearer_auth(READ_TOKEN).send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/plain; charset=utf-8");
    let page = page.text().await.unwrap();
    let digest = dossier["attempts"][0]["recording"]["sha256"].as_str().unwrap();
    for words in
        [number.as_str(), "spring", "autumn", "Consent: written", "On the list since", digest, "Rules 20", CALLER_ID]
    {
        assert!(page.contains(words), "{words}:\n{page}");
    }
    assert!(page.lines().all(|line| line.len() <= 100 || !line.trim().contains(' ')), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_was_never_heard_of_has_an_empty_dossier() {
    let world = World::start().await;
    let dossier = world.get("/api/numbers/+14155550177").await;
    assert_eq!(
        (&dossier["known"], &dossier["attempts"], &dossier["contacts"]),
        (&json!(false), &json!([]), &json!([]))
    );
    let page = world.http.get(format!("{}/api/numbers/+14155550177?format=text", world.url)).bearer_auth(READ_TOKEN);
    assert!(page.send().await.unwrap().text().await.unwrap().contains("never heard of"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_not_placed_says_who_decided_so() {
    let world = World::start().await;
    let stopped = world.written_down("+14155550101").await;
    let stop = json!({ "scope": "all", "reason": "wrong list" });
    assert_eq!(world.send(Method::POST, "/api/stop", Some(&stop), &[]).await.0, 201);
    let told = &world.view(stopped).await["explanation"];
    assert_eq!(
        (&told["who"], told["why"].as_str().unwrap().contains("wrong list")),
        (&"owner".into(), true),
        "{told:#}"
    );
}

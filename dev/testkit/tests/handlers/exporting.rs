//! Rows become a file, whole and once, whatever happens meanwhile.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use elevenwire::crash;
use elevenwire::export::Format;
use elevenwire::queue::ExportTask;
use elevenwire::store::lease::Taken;
use elevenwire::store::reading::{Exported, ExportedContacts, Place};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::World;
use testkit::database::Database;
use testkit::lines::Line;
use testkit::plenty::fill;
use testkit::world::READ_TOKEN;
use uuid::Uuid;

use crate::campaigning::campaign;
use crate::reading_plans::assert_indexed;

async fn post(world: &World, body: &Value, headers: &[(&str, &str)]) -> (u16, Value) {
    let mut request = world.http.post(format!("{}/api/exports", world.url)).bearer_auth(READ_TOKEN).json(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn asked(world: &World, body: Value) -> Uuid {
    let (status, export) = post(world, &body, &[]).await;
    assert_eq!((status, &export["state"]), (202, &"queued".into()), "{export:#}");
    Uuid::parse_str(export["id"].as_str().unwrap()).unwrap()
}

/// A file by its link, which must be the one that its export tells of.
async fn file(world: &World, id: Uuid) -> (Value, String) {
    let export = world.get(&format!("/api/exports/{id}")).await;
    assert_eq!(export["state"], "done", "{export:#}");
    let answer = world.http.get(export["url"].as_str().unwrap()).send().await.unwrap();
    assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment; filename="));
    let bytes = answer.bytes().await.unwrap();
    assert_eq!((export["bytes"].as_u64(), &export["sha256"]), (Some(bytes.len() as u64), &sha256(&bytes).into()));
    (export, String::from_utf8(bytes.to_vec()).unwrap())
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

async fn exported(world: &World, body: Value) -> (Value, String) {
    let id = asked(world, body).await;
    world.pump().await;
    file(world, id).await
}

/// The objects of a file of JSON Lines.
async fn lines(world: &World, body: Value) -> Vec<Value> {
    let mut body = body;
    body["format"] = "jsonl".into();
    let (export, text) = exported(world, body).await;
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(export["rows"].as_u64().unwrap(), lines.len() as u64);
    lines
}

fn all(lines: &[Value], name: &str) -> Vec<String> {
    lines.iter().map(|line| line[name].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_leave_as_json_lines_and_as_csv_by_every_filter() {
    let world = World::start().await;
    let [talked, busy] = [world.call("+14155550101").await, world.call("+14155550151").await];
    world.settled(talked).await;
    world.settled(busy).await;
    let found = lines(&world, json!({ "what": "calls" })).await;
    assert_eq!(all(&found, "call_id"), [busy.to_string(), talked.to_string()], "the newest first");
    let (one, call) = (&found[1], world.view(talked).await);
    assert_eq!(
        (&one["outcome"], &one["outcome_final"], &one["opted_out"]),
        (&"answered".into(), &true.into(), &false.into())
    );
    for (name, shown) in [
        ("talk_secs", &call["conversation"]["duration_secs"]),
        ("cost", &call["conversation"]["cost"]),
        ("recording_bytes", &call["recording"]["bytes"]),
        ("variables", &call["variables"]),
    ] {
        assert_eq!(&one[name], shown, "{name}");
    }
    let at = |text: &Value| text.as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(one["created_at"].as_str().unwrap().ends_with('Z') && at(&one["created_at"]) == at(&call["created_at"]));
    assert_eq!(found[0]["conversation_id"], Value::Null);
    let (talked, busy) = (talked.to_string(), busy.to_string());
    for (filter, expected) in [
        (json!({ "number": "+14155550101" }), vec![&talked]),
        (json!({ "carrier_sid": call["carrier_sid"] }), vec![&talked]),
        (json!({ "conversation_id": call["conversation"]["id"] }), vec![&talked]),
        (json!({ "outcome": "busy" }), vec![&busy]),
        (json!({ "state": "ended" }), vec![&busy, &talked]),
        (json!({ "agent": "nobody" }), vec![]),
        (json!({ "campaign": "autumn" }), vec![]),
        (json!({ "from": found[0]["created_at"] }), vec![&busy]),
        (json!({ "to": found[0]["created_at"] }), vec![&talked]),
        (json!({ "text": "hello" }), vec![&talked]),
    ] {
        let mut body = filter.clone();
        body["what"] = "calls".into();
        assert_eq!(all(&lines(&world, body).await, "call_id").iter().collect::<Vec<_>>(), expected, "{filter}");
    }
    let (_, csv) = exported(&world, json!({ "what": "calls", "outcome": "busy" })).await;
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!((rows.len(), rows[2]), (3, ""));
    assert!(rows[0].starts_with("call_id,created_at,to_number,from_number,agent,"), "{csv}");
    assert!(rows[1].starts_with(&format!("{busy},")) && rows[1].contains(",+14155550151,+14155550100,demo,"), "{csv}");
    let names: Vec<&str> = rows[0].split(',').collect();
    assert_eq!(names.len(), found[0].as_object().unwrap().len());
    assert!(names.iter().all(|name| found[0].get(name).is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_else_leaves_by_its_own_filters() {
    let world = World::start().await;
    let id = world.call("+14155550101").await;
    let call = world.settled(id).await;
    let [one, other] = ["+14155550120", "+14155550121"].map(str::to_owned);
    let autumn = campaign(&world, json!({}), &[one.clone(), other.clone()]).await;
    let winter = campaign(&world, json!({}), std::slice::from_ref(&one)).await;
    let of = |what: &str, filter: Value| {
        let mut body = filter;
        body["what"] = what.into();
        lines(&world, body)
    };
    let conversations = of("conversations", json!({ "call_id": id })).await;
    assert_eq!((conversations.len(), &conversations[0]["conversation_id"]), (1, &call["conversation"]["id"]));
    assert_eq!(conversations[0]["messages"], call["conversation"]["messages"]);
    assert!(conversations[0]["transcript"].as_str().unwrap().starts_with("agent: "), "{:#}", conversations[0]);
    for (filter, rows) in [
        (json!({ "agent_id": "agent_demo" }), 1),
        (json!({ "status": "done" }), 1),
        (json!({ "text": "hippopotamus" }), 0),
        (json!({ "campaign": "x" }), 0),
        (json!({ "to": "2020-01-01T00:00:00Z" }), 0),
    ] {
        assert_eq!(of("conversations", filter.clone()).await.len(), rows, "{filter}");
    }
    assert_eq!(of("contacts", json!({})).await.len(), 3);
    assert_eq!(all(&of("contacts", json!({ "campaign": autumn })).await, "number"), [one.clone(), other.clone()]);
    assert_eq!(of("contacts", json!({ "campaign": autumn, "number": other })).await[0]["consent_type"], "written");
    assert_eq!(of("contacts", json!({ "campaign": winter, "status": "done" })).await.len(), 0);
    assert_eq!(of("contacts", json!({ "outcome": "answered" })).await.len(), 0);
    let suppress = json!({ "number": "+14155550199", "reason": "=cmd|' /C calc'!A0" });
    assert_eq!(world.send(Method::POST, "/api/suppressions", Some(&suppress), &[]).await.0, 201);
    assert_eq!(of("suppressions", json!({})).await[0]["reason"], suppress["reason"], "JSON runs nothing");
    assert_eq!(of("suppressions", json!({ "to": "2020-01-01T00:00:00Z" })).await.len(), 0);
    let deliveries = of("deliveries", json!({ "event_type": "post_call_transcription" })).await;
    assert_eq!((deliveries.len(), &deliveries[0]["result"]), (1, &"stored".into()));
    for (filter, rows) in
        [(json!({ "conversation_id": call["conversation"]["id"] }), 2), (json!({ "result": "refused" }), 0)]
    {
        assert!(of("deliveries", filter).await.len() <= rows);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cell_of_a_csv_is_a_formula_and_excel_is_told_that_it_is_utf8() {
    let world = World::start().await;
    for (number, reason) in
        [("+14155550190", "=HYPERLINK(\"x\",\"y\")"), ("+14155550191", "-1;2"), ("+14155550192", "Zoë said \"no\"")]
    {
        let body = json!({ "number": number, "reason": reason });
        assert_eq!(world.send(Method::POST, "/api/suppressions", Some(&body), &[]).await.0, 201);
    }
    let (export, csv) = exported(&world, json!({ "what": "suppressions", "format": "csv", "bom": true })).await;
    let at = |line: &str| line.split(',').nth(1).unwrap_or_default().to_owned();
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!((rows[0], rows.len()), ("\u{feff}number,suppressed_at,source,reason,call_id", 5));
    assert_eq!(rows[1], format!("+14155550192,{},owner,\"Zoë said \"\"no\"\"\",", at(rows[1])));
    assert_eq!(rows[2], format!("+14155550191,{},owner,\"'-1;2\",", at(rows[2])));
    assert_eq!(rows[3], format!("+14155550190,{},owner,\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\",", at(rows[3])));
    assert_eq!(export["rows"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_a_header_alone_or_an_empty_file() {
    let world = World::start().await;
    let (export, csv) = exported(&world, json!({ "what": "deliveries" })).await;
    assert_eq!(csv, "digest,event_type,conversation_id,received_at,handled_at,result,reason,raw_key\r\n");
    assert_eq!((&export["rows"], export["url"].is_string()), (&0.into(), true));
    assert!(lines(&world, json!({ "what": "calls" })).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_exported_is_refused_and_asking_twice_is_asking_once() {
    let world = World::start().await;
    let wrong = json!({ "what": "calls", "status": "done", "from": "yesterday", "format": "xlsx" });
    let (status, problem) = post(&world, &wrong, &[]).await;
    let fields: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!((status, fields), (422, vec!["status", "format", "from"]), "{problem:#}");
    assert_eq!(world.http.post(format!("{}/api/exports", world.url)).send().await.unwrap().status(), 401);
    assert_eq!(world.send(Method::GET, &format!("/api/exports/{}", Uuid::nil()), None, &[]).await.0, 404);
    assert_eq!(world.send(Method::GET, "/api/exports?what=calls", None, &[]).await.0, 422);
    let body = json!({ "what": "calls" });
    let key = [("Idempotency-Key", "one")];
    let (first, again) = (post(&world, &body, &key).await, post(&world, &body, &key).await);
    assert_eq!((first.0, &first.1), (202, &again.1));
    assert_eq!(post(&world, &json!({ "what": "contacts" }), &key).await.0, 422);
    assert_eq!(post(&world, &body, &[("Idempotency-Key", "")]).await.0, 400);
    for _ in 1..10 {
        asked(&world, body.clone()).await;
    }
    assert_eq!(post(&world, &body, &[]).await.0, 429);
    assert_eq!(post(&world, &body, &key).await.0, 202, "what was asked for before is answered");
    let page = world.get("/api/exports?limit=6").await;
    let next = world.get(&format!("/api/exports?limit=6&cursor={}", page["next"].as_str().unwrap())).await;
    assert_eq!([&page, &next].map(|page| page["exports"].as_array().unwrap().len()), [6, 4]);
    // Two of its messages, and none of them for an export that is not there.
    world.cloud.exports.queue().send(&ExportTask { export_id: Uuid::nil() }).await.unwrap();
    for _ in 0..3 {
        world.pump().await;
    }
    assert_eq!(world.database.count("select count(*) from exports where state = 'done'").await, 10);
    assert_eq!(world.cloud.exports.buried().await, Vec::<String>::new());
    world.cloud.empty_bucket().await;
    let gone = world.get(&format!("/api/exports/{}", first.1["id"].as_str().unwrap())).await;
    assert_eq!((&gone["state"], &gone["url"]), (&"done".into(), &Value::Null));
}

/// Deliveries that make a file of some twenty megabytes: two parts and a rest.
async fn heavy(world: &World) {
    let sql = "insert into deliveries select md5(at::text), 'flat', null, 'raw/x', '2026-01-01'::timestamptz + at * interval '1 s',
            '2026-01-01', 'refused', at || repeat('x', 65000) from generate_series(1, 300) at";
    world.database.client().await.batch_execute(sql).await.unwrap();
}

fn batch(export_id: Uuid) -> aws_lambda_events::sqs::SqsEvent {
    let mut record = aws_lambda_events::sqs::SqsMessage::default();
    record.message_id = Some("message".to_owned());
    record.body = Some(json!({ "export_id": export_id }).to_string());
    let mut batch = aws_lambda_events::sqs::SqsEvent::default();
    batch.records.push(record);
    batch
}

async fn purge(world: &World) {
    world.cloud.sqs.purge_queue().queue_url(&world.cloud.exports.url).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_anywhere_leaves_the_one_file_that_it_would_have_made() {
    let world = World::start().await;
    heavy(&world).await;
    let body = json!({ "what": "deliveries", "format": "jsonl" });
    let (whole, _) = exported(&world, body.clone()).await;
    assert_eq!(whole["rows"], 300);
    let mut died = 0;
    for stop_at in 0.. {
        world.database.client().await.batch_execute("delete from exports").await.unwrap();
        world.cloud.empty_bucket().await;
        let id = asked(&world, body.clone()).await;
        purge(&world).await;
        let (_, output) = crash::run(Some(stop_at), world.work(Line::Exports, batch(id))).await;
        let seen = world.get(&format!("/api/exports/{id}")).await;
        assert!(seen["state"] == "done" || seen["url"].is_null(), "{stop_at}: no link before it is done");
        if output.is_none() {
            died += 1;
            // Whoever falls silent is taken over; the message comes again until then.
            let silent =
                "update exports set heartbeat_at = heartbeat_at - interval '3 minutes' where state = 'running'";
            world.database.client().await.batch_execute(silent).await.unwrap();
            for _ in 0..3 {
                world.work(Line::Exports, batch(id)).await;
            }
        }
        let (export, _) = file(&world, id).await;
        assert_eq!((&export["sha256"], &export["rows"]), (&whole["sha256"], &whole["rows"]), "{stop_at}");
        assert_eq!(world.cloud.keys("exports/").await, [format!("exports/{id}.jsonl")], "{stop_at}");
        if output.is_some() {
            break;
        }
    }
    // Taken, upload, two parts, each noted; said, the last part, appeared, done: before and after each.
    assert!(died >= 18, "{died}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_was_no_time_for_the_next_message_goes_on_with() {
    let world = World::start().await;
    heavy(&world).await;
    let body = json!({ "what": "deliveries", "format": "csv" });
    let (whole, _) = exported(&world, body.clone()).await;
    let id = asked(&world, body).await;
    purge(&world).await;
    let app = export_records::App { store: world.database.store(), blobs: world.cloud.blobs() };
    let mut runs = 0;
    loop {
        let (begun, asked) = (world.clock.now(), AtomicI64::new(0));
        // Whoever looks at this clock has spent ten seconds: there is time for one part.
        let now = || begun + SignedDuration::from_secs(10 * asked.fetch_add(1, Ordering::Relaxed));
        let clock = export_records::Clock { now: &now, ends_at: begun + SignedDuration::from_secs(125) };
        runs += 1;
        let done = Box::pin(export_records::export(&app, ExportTask { export_id: id }, clock)).await;
        let seen = world.get(&format!("/api/exports/{id}")).await;
        if done.is_ok() {
            break;
        }
        assert_eq!(
            (&seen["state"], seen["rows"].as_u64() > Some(100 * (runs - 1))),
            (&"queued".into(), true),
            "{seen:#}"
        );
    }
    assert_eq!((runs, &file(&world, id).await.0["sha256"]), (3, &whole["sha256"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_upload_or_wake_up_is_mended_and_what_never_comes_further_fails() {
    let world = World::start().await;
    heavy(&world).await;
    let body = json!({ "what": "deliveries", "format": "jsonl" });
    let id = asked(&world, body.clone()).await;
    purge(&world).await;
    world.clock.advance(Duration::from_mins(3));
    world.reconcile().await;
    world.pump().await;
    let (whole, _) = file(&world, id).await;
    let id = asked(&world, body).await;
    purge(&world).await;
    // It died before its third part, and its upload was cleared away.
    crash::run(Some(10), world.work(Line::Exports, batch(id))).await;
    let forget = "update exports set heartbeat_at = heartbeat_at - interval '3 minutes',
        progress = jsonb_set(progress, '{parts,upload_id}', '\"never\"') where progress is not null";
    assert_eq!(world.database.client().await.execute(forget, &[]).await.unwrap(), 1);
    assert_eq!(world.work(Line::Exports, batch(id)).await.batch_item_failures.len(), 1, "another begins again");
    assert!(world.work(Line::Exports, batch(id)).await.batch_item_failures.is_empty());
    assert_eq!(file(&world, id).await.0["sha256"], whole["sha256"]);
    let id = asked(&world, json!({ "what": "calls" })).await;
    let store = world.database.store();
    let Taken::Mine(first) = store.take_export(id, world.clock.now()).await.unwrap() else { panic!("it is free") };
    assert!(matches!(store.take_export(id, world.clock.now()).await.unwrap(), Taken::Busy));
    for _ in 0..5 {
        world.clock.advance(Duration::from_mins(3));
        store.take_export(id, world.clock.now()).await.unwrap();
        assert!(!store.note_export(&first, None, world.clock.now()).await.unwrap(), "it was taken over");
    }
    let failed = world.get(&format!("/api/exports/{id}")).await;
    assert!(failed["error"].as_str().unwrap().contains("broke off several times"), "{failed:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_portion_is_found_by_an_index_and_all_of_them_are_every_row_once() {
    let database = Database::create().await;
    let client = database.client().await;
    fill(&client).await;
    let store = database.store();
    let now = Timestamp::from_second(1_900_000_000).unwrap();
    let campaign: Uuid = client.query_one("select id from campaigns limit 1", &[]).await.unwrap().get(0);
    let exports = [
        (Exported::of("calls", &json!({})), -1),
        (Exported::of("calls", &json!({ "campaign": "campaign-7", "outcome": "busy" })), -1),
        (Exported::of("conversations", &json!({})), 20_000),
        (Exported::of("deliveries", &json!({})), 100_000),
        (Exported::of("contacts", &json!({})), 50_000),
        (Some(Exported::Contacts(ExportedContacts { campaign: Some(campaign), ..ExportedContacts::default() })), 1000),
    ];
    for (exported, rows) in exports {
        let exported = exported.unwrap();
        let (mut after, mut read): (Option<Place>, u64) = (None, 0);
        loop {
            assert_indexed(exported.what(), &store.plan_of_export(&exported, now, after.as_ref()).await.unwrap());
            let mut count = 0;
            let mut take = |_: elevenwire::store::reading::Cells<'_>| {
                count += 1;
                count == 1500
            };
            let portion = store.export_rows(&exported, Format::Jsonl, now, after.as_ref(), &mut take).await.unwrap();
            read += portion.rows;
            after = portion.last.or(after);
            // Of the calls the first portions do.
            if portion.over || (rows < 0 && read > 4000) {
                break;
            }
        }
        assert!(rows < 0 || read == u64::try_from(rows).unwrap(), "{}: {read}", exported.what());
    }
}

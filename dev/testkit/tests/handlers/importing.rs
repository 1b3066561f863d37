//! A file of people becomes contacts of a campaign.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use elevenwire::crash;
use elevenwire::queue::ImportTask;
use elevenwire::store::imports::{Batch, Staged};
use elevenwire::store::lease::Taken;
use http::Method;
use serde_json::{Value, json};
use testkit::World;
use testkit::lines::Line;
use testkit::world::TOKEN;
use uuid::Uuid;

/// A campaign that asks for nothing but what the law does.
async fn campaign(world: &World, settings: Value) -> Uuid {
    let id = Uuid::new_v4();
    let sql = "insert into campaigns (id, name, agent, purpose, state, settings, max_concurrent, rate, max_attempts,
            created_at, updated_at)
        values ($1, 'autumn', 'demo', 'informational', 'draft', $2, 5, 1, 3, now(), now())";
    world.database.client().await.execute(sql, &[&id, &settings]).await.unwrap();
    id
}

async fn start() -> (World, Uuid) {
    let world = World::start().await;
    let campaign = campaign(&world, json!({})).await;
    (world, campaign)
}

/// Sends a small file; answers the import.
async fn send(world: &World, campaign: Uuid, query: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let url = format!("{}/api/campaigns/{campaign}/imports{query}", world.url);
    let request = world.http.post(url).bearer_auth(TOKEN).header("Content-Type", "text/csv; charset=utf-8").body(body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn sent(world: &World, campaign: Uuid, query: &str, body: impl Into<reqwest::Body>) -> String {
    let (status, import) = send(world, campaign, query, body).await;
    assert_eq!((status, &import["state"]), (201, &"queued".into()), "{import}");
    import["id"].as_str().unwrap().to_owned()
}

async fn seen(world: &World, campaign: Uuid, import: &str) -> Value {
    world.get(&format!("/api/campaigns/{campaign}/imports/{import}")).await
}

/// Sends a small file and works it off.
async fn imported(world: &World, campaign: Uuid, query: &str, body: &str) -> Value {
    let import = sent(world, campaign, query, body.to_owned()).await;
    world.pump().await;
    seen(world, campaign, &import).await
}

/// Uploads a file; answers the import, which was started.
async fn uploaded(world: &World, campaign: Uuid, wish: Value, file: Vec<u8>) -> String {
    let path = format!("/api/campaigns/{campaign}/imports");
    let (status, import) = world.send(Method::POST, &path, Some(&wish), &[]).await;
    assert_eq!((status, &import["state"]), (201, &"awaiting_upload".into()), "{import}");
    let put = world.http.put(import["upload"]["url"].as_str().unwrap()).body(file).send().await.unwrap();
    assert!(put.status().is_success(), "{put:?}");
    let id = import["id"].as_str().unwrap().to_owned();
    let (status, started) = world.send(Method::POST, &format!("{path}/{id}/start"), None, &[]).await;
    assert_eq!((status, &started["state"]), (202, &"queued".into()), "{started}");
    id
}

async fn bad_rows(world: &World, import: &Value) -> String {
    let answer = world.http.get(import["bad_rows_url"].as_str().unwrap()).send().await.unwrap();
    assert!(answer.status().is_success());
    answer.text().await.unwrap()
}

fn counts(import: &Value) -> [i64; 5] {
    ["rows_read", "taken", "bad", "duplicates_in_file", "duplicates_in_campaign"]
        .map(|name| import[name].as_i64().unwrap())
}

/// Rows with numbers of San Francisco; of every hundred, one is bad and one a duplicate.
fn large(rows: u32) -> String {
    let mut text = "phone_number,first_name,consent_type,balance\r\n".to_owned();
    for n in 0..rows {
        let number = match n % 100 {
            7 => "4.15551E+11".to_owned(),
            8 => format!("+1415{:07}", 2_000_000 + n - 1 - 7),
            _ => format!("+1415{:07}", 2_000_000 + n),
        };
        let _ = write!(text, "{number},\"Maria, {n}\",express,{n}.50\r\n");
    }
    text
}

const CONTACTS: &str = "select count(*) from contacts";
const STAGED: &str = "select count(*) from import_rows";

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_becomes_contacts_and_its_bad_rows_come_back() {
    let (world, campaign) = start().await;
    let file = "Phone;First Name;ZIP\n+14155550101;Zoë;94105\n4155550102;Al;94105\n+14155550103;\"Bo\nb\";2139\n\
                +18005550104;Cy;\n+14155550101;Zoë again;\n";
    let import = imported(&world, campaign, "?filename=people.csv", file).await;
    assert_eq!((&import["state"], &import["filename"]), (&"done".into(), &"people.csv".into()), "{import:#}");
    assert_eq!(counts(&import), [5, 1, 3, 1, 0]);
    assert_eq!(import["columns"][1], json!({ "name": "First Name", "variable": "first_name" }));
    let lines: Vec<String> = bad_rows(&world, &import).await.lines().map(str::to_owned).collect();
    assert_eq!(lines[0], "\u{feff}line,column,reason");
    for (line, begins) in
        lines[1..].iter().zip(["3,\"Phone\",\"has no country", "4,\"ZIP\",\"has lost", "6,\"Phone\",\"can never"])
    {
        assert!(line.starts_with(begins), "{line}");
    }
    let client = world.database.client().await;
    let row =
        client.query_one("select number, postal_code, variables, status, line, import_id::text from contacts", &[]);
    let row = row.await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("+14155550101", "94105"));
    assert_eq!(row.get::<_, Value>(2), json!({ "first_name": "Zoë" }));
    assert_eq!((row.get::<_, &str>(3), row.get::<_, i32>(4)), ("waiting", 2));
    assert_eq!(row.get::<_, &str>(5), import["id"].as_str().unwrap());
    let tally = "select coalesce(sum(n), 0)::bigint from contact_tallies where status = 'waiting'";
    assert_eq!((world.database.count(tally).await, world.database.count(STAGED).await), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_rows_with_one_percent_bad_ones_are_taken_in_seconds() {
    let (world, campaign) = start().await;
    let begun = Instant::now();
    let id = uploaded(&world, campaign, json!({ "filename": "large.csv" }), large(100_000).into_bytes()).await;
    assert!(world.database.store().import_running(campaign).await.unwrap());
    world.pump().await;
    let import = seen(&world, campaign, &id).await;
    println!("100,000 rows in {:?}", begun.elapsed());
    assert_eq!((&import["state"], counts(&import)), (&"done".into(), [100_000, 98_000, 1000, 1000, 0]), "{import:#}");
    assert_eq!(import["bytes_read"], import["bytes"]);
    assert_eq!(world.database.count(CONTACTS).await, 98_000);
    assert_eq!(bad_rows(&world, &import).await.lines().count(), 1001);
    assert!(!world.database.store().import_running(campaign).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_in_the_file_and_in_the_campaign_are_told_apart() {
    let (world, campaign) = start().await;
    let other = self::campaign(&world, json!({})).await;
    let first = "phone\n+14155550101\n+14155550102\n+1 (415) 555-0101\n";
    assert_eq!(counts(&imported(&world, campaign, "", first).await), [3, 2, 0, 1, 0]);
    let second = "phone\n+14155550102\n+14155550103\n+14155550103\n+14155550102\n";
    assert_eq!(counts(&imported(&world, campaign, "", second).await), [4, 1, 0, 2, 1]);
    assert_eq!(counts(&imported(&world, other, "", second).await), [4, 2, 0, 2, 0], "another campaign's are its own");
    let kept = "select line::bigint from contacts c where number = '+14155550101'";
    assert_eq!(world.database.count(kept).await, 2, "the first of equals is taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing_and_foretells() {
    let (world, campaign) = start().await;
    let known = "phone,consent_type\n+14155550105,express\n";
    imported(&world, campaign, "", known).await;
    let suppress = "insert into numbers (number, suppressed_at) values ('+14155550103', now())";
    world.database.client().await.batch_execute(suppress).await.unwrap();
    let file = "phone,consent_type\n+14155550101,express\n+14155550102,written\n+14155550103,express\n+14155550104,none\n\
                +14155550105,express\n+14155550101,express\n+18005550106,express\n415,express\n";
    let before = world.database.count(CONTACTS).await;
    let import = imported(&world, campaign, "?dry_run=true", file).await;
    assert_eq!((&import["state"], counts(&import)), (&"done".into(), [8, 4, 2, 1, 1]), "{import:#}");
    let forecast = &import["forecast"];
    let told = [
        "callable",
        "suppressed",
        "without_zone",
        "without_consent",
        "duplicates_in_file",
        "duplicates_in_campaign",
        "bad",
    ];
    assert_eq!(told.map(|name| forecast[name].as_i64().unwrap()), [2, 1, 1, 1, 1, 1, 2], "{forecast:#}");
    let sentence = forecast["sentence"].as_str().unwrap();
    assert!(
        sentence.starts_with("2 callable, 1 suppressed, 1 without a zone, 1 without consent, first call "),
        "{sentence}"
    );
    assert!(sentence.contains(" at 1 a second, about $"), "{sentence}");
    assert!(forecast["first_call"].as_str().unwrap() < forecast["last_call"].as_str().unwrap());
    assert_eq!((world.database.count(CONTACTS).await, world.database.count(STAGED).await), (before, 0));
}

/// An hour a day, every day.
fn late_morning() -> Value {
    let every = json!([{ "from": "11:00", "to": "12:00" }]);
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    days.iter().map(|day| ((*day).to_owned(), every.clone())).collect::<serde_json::Map<_, _>>().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_left_when_the_window_closes_is_foretold_for_the_next_day() {
    let world = World::start().await;
    let campaign = campaign(&world, json!({ "windows": late_morning(), "rate": 0.0005 })).await;
    let file = "phone,consent_type\n+14155550101,express\n+14155550102,express\n+14155550103,express\n";
    let forecast = imported(&world, campaign, "?dry_run=true", file).await["forecast"].clone();
    let at = |name: &str| forecast[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!((&forecast["callable"], &forecast["not_reached"]), (&3.into(), &0.into()), "{forecast:#}");
    assert!(at("last_call").duration_since(at("first_call")).as_hours() > 12, "{forecast:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_due_when_the_guard_first_lets_it_be_called() {
    let world = World::start().await;
    let campaign = campaign(&world, json!({ "windows": late_morning() })).await;
    imported(&world, campaign, "", "phone,consent_type\n+14155550101,express\n").await;
    let at = "select count(*) from contacts where due_at > now()
        and extract(hour from due_at at time zone 'America/Los_Angeles') = 11";
    let open_now = "select count(*) from contacts where due_at <= now()
        and extract(hour from now() at time zone 'America/Los_Angeles') = 11";
    assert_eq!(world.database.count(at).await + world.database.count(open_now).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_utf16_file_with_semicolons_is_read_after_its_upload() {
    let (world, campaign) = start().await;
    let text = "\u{feff}phone;first name\r\n4155550101;Zoë\r\n4155550102;Łucja\r\n";
    let file = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let id = uploaded(&world, campaign, json!({ "default_country": "US" }), file).await;
    world.pump().await;
    let import = seen(&world, campaign, &id).await;
    assert_eq!((&import["state"], counts(&import)), (&"done".into(), [2, 2, 0, 0, 0]), "{import:#}");
    assert_eq!(import["bad_rows_url"], Value::Null);
    let named =
        "select count(*) from contacts where number = '+14155550102' and variables = '{\"first_name\": \"Łucja\"}'";
    assert_eq!(world.database.count(named).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_fails_with_a_clear_word_and_is_not_tried_again() {
    let (world, campaign) = start().await;
    let mut files = vec![
        (String::new(), "empty"),
        ("name\nMaria\n".to_owned(), "no column phone_number"),
        ("+14155550101\n".to_owned(), "no header"),
    ];
    // Far behind rows that were staged.
    files.push((format!("{}\"open", large(10_000)), "never closed"));
    for (file, word) in files {
        let import = imported(&world, campaign, "", &file).await;
        assert_eq!(import["state"], "failed", "{import:#}");
        assert!(import["error"].as_str().unwrap().contains(word), "{import:#}");
    }
    assert_eq!((world.database.count(CONTACTS).await, world.database.count(STAGED).await), (0, 0));
    assert_eq!(world.cloud.imports.buried().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_anywhere_ends_the_same_when_the_message_comes_again() {
    let (world, campaign) = start().await;
    let file = large(300);
    let mut died = 0;
    for stop_at in 0.. {
        world.database.client().await.batch_execute("delete from contacts; delete from imports").await.unwrap();
        let id = sent(&world, campaign, "", file.clone()).await;
        let task = json!({ "import_id": id }).to_string();
        world.cloud.sqs.purge_queue().queue_url(&world.cloud.imports.url).send().await.unwrap();
        let (_, output) = crash::run(Some(stop_at), world.work(Line::Imports, batch(&task))).await;
        if output.is_none() {
            died += 1;
            // Whoever falls silent is taken over.
            let silent =
                "update imports set heartbeat_at = heartbeat_at - interval '3 minutes' where state = 'running'";
            world.database.client().await.batch_execute(silent).await.unwrap();
            again(&world, &task).await;
        }
        let import = seen(&world, campaign, &id).await;
        assert_eq!((&import["state"], counts(&import)), (&"done".into(), [300, 294, 3, 3, 0]), "{stop_at}: {import:#}");
        assert_eq!((world.database.count(CONTACTS).await, world.database.count(STAGED).await), (294, 0));
        assert_eq!(bad_rows(&world, &import).await.lines().count(), 4);
        if output.is_some() {
            break;
        }
    }
    assert!(died >= 8, "{died}");
}

/// Until the connection of the dead run is given up, its lock is seen.
async fn again(world: &World, task: &str) {
    for _ in 0..100 {
        if world.work(Line::Imports, batch(task)).await.batch_item_failures.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the import was never taken over");
}

fn batch(body: &str) -> aws_lambda_events::sqs::SqsEvent {
    let mut record = aws_lambda_events::sqs::SqsMessage::default();
    record.message_id = Some("message".to_owned());
    record.body = Some(body.to_owned());
    let mut batch = aws_lambda_events::sqs::SqsEvent::default();
    batch.records.push(record);
    batch
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deliveries_at_once_make_one_import() {
    let (world, campaign) = start().await;
    let id = uploaded(&world, campaign, json!({}), large(5000).into_bytes()).await;
    let task = json!({ "import_id": id }).to_string();
    let work = || Box::pin(world.work(Line::Imports, batch(&task)));
    let (one, other) = futures_util::future::join(work(), work()).await;
    let put_off = one.batch_item_failures.len() + other.batch_item_failures.len();
    assert!(put_off <= 1, "one of them works");
    assert!(world.work(Line::Imports, batch(&task)).await.batch_item_failures.is_empty(), "it is done");
    let import = seen(&world, campaign, &id).await;
    assert_eq!((&import["state"], counts(&import)), (&"done".into(), [5000, 4900, 50, 50, 0]), "{import:#}");
    assert_eq!(world.database.count(CONTACTS).await, 4900);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_taken_over_writes_nothing_any_more() {
    let (world, campaign) = start().await;
    let id: Uuid = sent(&world, campaign, "", "phone\n+14155550101\n").await.parse().unwrap();
    let store = world.database.store();
    let Taken::Mine(first) = store.take_import(id, world.clock.now()).await.unwrap() else { panic!("it is free") };
    assert!(matches!(store.take_import(id, world.clock.now()).await.unwrap(), Taken::Busy));
    assert!(store.imports_overdue(world.clock.now(), 10).await.unwrap().is_empty());
    world.clock.advance(Duration::from_mins(3));
    assert_eq!(store.imports_overdue(world.clock.now(), 10).await.unwrap(), [id]);
    let Taken::Mine(_) = store.take_import(id, world.clock.now()).await.unwrap() else { panic!("it was silent") };
    let staged = store.stage(&first, &mut Batch::default(), Staged::default(), None, world.clock.now()).await.unwrap();
    assert!(!staged);
    store.fail_import(&first, "late", world.clock.now()).await.unwrap();
    assert_eq!(seen(&world, campaign, &id.to_string()).await["state"], "running");
    for _ in 0..5 {
        world.clock.advance(Duration::from_mins(3));
        store.take_import(id, world.clock.now()).await.unwrap();
    }
    let import = seen(&world, campaign, &id.to_string()).await;
    assert!(import["error"].as_str().unwrap().contains("broke off several times"), "{import:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_wake_up_was_lost_is_woken_by_reconcile() {
    let (world, campaign) = start().await;
    let id = sent(&world, campaign, "", "phone\n+14155550101\n").await;
    world.cloud.sqs.purge_queue().queue_url(&world.cloud.imports.url).send().await.unwrap();
    world.reconcile().await;
    world.pump().await;
    assert_eq!(seen(&world, campaign, &id).await["state"], "queued", "its message may still come");
    world.clock.advance(Duration::from_mins(3));
    world.reconcile().await;
    world.pump().await;
    assert_eq!(seen(&world, campaign, &id).await["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_imported_is_refused_before_it_is_written() {
    let (world, campaign) = start().await;
    let path = format!("/api/campaigns/{campaign}/imports");
    let post = async |path: &str, body: Value| world.send(Method::POST, path, Some(&body), &[]).await;
    assert_eq!(post(&format!("/api/campaigns/{}/imports", Uuid::nil()), json!({})).await.0, 404);
    assert_eq!(post("/api/campaigns/none/imports", json!({})).await.0, 404);
    assert_eq!(world.send(Method::GET, &format!("/api/campaigns/{}/imports", Uuid::nil()), None, &[]).await.0, 404);
    assert_eq!(post(&path, json!({ "default_country": "DE" })).await.0, 422);
    assert_eq!(send(&world, campaign, "?default_country=DE", "phone\n").await.0, 422);
    assert_eq!(send(&world, campaign, "?dry_run=perhaps", "phone\n").await.0, 422);
    assert_eq!(send(&world, campaign, "", vec![b'a'; 1024 * 1024 + 1]).await.0, 413);
    assert_eq!(world.database.count("select count(*) from imports").await, 0);
    let (_, import) = post(&path, json!({})).await;
    let own = format!("{path}/{}", import["id"].as_str().unwrap());
    let (status, problem) = post(&format!("{own}/start"), json!({})).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("not uploaded yet"));
    assert_eq!(world.get(&path).await["imports"].as_array().unwrap().len(), 1);
    assert_eq!(world.send(Method::GET, &format!("{path}/{}", Uuid::nil()), None, &[]).await.0, 404);
    world.database.client().await.batch_execute("update campaigns set state = 'canceled'").await.unwrap();
    assert_eq!(post(&path, json!({})).await.0, 409);
    assert_eq!(post(&format!("{own}/start"), json!({})).await.0, 409);
    assert_eq!(world.http.get(format!("{}{path}", world.url)).send().await.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_that_ends_meanwhile_takes_nobody() {
    let (world, campaign) = start().await;
    let id = sent(&world, campaign, "", "phone\n+14155550101\n").await;
    world.database.client().await.batch_execute("update campaigns set state = 'canceled'").await.unwrap();
    world.pump().await;
    let import = seen(&world, campaign, &id).await;
    assert_eq!(import["state"], "failed");
    assert_eq!((world.database.count(CONTACTS).await, world.database.count(STAGED).await), (0, 0));
    // A wake-up that comes late, or for nothing, is harmless.
    world.cloud.imports.queue().send(&ImportTask { import_id: Uuid::nil() }).await.unwrap();
    world.cloud.imports.queue().send(&ImportTask { import_id: id.parse().unwrap() }).await.unwrap();
    world.pump().await;
    assert_eq!(world.cloud.imports.buried().await, Vec::<String>::new());
}

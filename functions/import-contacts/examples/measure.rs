//! Rows a second, and memory above idle, of an import: over a PostgreSQL and a local AWS of its own,
//!
//! ```text
//! cargo build --release -p import-contacts --example measure
//! .venv/bin/python dev/stack/services.py run -- target/release/examples/measure 1000000
//! ```
//!
//! The file is made and uploaded by one process and imported by another, whose memory is measured: its peak, above what it
//! holds when it has its connections and nothing to do. One row in a hundred is bad, and one a duplicate.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "run by hand: it ends at the first thing that is not as it should be"
)]

use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

use elevenwire::blobs::Blobs;
use elevenwire::queue::ImportTask;
use elevenwire::store::imports::NewImport;
use elevenwire::store::intents::new_id;
use elevenwire::store::{Store, migrations};
use import_contacts::{App, Clock, import};
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// Above idle.
const LIMIT_MB: u64 = 64;
const BUCKET: &str = "measure";

fn env(name: &str) -> String {
    std::env::var(name).unwrap()
}

/// The server's URL with a database of our own.
fn database(name: &str) -> String {
    let server = env("TEST_DATABASE_URL");
    let (base, query) = server.split_once('?').unwrap_or((&server, ""));
    format!("{}/{name}?{query}", base.rsplit_once('/').unwrap().0)
}

async fn s3() -> aws_sdk_s3::Client {
    let config = elevenwire::aws::config().await.into_builder().endpoint_url(env("TEST_AWS_ENDPOINT_URL"));
    aws_sdk_s3::Client::new(&config.build())
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("work") => work(arguments[2].parse().unwrap()).await,
        rows => prepare(rows.and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000)).await,
    }
}

async fn prepare(rows: u32) {
    connect(&env("TEST_DATABASE_URL")).await.batch_execute("create database measure").await.unwrap();
    let store = Store::new(database("measure").into());
    migrations::run(&store).await.unwrap();
    let now = Timestamp::now();
    let (campaign, id) = (new_id(now, [1; 10]), new_id(now, [2; 10]));
    let client = connect(&database("measure")).await;
    let agent = "insert into agents (name, elevenlabs_agent_id, number, caller_ids, amd, max_duration_secs, connect,
            created_at, updated_at)
        values ('demo', 'agent_demo', '+15550001111', '{+14155550100}', 'off', 600, 'sip', now(), now())";
    client.batch_execute(agent).await.unwrap();
    let insert = "insert into campaigns (id, name, agent, purpose, state, settings, max_concurrent, rate, max_attempts,
            created_at, updated_at) values ($1, 'measure', 'demo', 'informational', 'draft', '{}', 5, 1, 3, now(), now())";
    client.execute(insert, &[&campaign]).await.unwrap();
    s3().await.create_bucket().bucket(BUCKET).send().await.unwrap();
    let source_key = format!("imports/{id}/source.csv");
    let bytes = upload(&Blobs::new(s3().await, BUCKET.to_owned()), &source_key, rows).await;
    let new = NewImport {
        id,
        campaign_id: campaign,
        dry_run: false,
        us_numbers: false,
        filename: None,
        source_key,
        requested_by: "measure".to_owned(),
    };
    store.create_import(&new, now).await.unwrap();
    store.queue_import(id, bytes, now).await.unwrap();
    println!("file            {rows} rows, {:.1} MB", bytes as f64 / 1e6);
    let done = Command::new(std::env::current_exe().unwrap()).args(["work", &id.to_string()]).status().unwrap();
    let sql =
        "select rows_read, taken, bad, duplicates_in_file, forecast ->> 'sentence' from imports where state = 'done'";
    let row = client.query_one(sql, &[]).await.unwrap();
    let [read, taken, bad, twice]: [i64; 4] = [0, 1, 2, 3].map(|column| row.get(column));
    println!("import          {read} rows: {taken} taken, {bad} bad, {twice} twice in the file");
    println!("forecast        {}", row.get::<_, &str>(4));
    assert!(done.success() && read == i64::from(rows) && taken + bad + twice == read);
}

async fn upload(blobs: &Blobs, key: &str, rows: u32) -> u64 {
    let mut upload = blobs.begin(key, "text/csv");
    let mut text = "phone_number,first_name,state,consent_type,consent_at,balance\r\n".to_owned();
    let mut bytes = 0;
    for n in 0..rows {
        // Area codes that are in use, all over the country.
        let area = [415, 212, 312, 713, 305, 602, 206, 617, 404, 303][n as usize % 10];
        let local = 2_000_000 + n / 10;
        let number = match n % 100 {
            7 => "4.15551E+11".to_owned(),
            // Its fellow of the same area code, ten rows up.
            18 => format!("+1{area}{}", local - 1),
            _ => format!("+1{area}{local}"),
        };
        let _ = write!(text, "{number},\"Maria, {n}\",CA,express,2026-01-02,{n}.50\r\n");
        if text.len() > 1_000_000 {
            bytes += text.len() as u64;
            upload.push(text.as_bytes()).await.unwrap();
            text.clear();
        }
    }
    upload.push(text.as_bytes()).await.unwrap();
    upload.finish().await.unwrap();
    bytes + text.len() as u64
}

async fn work(id: Uuid) {
    let app = App {
        store: Store::new(database("measure").into()),
        blobs: Blobs::new(s3().await, BUCKET.to_owned()),
        dialling: elevenwire::dialling::Dialling::default(),
    };
    let clock = Clock { now: &Timestamp::now, ends_at: Timestamp::now() + SignedDuration::from_mins(15) };
    import(&app, ImportTask { import_id: Uuid::nil() }, clock).await.unwrap();
    app.blobs.size("nothing").await.unwrap();
    let idle = status("VmRSS");
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let begun = Instant::now();
    import(&app, ImportTask { import_id: id }, clock).await.unwrap();
    let (seconds, peak) = (begun.elapsed().as_secs_f64(), status("VmHWM"));
    let above = peak.saturating_sub(idle);
    let rows = connect(&database("measure")).await.query_one("select rows_read from imports", &[]).await.unwrap();
    println!("time            {seconds:.1} s: {:.0} rows a second", rows.get::<_, i64>(0) as f64 / seconds);
    println!("memory          {idle} MB idle, {peak} MB at the peak: {above} MB above idle");
    assert!(above <= LIMIT_MB, "more than {LIMIT_MB} MB above idle");
}

/// In MB.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap() / 1000
}

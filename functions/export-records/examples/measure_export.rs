//! Rows a second, and memory above idle, of an export: over a PostgreSQL and a local AWS of its own,
//!
//! ```text
//! cargo build --release -p export-records --example measure_export
//! .venv/bin/python dev/stack/services.py run -- target/release/examples/measure_export 1000000
//! ```
//!
//! One process makes the calls, another exports them, and its memory is measured: its peak, above what it holds when it has
//! its connections and nothing to do.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "run by hand: it ends at the first thing that is not as it should be"
)]

use std::process::Command;
use std::time::Instant;

use elevenwire::blobs::Blobs;
use elevenwire::export::Format;
use elevenwire::queue::ExportTask;
use elevenwire::store::exports::NewExport;
use elevenwire::store::intents::new_id;
use elevenwire::store::reading::Exported;
use elevenwire::store::{Store, migrations};
use export_records::{App, Clock, export};
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// Above idle.
const LIMIT_MB: u64 = 32;
const BUCKET: &str = "measure-export";

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
    connect(&env("TEST_DATABASE_URL")).await.batch_execute("create database measure_export").await.unwrap();
    let store = Store::new(database("measure_export").into());
    migrations::run(&store).await.unwrap();
    connect(&database("measure_export")).await.batch_execute(&calls(rows)).await.unwrap();
    s3().await.create_bucket().bucket(BUCKET).send().await.unwrap();
    for (at, format) in [(1, Format::Csv), (2, Format::Jsonl)] {
        let now = Timestamp::now();
        let new = NewExport {
            id: new_id(now, [at; 10]),
            exported: Exported::of("calls", &serde_json::json!({})).unwrap(),
            format,
            bom: false,
            requested_by: "measure".to_owned(),
            idempotency_key: None,
        };
        store.ask_export(&new, now).await.unwrap();
        println!("{}", format.as_str());
        let done = Command::new(std::env::current_exe().unwrap()).args(["work", &new.id.to_string()]).status().unwrap();
        let made = store.export(new.id).await.unwrap().unwrap();
        assert!(done.success() && made.state == "done" && made.rows == i64::from(rows));
    }
}

/// Ended calls; every fifth was answered, and has a conversation and a recording.
fn calls(rows: u32) -> String {
    format!(
        "insert into agents values ('demo', 'agent_demo', '+15550001111', '{{+14155550100}}', 'sip', 'off', null, 600, now(), now());
         insert into numbers (number) select '+1415' || (2200000 + at) from generate_series(0, 999) at;
         insert into calls (id, to_number, from_number, agent, elevenlabs_agent_id, campaign_id, variables, metadata,
             requested_by, ring_timeout_secs, max_duration_secs, state, outcome, outcome_final, due_at, expires_at, asks,
             claimed_at, carrier_sid, double_dial, agent_connected, ended_at, transcript, recording, created_at, updated_at,
             conversation_id)
         select uuidv7(), '+1415' || (2200000 + at % 1000), '+14155550100', 'demo', 'agent_demo', 'campaign-' || at % 50,
             '{{\"first_name\": \"Maria\"}}', '{{}}', 'test', 60, 600, 'ended',
             (array['answered', 'voicemail', 'busy', 'no_answer', 'failed'])[1 + at % 5], true, t, t, 1, t, 'sid-' || at, false,
             at % 5 = 0, t, 'stored', 'stored', t, t, 'conv-' || at
         from (select at, '2026-01-01'::timestamptz + at * interval '20 seconds' as t from generate_series(1, {rows}) at) x;
         insert into conversations (call_id, agent_id, campaign_id, messages, created_at, updated_at, conversation_id, status,
             final, turns, event_timestamp, text_mended, raw_key, source, duration_seconds, summary)
         select id, 'agent_demo', campaign_id, '[]', created_at, created_at, conversation_id, 'done', true, 2, 1, false, 'raw/x',
             'webhook', 60, 'Maria said that she will come, and asked for a reminder.'
         from calls where outcome = 'answered';
         insert into call_recordings (call_id, conversation_id, storage_path, bytes, sha256, content_type, source, created_at,
             updated_at)
         select call_id, conversation_id, 'recordings/' || conversation_id, 1000, repeat('a', 64), 'audio/mpeg', 'webhook',
             created_at, created_at from conversations;
         analyze"
    )
}

async fn work(id: Uuid) {
    let app =
        App { store: Store::new(database("measure_export").into()), blobs: Blobs::new(s3().await, BUCKET.to_owned()) };
    let clock = Clock { now: &Timestamp::now, ends_at: Timestamp::now() + SignedDuration::from_mins(15) };
    export(&app, ExportTask { export_id: Uuid::nil() }, clock).await.unwrap();
    app.blobs.size("nothing").await.unwrap();
    let idle = status("VmRSS");
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let begun = Instant::now();
    export(&app, ExportTask { export_id: id }, clock).await.unwrap();
    let (seconds, peak) = (begun.elapsed().as_secs_f64(), status("VmHWM"));
    let above = peak.saturating_sub(idle);
    let made = app.store.export(id).await.unwrap().unwrap();
    println!("file            {} rows, {:.1} MB", made.rows, made.bytes as f64 / 1e6);
    println!("time            {seconds:.1} s: {:.0} rows a second", made.rows as f64 / seconds);
    println!("memory          {idle} MB idle, {peak} MB at the peak: {above} MB above idle");
    assert!(above <= LIMIT_MB, "more than {LIMIT_MB} MB above idle");
}

/// In MB.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap() / 1000
}

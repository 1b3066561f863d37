//! What a tick costs with a million contacts: plans and times of the trigger's statements, over a PostgreSQL of its own,
//!
//! ```text
//! cargo build --release -p campaign-trigger --example tick
//! .venv/bin/python dev/stack/services.py run -- target/release/examples/tick 1000000
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "run by hand: it ends at the first thing that is not as it should be"
)]

use std::time::{Duration, Instant};

use elevenwire::dialling::Dialling;
use elevenwire::store::contacts::Turn;
use elevenwire::store::intents::new_id;
use elevenwire::store::pace::Pace;
use elevenwire::store::{Store, migrations};
use jiff::Timestamp;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

const TURNS: usize = 50;

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// `count` people of one campaign, a tenth of them due, the rest asleep until tomorrow.
async fn fill(client: &Client, id: Uuid, count: i64) {
    let now = Timestamp::now();
    client
        .execute(
            "insert into agents (name, elevenlabs_agent_id, number, caller_ids, connect, amd, max_duration_secs, created_at,
                 updated_at) values ('demo', 'agent_1', '+15550001111', '{+14155550100}', 'sip', 'off', 600, $1, $1)",
            &[&now],
        )
        .await
        .unwrap();
    client
        .execute(
            "insert into campaigns (id, name, agent, purpose, state, settings, max_concurrent, rate, max_attempts, created_at,
                 updated_at, started_at) values ($1, 'big', 'demo', 'emergency', 'running', '{\"rate\": 100}', 5000, 100, 3, $2, $2, $2)",
            &[&id, &now],
        )
        .await
        .unwrap();
    client
        .execute(
            "insert into contacts (campaign_id, number, variables, due_at, created_at, updated_at)
             select $1, '+1' || (2122000000 + n), '{\"first_name\": \"Ada\"}', case when n % 10 = 0 then $3::timestamptz
                 else $3::timestamptz + interval '1 day' end, $3, $3 from generate_series(1, $2::int8) n",
            &[&id, &count, &now],
        )
        .await
        .unwrap();
    client.batch_execute("vacuum analyze").await.unwrap();
}

async fn plan(client: &Client, what: &str, sql: &str, id: Uuid) {
    // Twice, and the second is shown: the first one reads from the disk.
    let mut lines = Vec::new();
    for _ in 0..2 {
        let sql = sql.replace("$1", &format!("'{id}'"));
        lines = client.query(&format!("explain (analyze, timing off, summary on) {sql}"), &[]).await.unwrap();
    }
    println!("\n{what}");
    for line in lines {
        println!("  {}", line.get::<_, &str>(0));
    }
}

fn percentiles(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small index")]
        let index = ((times.len() - 1) as f64 * share) as usize;
        times[index].as_secs_f64() * 1000.0
    };
    println!("{what}: p50 {:.1} ms, p95 {:.1} ms, most {:.1} ms", at(0.5), at(0.95), at(1.0));
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let count: i64 = std::env::args().nth(1).map_or(1_000_000, |count| count.parse().unwrap());
    let url = std::env::var("TEST_DATABASE_URL").unwrap();
    let store = Store::new(url.clone().into());
    migrations::run(&store).await.unwrap();
    let client = connect(&url).await;
    let id = new_id(Timestamp::now(), [1; 10]);
    let begun = Instant::now();
    fill(&client, id, count).await;
    println!("{count} contacts in {:.1} s", begun.elapsed().as_secs_f64());

    plan(
        &client,
        "who is due (the trigger's pick)",
        "select id, number from contacts where campaign_id = $1 and status = 'waiting' and due_at <= now()
         order by due_at, id limit 100 for update skip locked",
        id,
    )
    .await;
    plan(
        &client,
        "counters (GET /api/campaigns/{id})",
        "select status, outcome, sum(n) from contact_tallies where campaign_id = $1 group by 1, 2",
        id,
    )
    .await;
    plan(
        &client,
        "whether anybody is left (once a minute)",
        "select exists (select 1 from contacts k where k.campaign_id = $1 and k.status = 'waiting')
            or exists (select 1 from contacts k where k.campaign_id = $1 and k.status = 'calling')",
        id,
    )
    .await;

    let dialling = Dialling { pace: Pace::of(1000.0), concurrency: 100_000, ..Dialling::default() };
    let campaign = store.campaign(id).await.unwrap().unwrap();
    let agent = store.agent("demo").await.unwrap().unwrap();
    let caller_ids = agent.caller_ids.clone();
    let turn = Turn { campaign: &campaign, agent: &agent, caller_ids: &caller_ids, quota: 10, ring_timeout_secs: 60 };
    let (mut picks, mut rest) = (Vec::new(), Vec::new());
    println!();
    for _ in 0..TURNS {
        let now = Timestamp::now();
        let begun = Instant::now();
        assert_eq!(store.pick(&turn, &dialling, rand::random, now).await.unwrap().attempts.len(), 10);
        picks.push(begun.elapsed());
        let begun = Instant::now();
        store.running(now).await.unwrap();
        store.space(now).await.unwrap();
        store.go_on(500, now).await.unwrap();
        rest.push(begun.elapsed());
    }
    percentiles("ten attempts picked, guarded and written down", picks);
    percentiles("what else a tick asks", rest);
    let mut counts = Vec::new();
    for _ in 0..TURNS {
        let begun = Instant::now();
        let progress = store.progress(id).await.unwrap();
        assert_eq!((progress.contacts, progress.calling), (count, i64::try_from(TURNS * 10).unwrap()));
        counts.push(begun.elapsed());
    }
    percentiles("counters", counts);
}

//! Each page of the console in milliseconds and bytes over 100,000 calls, over a PostgreSQL and a local AWS of its own:
//!
//! ```text
//! .venv/bin/python dev/stack/services.py run -- cargo run -p testkit --example console
//! ```

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "run by hand")]

use std::time::Instant;

use reqwest::redirect::Policy;
use testkit::world::TOKEN;
use testkit::{World, plenty};

#[tokio::main]
async fn main() {
    let world = World::start().await;
    let client = world.database.client().await;
    plenty::fill(&client).await;
    // Its campaigns have names; calls know them by id.
    for sql in [
        "update calls c set campaign_id = m.id::text, created_at = created_at + (now() - timestamptz '2026-10-06'),
             claimed_at = claimed_at + (now() - timestamptz '2026-10-06'), ended_at = ended_at + (now() - timestamptz '2026-10-06')
         from (select id, row_number() over (order by id) as n from campaigns) m where c.campaign_id = 'campaign-' || (m.n - 1)",
        "vacuum analyze calls",
    ] {
        client.batch_execute(sql).await.unwrap();
    }
    let campaign: uuid::Uuid = client.query_one("select id from campaigns limit 1", &[]).await.unwrap().get(0);
    let call: uuid::Uuid =
        client.query_one("select id from calls where outcome = 'answered' limit 1", &[]).await.unwrap().get(0);
    let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let url = format!("{}/console", world.url);
    let sent = http.post(format!("{url}/sign-in")).form(&[("token", TOKEN)]).send().await.unwrap();
    let cookie = sent.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let paths = [
        String::new(),
        "/calls".to_owned(),
        "/calls?outcome=busy".to_owned(),
        "/calls?text=giraffe".to_owned(),
        format!("/calls/{call}"),
        "/campaigns".to_owned(),
        format!("/campaigns/{campaign}"),
        format!("/campaigns/{campaign}/people"),
        "/numbers/+14152200007".to_owned(),
        "/suppressions".to_owned(),
        "/agents".to_owned(),
        "/system".to_owned(),
        "/stop".to_owned(),
    ];
    for path in paths {
        let (mut times, mut bytes) = (Vec::new(), 0);
        for _ in 0..40 {
            let began = Instant::now();
            let got = http.get(format!("{url}{path}")).header("Cookie", &cookie).send().await.unwrap();
            assert_eq!(got.status(), 200, "{path}");
            bytes = got.bytes().await.unwrap().len();
            times.push(began.elapsed());
        }
        times.sort();
        println!(
            "{:60} p50 {:5.1} ms, p95 {:5.1} ms, {bytes} bytes",
            path,
            times[20].as_secs_f64() * 1e3,
            times[38].as_secs_f64() * 1e3
        );
        assert!(bytes < 100_000, "{path}");
    }
}

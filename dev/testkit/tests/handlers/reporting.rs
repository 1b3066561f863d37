//! The views that a BI tool reads.

use serde_json::{Value, json};
use testkit::World;
use testkit::database::Database;
use testkit::plenty::fill;
use uuid::Uuid;

use crate::campaigning::{campaign, go, play};
use crate::reading_plans::reads;

#[tokio::test(flavor = "multi_thread")]
async fn the_reports_count_what_happened() {
    let world = World::start().await;
    let people = ["+14155550101", "+14155550150", "+14155550153", "+14155550154"].map(str::to_owned);
    let id = campaign(&world, json!({ "name": "autumn" }), &people).await;
    go(&world, id, "start").await;
    play(&world, id).await;
    let single = world.call("+14155550151").await;
    world.settled(single).await;
    world.written_down("+14155550120").await;
    let client = world.database.client().await;
    let one = async |sql: &str| -> Value {
        client.query_one(&format!("select to_jsonb(r) from ({sql}) r"), &[]).await.unwrap().get(0)
    };
    let names = ["calls", "answered", "machines", "not_reached", "failed", "abandoned", "opt_outs"];
    let figures = |row: &Value| names.map(|name| row[name].as_i64().unwrap());
    let campaign = one("select * from report_campaigns").await;
    assert_eq!(figures(&campaign), [4, 1, 1, 1, 1, 0, 0], "{campaign:#}");
    let counts = ["contacts", "waiting", "calling", "done"].map(|name| campaign[name].as_i64().unwrap());
    assert_eq!(
        (counts, &campaign["state"], &campaign["campaign_name"]),
        ([4, 0, 0, 4], &"finished".into(), &"autumn".into())
    );
    let talks = world.get(&format!("/api/conversations?campaign={id}")).await;
    let sum = |name: &str| {
        talks["conversations"].as_array().unwrap().iter().map(|talk| talk[name].as_i64().unwrap_or(0)).sum::<i64>()
    };
    assert!(sum("duration_secs") > 0);
    assert_eq!(
        (campaign["talk_secs"].as_i64(), campaign["cost"].as_i64()),
        (Some(sum("duration_secs")), Some(sum("cost")))
    );
    let hours = one("select campaign_id, sum(calls)::int as calls, sum(answered)::int as answered, sum(machines)::int as machines,
        sum(not_reached)::int as not_reached, sum(failed)::int as failed, sum(abandoned)::int as abandoned,
        sum(opt_outs)::int as opt_outs, bool_and(hour = date_trunc('hour', hour)) as whole from report_campaign_hours group by 1").await;
    assert_eq!(
        (figures(&hours), &hours["campaign_id"], &hours["whole"]),
        (figures(&campaign), &id.to_string().into(), &true.into())
    );
    let days = one("select sum(calls)::int as calls, sum(answered)::int as answered, sum(machines)::int as machines,
        sum(not_reached)::int as not_reached, sum(failed)::int as failed, sum(abandoned)::int as abandoned,
        sum(opt_outs)::int as opt_outs from report_agents_daily where agent = 'demo'")
    .await;
    assert_eq!(figures(&days), [5, 1, 1, 2, 1, 0, 0], "the single call too, and not the one that waits");
    let calls = one("select count(*)::int as calls, count(asked_at)::int as asked, count(campaign_name)::int as named from report_calls").await;
    assert_eq!(calls, json!({ "calls": 6, "asked": 5, "named": 4 }));
}

/// The statements of the documentation, as they stand there.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_role_reads_the_reports_and_nothing_else() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/export.md")).unwrap();
    let statements: Vec<&str> = text.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let [abandoned, hours, recipe] = statements[..] else { panic!("{statements:?}") };
    let database = Database::create().await;
    let mut client = database.client().await;
    // Roles are the server's: this one is never committed.
    let tx = client.transaction().await.unwrap();
    let role = format!("reports_{}", Uuid::new_v4().simple());
    tx.batch_execute(&recipe.replace("reports", &role)).await.unwrap();
    tx.batch_execute(&format!("set role {role}")).await.unwrap();
    for sql in [abandoned, hours, "select * from report_campaigns", "select * from report_agents_daily"] {
        tx.query(sql.trim().trim_end_matches(';'), &[]).await.unwrap();
    }
    let refused = tx.query("select * from calls", &[]).await.unwrap_err();
    assert!(format!("{refused:?}").contains("permission denied"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_campaign_one_agent_and_one_call_are_found_by_an_index() {
    let database = Database::create().await;
    let client = database.client().await;
    fill(&client).await;
    for sql in [
        "select * from report_calls where call_id = '019f0000-0000-7000-8000-000000000000'",
        "select * from report_calls where to_number = '+14152200007'",
        "select * from report_campaign_hours where campaign_id = 'nobody'",
        "select * from report_agents_daily where agent = 'nobody'",
        "select * from report_campaigns where campaign_id = '019f0000-0000-7000-8000-000000000000'",
    ] {
        let plan: Value = client.query_one(&format!("explain (format json) {sql}"), &[]).await.unwrap().get(0);
        let mut found = Vec::new();
        reads(&plan, &mut found);
        // What belongs to the calls of a large campaign may well be read as a whole.
        assert!(!found.contains(&("Seq Scan".to_owned(), "calls".to_owned())), "{sql}: {found:?}");
    }
    let begun = std::time::Instant::now();
    for view in ["report_campaign_hours", "report_campaigns", "report_agents_daily"] {
        client.query(&format!("select * from {view}"), &[]).await.unwrap();
        println!("{view} over 100,000 calls, with those before: {:?}", begun.elapsed());
    }
}

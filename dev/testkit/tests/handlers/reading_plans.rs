//! Every list of the API finds its page by an index: asked of the planner, over 100,000 calls.

use elevenwire::store::reading::{CallFilter, ContactFilter, ConversationFilter, DeliveryFilter, Slice, Span};
use serde_json::Value;
use testkit::database::Database;
use testkit::plenty::{LARGE, fill};
use tokio_postgres::Client;
use uuid::Uuid;

/// The nodes of a plan that read a table: what, how, by which index.
pub(crate) fn reads(plan: &Value, found: &mut Vec<(String, String)>) {
    match plan {
        Value::Object(node) => {
            let word = |name: &str| node.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            if node.get("Node Type").and_then(Value::as_str).is_some_and(|kind| kind.contains("Scan")) {
                found.push((word("Node Type"), format!("{}{}", word("Relation Name"), word("Index Name"))));
            }
            node.values().for_each(|value| reads(value, found));
        }
        Value::Array(nodes) => nodes.iter().for_each(|node| reads(node, found)),
        _ => {}
    }
}

pub(crate) fn assert_indexed(name: &str, plan: &Value) {
    let mut found = Vec::new();
    reads(plan, &mut found);
    let slow = |(kind, table): &&(String, String)| kind == "Seq Scan" && LARGE.contains(&table.as_str());
    assert!(!found.is_empty() && found.iter().find(slow).is_none(), "{name}: {found:?}\n{plan:#}");
}

fn by(set: impl FnOnce(&mut CallFilter)) -> CallFilter {
    let mut filter = CallFilter::default();
    set(&mut filter);
    filter
}

fn lists() -> Vec<(&'static str, CallFilter)> {
    let text = |text: &str| Some(text.to_owned());
    let day = Span { from: "2026-06-01T00:00:00Z".parse().ok(), to: "2026-06-02T00:00:00Z".parse().ok() };
    vec![
        ("all", CallFilter::default()),
        ("number", by(|filter| filter.number = text("+14152200007"))),
        ("carrier_sid", by(|filter| filter.carrier_sid = text("sid-77"))),
        ("conversation_id", by(|filter| filter.conversation_id = text("conv-77"))),
        ("campaign", by(|filter| filter.campaign = text("campaign-7"))),
        ("agent", by(|filter| filter.agent = text("demo"))),
        ("agent that has none", by(|filter| filter.agent = text("nobody"))),
        ("outcome", by(|filter| filter.outcome = text("busy"))),
        ("outcome that is rare", by(|filter| filter.outcome = text("blocked"))),
        ("state", by(|filter| filter.state = text("ended"))),
        ("live state", by(|filter| filter.state = text("ringing"))),
        ("a day", by(|filter| filter.created = day)),
        ("a day's outcome", by(|filter| (filter.created, filter.outcome) = (day, text("busy")))),
        ("a rare word", by(|filter| filter.text = text("giraffe"))),
        ("a common word", by(|filter| filter.text = text("hello"))),
        ("a word that nobody said", by(|filter| filter.text = text("hippopotamus"))),
        ("a word in a campaign", by(|filter| (filter.text, filter.campaign) = (text("giraffe"), text("campaign-7")))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_reads_its_page_by_an_index() {
    let database = Database::create().await;
    fill(&database.client().await).await;
    let store = database.store();
    let middle = Some(("2026-06-01T00:00:00Z".parse().unwrap(), Uuid::nil()));
    for (name, filter) in lists() {
        for after in [None, middle] {
            let slice = Slice { after, most: 50 };
            assert_indexed(name, &store.plan_of_calls(&filter, &slice).await.unwrap());
            store.calls(&filter, &slice).await.unwrap();
        }
    }
    let text = |text: &str| Some(text.to_owned());
    let conversations = [
        ConversationFilter::default(),
        ConversationFilter { text: text("giraffe"), ..ConversationFilter::default() },
        ConversationFilter { campaign: text("campaign-5"), ..ConversationFilter::default() },
        ConversationFilter { call_id: Some(Uuid::nil()), ..ConversationFilter::default() },
        ConversationFilter { agent_id: text("agent_demo"), status: text("done"), ..ConversationFilter::default() },
    ];
    for filter in conversations {
        let plan = store.plan_of_conversations(&filter, &Slice::first(50)).await.unwrap();
        assert_indexed(&format!("{filter:?}"), &plan);
    }
    let deliveries = [
        DeliveryFilter::default(),
        DeliveryFilter { result: text("refused"), ..DeliveryFilter::default() },
        DeliveryFilter { conversation_id: text("conv-77"), ..DeliveryFilter::default() },
        DeliveryFilter { event_type: text("post_call_transcription"), ..DeliveryFilter::default() },
    ];
    for filter in deliveries {
        let plan = store.plan_of_deliveries(&filter, &Slice::first(50)).await.unwrap();
        assert_indexed(&format!("{filter:?}"), &plan);
    }
}

/// How often each of the large tables was read from its beginning to its end.
async fn whole_reads(client: &Client) -> Vec<(String, i64)> {
    let sql = "select relname::text, seq_scan from pg_stat_user_tables where relname = any ($1) order by relname";
    let rows = client.query(sql, &[&LARGE.as_slice()]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// PostgreSQL counts when a connection closes, a moment later.
async fn counted(client: &Client) -> Vec<(String, i64)> {
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    client.batch_execute("select pg_stat_clear_snapshot()").await.unwrap();
    whole_reads(client).await
}

#[tokio::test(flavor = "multi_thread")]
async fn single_things_and_dossiers_read_no_table_whole() {
    let database = Database::create().await;
    let filling = database.client().await;
    fill(&filling).await;
    drop(filling);
    let client = database.client().await;
    let before = counted(&client).await;
    let store = database.store();
    let known = CallFilter { number: Some("+14152200007".to_owned()), ..CallFilter::default() };
    let call = store.calls(&known, &Slice::first(1)).await.unwrap()[0].id;
    let row = client.query_one("select id from campaigns limit 1", &[]).await.unwrap();
    assert!(store.call_view(call).await.unwrap().is_some());
    assert!(store.timeline(call).await.unwrap().is_some());
    assert!(store.recording_of(call).await.unwrap().is_some());
    assert!(store.conversation("conv-5").await.unwrap().is_some());
    let dossier = store.dossier("+14152200007").await.unwrap();
    let sizes = ["attempts", "contacts", "decisions"].map(|list| dossier[list].as_array().unwrap().len());
    assert_eq!(sizes, [100, 50, 150]);
    let page = store.contacts_explained(row.get(0), &ContactFilter::default(), Some("+14152200500"), 50).await.unwrap();
    assert_eq!((page.len(), &page[0]["number"]), (50, &Value::from("+14152200501")));
    let (from, to) = ("2026-06-01T00:00:00Z".parse().unwrap(), "2026-06-02T00:00:00Z".parse().unwrap());
    assert_eq!(store.settlement(from, to).await.unwrap()["placed"], 360);
    drop(store);
    assert_eq!(counted(&client).await, before);
}

/// Overview, campaign, number, caller ids, system: each query behind a page of the console, at the end of the year's calls.
#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_the_console_reads_a_table_whole() {
    let database = Database::create().await;
    let filling = database.client().await;
    fill(&filling).await;
    let row = filling.query_one("select id, (select max(created_at) from calls)::text from campaigns limit 1", &[]);
    let row = row.await.unwrap();
    let (campaign, last): (Uuid, String) = (row.get(0), row.get(1));
    let known =
        format!("update calls set campaign_id = '{campaign}' where campaign_id = 'campaign-7'; vacuum analyze calls");
    for sql in known.split(';') {
        filling.batch_execute(sql).await.unwrap();
    }
    let sql = "select id, conversation_id from calls where outcome = 'answered' limit 1";
    let row = filling.query_one(sql, &[]).await.unwrap();
    let (call, conversation): (Uuid, String) = (row.get(0), row.get(1));
    let digest: String = filling.query_one("select digest from deliveries limit 1", &[]).await.unwrap().get(0);
    drop(filling);
    let client = database.client().await;
    let before = counted(&client).await;
    let store = database.store();
    let now: jiff::Timestamp = last.parse().unwrap();
    let back = |hours: i64| now - jiff::SignedDuration::from_hours(hours);
    let hours: i64 = store.outcomes_by_hour(back(24), now).await.unwrap().iter().map(|hour| hour.calls).sum();
    assert_eq!(hours, 360);
    assert_eq!(store.overview(now, back(24)).await.unwrap()["agents"][0]["name"], "demo");
    for outcome in ["failed", "abandoned", "network_blocked", "unreachable"] {
        store.calls(&by(|filter| filter.outcome = Some(outcome.to_owned())), &Slice::first(6)).await.unwrap();
    }
    assert_eq!(store.progress(campaign).await.unwrap().contacts, 1000);
    assert_eq!(store.campaign_results(campaign).await.unwrap()["attempts"], 2000);
    let places = store.attempts_by_place(campaign).await.unwrap();
    assert_eq!(places.iter().map(|place| place.calls).sum::<i64>(), 2000);
    assert!(store.due_by_hour(campaign).await.unwrap().is_empty());
    store.imports(campaign, &Slice::first(100)).await.unwrap();
    let health = store.caller_id_health(&["+14155550100".to_owned()], back(7 * 24)).await.unwrap();
    assert_eq!(health[0]["calls"], 500);
    let machinery = store.machinery(now, back(24), back(7 * 24)).await.unwrap();
    assert_eq!(machinery["days"].as_array().unwrap().len(), 8);
    assert_eq!(store.owners(&[call], &[conversation, digest]).await.unwrap().len(), 3);
    store.opt_out_reviews(true, &Slice::first(25)).await.unwrap();
    drop(store);
    assert_eq!(counted(&client).await, before);
}

//! Campaigns from their start to their last contact: everybody is accounted for, nobody is called more often than allowed.

use std::fmt::Write as _;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::World;
use testkit::world::TOKEN;
use uuid::Uuid;

/// Makes a campaign with people and answers its id.
pub(crate) async fn campaign(world: &World, settings: Value, numbers: &[String]) -> Uuid {
    let mut body =
        json!({ "name": "autumn", "agent": "demo", "purpose": "informational", "max_concurrent": 100, "rate": 100 });
    for (name, value) in settings.as_object().unwrap() {
        body[name] = value.clone();
    }
    let (status, made) = world.send(Method::POST, "/api/campaigns", Some(&body), &[]).await;
    assert_eq!(status, 201, "{made:#}");
    let id = Uuid::parse_str(made["id"].as_str().unwrap()).unwrap();
    if !numbers.is_empty() {
        people(world, id, numbers).await;
    }
    id
}

/// Imports people who gave their consent.
pub(crate) async fn people(world: &World, id: Uuid, numbers: &[String]) {
    let mut csv = "phone_number,consent_type,consent_at,first_name\n".to_owned();
    for number in numbers {
        writeln!(csv, "{number},written,2026-01-05T10:00:00Z,Maria").unwrap();
    }
    let url = format!("{}/api/campaigns/{id}/imports", world.url);
    let request = world.http.post(url).bearer_auth(TOKEN).header("Content-Type", "text/csv").body(csv);
    assert_eq!(request.send().await.unwrap().status(), 201);
    for _ in 0..100 {
        world.pump().await;
        let imports = world.get(&format!("/api/campaigns/{id}/imports")).await;
        if imports["imports"][0]["state"] == "done" {
            assert_eq!(imports["imports"][0]["bad"], 0, "{imports:#}");
            return;
        }
    }
    panic!("the import never ended");
}

pub(crate) async fn go(world: &World, id: Uuid, verb: &str) -> Value {
    let (status, body) = world.send(Method::POST, &format!("/api/campaigns/{id}/{verb}"), None, &[]).await;
    assert_eq!(status, 200, "{verb}: {body:#}");
    body
}

pub(crate) async fn view(world: &World, id: Uuid) -> Value {
    world.get(&format!("/api/campaigns/{id}")).await
}

/// `count` numbers in San Francisco whose last two digits are `fate`.
pub(crate) fn numbers(count: usize, fate: &str) -> Vec<String> {
    (0..count).map(|at| format!("+1415{:05}{fate}", 22000 + at)).collect()
}

/// Lets everything happen until the campaign has ended; where nothing is under way, time passes to the next turn
/// of a contact or an attempt.
pub(crate) async fn play(world: &World, id: Uuid) -> Value {
    for _ in 0..2000 {
        world.watch().await;
        let ticked = world.tick().await;
        world.pump().await;
        let campaign = view(world, id).await;
        if campaign["state"] != "running" {
            return campaign;
        }
        // An attempt that waits is nothing under way: its time has to come.
        let live = world.database.count("select count(*) from calls where state not in ('intent', 'ended')").await;
        if live == 0 && ticked.attempts == 0 && ticked.went_on == 0 {
            let sql = "select coalesce(min(due_at), now()) from (select due_at from contacts where status = 'waiting'
                union all select due_at from calls where state = 'intent') waiting";
            let next: Timestamp = world.database.client().await.query_one(sql, &[]).await.unwrap().get(0);
            let wait = Duration::try_from(next.duration_since(world.clock.now())).unwrap_or_default();
            world.clock.advance(wait.max(Duration::from_secs(1)));
            world.sweep().await;
            world.reconcile().await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the campaign never ended: {:#}", view(world, id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_called_as_often_as_their_outcome_allows_and_accounted_for() {
    let world = World::start().await;
    let fates = ["01", "50", "51", "52", "53", "54", "59", "62"];
    let numbers: Vec<String> = fates.iter().flat_map(|fate| numbers(2, fate)).collect();
    let id = campaign(&world, json!({}), &numbers).await;
    go(&world, id, "start").await;
    let ended = play(&world, id).await;
    assert_eq!(ended["state"], "finished", "{ended:#}");
    let outcomes = json!({"answered": 6, "voicemail": 2, "exhausted": 4, "declined": 2, "unreachable": 2});
    assert_eq!((&ended["progress"]["outcomes"], &ended["progress"]["done"]), (&outcomes, &16.into()));
    let dials = |fate: &str| {
        let ends = |to: &str| to.ends_with(fate);
        world.vendors.book(|book| book.dials.values().filter(|dial| ends(&dial.to)).count())
    };
    // Busy: three attempts in all; no answer: three; declined and bad numbers: never again; busy once: twice.
    assert_eq!(["51", "52", "53", "54", "62", "01"].map(dials), [6, 6, 2, 2, 4, 2]);
    assert_eq!(world.database.count("select count(*) from calls where settled_at is null").await, 0);
    assert_eq!(world.database.count("select count(*) from numbers where suppressed_at is not null").await, 2);
    // Evidence of every claim: who was called by which rules.
    let without = "select count(*) from calls c where asks > 0 and not exists (select 1 from guard_decisions g
        where g.call_id = c.id and g.decision = 'allow' and g.inputs ? 'contact')";
    assert_eq!(world.database.count(without).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_of_the_campaign_and_of_the_person_reach_the_agent() {
    let world = World::start().await;
    let texts = json!({"identity": "Acme, 555-0100", "ai_disclosure": "I am a machine", "recording": "recorded", "opt_out": "say stop"});
    let settings =
        json!({"purpose": "marketing", "texts": texts, "variables": {"first_name": "friend", "offer": "tea"}});
    let id = campaign(&world, settings, &numbers(1, "01")).await;
    go(&world, id, "start").await;
    play(&world, id).await;
    let spoken = world.vendors.book(|book| book.conversations.values().next().unwrap().variables.clone());
    let heard =
        ["first_name", "offer", "text_opt_out"].map(|name| spoken[name].as_str().unwrap_or_default().to_owned());
    assert_eq!(heard, ["Maria", "tea", "say stop"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marketing_campaign_without_its_texts_cannot_start() {
    let world = World::start().await;
    let settings = json!({"purpose": "marketing", "texts": {"identity": "Acme"}});
    let id = campaign(&world, settings, &[]).await;
    let start = format!("/api/campaigns/{id}/start");
    let (status, problem) = world.send(Method::POST, &start, None, &[]).await;
    let fields: Vec<&str> = problem["errors"].as_array().unwrap().iter().filter_map(|e| e["field"].as_str()).collect();
    assert_eq!((status, fields), (422, vec!["texts.ai_disclosure", "texts.recording", "texts.opt_out"]));
    let rest = json!({"texts": {"ai_disclosure": "a machine", "recording": "recorded", "opt_out": "say stop"}});
    let (status, _) = world.send(Method::PATCH, &format!("/api/campaigns/{id}"), Some(&rest), &[]).await;
    assert_eq!(status, 200);
    assert_eq!(world.send(Method::POST, &start, None, &[]).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_in_the_middle_stops_new_dials_and_lets_live_calls_end() {
    let config = simulator::Config { time_scale: 20.0, calls_per_second: 1000.0, ..simulator::Config::default() };
    let world = World::start_with(config).await;
    let id = campaign(&world, json!({"max_concurrent": 3}), &numbers(9, "01")).await;
    go(&world, id, "start").await;
    world.tick().await;
    for _ in 0..10 {
        world.pump().await;
    }
    let dialled = || world.vendors.book(|book| book.dials.len());
    assert_eq!(dialled(), 3, "no more than its limit");
    assert_eq!(go(&world, id, "pause").await["state"], "paused");
    for _ in 0..200 {
        assert_eq!(world.tick().await.attempts, 0);
        world.pump().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        if world.database.count("select count(*) from calls where settled_at is null").await == 0 {
            break;
        }
    }
    assert_eq!(dialled(), 3);
    assert_eq!(world.database.count("select count(*) from calls where outcome = 'answered'").await, 3);
    go(&world, id, "resume").await;
    let ended = play(&world, id).await;
    assert_eq!((dialled(), &ended["progress"]["outcomes"]["answered"]), (9, &9.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_was_picked_before_the_pause_waits_and_goes_on_after_it() {
    let world = World::start().await;
    let id = campaign(&world, json!({}), &numbers(2, "01")).await;
    go(&world, id, "start").await;
    assert_eq!(world.tick().await.attempts, 2);
    go(&world, id, "pause").await;
    world.pump().await;
    assert_eq!(world.vendors.book(|book| book.dials.len()), 0, "its claim sees the pause");
    assert_eq!(world.database.count("select count(*) from calls where state = 'intent'").await, 2);
    go(&world, id, "resume").await;
    // Nobody waits for the minute after which they would have looked again.
    let due = format!("select count(*) from calls where due_at <= '{}'", world.clock.now());
    assert_eq!(world.database.count(&due).await, 2);
    assert_eq!(play(&world, id).await["progress"]["outcomes"], json!({"answered": 2}));
    assert_eq!(world.vendors.book(|book| book.dials.len()), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_triggers_at_once_make_one_attempt_a_contact() {
    let world = World::start().await;
    let id = campaign(&world, json!({}), &numbers(40, "01")).await;
    go(&world, id, "start").await;
    let (one, two) = tokio::join!(world.tick(), world.other_tick());
    let two = two.unwrap();
    assert!(one.attempts + two.attempts >= 40, "{one:?} {two:?}");
    assert_eq!(world.database.count("select count(*) from calls").await, 40);
    assert_eq!(world.database.count("select count(distinct contact_id) from calls").await, 40);
    let ended = play(&world, id).await;
    assert_eq!((&ended["progress"]["done"], world.vendors.book(|book| book.dials.len())), (&40.into(), 40));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_campaigns_racing_for_one_number_call_it_one_after_the_other() {
    let world = World::start().await;
    let one = campaign(&world, json!({}), &numbers(1, "01")).await;
    let two = campaign(&world, json!({}), &numbers(1, "01")).await;
    for id in [one, two] {
        go(&world, id, "start").await;
    }
    let (first, second) = tokio::join!(world.tick(), world.other_tick());
    assert!(first.attempts + second.unwrap().attempts >= 1);
    while world.database.count("select count(*) from calls where state = 'ended'").await == 0 {
        world.pump().await;
    }
    // Where both were picked, the second one found its number busy, and looks again after 30 s.
    world.clock.advance(Duration::from_mins(1));
    world.sweep().await;
    for id in [one, two] {
        assert_eq!(play(&world, id).await["progress"]["outcomes"], json!({"answered": 1}));
    }
    let overlap = "select count(*) from calls a join calls b on a.id < b.id and a.to_number = b.to_number
        and a.placed_at < b.ended_at and b.placed_at < a.ended_at";
    assert_eq!(world.database.count(overlap).await, 0);
    assert_eq!(world.database.count("select count(*) from calls where double_dial").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_whose_outcome_is_not_known_yet_waits_for_it() {
    let world = World::start().await;
    let id = campaign(&world, json!({}), &numbers(1, "01")).await;
    go(&world, id, "start").await;
    world.tick().await;
    let client = world.database.client().await;
    let call: Uuid = client.query_one("select id from calls", &[]).await.unwrap().get(0);
    world.settled(call).await;
    // As it is when somebody picked up, and whether the agent came is still awaited.
    let open = "update calls set outcome = null, outcome_final = false";
    client.execute(open, &[]).await.unwrap();
    world.clock.advance(Duration::from_hours(1));
    assert_eq!(world.tick().await.went_on, 0);
    assert_eq!(view(&world, id).await["progress"]["calling"], 1);
    client.execute("update calls set outcome = 'voicemail'", &[]).await.unwrap();
    assert_eq!(world.tick().await.went_on, 0, "its end waits for the last word");
    client.execute("update calls set outcome = 'answered', outcome_final = true", &[]).await.unwrap();
    assert_eq!(play(&world, id).await["progress"]["outcomes"], json!({"answered": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_was_suppressed_is_accounted_for_and_not_dialled() {
    let world = World::start().await;
    let numbers = numbers(3, "01");
    let body = json!({"number": numbers[0], "reason": "asked by letter"});
    assert_eq!(world.send(Method::POST, "/api/suppressions", Some(&body), &[]).await.0, 201);
    let id = campaign(&world, json!({}), &numbers).await;
    go(&world, id, "start").await;
    let ended = play(&world, id).await;
    assert_eq!(ended["progress"]["outcomes"], json!({"answered": 2, "blocked": 1}));
    let because = "select count(*) from contacts where because = 'suppressed' and outcome = 'blocked'";
    assert_eq!(world.database.count(because).await, 1);
    let evidence = "select count(*) from guard_decisions where contact_id is not null and decision = 'block'";
    assert_eq!(world.database.count(evidence).await, 1);
    assert_eq!(world.vendors.book(|book| book.dials.len()), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gave_too_little_consent_is_not_called() {
    let world = World::start().await;
    let id = campaign(&world, json!({}), &[]).await;
    let csv = "phone_number,consent_type\n+14152200101,none\n+14152200201,\n+14152200301,express\n";
    let url = format!("{}/api/campaigns/{id}/imports", world.url);
    let request = world.http.post(url).bearer_auth(TOKEN).header("Content-Type", "text/csv").body(csv);
    assert_eq!(request.send().await.unwrap().status(), 201);
    world.pump().await;
    go(&world, id, "start").await;
    let ended = play(&world, id).await;
    assert_eq!(ended["progress"]["outcomes"], json!({"answered": 1, "blocked": 2}), "{ended:#}");
    assert_eq!(world.database.count("select count(*) from contacts where because = 'no_consent'").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_campaign_takes_back_what_the_carrier_has_queued() {
    // One call a minute: what is asked for waits at the carrier.
    let config = simulator::Config { time_scale: 200.0, calls_per_second: 1.0 / 60.0, ..simulator::Config::default() };
    let world = World::start_with(config).await;
    let id = campaign(&world, json!({}), &numbers(5, "01")).await;
    go(&world, id, "start").await;
    world.tick().await;
    for _ in 0..5 {
        world.pump().await;
    }
    let canceled = go(&world, id, "cancel").await;
    assert_eq!(canceled["state"], "canceled");
    for _ in 0..100 {
        world.pump().await;
        world.tick().await;
        if world.database.count("select count(*) from contacts where status <> 'done'").await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let initiated = world.vendors.book(|book| book.dials.values().filter(|dial| dial.initiated_at.is_some()).count());
    assert!(initiated <= 1, "{initiated} calls left the carrier's queue");
    let view = view(&world, id).await;
    assert_eq!((&view["progress"]["done"], &view["progress"]["waiting"]), (&5.into(), &0.into()), "{view:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_is_refined_later_ends_a_contact_that_already_waits() {
    let world = World::start().await;
    let id = campaign(&world, json!({}), &numbers(1, "51")).await;
    go(&world, id, "start").await;
    world.tick().await;
    for _ in 0..500 {
        world.pump().await;
        world.tick().await;
        if world.database.count("select count(*) from contacts where last_outcome = 'busy'").await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // It turns out that somebody had answered after all.
    let sql = "update calls set outcome = 'answered', transcript = 'stored'";
    world.database.client().await.execute(sql, &[]).await.unwrap();
    world.clock.advance(Duration::from_mins(20));
    world.tick().await;
    world.tick().await;
    assert_eq!(world.database.count("select count(*) from contacts where outcome = 'answered'").await, 1);
    assert_eq!(world.vendors.book(|book| book.dials.len()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contacts_of_a_campaign_are_read_page_by_page_with_what_became_of_them() {
    let world = World::start().await;
    let numbers: Vec<String> = ["01", "53", "54"].iter().flat_map(|fate| numbers(1, fate)).collect();
    let id = campaign(&world, json!({}), &numbers).await;
    let other = campaign(&world, json!({}), &["+14155220002".to_owned()]).await;
    let page = |query: &str| format!("/api/campaigns/{id}/contacts?{query}");
    let waiting = world.get(&page("status=waiting")).await;
    assert_eq!((waiting["contacts"].as_array().unwrap().len(), &waiting["next"]), (3, &Value::Null), "{waiting:#}");
    assert_eq!(waiting["contacts"][0]["variables"], json!({"first_name": "Maria"}));
    assert!(waiting["contacts"][0]["due_at"].is_string() && waiting["contacts"][0]["last_call"].is_null());
    go(&world, id, "start").await;
    play(&world, id).await;

    let first = world.get(&page("limit=2")).await;
    let second = world.get(&page(&format!("limit=2&cursor={}", first["next"].as_str().unwrap()))).await;
    let of = |page: &Value, field: &str| -> Vec<Value> {
        page["contacts"].as_array().unwrap().iter().map(|contact| contact[field].clone()).collect()
    };
    let both = |field: &str| [of(&first, field), of(&second, field)].concat();
    assert_eq!(json!(both("number")), json!(numbers), "each once, in the order of the file");
    assert_eq!(json!(both("outcome")), json!(["answered", "declined", "unreachable"]));
    assert_eq!((json!(both("attempts")), &second["next"]), (json!([1, 1, 1]), &Value::Null));
    let call = world.get(&format!("/api/calls/{}", both("last_call")[0].as_str().unwrap())).await;
    assert_eq!(call["outcome"], "answered");
    assert_eq!(world.get(&page("status=calling")).await["contacts"], json!([]));
    assert_eq!(world.get(&format!("/api/campaigns/{other}/contacts")).await["contacts"].as_array().unwrap().len(), 1);

    let (status, problem) = world.send(Method::GET, &page("status=lost"), None, &[]).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &"status".into()));
    let nobodys = format!("/api/campaigns/{}/contacts", Uuid::new_v4());
    assert_eq!(world.send(Method::GET, &nobodys, None, &[]).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answered_is_not_done_before_the_transcript_tells_whether_it_was_a_voicemail() {
    let world = World::start().await;
    // Only reconcile brings transcripts, a while after the calls.
    super::settling::faults(&world, &json!([{ "where": "post_call_transcription", "kind": "drop" }]));
    let id = campaign(&world, json!({"voicemail": "retry", "max_attempts": 2}), &numbers(1, "50")).await;
    go(&world, id, "start").await;
    let ended = play(&world, id).await;
    assert_eq!(ended["progress"]["outcomes"], json!({"exhausted": 1}), "{ended:#}");
    assert_eq!(world.vendors.book(|book| book.dials.len()), 2, "a voicemail is tried again");
}

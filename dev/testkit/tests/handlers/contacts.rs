//! `GET /api/campaigns/{id}/contacts`: the people of a campaign by every filter and page by page, and why somebody was not
//! called, or not yet.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use testkit::World;
use uuid::Uuid;

use crate::campaigning::{campaign, go, numbers, people, play};

/// A page of a campaign's people.
async fn page(world: &World, campaign: Uuid, query: &str) -> Value {
    world.get(&format!("/api/campaigns/{campaign}/contacts?{query}")).await
}

fn numbers_of(page: &Value) -> Vec<String> {
    page["contacts"].as_array().unwrap().iter().map(|one| one["number"].as_str().unwrap().to_owned()).collect()
}

/// One of each fate.
fn fates(fates: &[&str]) -> Vec<String> {
    fates.iter().flat_map(|fate| numbers(1, fate)).collect()
}

async fn suppress(world: &World, number: &str) {
    let wish = json!({ "number": number, "reason": "asked by letter" });
    assert_eq!(world.send(Method::POST, "/api/suppressions", Some(&wish), &[]).await.0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_leaves_those_whom_it_names_alone_and_with_the_others() {
    let world = World::start().await;
    let all = fates(&["01", "02", "51", "53", "54"]);
    let [answered, suppressed, busy, declined, unreachable] = [0, 1, 2, 3, 4].map(|at| all[at].clone());
    suppress(&world, &suppressed).await;
    let id = campaign(&world, json!({ "max_attempts": 1 }), &all).await;
    let strangers = campaign(&world, json!({}), &fates(&["03"])).await;
    assert_eq!(numbers_of(&page(&world, id, "status=waiting").await), all);
    go(&world, id, "start").await;
    world.tick().await;
    let at_work = [&answered, &busy, &declined, &unreachable];
    assert_eq!(numbers_of(&page(&world, id, "status=calling").await), at_work.map(String::clone));
    play(&world, id).await;

    let plus = |number: &str| number.replace('+', "%2B");
    let none: [&String; 0] = [];
    for (query, expected) in [
        ("status=done".to_owned(), &all.iter().collect::<Vec<_>>()[..]),
        ("status=waiting".to_owned(), &none),
        ("status=calling".to_owned(), &none),
        ("outcome=answered".to_owned(), &[&answered]),
        ("outcome=blocked".to_owned(), &[&suppressed]),
        ("outcome=exhausted".to_owned(), &[&busy]),
        ("outcome=declined".to_owned(), &[&declined]),
        ("outcome=unreachable".to_owned(), &[&unreachable]),
        ("outcome=busy".to_owned(), &none),
        (format!("number={}", plus(&busy)), &[&busy]),
        // As it is often written: the plus became a blank, and the digits are in groups.
        (format!("number={busy}"), &[&busy]),
        (format!("number=%2B1%20415-220-00{}", &busy[busy.len() - 2..]), &[&busy]),
        // Of another campaign.
        (format!("number={}", plus(&fates(&["03"])[0])), &none),
        (format!("status=done&outcome=declined&number={}", plus(&declined)), &[&declined]),
        (format!("status=done&outcome=answered&number={}", plus(&declined)), &none),
        // One that is empty is none.
        ("status=&outcome=&number=".to_owned(), &all.iter().collect::<Vec<_>>()[..]),
    ] {
        let found = page(&world, id, &query).await;
        assert_eq!(numbers_of(&found).iter().collect::<Vec<_>>(), expected, "{query}");
        assert_eq!(found["next"], Value::Null, "{query}");
    }
    assert_eq!(numbers_of(&page(&world, strangers, "").await), fates(&["03"]));
    for (query, field) in [
        ("status=lost", "status"),
        ("outcome=perhaps", "outcome"),
        ("number=415", "number"),
        ("cursor=zz", "cursor"),
        ("limit=201", "limit"),
        ("state=waiting", "state"),
    ] {
        let (status, problem) =
            world.send(Method::GET, &format!("/api/campaigns/{id}/contacts?{query}"), None, &[]).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &field.into()), "{problem:#}");
        assert!(problem["errors"][0]["mend"].as_str().is_some_and(|mend| !mend.is_empty()), "{problem:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_everybody_once_whatever_changes_between_them() {
    let world = World::start().await;
    let all = numbers(6, "01");
    let id = campaign(&world, json!({}), &all[1..5]).await;
    let first = page(&world, id, "status=waiting&limit=2").await;
    assert_eq!(numbers_of(&first), all[1..3]);
    // One joins before the place that was reached, one behind it; and who was read is no longer waiting.
    people(&world, id, &[all[0].clone(), all[5].clone()]).await;
    let gone = format!("update contacts set status = 'done', due_at = null where number = '{}'", all[1]);
    world.database.client().await.batch_execute(&gone).await.unwrap();
    let mut cursor = first["next"].as_str().unwrap().to_owned();
    let mut rest = Vec::new();
    loop {
        let next = page(&world, id, &format!("status=waiting&limit=2&cursor={cursor}")).await;
        rest.extend(numbers_of(&next));
        assert!(numbers_of(&next).len() <= 2, "{next:#}");
        let Some(more) = next["next"].as_str() else { break };
        cursor = more.to_owned();
    }
    assert_eq!(rest, all[3..6], "each once, in order");
    let whole = page(&world, id, "limit=200").await;
    assert_eq!((numbers_of(&whole), &whole["next"]), (all, &Value::Null));
}

/// Why a campaign's one person was not called: who decided, and words of the reason and of what is next.
async fn assert_told(world: &World, campaign: Uuid, who: &str, why: &str, next: &str) {
    let page = page(world, campaign, "").await;
    let told = &page["contacts"][0]["explanation"];
    assert_eq!(told["who"], who, "{page:#}");
    for (field, words) in [("why", why), ("next", next)] {
        assert!(told[field].as_str().unwrap().contains(words), "{field}: {words}: {page:#}");
    }
    assert!(told["what"].as_str().unwrap().starts_with("The person "), "{page:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_told_what_for() {
    let world = World::start().await;
    let id = campaign(&world, json!({}), &fates(&["01"])).await;
    assert_told(&world, id, "owner", "was not started", "/start starts it").await;
    go(&world, id, "start").await;
    assert_told(&world, id, "us", "at its own pace", "The person's turn comes from").await;
    let pause = json!({ "reason": "lunch" });
    let path = format!("/api/campaigns/{id}/pause");
    assert_eq!(world.send(Method::POST, &path, Some(&pause), &[]).await.0, 200);
    assert_told(&world, id, "owner", "Its owner paused it: lunch.", "/resume").await;
    let breaker = "update campaigns set decided_by = 'breaker', because = 'failures: 9 of 10 calls failed'";
    world.database.client().await.batch_execute(breaker).await.unwrap();
    assert_told(&world, id, "breaker", "The campaign stopped itself: 9 of 10 calls failed.", "Mend the cause").await;
    go(&world, id, "resume").await;
    for (scope, value, covers) in [
        ("all", None, "all calls"),
        ("agent", Some("demo".to_owned()), "this agent"),
        ("campaign", Some(id.to_string()), "this campaign"),
    ] {
        let stop = json!({ "scope": scope, "value": value, "reason": "complaints" });
        let (status, made) = world.send(Method::POST, "/api/stop", Some(&stop), &[]).await;
        assert_eq!(status, 201, "{made:#}");
        assert_told(&world, id, "owner", &format!("{covers}: complaints."), "the stop is lifted").await;
        let lift = format!("/api/stops/{}", made["id"].as_str().unwrap());
        assert!(world.send(Method::DELETE, &lift, None, &[]).await.0 < 300);
    }
    assert_told(&world, id, "us", "at its own pace", "The person's turn comes from").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_put_off_is_told_by_whom_and_until_when() {
    let world = World::start().await;
    // A single call to the same number waits.
    let busy = &fates(&["01"])[0];
    world.written_down(busy).await;
    let id = campaign(&world, json!({}), std::slice::from_ref(busy)).await;
    go(&world, id, "start").await;
    world.tick().await;
    assert_told(&world, id, "us", "Another call to this number is under way", "looked at again at").await;
    // Past nine in the evening everywhere in the country.
    let late = campaign(&world, json!({}), &fates(&["02"])).await;
    go(&world, late, "start").await;
    let hour = world.clock.now().to_zoned(jiff::tz::TimeZone::get("America/Los_Angeles").unwrap()).hour();
    world.clock.advance(Duration::from_hours(u64::try_from(23 - i64::from(hour)).unwrap()));
    world.tick().await;
    assert_told(&world, late, "guard", "the law of the place forbids calls", "The guard is asked again at").await;
    let contact = page(&world, late, "status=waiting").await["contacts"][0].clone();
    let (due, next) = (contact["due_at"].as_str().unwrap(), contact["explanation"]["next"].as_str().unwrap());
    assert!(next.contains(&due[..10]), "{contact:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_never_called_is_told_why_and_what_could_be_done() {
    let world = World::start().await;
    let [suppressed, canceled, expired, unwanted] = ["01", "02", "03", "04"].map(|fate| fates(&[fate])[0].clone());
    suppress(&world, &suppressed).await;
    let hasty = json!({ "expires_after_secs": 60 });
    let mut made = Vec::new();
    for (settings, number) in [(json!({}), suppressed), (json!({}), canceled), (hasty, expired), (json!({}), unwanted)]
    {
        let id = campaign(&world, settings, &[number]).await;
        made.push(id);
    }
    let [suppressed, canceled, expired, unwanted] = made[..] else { unreachable!() };
    let poorer = format!("update contacts set consent_type = 'none' where campaign_id = '{unwanted}'");
    world.database.client().await.batch_execute(&poorer).await.unwrap();
    go(&world, canceled, "cancel").await;
    for id in [suppressed, unwanted, expired] {
        go(&world, id, "start").await;
    }
    world.clock.advance(Duration::from_mins(2));
    world.tick().await;
    assert_told(&world, suppressed, "guard", "do-not-call list", "GET /api/suppressions?number=").await;
    assert_told(&world, unwanted, "guard", "No consent is known", "With a consent on record").await;
    assert_told(&world, canceled, "owner", "canceled, or ended, before the person's turn", "it is over").await;
    assert_told(&world, expired, "owner", "The time that the campaign gives each person had passed", "it is over")
        .await;
    for (id, outcome) in [(suppressed, "blocked"), (unwanted, "blocked"), (canceled, "canceled"), (expired, "expired")]
    {
        assert_eq!(page(&world, id, &format!("status=done&outcome={outcome}")).await["contacts"][0]["attempts"], 0);
    }
    assert_eq!(world.vendors.book(|book| book.dials.len()), 0, "nobody was called");
}

//! Writers that no call of a scenario meets.

use std::time::Duration;

use elevenwire::crash::Effect::{Commit, Postpone, Put, Send, Write};
use elevenwire::crash::{Effect, Point};
use elevenwire::queue::CallCommand;
use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stage::Mark;
use crate::walk::{Scenario, Walk};

const TALKS: &str = "+14155550101";

/// Does something once, traced; then once more for each point, dying there.
pub async fn each(walk: &Walk, effects: &[Effect], course: impl AsyncFn(Option<&Mark>)) {
    let live = async |mark: Option<&Mark>| {
        walk.forget().await;
        walk.stage.clear(mark.cloned());
        course(mark).await;
        assert_eq!(walk.stage.died().as_ref(), mark);
    };
    live(None).await;
    let marks = walk.marks(&walk.stage.traces());
    for effect in effects {
        assert!(
            marks.iter().any(|mark| mark.point == Point::After(*effect)),
            "nothing was after {effect:?}: {marks:#?}"
        );
    }
    for mark in &marks {
        live(Some(mark)).await;
    }
    println!("walked {} points", marks.len());
}

pub async fn world(only: &'static [&'static str], vendors: Value) -> Walk {
    let scenario = Scenario::of(TALKS, "answered", json!([]), &[]);
    Walk::new(Scenario { only, vendors, patience: Duration::from_millis(200), ..scenario }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_and_a_report_are_written_when_asked_again() {
    let walk = world(&["api", "report"], json!({})).await;
    let agent = json!({ "elevenlabs_agent_id": "agent_second", "number": "+14155550199",
        "caller_ids": [testkit::world::CALLER_ID], "max_concurrent": 10 });
    each(&walk, &[Write, Put], async |mark| {
        walk.database.execute("delete from agents where name = 'second'", &[]).await.unwrap();
        let put = async || walk.world.send(Method::PUT, "/api/agents/second", Some(&agent), &[]).await.0;
        let report = async || walk.stage.run("report", walk.world.report()).await.is_some();
        let (stored, reported) = (put().await, report().await);
        assert_eq!(stored == 201 && reported, mark.is_none());
        if mark.is_some() {
            assert!([200, 201].contains(&put().await));
            assert!(report().await);
        }
        assert_eq!(walk.world.database.count("select count(*) from agents where name = 'second'").await, 1);
        assert_eq!(walk.memory.objects("reports/").len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_be_read_is_noted_once_and_put_aside() {
    let walk = world(&["transcription-webhook"], json!({})).await;
    each(&walk, &[Commit, Send], async |_| {
        let unreadable = json!({ "type": "post_call_transcription", "data": { "agent_id": "a" } });
        assert_eq!(walk.world.post_webhook(&unreadable.to_string()).await, 200);
        walk.rest().await;
        let noted = "select count(*) from deliveries where result = 'refused' and reason <> ''";
        assert_eq!(walk.world.database.count(noted).await, 1);
        let left = walk.memory.left();
        assert!(
            !left.is_empty() && left.iter().all(|message| message.starts_with("transcriptions-dlq: ")),
            "{left:#?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_attempt_to_a_live_number_waits() {
    // The first call rings for five seconds. (Once it is answered, the guard waits for what was said.)
    let walk = world(&["place-call"], json!({ "time_scale": 10, "ring_secs": [50, 50] })).await;
    each(&walk, &[Write, Postpone], async |_| {
        let key = Uuid::new_v4().to_string();
        assert_eq!(walk.post_call(&key).await.0, 202);
        let copy = "insert into calls select (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid()))).*
            from calls c returning id";
        let second: Uuid = walk.database.query_one(copy, &[]).await.unwrap().get(0);
        walk.rest().await;
        walk.world.cloud.calls.queue().send(&CallCommand::Place { call_id: second }).await.unwrap();
        walk.rest().await;
        let waits =
            format!("select count(*) from calls where id = '{second}' and state = 'intent' and due_at > created_at");
        assert_eq!(walk.world.database.count(&waits).await, 1);
        assert!(walk.world.vendors.book(|book| book.dials.len()) <= 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_what_is_live_and_lets_nothing_begin() {
    // The call would last for a minute. Only the door dies: how often the sweep repeats its command depends on how soon the
    // carrier tells of the end.
    let walk = world(&["api"], json!({ "time_scale": 100, "talk_secs": 6000 })).await;
    each(&walk, &[Write, Commit, Send], async |_| {
        assert_eq!(walk.post_call(&Uuid::new_v4().to_string()).await.0, 202);
        walk.rest().await;
        let live = "select count(*) from calls where state = 'in_progress'";
        assert_eq!(walk.world.database.count(live).await, 1);
        let stop = json!({ "scope": "all", "hang_up": true, "reason": "the wrong list" });
        let ask = async || walk.world.send(Method::POST, "/api/stop", Some(&stop), &[]).await.0;
        // Whoever gets no answer asks again.
        assert!(ask().await == 201 || ask().await == 201);
        for _ in 0..2 {
            walk.pass_time(10).await;
        }
        let dials = |walk: &Walk| {
            walk.world.vendors.book(|book| book.dials.values().map(|dial| dial.duration).collect::<Vec<_>>())
        };
        assert!(dials(&walk).iter().all(|secs| (1..6000).contains(secs)), "it is on the line: {:?}", dials(&walk));
        assert_eq!(walk.world.database.count("select count(*) from calls where state <> 'ended'").await, 0);
        let another = walk.world.call("+14155550102").await;
        walk.rest().await;
        assert_eq!(walk.world.view(another).await["state"], "intent");
        assert_eq!(dials(&walk).len(), 1);
    })
    .await;
}

//! Asleep when idle: the schedules are on while there is work, and no order of two that switch them loses any.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router};
use elevenwire::schedules::{Mended, Schedules};
use elevenwire::store::Store;
use elevenwire::store::wakefulness::Found;
use elevenwire::telemetry::metrics::Watch;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use testkit::World;
use testkit::database::Database;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const WORK: &str =
    "insert into conversations (call_id, conversation_id, status, final, turns, event_timestamp, text_mended,
    raw_key, source, created_at, updated_at, audio_at) values ('c', 'c', 'done', true, 1, 1, false, 'raw', 'test',
    now(), now(), now())";

fn now() -> Timestamp {
    Timestamp::now()
}

/// One rule of an EventBridge that can be made to wait before it does what it is asked for, or to refuse it.
#[derive(Default)]
struct Board {
    on: Mutex<bool>,
    held: Mutex<Option<&'static str>>,
    refused: Mutex<Option<&'static str>>,
    arrived: Notify,
    switching_off: Notify,
    switching_on: Notify,
}

impl Board {
    async fn start() -> (Arc<Self>, Schedules) {
        let board = Arc::new(Self { on: Mutex::new(true), ..Self::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(ask).with_state(Arc::clone(&board));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = elevenwire::aws::config().await.into_builder().endpoint_url(url).build();
        (board, Schedules::new(aws_sdk_eventbridge::Client::new(&config), "trigger"))
    }

    fn is_on(&self) -> bool {
        *self.on.lock().unwrap()
    }

    /// The next request of this kind waits until it is [`release`](Self::release)d.
    fn hold(&self, what: &'static str) {
        *self.held.lock().unwrap() = Some(what);
    }

    fn refuse(&self, what: Option<&'static str>) {
        *self.refused.lock().unwrap() = what;
    }

    fn release(&self, what: &str) {
        self.gate(what).notify_one();
    }

    fn gate(&self, what: &str) -> &Notify {
        if what == "DisableRule" { &self.switching_off } else { &self.switching_on }
    }
}

async fn ask(State(board): State<Arc<Board>>, headers: HeaderMap) -> (StatusCode, Json<Value>) {
    let what = headers["x-amz-target"].to_str().unwrap().rsplit('.').next().unwrap();
    let held = board.held.lock().unwrap().take_if(|held| *held == what).is_some();
    if held {
        board.arrived.notify_one();
        board.gate(what).notified().await;
    }
    if *board.refused.lock().unwrap() == Some(what) {
        return (StatusCode::BAD_REQUEST, Json(json!({ "__type": "ManagedRuleException" })));
    }
    match what {
        "EnableRule" => *board.on.lock().unwrap() = true,
        "DisableRule" => *board.on.lock().unwrap() = false,
        _ => {}
    }
    let state = if board.is_on() { "ENABLED" } else { "DISABLED" };
    (StatusCode::OK, Json(json!({ "Name": "trigger", "State": state })))
}

async fn found(store: &Store) -> (bool, bool) {
    let Found { awake, work } = store.looks().await.unwrap();
    (awake, work)
}

async fn do_sql(database: &Database, sql: &str) {
    database.client().await.batch_execute(sql).await.unwrap();
}

/// A sleeper that has noted "asleep" and is held before it switches off; it answers whether they are off.
async fn falling_asleep(database: &Database, board: &Board, schedules: &Schedules) -> JoinHandle<bool> {
    board.hold("DisableRule");
    let (schedules, store) = (schedules.clone(), database.store());
    let sleeper = tokio::spawn(async move { schedules.rest(&store, now()).await.unwrap() });
    board.arrived.notified().await;
    sleeper
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_wakes_the_schedules_and_a_quiet_while_after_it_they_are_off_again() {
    let world = World::start().await;
    let (store, schedules) = (world.database.store(), world.cloud.schedules());
    world.cloud.make_rules().await;
    assert!(schedules.rest(&store, world.clock.now()).await.unwrap(), "there never was work");
    assert_eq!(world.cloud.rules_on().await, [false, false]);

    let call_id = world.call("+14155550123").await;
    schedules.wake(&store, world.clock.now()).await;
    assert_eq!(world.cloud.rules_on().await, [true, true]);
    assert!(!schedules.rest(&store, world.clock.now()).await.unwrap(), "there is work");
    world.settled(call_id).await;
    world.pump().await;
    assert_eq!(found(&store).await, (true, false));
    world.clock.advance(Duration::from_mins(9));
    assert!(!schedules.rest(&store, world.clock.now()).await.unwrap(), "it was quiet for nine minutes only");
    assert_eq!(world.cloud.rules_on().await, [true, true]);
    world.clock.advance(Duration::from_mins(2));
    assert!(schedules.rest(&store, world.clock.now()).await.unwrap());
    assert_eq!(world.cloud.rules_on().await, [false, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_lets_the_database_sleep_and_is_well_meanwhile() {
    let world = World::start().await;
    world.cloud.make_rules().await;
    let asked = world.check_health_on_schedule().await;
    assert!(!asked.asleep && asked.database.is_some());
    world.cloud.schedules().rest(&world.database.store(), world.clock.now()).await.unwrap();
    let report = world.check_health_on_schedule().await;
    assert!(report.asleep && report.database.is_none());
    let served = world.get("/api/health").await;
    assert_eq!((&served["status"], &served["asleep"]), (&json!("ok"), &json!(true)));
    let database = served["checks"].as_array().unwrap().iter().find(|check| check["name"] == "database").unwrap();
    assert!(database["detail"].as_str().unwrap().starts_with("not asked"), "{database}");
    assert_eq!(world.get("/api/health?deep=1").await["asleep"], false, "who asks now gets the database's answer");
}

#[tokio::test]
async fn what_nobody_can_work_on_is_no_work() {
    let database = Database::create().await;
    let store = database.store();
    assert_eq!(found(&store).await, (true, false), "a new deployment has none");
    do_sql(&database, WORK).await;
    assert_eq!(found(&store).await, (true, true), "a recording that is to be fetched");
    do_sql(&database, "update conversations set audio_at = null").await;
    do_sql(
        &database,
        "insert into event_endpoints (id, kind, target, secret, created_by, created_at, updated_at)
            values (gen_random_uuid(), 'https', 'https://example.com', 's', 'test', now(), now());
        select emit('call.blocked', 'c', now(), '{}')",
    )
    .await;
    assert_eq!(found(&store).await, (true, true), "an event that an endpoint has not taken");
    do_sql(&database, "update event_endpoints set state = 'disabled'").await;
    assert_eq!(found(&store).await, (true, false), "one that its endpoint does not want any more");
}

/// (1) the sleeper notes, (a) (b) (c) all of the waker, (2) the sleeper switches off, (3) it looks again.
#[tokio::test(flavor = "multi_thread")]
async fn work_that_comes_before_the_switching_off_is_found_after_it() {
    let database = Database::create().await;
    let (board, schedules) = Board::start().await;
    let sleeper = falling_asleep(&database, &board, &schedules).await;
    let store = database.store();
    assert_eq!(found(&store).await, (false, false));
    do_sql(&database, WORK).await;
    schedules.wake(&store, now()).await;
    // It may even be done by then: the waker believes that they are on.
    do_sql(&database, "update conversations set audio_at = null").await;
    board.release("DisableRule");
    assert!(!sleeper.await.unwrap());
    assert!(board.is_on() && found(&store).await.0);
}

/// (1) the sleeper notes, (a) (b) the waker notes, (2) (3) all of the sleeper, (c) the waker switches on.
#[tokio::test(flavor = "multi_thread")]
async fn a_waker_that_is_slow_to_switch_on_loses_nothing() {
    let database = Database::create().await;
    let (board, schedules) = Board::start().await;
    let sleeper = falling_asleep(&database, &board, &schedules).await;
    do_sql(&database, WORK).await;
    board.hold("EnableRule");
    let waker = tokio::spawn({
        let (schedules, store) = (schedules.clone(), database.store());
        async move { schedules.wake(&store, now()).await }
    });
    board.arrived.notified().await;
    board.release("DisableRule");
    assert!(!sleeper.await.unwrap(), "it found that somebody had woken");
    board.release("EnableRule");
    waker.await.unwrap();
    assert!(board.is_on());
    assert_eq!(found(&database.store()).await, (true, true));
}

#[tokio::test]
async fn work_that_is_there_before_the_sleeper_looks_keeps_it_awake() {
    let database = Database::create().await;
    let store = database.store();
    let (board, schedules) = Board::start().await;
    do_sql(&database, WORK).await;
    schedules.wake(&store, now()).await;
    assert!(!schedules.rest(&store, now()).await.unwrap());
    assert!(board.is_on());
}

/// Else anybody could keep a serverless database awake, at its owner's cost.
#[tokio::test]
async fn whoever_is_turned_away_at_the_door_wakes_nobody() {
    let database = Database::create().await;
    let store = database.store();
    let (board, schedules) = Board::start().await;
    assert!(schedules.rest(&store, now()).await.unwrap());
    do_sql(&database, WORK).await;
    for status in [401, 403, 404, 413, 422] {
        schedules.wake_after(status, &store, now()).await;
        assert!(!board.is_on(), "{status}");
        assert_eq!(found(&store).await, (false, true), "{status}");
    }
    schedules.wake_after(409, &store, now()).await;
    assert!(board.is_on() && found(&store).await.0);
}

#[tokio::test]
async fn an_aws_that_refuses_is_asked_again_by_whoever_makes_work_next() {
    let database = Database::create().await;
    let store = database.store();
    let (board, schedules) = Board::start().await;
    assert!(schedules.rest(&store, now()).await.unwrap());
    board.refuse(Some("EnableRule"));
    do_sql(&database, WORK).await;
    schedules.wake(&store, now()).await;
    assert!(!board.is_on());
    assert_eq!(found(&store).await, (false, true), "nobody believes that they are on");
    board.refuse(None);
    schedules.wake(&store, now()).await;
    assert!(board.is_on() && found(&store).await.0);
}

/// Whoever noted "awake" died before it switched on: everybody believes it, nothing runs.
#[tokio::test]
async fn the_net_finds_what_a_dead_waker_left_and_counts_it() {
    let database = Database::create().await;
    let store = database.store();
    let (board, schedules) = Board::start().await;
    let watch = Watch::new("wire-campaign-trigger", "campaign-trigger", now);
    let (fine, told) = watch.measured(schedules.mend(&store, now())).await;
    assert_eq!((fine.unwrap(), &told["WorkWhileAsleep"]), (Mended::Nothing, &json!(0.0)));
    assert!(!board.is_on(), "the net lets sleep as well");
    do_sql(&database, WORK).await;
    assert!(store.wakes(now()).await.unwrap());
    schedules.wake(&store, now()).await;
    assert!(!board.is_on());
    let (mended, told) = watch.measured(schedules.mend(&store, now())).await;
    assert_eq!((mended.unwrap(), &told["WorkWhileAsleep"]), (Mended::WasAsleep, &json!(1.0)));
    assert!(board.is_on());
    let (fine, _) = watch.measured(schedules.mend(&store, now())).await;
    assert_eq!(fine.unwrap(), Mended::Nothing);
}

/// So that the next minute's run, which is still on, tries it again.
#[tokio::test]
async fn a_sleep_that_aws_refuses_is_tried_again() {
    let database = Database::create().await;
    let store = database.store();
    let (board, schedules) = Board::start().await;
    board.refuse(Some("DisableRule"));
    assert!(schedules.rest(&store, now()).await.is_err());
    assert!(board.is_on());
    board.refuse(None);
    let later = now().checked_add(1.minute()).unwrap();
    assert!(schedules.rest(&store, later).await.unwrap());
    assert!(!board.is_on());
}

//! The walk: a scenario is lived through once, traced; then once more for each point that was passed, dying there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use elevenwire::crash::{Effect, Point};
use http::Method;
use serde_json::{Value, json};
use simulator::book::Book;
use testkit::World;
use testkit::lines::Line;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::memory::Memory;
use crate::stage::{Mark, Stage, Turn, message_for};
use crate::{campaigns, judge};

/// How time passes between two runs of the schedules: closely at first, for four hours and more in all.
const STEPS_SECS: &[u64] = &[30, 120, 300, 600, 1200, 2400, 3600, 3600, 3600, 3600, 3600, 3600];

/// What happens around the call.
pub struct Scenario {
    /// Who is called: the last digits decide what becomes of the call.
    pub to: &'static str,
    /// The outcome with nothing dying.
    pub outcome: &'static str,
    /// What goes wrong at the vendors'.
    pub faults: Value,
    /// From this step on, other things do.
    pub later: Option<(usize, Value)>,
    /// Seconds between two runs of the schedules.
    pub steps: &'static [u64],
    /// Settings of the vendors.
    pub vendors: Value,
    /// Settings of the agent.
    pub agent: Value,
    /// A call to this number comes first and is over before.
    pub after_call_to: Option<&'static str>,
    /// The call is a campaign's: its settings. Nobody asks for the call but the trigger.
    pub campaign: Option<Value>,
    /// How long the vendors are given to come to rest; longer calls go on while the clock is moved.
    pub patience: Duration,
    /// Only runs of these are walked; all when empty.
    pub only: &'static [&'static str],
    /// What must be among the points, so that a walk is never of nothing.
    pub effects: &'static [Effect],
}

impl Scenario {
    pub fn of(to: &'static str, outcome: &'static str, faults: Value, effects: &'static [Effect]) -> Self {
        Self {
            to,
            outcome,
            faults,
            later: None,
            steps: STEPS_SECS,
            vendors: json!({}),
            agent: json!({}),
            after_call_to: None,
            campaign: None,
            patience: Duration::from_secs(10),
            only: &[],
            effects,
        }
    }

    /// Whether the agent hangs up on machines; then one answers.
    pub fn hangs_up_on_machines(&self) -> bool {
        self.agent["amd"] == "hang_up"
    }
}

pub struct Walk {
    pub world: World,
    pub memory: Memory,
    pub stage: Stage,
    pub scenario: Scenario,
    /// A connection of its own.
    pub database: Client,
    /// The statements that empty all tables but the agents'.
    forgetting: String,
}

/// What is left when the course of events is over.
pub struct Course {
    pub call_id: Uuid,
    pub call: Value,
    /// The key that the call was asked for with.
    pub key: String,
    /// What was passed until then, run by run.
    pub traces: BTreeMap<Turn, Vec<Point>>,
    /// Requests that the vendors' book counts.
    pub requests: usize,
    /// Requests that changed something in queues and bucket.
    pub effects: usize,
    /// Where a run died.
    pub died: Option<Mark>,
}

impl Walk {
    /// Walks all points of a scenario.
    pub async fn all(scenario: Scenario) {
        Box::pin(Self::walk(scenario)).await;
    }

    async fn walk(scenario: Scenario) {
        let begun = Instant::now();
        let walk = Self::new(scenario).await;
        let course = walk.live(None).await;
        judge::counts(&course);
        judge::check(&walk, &course, None).await;
        let marks = walk.marks(&course.traces);
        for effect in walk.scenario.effects {
            for point in [Point::Before(*effect), Point::After(*effect)] {
                assert!(marks.iter().any(|mark| mark.point == point), "nothing was {point}: {:#?}", course.traces);
            }
        }
        for mark in &marks {
            let course = walk.live(Some(mark.clone())).await;
            assert_eq!(
                course.died.as_ref(),
                Some(mark),
                "the run that was to die met other points than the traced one"
            );
            judge::check(&walk, &course, Some(mark)).await;
        }
        println!("walked {} points of {} runs in {:.0?}", marks.len(), course.traces.len(), begun.elapsed());
    }

    /// A world for a scenario, in which nothing has happened yet.
    pub async fn new(scenario: Scenario) -> Self {
        let (memory, cloud) = Memory::start().await;
        let stage = Stage::default();
        let config =
            simulator::Config { time_scale: 20_000.0, calls_per_second: 100_000.0, ..simulator::Config::default() };
        let world = World::start_in(cloud, config, |doors| stage.before(doors)).await;
        world.vendors.configure(scenario.vendors.clone()).unwrap();
        let mut agent = json!({ "elevenlabs_agent_id": "agent_demo", "number": testkit::world::AGENT_NUMBER,
            "caller_ids": [testkit::world::CALLER_ID], "max_concurrent": 1_000 });
        agent.as_object_mut().unwrap().extend(scenario.agent.as_object().unwrap().clone());
        let (status, body) = world.send(Method::PUT, "/api/agents/demo", Some(&agent), &[]).await;
        assert_eq!(status, 200, "{body}");
        let database = world.database.client().await;
        let forgetting = forgetting(&database).await;
        Self { world, memory, stage, scenario, database, forgetting }
    }

    /// The points of the course that was just lived through.
    pub fn marks(&self, traces: &BTreeMap<Turn, Vec<Point>>) -> Vec<Mark> {
        let walked =
            |of: &str| self.scenario.only.is_empty() || self.scenario.only.iter().any(|only| of.starts_with(only));
        let mut marks = Vec::new();
        for (turn, points) in traces {
            for (index, point) in points.iter().enumerate().filter(|_| walked(&turn.of)) {
                marks.push(Mark { turn: turn.clone(), index, point: *point });
            }
        }
        marks
    }

    /// One course of events, from the wish to its end.
    async fn live(&self, mark: Option<Mark>) -> Course {
        self.forget().await;
        let name = mark.as_ref().map_or_else(|| "nobody dies".to_owned(), ToString::to_string);
        if let Some(first) = self.scenario.after_call_to {
            let call_id = self.world.call(first).await;
            self.rest().await;
            let call = self.world.view(call_id).await;
            assert!(!call["settled_at"].is_null(), "{call:#}");
        }
        self.world.vendors.configure(json!({ "faults": self.scenario.faults })).unwrap();
        if let Some(settings) = &self.scenario.campaign {
            campaigns::start(self, settings).await;
        }
        let before = self.counted();
        self.stage.clear(mark);
        let (call_id, key) = self.ask().await;
        self.rest().await;
        if self.scenario.hangs_up_on_machines() {
            self.detect(call_id).await;
            self.rest().await;
        }
        let mut call = self.world.view(call_id).await;
        for (step, secs) in self.scenario.steps.iter().enumerate() {
            if self.is_over(&call).await {
                break;
            }
            if let Some((_, faults)) = self.scenario.later.as_ref().filter(|(when, _)| *when == step) {
                self.world.vendors.configure(json!({ "faults": faults })).unwrap();
            }
            self.pass_time(*secs).await;
            call = self.world.view(call_id).await;
        }
        assert!(self.is_over(&call).await, "{name}: it never ended: {call:#}\n{}", judge::dials(self));
        let (requests, effects) = self.counted();
        Course {
            call_id,
            call,
            key,
            traces: self.stage.traces(),
            requests: requests - before.0,
            effects: effects - before.1,
            died: self.stage.died(),
        }
    }

    /// Requests to the vendors, and those that changed something in queues and bucket, as they count them themselves.
    fn counted(&self) -> (usize, usize) {
        let count = |book: &Book| book.requests.values().flat_map(BTreeMap::values).sum::<u32>();
        (usize::try_from(self.world.vendors.book(count)).unwrap(), self.memory.effects())
    }

    /// Settled, and its contact is done; or never found, and never dialled.
    async fn is_over(&self, call: &Value) -> bool {
        let dialled = self.world.vendors.book(|book| book.dials.values().any(|dial| dial.to == self.scenario.to));
        let settled = !call["settled_at"].is_null() && campaigns::all_ended(self).await;
        settled || (call["outcome"] == "unknown" && !dialled)
    }

    /// The clock moves, and the schedules run.
    pub async fn pass_time(&self, secs: u64) {
        let by = Duration::from_secs(secs);
        self.world.clock.advance(by);
        self.memory.advance(by);
        if self.scenario.campaign.is_some() {
            self.stage.run("campaign-trigger", campaigns::minute(&self.world)).await;
        } else {
            self.stage.run("campaign-trigger", self.world.sweep()).await;
        }
        self.rest().await;
        if let Some(summary) = self.stage.run("reconcile", self.world.reconcile()).await {
            assert_eq!(summary.failed, 0, "reconcile could not do its work: {summary:?}");
        }
        self.rest().await;
    }

    /// Asks for the call. Who gets no answer asks again with the same key only when nothing was written down: else the
    /// call has to come about by itself.
    async fn ask(&self) -> (Uuid, String) {
        let key = Uuid::new_v4().to_string();
        for _ in 0..2 {
            if self.scenario.campaign.is_some() {
                self.stage.run("campaign-trigger", campaigns::minute(&self.world)).await;
            } else {
                let (status, body) = self.post_call(&key).await;
                if status == 202 {
                    return (Uuid::parse_str(body["id"].as_str().unwrap()).unwrap(), key);
                }
            }
            let row = self
                .database
                .query_opt("select id from calls where to_number = $1", &[&self.scenario.to])
                .await
                .unwrap();
            if let Some(row) = row {
                return (row.get(0), key);
            }
        }
        panic!("the call could not be asked for");
    }

    /// While they talk, the carrier says that it is a machine. Without an answer it says so again, three times in all. (The
    /// simulator's own machines are done with talking before they could be hung up on at this pace.)
    async fn detect(&self, call_id: Uuid) {
        let find =
            |book: &Book| book.dials.values().find(|dial| dial.answered_at.is_some()).map(|dial| dial.sid.clone());
        // Whoever was to ask has died: there is no call.
        let Some(sid) = self.world.vendors.book(find) else { return };
        let url = format!("{}/api/webhooks/signalwire/status/{call_id}?kind=amd", self.world.url);
        let body = format!("CallSid={sid}&AnsweredBy=machine");
        let key = self.world.vendors.config().signing_key.clone().into();
        let signature = elevenwire::signalwire::signature::sign_form(&key, &url, body.as_bytes());
        for _ in 0..3 {
            let request = self.world.http.post(&url).header("X-SignalWire-Signature", &signature);
            let request = request.header("Content-Type", "application/x-www-form-urlencoded").body(body.clone());
            if request.send().await.unwrap().status() == 204 {
                return;
            }
        }
        panic!("nobody took what the carrier said");
    }

    /// The wish, as its author sends it.
    pub async fn post_call(&self, key: &str) -> (u16, Value) {
        let wish = json!({ "to": self.scenario.to, "agent": "demo", "variables": { "first_name": "Maria" } });
        self.world.send(Method::POST, "/api/calls", Some(&wish), &[("Idempotency-Key", key)]).await
    }

    /// Works everything off until nothing is left that can be done now, here and at the vendors'.
    pub async fn rest(&self) {
        loop {
            while self.work_off().await {}
            self.world.vendors.wait_idle(self.scenario.patience).await;
            if !self.work_off().await {
                return;
            }
        }
    }

    /// One message of each queue; whether there was one. What died is delivered again at once.
    pub async fn work_off(&self) -> bool {
        let mut worked = false;
        for line in Line::ALL {
            let url = &self.world.pair(line).url;
            let Some(message) = self.memory.receive(url) else { continue };
            worked = true;
            let of = message_for(line, &message.body);
            match self.stage.run(&of, self.world.work(line, message.batch())).await {
                None => self.memory.deliver_again(url, &message),
                Some(answer) if answer.batch_item_failures.is_empty() => self.memory.delete(url, &message),
                // It was postponed.
                Some(_) => {}
            }
        }
        worked
    }

    /// Everything as it was before the first call, at an hour at which one may be placed.
    pub async fn forget(&self) {
        self.world.vendors.reset(true);
        self.memory.clear();
        self.database.batch_execute(&self.forgetting).await.unwrap();
        self.world.clock.await_lawful_hours();
    }
}

/// Deleting from tables of a few rows is faster than truncating them; without their triggers they go in any order. The
/// timetable is one row, and stays.
async fn forgetting(database: &Client) -> String {
    let tables = "select tablename::text from pg_tables where schemaname = 'public'
        and tablename not in ('agents', 'pace', 'refinery_schema_history')";
    let rows = database.query(tables, &[]).await.unwrap();
    let deletes: Vec<String> = rows.iter().map(|row| format!("delete from {};", row.get::<_, String>(0))).collect();
    format!("set session_replication_role = replica; {} set session_replication_role = default;", deletes.concat())
}

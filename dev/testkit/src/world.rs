//! All functions in one process: real PostgreSQL, real queues and bucket on the local AWS, the simulator over true HTTP.
//! Messages are worked off only when a test asks ([`World::pump`]), so that a test decides what happens in which order.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use elevenwire::dialling::Dialling;
use elevenwire::elevenlabs;
use elevenwire::guard::{self, Contact, Decision, History, Rules};
use elevenwire::store::pace::Pace;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use simulator::Simulator;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::apps::{self, Apps};
use crate::cloud::Cloud;
use crate::database::Database;
use crate::doors;

/// The token that may do everything.
pub const TOKEN: &str = "test-token-admin";
/// The token that may place calls.
pub const CALL_TOKEN: &str = "test-token-call";
/// The token that may read.
pub const READ_TOKEN: &str = "test-token-read";
/// The secret of personalize-call's door.
pub const INITIATION_SECRET: &str = "test-initiation-secret";
/// The agent's number at ElevenLabs.
pub const AGENT_NUMBER: &str = "+15550001111";
/// The number that calls come from.
pub const CALLER_ID: &str = "+14155550100";

/// The clock of a test: the real one, moved forward by as much as the test likes.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// The time of the outside world, which an earlier world of this process may have moved.
    fn of_the_vendors() -> Self {
        let ahead = simulator::clock::now().duration_since(Timestamp::now()).as_secs();
        // Rounded, because the two readings are not of one moment.
        Self(Arc::new(AtomicI64::new(if ahead > 0 { ahead + 1 } else { 0 })))
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.0.load(Ordering::Relaxed))
    }

    /// Moves on, and the outside world with us.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_secs()).unwrap(), Ordering::Relaxed);
        simulator::clock::advance(by);
    }

    /// Moves on to the next two hours in which anybody between the oceans may be called.
    pub fn await_lawful_hours(&self) {
        self.advance(until_lawful(self.now()));
    }
}

/// How far away the next two hours are in which anybody between the oceans may be called, with six more hours of their day
/// (UTC) before them: a test passes at any hour of any day.
fn until_lawful(now: Timestamp) -> Duration {
    let anybody = ["+12125550100", "+13125550100", "+13035550100", CALLER_ID, "+13055550100", "+13345550100"];
    let two_hours = SignedDuration::from_hours(2);
    let fits = |at: &Timestamp| {
        let early = at.to_zoned(jiff::tz::TimeZone::UTC).hour() < 18;
        early
            && anybody.iter().all(|number| {
                let contact = Contact { number: (*number).to_owned(), ..Contact::default() };
                let decision = guard::decide(&contact, &Rules::default(), &History::default(), *at);
                matches!(decision, Decision::Allow { until } if until >= *at + two_hours)
            })
    };
    let steps = (0..14 * 48).map(|half_hours| now + SignedDuration::from_mins(30 * half_hours));
    Duration::try_from(steps.into_iter().find(fits).unwrap().duration_since(now)).unwrap()
}

/// Everything, running.
pub struct World {
    /// The clock.
    pub clock: Clock,
    /// The database.
    pub database: Database,
    /// Queues and bucket.
    pub cloud: Cloud,
    /// Both vendors.
    pub vendors: Simulator,
    /// Our own address.
    pub url: String,
    /// How far the clock was ahead of the real one at the start.
    pub began_ahead: SignedDuration,
    /// An HTTP client.
    pub http: reqwest::Client,
    pub(crate) apps: Arc<Apps>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("url", &self.url).finish_non_exhaustive()
    }
}

impl World {
    /// A world with the registered agent `demo`. Calls last a fraction of a second.
    pub async fn start() -> Self {
        let config = simulator::Config { time_scale: 200.0, calls_per_second: 1000.0, ..simulator::Config::default() };
        Self::start_with(config).await
    }

    /// The same with vendors of the caller's making.
    pub async fn start_with(config: simulator::Config) -> Self {
        Self::start_as(config, dialling()).await
    }

    /// The same with what the deployment says about dialling.
    pub async fn start_as(config: simulator::Config, dialling: Dialling) -> Self {
        Box::pin(async { Self::build(Cloud::create().await, config, dialling, |doors| doors).await }).await
    }

    /// The same with queues and a bucket of the caller's making, and with something of his before our doors.
    pub async fn start_in(cloud: Cloud, config: simulator::Config, before: impl FnOnce(Router) -> Router) -> Self {
        Box::pin(Self::build(cloud, config, dialling(), before)).await
    }

    async fn build(
        cloud: Cloud,
        config: simulator::Config,
        dialling: Dialling,
        before: impl FnOnce(Router) -> Router,
    ) -> Self {
        let database = Database::create().await;
        let vendors = Simulator::start(config).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let clock = Clock::of_the_vendors();
        clock.await_lawful_hours();
        let began_ahead = SignedDuration::from_secs(clock.0.load(Ordering::Relaxed));
        let apps = Arc::new(apps::build(&clock, &database, &cloud, &vendors, &url, &dialling));
        let router = before(doors::router(Arc::clone(&apps)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let world = Self { clock, database, cloud, vendors, url, began_ahead, http: reqwest::Client::new(), apps };
        world.introduce().await;
        world
    }

    /// The vendors learn our addresses, and we learn the agent.
    async fn introduce(&self) {
        self.vendors
            .configure(json!({
                "webhook_url": format!("{}/api/webhooks/elevenlabs", self.url),
                "initiation_url": format!("{}/api/webhooks/elevenlabs/initiation", self.url),
                "initiation_headers": { "X-Elevenwire-Secret": INITIATION_SECRET },
                "opt_out_tool_headers": { "X-Elevenwire-Secret": INITIATION_SECRET },
                "numbers": [{ "number": AGENT_NUMBER, "agent_id": "agent_demo", "name": "Ava" }],
                "owned_numbers": [CALLER_ID],
            }))
            .unwrap();
        let agent = json!({ "elevenlabs_agent_id": "agent_demo", "number": AGENT_NUMBER, "caller_ids": [CALLER_ID],
            "max_concurrent": 1_000 });
        let (status, _) = self.send(http::Method::PUT, "/api/agents/demo", Some(&agent), &[]).await;
        assert_eq!(status, 201);
    }

    /// Sends a request with the admin token; answers status and JSON (null when there is none).
    pub async fn send(
        &self,
        method: http::Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(TOKEN);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(http::Method::GET, path, None, &[]).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Asks for a call to a number and answers its id.
    pub async fn call(&self, to: &str) -> Uuid {
        self.call_by("demo", to).await
    }

    /// Asks for a call of an agent to a number and answers its id.
    pub async fn call_by(&self, agent: &str, to: &str) -> Uuid {
        let key = Uuid::new_v4().to_string();
        let wish = json!({ "to": to, "agent": agent, "variables": { "first_name": "Maria" } });
        let (status, body) =
            self.send(http::Method::POST, "/api/calls", Some(&wish), &[("Idempotency-Key", &key)]).await;
        assert_eq!(status, 202, "{body}");
        Uuid::parse_str(body["id"].as_str().unwrap()).unwrap()
    }

    /// Asks for a call that is refused; answers the problem.
    pub async fn refused(&self, agent: &str, to: &str) -> Value {
        let key = Uuid::new_v4().to_string();
        let wish = json!({ "to": to, "agent": agent });
        let (status, body) =
            self.send(http::Method::POST, "/api/calls", Some(&wish), &[("Idempotency-Key", &key)]).await;
        assert!(matches!(status, 409 | 422), "{status}: {body}");
        body
    }

    /// Asks for a call whose wake-up is lost: it stays an intent until a sweep.
    pub async fn written_down(&self, to: &str) -> Uuid {
        let call_id = self.call(to).await;
        self.cloud.sqs.purge_queue().queue_url(&self.cloud.calls.url).send().await.unwrap();
        call_id
    }

    /// A call as the API shows it.
    pub async fn view(&self, call_id: Uuid) -> Value {
        self.get(&format!("/api/calls/{call_id}")).await
    }

    /// Works all queues off until the call is as `wanted`, for 20 s at most; answers the call.
    pub async fn until(&self, call_id: Uuid, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut call = self.view(call_id).await;
        for _ in 0..1000 {
            if wanted(&call) {
                return call;
            }
            self.pump().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
            call = self.view(call_id).await;
        }
        panic!("the call never came as far: {call:#}\n{:#}", self.vendors.book(|book| json!(book.dials)));
    }

    /// The metrics of every invocation until now.
    #[must_use]
    pub fn metrics(&self) -> Vec<Value> {
        self.apps.told.lock().unwrap().clone()
    }

    /// Works all queues off until the call is settled.
    pub async fn settled(&self, call_id: Uuid) -> Value {
        self.until(call_id, |call| !call["settled_at"].is_null()).await
    }

    /// Sends a post-call webhook with a true signature; answers the status.
    pub async fn post_webhook(&self, body: &str) -> u16 {
        let t = self.clock.now().as_second();
        let secret = self.vendors.config().webhook_secret.clone().into();
        let signature = elevenlabs::signature::header(&secret, t, body.as_bytes());
        let request =
            self.http.post(format!("{}/api/webhooks/elevenlabs", self.url)).header("ElevenLabs-Signature", signature);
        request.header("Content-Type", "application/json").body(body.to_owned()).send().await.unwrap().status().as_u16()
    }
}

/// As fast as the vendors of [`World::start`]: what a test is not about shall not make it wait.
#[must_use]
pub fn dialling() -> Dialling {
    Dialling { pace: Pace::of(1000.0), concurrency: 1000, played: true, ..Dialling::default() }
}

/// An attempt like one that stands already, to another number.
#[must_use]
pub fn new_call(like: &Value, to: &str, now: Timestamp) -> elevenwire::store::intents::NewCall {
    let text = |field: &str| like[field].as_str().unwrap_or_default().to_owned();
    elevenwire::store::intents::NewCall {
        id: elevenwire::store::intents::new_id(now, rand::random()),
        to: elevenwire::phone::PhoneNumber::parse(to).unwrap(),
        from: text("from"),
        agent: text("agent"),
        elevenlabs_agent_id: "agent_demo".to_owned(),
        connect: elevenwire::call::Connect::Sip,
        elevenlabs_phone_number_id: None,
        campaign: None,
        variables: json!({}),
        metadata: json!({}),
        requested_by: "test".to_owned(),
        ring_timeout_secs: 60,
        max_duration_secs: 600,
        due_at: now,
        expires_at: now + SignedDuration::from_mins(15),
        contact_id: None,
        callee: elevenwire::call::callee::Callee::default(),
    }
}

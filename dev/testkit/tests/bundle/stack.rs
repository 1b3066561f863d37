//! The stack as its users see it: an address, a token, and what the vendors know. Beside it the database and the bucket,
//! to look at what became of it all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use testkit::database::env;
use tokio_postgres::NoTls;
use uuid::Uuid;

/// How long something behind queues may take. The call itself is sped up by the simulator.
const PATIENCE: Duration = Duration::from_mins(1);

/// The running stack.
pub struct Stack {
    settings: BTreeMap<String, String>,
    pub http: reqwest::Client,
    pub s3: aws_sdk_s3::Client,
    pub sqs: aws_sdk_sqs::Client,
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A number that nobody is talking to; its last two digits choose the fate.
pub fn number(fate: &str) -> String {
    const AREAS: [u16; 8] = [206, 312, 415, 503, 602, 617, 702, 801];
    let [area, first, second, ..] = *Uuid::new_v4().as_bytes();
    format!("+1{}555{:02}{fate}", AREAS[usize::from(area % 8)], (u16::from(first) * 256 + u16::from(second)) % 100)
}

/// An id as the vendor makes them.
pub fn conversation_id() -> String {
    format!("conv_{}", Uuid::new_v4().simple())
}

/// A transcript as the vendor sends it.
pub fn transcription(conversation_id: &str, call_id: &str) -> Value {
    json!({ "type": "post_call_transcription", "event_timestamp": 1_790_000_000, "data": {
        "agent_id": "agent_demo0000000000000000000000", "conversation_id": conversation_id, "status": "done",
        "transcript": [
            { "role": "agent", "message": "Hello.", "time_in_call_secs": 0 },
            { "role": "user", "message": "Who is this?", "time_in_call_secs": 2 },
        ],
        "metadata": { "start_time_unix_secs": 1_790_000_000, "call_duration_secs": 9 },
        "conversation_initiation_client_data": { "dynamic_variables": { "call_id": call_id } },
    } })
}

impl Stack {
    /// The stack of this run; calls in it last a second or two.
    pub async fn open() -> Self {
        let text = std::fs::read_to_string(env("BUNDLE_ENV")).unwrap();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let aws = elevenwire::aws::config().await;
        let stack = Self {
            settings: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            http: reqwest::Client::builder().timeout(Duration::from_secs(35)).no_proxy().build().unwrap(),
            s3: aws_sdk_s3::Client::new(&aws),
            sqs: aws_sdk_sqs::Client::new(&aws),
        };
        let faster = json!({ "time_scale": 40, "calls_per_second": 20 });
        let told = stack.http.patch(stack.simulator("/control/config")).json(&faster).send().await.unwrap();
        assert_eq!(told.status(), 200);
        stack
    }

    /// A setting of the stack's env file.
    pub fn setting(&self, name: &str) -> &str {
        self.settings.get(name).unwrap_or_else(|| panic!("the stack has no setting {name}"))
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.setting("BASE_URL"))
    }

    pub fn simulator(&self, path: &str) -> String {
        format!("{}{path}", self.setting("SIMULATOR_URL"))
    }

    /// A request with the token that may do everything.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path)).bearer_auth(self.setting("API_TOKEN"))
    }

    /// Asks for a call.
    pub async fn wish(&self, key: &str, wish: &Value) -> Response {
        self.request(Method::POST, "/api/calls").header("Idempotency-Key", key).json(wish).send().await.unwrap()
    }

    /// Asks for a call of the demo agent, and answers its id.
    pub async fn call(&self, to: &str) -> String {
        let wish = json!({ "to": to, "agent": "demo", "variables": { "first_name": "Maria" } });
        let answer = self.wish(&Uuid::new_v4().to_string(), &wish).await;
        assert_eq!(answer.status(), 202, "{to}");
        answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// A call as the API shows it.
    pub async fn view(&self, call_id: &str) -> Value {
        let answer = self.request(Method::GET, &format!("/api/calls/{call_id}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{call_id}");
        answer.json().await.unwrap()
    }

    /// Waits until a call is settled, and answers it.
    pub async fn settled(&self, call_id: &str) -> Value {
        let begun = Instant::now();
        loop {
            let call = self.view(call_id).await;
            if !call["settled_at"].is_null() {
                return call;
            }
            assert!(begun.elapsed() < PATIENCE, "it never settled: {call:#}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What the simulator's book has about the calls to a number.
    pub async fn book(&self, to: &str) -> Value {
        let url = self.simulator("/control/book");
        self.http.get(url).query(&[("to", to)]).send().await.unwrap().json().await.unwrap()
    }

    /// A post-call webhook with a true signature, ready to be sent.
    pub fn webhook(&self, body: impl Into<Vec<u8>>) -> RequestBuilder {
        self.webhook_signed_by(self.setting("ELEVENLABS_WEBHOOK_SECRET"), body)
    }

    pub fn webhook_signed_by(&self, secret: &str, body: impl Into<Vec<u8>>) -> RequestBuilder {
        let body = body.into();
        let signature = simulator::sign::elevenlabs(secret, simulator::clock::now().as_second(), [&body]);
        let request = self.http.post(self.url("/api/webhooks/elevenlabs")).header("ElevenLabs-Signature", signature);
        request.header("Content-Type", "application/json").body(body)
    }

    /// A form of the carrier's with a true signature, ready to be sent.
    pub fn callback(&self, route: &str, call_id: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        self.callback_signed_by(self.setting("SIGNALWIRE_SIGNING_SECRET"), route, call_id, fields)
    }

    pub fn callback_signed_by(&self, key: &str, route: &str, call_id: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let url = self.url(&format!("/api/webhooks/signalwire/{route}/{call_id}"));
        let owned: Vec<(String, String)> = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let signature = simulator::sign::signalwire_form(key, &url, &owned);
        self.http.post(url).header("X-SignalWire-Signature", signature).form(fields)
    }

    /// A number that a query answers.
    pub async fn count(&self, sql: &str) -> i64 {
        self.database().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// A text that a query answers.
    pub async fn text(&self, sql: &str) -> String {
        self.database().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Changes the database.
    pub async fn execute(&self, sql: &str) {
        self.database().await.batch_execute(sql).await.unwrap();
    }

    async fn database(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(self.setting("DATABASE_URL"), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Waits until a query answers a number, and tells how long that took.
    pub async fn until_count(&self, sql: &str, wanted: i64, patience: Duration) -> Duration {
        let begun = Instant::now();
        loop {
            let found = self.count(sql).await;
            if found == wanted {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < patience, "{sql}: {found}, not {wanted}, after {patience:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a queue is worked off.
    pub async fn until_empty(&self, queue_url: &str) {
        use aws_sdk_sqs::types::QueueAttributeName as Name;
        let begun = Instant::now();
        loop {
            let asked = self.sqs.get_queue_attributes().queue_url(queue_url);
            let names = [Name::ApproximateNumberOfMessages, Name::ApproximateNumberOfMessagesNotVisible];
            let answer = asked.set_attribute_names(Some(names.to_vec())).send().await.unwrap();
            let found = answer.attributes.unwrap_or_default();
            if names.iter().all(|name| found.get(name).is_some_and(|number| number == "0")) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{queue_url}: {found:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The keys in the bucket below a prefix that hold a text.
    pub async fn keys(&self, prefix: &str, holding: &str) -> Vec<String> {
        let mut pages =
            self.s3.list_objects_v2().bucket(self.setting("S3_BUCKET")).prefix(prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            keys.extend(page.unwrap().contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        }
        keys.retain(|key| key.contains(holding));
        keys
    }

    /// An object's bytes.
    pub async fn object(&self, key: &str) -> Vec<u8> {
        let got = self.s3.get_object().bucket(self.setting("S3_BUCKET")).key(key).send().await.unwrap();
        got.body.collect().await.unwrap().to_vec()
    }

    /// `make` as an operator types it, on this stack; nothing of the `make` above that runs the tests. What it said, both ways.
    pub async fn make(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new("make");
        command.args(["--silent", "ARGS=", "TYPE=", "AWS_STACK="]).args(arguments).current_dir(root());
        command.env("LOCAL_DIR", self.setting("LOCAL_DIR")).env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (done.status.success(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    }

    /// Runs a program of dev/stack on this stack.
    pub fn python(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(root().join(".venv/bin/python"));
        command.args(arguments).current_dir(root()).env("LOCAL_DIR", self.setting("LOCAL_DIR"));
        command.output().unwrap()
    }
}

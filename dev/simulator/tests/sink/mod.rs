//! A product in miniature: answers cXML, keeps every request, and checks signatures.
#![expect(dead_code, reason = "each test file uses its part of the bench")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use simulator::{Config, Simulator, sign};

/// One request that came in.
#[derive(Debug, Clone)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What the product answers.
#[derive(Debug)]
pub struct Product {
    pub seen: Vec<Seen>,
    /// Statuses for webhooks and callbacks, used up one by one; then 200.
    pub statuses: Vec<u16>,
    pub voice: Option<(String, String)>,
    pub initiation: Value,
    port: u16,
}

type Shared = Arc<Mutex<Product>>;

/// A simulator with a product beside it.
#[derive(Debug)]
pub struct Bench {
    pub sim: Simulator,
    pub product: Shared,
    pub client: reqwest::Client,
}

pub const DIAL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Response><Dial callerId="+15550001111" timeout="20" timeLimit="600" action="BASE/action/1"><Sip>sip:+15550002222@sip.rtc.elevenlabs.io:5061;transport=tls?X-CALL-ID=our-call-1&amp;X-CALLER-ID=%2B14155550101&amp;X-Elevenwire-Call=our-call-1</Sip></Dial></Response>"#;

impl Bench {
    pub async fn start(patch: Value) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let initiation = json!({ "type": "conversation_initiation_client_data",
            "dynamic_variables": { "first_name": "Ada", "company": "Acme", "city": "Lyon" } });
        let product: Shared =
            Arc::new(Mutex::new(Product { seen: Vec::new(), statuses: Vec::new(), voice: None, initiation, port }));
        let app = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&product))
            .layer(axum::extract::DefaultBodyLimit::disable());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let base = format!("http://127.0.0.1:{port}");
        let sim =
            Simulator::start(Config { time_scale: 400.0, calls_per_second: 500.0, ..Config::default() }).await.unwrap();
        sim.configure(json!({
            "webhook_url": format!("{base}/webhook"), "initiation_url": format!("{base}/initiation"),
            "initiation_headers": { "X-Elevenwire-Secret": "s3cret" }, "owned_numbers": ["+15550001111"],
            "numbers": [{ "number": "+15550002222", "agent_id": "agent_1", "name": "Ava" }],
        }))
        .unwrap();
        sim.configure(patch).unwrap();
        Self { sim, product, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.product.lock().unwrap().port)
    }

    pub fn calls_url(&self) -> String {
        format!("{}/api/laml/2010-04-01/Accounts/{}/Calls", self.sim.url(), self.sim.config().project_id)
    }

    pub async fn post_call(&self, params: &[(&str, &str)]) -> reqwest::Response {
        self.try_post_call(params).await.unwrap()
    }

    pub async fn try_post_call(&self, params: &[(&str, &str)]) -> reqwest::Result<reqwest::Response> {
        let config = self.sim.config();
        self.client
            .post(self.calls_url())
            .basic_auth(&config.project_id, Some(&config.api_token))
            .form(params)
            .send()
            .await
    }

    pub fn params<'a>(to: &'a str, urls: &'a [String; 2]) -> Vec<(&'a str, &'a str)> {
        vec![
            ("To", to),
            ("From", "+15550001111"),
            ("Url", &urls[0]),
            ("StatusCallback", &urls[1]),
            ("Timeout", "60"),
            ("StatusCallbackEvent", "initiated"),
            ("StatusCallbackEvent", "ringing"),
            ("StatusCallbackEvent", "completed"),
        ]
    }

    pub fn urls(&self) -> [String; 2] {
        [format!("{}/voice/1?v=opaque", self.base()), format!("{}/status/1", self.base())]
    }

    pub async fn dial(&self, to: &str, more: &[(&str, &str)]) -> Value {
        let urls = self.urls();
        let mut params = Self::params(to, &urls);
        params.extend_from_slice(more);
        let answer = self.post_call(&params).await;
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    pub async fn update(&self, call: &Value, params: &[(&str, &str)]) -> reqwest::Response {
        let config = self.sim.config();
        let url = format!("{}/{}", self.calls_url(), call["sid"].as_str().unwrap());
        self.client.post(url).basic_auth(&config.project_id, Some(&config.api_token)).form(params).send().await.unwrap()
    }

    pub async fn fetch(&self, path: &str) -> Value {
        let config = self.sim.config();
        let url = if path.starts_with("/api") || path.starts_with("/control") {
            format!("{}{path}", self.sim.url())
        } else {
            format!("{}{path}", self.calls_url())
        };
        let answer = self.client.get(url).basic_auth(&config.project_id, Some(&config.api_token)).send().await.unwrap();
        answer.json().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        let key = self.sim.config().elevenlabs_api_key.clone();
        self.client.get(format!("{}{path}", self.sim.url())).header("xi-api-key", key).send().await.unwrap()
    }

    pub async fn control(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/control{path}", self.sim.url());
        self.client.post(url).json(&body).send().await.unwrap().json().await.unwrap()
    }

    pub async fn until(&self, call: &Value, status: &str) {
        for _ in 0..400 {
            if self.fetch(&format!("/{}", call["sid"].as_str().unwrap())).await["status"] == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the call never was {status}");
    }

    pub async fn idle(&self) {
        assert!(self.sim.wait_idle(Duration::from_secs(30)).await, "the simulator did not come to rest");
    }

    pub fn requests(&self) -> Vec<Seen> {
        self.product.lock().unwrap().seen.clone()
    }

    pub fn request_for(&self, sid: &str, path: &str) -> Option<Seen> {
        self.requests().into_iter().find(|r| r.path.starts_with(path) && form(r, "CallSid") == sid)
    }

    /// Status callbacks of a call by their sequence number.
    pub fn callbacks(&self, sid: &str) -> Vec<Seen> {
        let mut all: Vec<Seen> = self
            .requests()
            .into_iter()
            .filter(|r| r.path.starts_with("/status") && !r.path.contains("kind=amd") && form(r, "CallSid") == sid)
            .collect();
        all.sort_by_key(|r| form(r, "SequenceNumber").parse::<u32>().unwrap_or(0));
        all
    }

    pub fn statuses(&self, sid: &str) -> Vec<String> {
        self.callbacks(sid).iter().map(|r| form(r, "CallStatus")).collect()
    }

    pub fn events(&self, kind: &str) -> Vec<Value> {
        let bodies = self.requests().into_iter().filter(|r| r.path == "/webhook");
        bodies.filter_map(|r| serde_json::from_slice(&r.body).ok()).filter(|v: &Value| v["type"] == kind).collect()
    }

    pub fn event(&self, kind: &str) -> Value {
        self.events(kind).pop().unwrap_or_else(|| panic!("no {kind}"))
    }

    pub fn all_signatures_are_true(&self) -> bool {
        let config = self.sim.config();
        self.requests().iter().all(|r| {
            if r.path == "/initiation" {
                return r.headers["x-elevenwire-secret"] == "s3cret";
            }
            if r.path == "/webhook" {
                let given = r.headers["elevenlabs-signature"].to_str().unwrap();
                let t: i64 = given[2..given.find(',').unwrap()].parse().unwrap();
                return given == sign::elevenlabs(&config.webhook_secret, t, [&r.body]);
            }
            let params: Vec<_> = form_urlencoded::parse(&r.body).into_owned().collect();
            let url = format!("{}{}", self.base(), r.path);
            r.headers["x-signalwire-signature"] == sign::signalwire_form(&config.signing_key, &url, &params)
        })
    }
}

pub fn form(seen: &Seen, name: &str) -> String {
    form_urlencoded::parse(&seen.body).find(|(n, _)| n == name).map(|(_, v)| v.into_owned()).unwrap_or_default()
}

pub fn decode(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).unwrap()
}

async fn answer(State(product): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let mut product = product.lock().unwrap();
    product.seen.push(Seen { path: path.clone(), headers: parts.headers, body });
    let base = format!("http://127.0.0.1:{}", product.port);
    if path.starts_with("/voice") {
        let (kind, text) = product.voice.clone().unwrap_or_else(|| ("application/xml".into(), DIAL.into()));
        return ([("content-type", kind)], text.replace("BASE", &base)).into_response();
    }
    if path.starts_with("/action") || path.starts_with("/fallback") {
        return ([("content-type", "text/xml")], "<Response><Hangup/></Response>").into_response();
    }
    if path == "/initiation" {
        return axum::Json(product.initiation.clone()).into_response();
    }
    let status = if product.statuses.is_empty() { 200 } else { product.statuses.remove(0) };
    StatusCode::from_u16(status).unwrap().into_response()
}

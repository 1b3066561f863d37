//! Post-call webhooks: who gets them, their signature, their retries, and when they are switched off.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::stream;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    catalog::Catalog,
    otel,
    payload::{self, Shown},
};
use crate::{
    clock,
    config::Config,
    faults::{Kind, Occasion},
    mp3::Recording,
    post::{self, NoAnswer},
    sign,
    switches::{EVENT_TIMESTAMP, RETRY_TIMESTAMP, TRANSCRIPT_FORMAT},
    world::{Owner, State, World},
};

/// Nominal seconds before each further attempt; up to 10 % is added.
const RETRIES: [f64; 4] = [30.0, 120.0, 480.0, 1800.0];
/// Retries that may wait at once; more are dropped.
const PENDING_LIMIT: usize = 100;
/// Real seconds that one attempt may take (not documented).
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// Id of the webhook that the configuration describes.
const CONFIGURED: &str = "wh_configured";

/// One workspace webhook.
#[derive(Debug, Clone, Default)]
pub struct Webhook {
    pub id: String,
    pub name: String,
    pub url: String,
    pub secret: String,
    pub request_headers: BTreeMap<String, String>,
    pub retry_enabled: bool,
    pub is_disabled: bool,
    pub is_auto_disabled: bool,
    pub created: i64,
    pub failures_in_a_row: u32,
    pub last_success: Option<Timestamp>,
    pub last_failure: Option<(Option<u16>, Timestamp)>,
    pub pending: usize,
}

/// Webhooks and the workspace's choice among them.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    pub webhooks: Vec<Webhook>,
    pub post_call_webhook_id: Option<String>,
    /// `transcript`, `audio`, `call_initiation_failure`.
    pub events: Vec<String>,
    pub transcript_format: String,
    /// Agents' settings, tools, secrets.
    pub catalog: Catalog,
}

impl Workspace {
    /// The workspace that a configuration describes.
    #[must_use]
    pub fn from_config(config: &Config) -> Self {
        let mut workspace = Self { transcript_format: "json".into(), ..Self::default() };
        workspace.follow(config);
        workspace
    }

    /// Takes over the configured webhook; others stay.
    pub fn follow(&mut self, config: &Config) {
        let Some(url) = &config.webhook_url else {
            self.webhooks.retain(|w| w.id != CONFIGURED);
            self.post_call_webhook_id.take_if(|id| id == CONFIGURED);
            return;
        };
        if !self.webhooks.iter().any(|w| w.id == CONFIGURED) {
            let created = clock::now().as_second();
            self.webhooks.push(Webhook {
                id: CONFIGURED.into(),
                name: "post-call".into(),
                created,
                ..Webhook::default()
            });
            self.post_call_webhook_id = Some(CONFIGURED.into());
            self.events = ["transcript", "audio", "call_initiation_failure"].map(str::to_owned).into();
        }
        if let Some(webhook) = self.webhooks.iter_mut().find(|w| w.id == CONFIGURED) {
            webhook.url.clone_from(url);
            webhook.secret.clone_from(&config.webhook_secret);
            webhook.retry_enabled = config.retry_enabled;
        }
    }

    /// A webhook by id.
    pub fn webhook(&mut self, id: &str) -> Option<&mut Webhook> {
        self.webhooks.iter_mut().find(|w| w.id == id)
    }
}

/// What a webhook carries.
#[derive(Debug, Clone)]
pub enum Content {
    Json(Bytes),
    /// `post_call_audio`: made anew for each use, however long it is.
    Audio {
        head: String,
        recording: Recording,
    },
}

impl Content {
    /// The body, piece by piece.
    pub fn pieces(&self) -> Box<dyn Iterator<Item = Bytes> + Send> {
        match self {
            Self::Json(body) => Box::new(std::iter::once(body.clone())),
            Self::Audio { head, recording } => {
                let head = std::iter::once(Bytes::from(head.clone()));
                let audio = recording.chunks().map(|chunk| Bytes::from(STANDARD.encode(chunk)));
                Box::new(head.chain(audio).chain(std::iter::once(Bytes::from_static(b"\"}}"))))
            }
        }
    }
}

/// Sends everything that a finished conversation gives rise to.
pub fn post_call(world: &Arc<World>, id: &str) {
    let (transcript, audio, callee) = {
        let state = world.state();
        let Some(conversation) = state.conversations.get(id) else { return };
        let wants = |event: &str| state.workspace.events.iter().any(|e| e == event);
        let transcript = wants("transcript").then(|| transcript(&state, id)).flatten();
        let audio = wants("audio").then(|| audio(&state, id)).flatten();
        (transcript, audio, conversation.callee.clone())
    };
    if let Some((kind, content)) = transcript {
        dispatch(world, id, &callee, kind, content);
    }
    if let Some(content) = audio {
        dispatch(world, id, &callee, "post_call_audio", content);
    }
}

fn timestamp(state: &State) -> Value {
    let now = clock::now().as_second();
    if state.switches.is(EVENT_TIMESTAMP, "string") { json!(now.to_string()) } else { json!(now) }
}

/// The transcript event in the format in force.
#[must_use]
pub fn transcript(state: &State, id: &str) -> Option<(&'static str, Content)> {
    let conversation = state.conversations.get(id)?;
    let otel =
        state.workspace.transcript_format == "opentelemetry" || state.switches.is(TRANSCRIPT_FORMAT, "opentelemetry");
    let (kind, data) = if otel {
        let traces = otel::traces(conversation, &state.switches);
        let data = json!({ "conversation_id": id, "agent_id": conversation.agent_id, "otlp_traces": traces });
        ("post_call_transcription_otel", data)
    } else {
        let data = payload::object(conversation, &state.switches, state.config.time_scale, Shown::Webhook);
        ("post_call_transcription", data)
    };
    let body = json!({ "type": kind, "event_timestamp": timestamp(state), "data": data });
    Some((kind, Content::Json(body.to_string().into())))
}

/// The audio event; none without a recording.
#[must_use]
pub fn audio(state: &State, id: &str) -> Option<Content> {
    let conversation = state.conversations.get(id)?;
    let recording = conversation.recording.clone()?;
    let head = format!(
        r#"{{"type":"post_call_audio","event_timestamp":{},"data":{{"agent_id":{},"conversation_id":{},"full_audio":""#,
        timestamp(state),
        json!(conversation.agent_id),
        json!(id),
    );
    Some(Content::Audio { head, recording })
}

/// Delivers one event in the background, with the faults of its kind.
pub fn dispatch(world: &Arc<World>, id: &str, callee: &str, kind: &'static str, content: Content) {
    let owner = Owner::Conversation(id.to_owned());
    let chosen = {
        let mut state = world.state();
        let chosen = state.workspace.post_call_webhook_id.clone();
        chosen.and_then(|chosen| state.workspace.webhook(&chosen).cloned())
    };
    let Some(webhook) = chosen else { return };
    let index = world.book_delivery(&owner, kind);
    if webhook.is_disabled || webhook.is_auto_disabled {
        world.delivery(&owner, index, |d| d.lost = Some("disabled"));
        return;
    }
    let faults =
        world.faults(kind.trim_end_matches("_otel"), Occasion { to: callee, call: id, event: kind, class: "" });
    if faults.contains(&Kind::Drop) {
        world.delivery(&owner, index, |d| d.lost = Some("fault"));
        return;
    }
    let shared = Arc::clone(world);
    world.spawn(async move {
        for fault in &faults {
            match fault {
                Kind::DelayMs { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
                Kind::Reorder => tokio::time::sleep(Duration::from_millis(700)).await,
                _ => {}
            }
        }
        let job = Job { world: shared, webhook_id: webhook.id, owner, index, kind, content };
        job.run(&faults).await;
    });
}

struct Job {
    world: Arc<World>,
    webhook_id: String,
    owner: Owner,
    index: usize,
    kind: &'static str,
    content: Content,
}

impl Job {
    async fn run(&self, faults: &[Kind]) {
        let first = clock::now().as_second();
        let spoiled = faults
            .iter()
            .any(|k| matches!(k, Kind::TakenButNoAnswer { .. } | Kind::HttpStatus { .. } | Kind::RefuseConnection));
        let unsent = faults.contains(&Kind::RefuseConnection);
        let mut result = self.attempt(first, spoiled && unsent).await;
        if spoiled {
            result = Err(NoAnswer::Timeout);
        }
        self.note(result);
        if faults.contains(&Kind::Double) {
            let again = self.attempt(clock::now().as_second(), false).await;
            self.note(again);
        }
        for (nth, delay) in RETRIES.into_iter().enumerate() {
            if result.is_ok_and(|status| status == 200) {
                return;
            }
            if !self.may_retry(result) {
                return self.lost("not_retryable");
            }
            if !self.reserve() {
                return self.lost("queue_full");
            }
            let key = format!("{:?} {} {nth}", self.owner, self.kind);
            let jitter = self.world.dice(&["jitter", &key]).unit() * 0.1;
            self.world.nap(delay * (1.0 + jitter)).await;
            self.release();
            let refreshed = self.world.is(RETRY_TIMESTAMP, "refreshed");
            result = self.attempt(if refreshed { clock::now().as_second() } else { first }, false).await;
            self.note(result);
        }
        if !result.is_ok_and(|status| status == 200) {
            self.lost("retries_exhausted");
        }
    }

    async fn attempt(&self, t: i64, unsent: bool) -> Result<u16, NoAnswer> {
        self.world.delivery(&self.owner, self.index, |d| d.attempts += 1);
        let webhook = self.world.state().workspace.webhook(&self.webhook_id).cloned();
        let Some(webhook) = webhook.filter(|_| !unsent) else { return Err(NoAnswer::Connect) };
        let status = send(&self.world, &webhook, &self.content, t).await;
        self.world.delivery(&self.owner, self.index, |d| {
            d.last_status = status.as_ref().ok().copied();
            d.delivered |= status.as_ref().is_ok_and(|s| *s == 200);
        });
        status
    }

    /// Success is exactly 200. Ten failures in a row switch the webhook off, unless it worked in the last week.
    fn note(&self, result: Result<u16, NoAnswer>) {
        let now = clock::now();
        let mut state = self.world.state();
        let week = clock::scaled(7.0 * 86_400.0, state.config.time_scale);
        let Some(webhook) = state.workspace.webhook(&self.webhook_id) else { return };
        if result.is_ok_and(|s| s == 200) {
            webhook.failures_in_a_row = 0;
            webhook.last_success = Some(now);
            return;
        }
        webhook.failures_in_a_row += 1;
        webhook.last_failure = Some((result.ok(), now));
        let long_ago = webhook.last_success.is_none_or(|at| now.duration_since(at).unsigned_abs() > week);
        if webhook.failures_in_a_row >= 10 && long_ago {
            webhook.is_auto_disabled = true;
        }
    }

    fn may_retry(&self, result: Result<u16, NoAnswer>) -> bool {
        let transient = match result {
            Ok(status) => status >= 500 || matches!(status, 408 | 429),
            Err(_) => true,
        };
        let mut state = self.world.state();
        let webhook = state.workspace.webhook(&self.webhook_id);
        transient
            && self.kind.starts_with("post_call_transcription")
            && webhook.is_some_and(|w| w.retry_enabled && !w.is_disabled && !w.is_auto_disabled)
    }

    fn reserve(&self) -> bool {
        let mut state = self.world.state();
        let Some(webhook) = state.workspace.webhook(&self.webhook_id) else { return false };
        let free = webhook.pending < PENDING_LIMIT;
        webhook.pending += usize::from(free);
        free
    }

    fn release(&self) {
        if let Some(webhook) = self.world.state().workspace.webhook(&self.webhook_id) {
            webhook.pending = webhook.pending.saturating_sub(1);
        }
    }

    fn lost(&self, why: &'static str) {
        self.world.delivery(&self.owner, self.index, |d| d.lost = Some(why).filter(|_| !d.delivered));
    }
}

/// One signed POST, chunked like the vendor's.
///
/// # Errors
/// When no answer came.
pub async fn send(world: &World, webhook: &Webhook, content: &Content, t: i64) -> Result<u16, NoAnswer> {
    let signer = content.clone();
    let secret = webhook.secret.clone();
    let signature = tokio::task::spawn_blocking(move || sign::elevenlabs(&secret, t, signer.pieces())).await;
    let signature = signature.map_err(|_| NoAnswer::Broken)?;
    let body = reqwest::Body::wrap_stream(stream::iter(content.pieces().map(Ok::<_, std::convert::Infallible>)));
    let mut request = world
        .http
        .post(&webhook.url)
        .header("content-type", "application/json")
        .header("user-agent", "Python/3.12 aiohttp/3.11.16")
        .header("accept", "*/*")
        .header("elevenlabs-signature", signature)
        .timeout(ATTEMPT_TIMEOUT)
        .body(body);
    for (name, value) in &webhook.request_headers {
        request = request.header(name, value);
    }
    post::finish(request).await.map(|answer| answer.status)
}

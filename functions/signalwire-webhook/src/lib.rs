//! The carrier's door. `voice` answers a call that somebody picked up: the document that bridges to the agent, with no
//! database and no vendor in the way, because a person listens to the silence. The rest is verified, queued, answered.

use std::time::Duration;

use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::http::{Inbound, Reply};
use elevenwire::queue::{CallNews, CarrierRoute, Queue};
use elevenwire::signalwire::callback::Callback;
use elevenwire::signalwire::cxml::{self, Bridge};
use elevenwire::signalwire::signature::Verifier;
use elevenwire::telemetry::metrics;
use elevenwire::ticket::Ticket;
use jiff::Timestamp;
use uuid::Uuid;

/// A person waits for the answer: the event about it may take no longer than this.
const EVENT_WHILE_RINGING: Duration = Duration::from_millis(300);

/// Somebody may still be on the line when the agent's leg has ended.
const EVENT_WHILE_ENDING: Duration = Duration::from_secs(2);

/// Seconds that the agent's leg may ring: ElevenLabs answers in one or two, and nobody listens to silence for longer.
const AGENT_RINGS_SECS: u32 = 15;

/// The carrier's forms are small; its own limit for documents is 64 kB.
const LARGEST_BODY: usize = 64 * 1024;

/// What is said when no agent comes.
const APOLOGY: &str = "We are sorry, we can not connect this call right now. Goodbye.";

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// Checks that a request is the carrier's.
    pub verifier: Verifier,
    /// Our own address, as the carrier was told.
    pub public_base_url: String,
    /// call-status's queue.
    pub call_events: Queue,
    /// Where the agent's SIP trunk lives.
    pub sip_host: String,
}

/// What the function reads from its environment.
#[derive(Debug)]
pub struct Config {
    /// `SIGNALWIRE_SIGNING_SECRET`.
    pub signing_secrets: Vec<Secret>,
    /// `PUBLIC_BASE_URL`.
    pub public_base_url: String,
    /// `CALL_EVENTS_QUEUE_URL`.
    pub call_events_queue_url: String,
    /// `ELEVENLABS_SIP_HOST`.
    pub sip_host: String,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or malformed.
    pub fn from_env(mut env: Env) -> Result<Self, Misconfigured> {
        env.required("SIGNALWIRE_SIGNING_SECRET");
        let config = Self {
            signing_secrets: env.secrets("SIGNALWIRE_SIGNING_SECRET"),
            public_base_url: env.required("PUBLIC_BASE_URL").trim_end_matches('/').to_owned(),
            call_events_queue_url: env.required("CALL_EVENTS_QUEUE_URL"),
            sip_host: env.optional("ELEVENLABS_SIP_HOST").unwrap_or_else(|| "sip.rtc.elevenlabs.io:5061".to_owned()),
        };
        env.finish(Some(config))
    }
}

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(described::voice, described::fallback, described::action, described::status))]
pub struct Doc;

/// The four addresses of [`receive`].
mod described {
    /// Somebody answered: the document that brings the agent in.
    #[utoipa::path(
        post, path = "/api/webhooks/signalwire/voice/{call_id}", tag = "vendors", operation_id = "signalwire_voice",
        params(("call_id" = uuid::Uuid, Path, description = "The call.")),
        request_body(content = Object, content_type = "application/x-www-form-urlencoded", description = "The carrier's form."),
        responses((status = 200, description = "What the carrier does next.", content_type = "application/xml", body = String), (status = 400, description = "The body cannot be read."), (status = 403, description = "The signature is missing or wrong."), (status = 404, description = "There is no such address."), (status = 413, description = "The body is too large.")),
        security(("signalwire" = []))
    )]
    #[expect(dead_code, reason = "one handler answers all four")]
    pub(super) fn voice() {}

    /// The same, when the voice address failed.
    #[utoipa::path(
        post, path = "/api/webhooks/signalwire/fallback/{call_id}", tag = "vendors", operation_id = "signalwire_fallback",
        params(("call_id" = uuid::Uuid, Path, description = "The call.")),
        request_body(content = Object, content_type = "application/x-www-form-urlencoded", description = "The carrier's form."),
        responses((status = 200, description = "What the carrier does next.", content_type = "application/xml", body = String), (status = 400, description = "The body cannot be read."), (status = 403, description = "The signature is missing or wrong."), (status = 404, description = "There is no such address."), (status = 413, description = "The body is too large.")),
        security(("signalwire" = []))
    )]
    #[expect(dead_code, reason = "one handler answers all four")]
    pub(super) fn fallback() {}

    /// The agent's leg ended.
    #[utoipa::path(
        post, path = "/api/webhooks/signalwire/action/{call_id}", tag = "vendors", operation_id = "signalwire_action",
        params(("call_id" = uuid::Uuid, Path, description = "The call.")),
        request_body(content = Object, content_type = "application/x-www-form-urlencoded", description = "The carrier's form."),
        responses((status = 200, description = "What the carrier does next.", content_type = "application/xml", body = String), (status = 400, description = "The body cannot be read."), (status = 403, description = "The signature is missing or wrong."), (status = 404, description = "There is no such address."), (status = 413, description = "The body is too large.")),
        security(("signalwire" = []))
    )]
    #[expect(dead_code, reason = "one handler answers all four")]
    pub(super) fn action() {}

    /// Progress of a call.
    #[utoipa::path(
        post, path = "/api/webhooks/signalwire/status/{call_id}", tag = "vendors", operation_id = "signalwire_status",
        params(("call_id" = uuid::Uuid, Path, description = "The call.")),
        request_body(content = Object, content_type = "application/x-www-form-urlencoded", description = "The carrier's form."),
        responses((status = 204, description = "It is noted."), (status = 400, description = "The body cannot be read."), (status = 403, description = "The signature is missing or wrong."), (status = 404, description = "There is no such address."), (status = 413, description = "The body is too large."), (status = 503, description = "It could not be kept; send it again.")),
        security(("signalwire" = []))
    )]
    #[expect(dead_code, reason = "one handler answers all four")]
    pub(super) fn status() {}
}

/// Handles a request of the carrier's.
pub async fn receive(app: &App, request: &Inbound, now: Timestamp) -> Reply {
    if request.body.len() > LARGEST_BODY {
        return Reply::empty(413);
    }
    // Before anything is parsed. The answer does not say which check failed.
    if let Err(refused) = app.verifier.verify(&request.path, &request.raw_query, &request.headers, &request.body) {
        metrics::count(metrics::REFUSED_SIGNATURES);
        tracing::warn!(webhook = "signalwire", error = %refused, request.id = request.request_id, "refused");
        return Reply::empty(403);
    }
    let Some((route, call_id)) = route(&request.path) else { return Reply::empty(404) };
    let Ok(callback) = Callback::parse(request.header("content-type"), &request.body) else {
        tracing::warn!(call.id = %call_id, route = ?route, "a signed request could not be read");
        return Reply::empty(400);
    };
    if let Some(sent_at) = callback.timestamp() {
        metrics::add(metrics::RECEPTION_LATENCY, now.duration_since(sent_at).as_secs_f64().max(0.0));
    }
    tracing::info!(call.id = %call_id, route = ?route, "the carrier calls");
    match route {
        CarrierRoute::Fallback if after_the_agent(&callback) => agent_left(app, call_id, callback, now).await,
        CarrierRoute::Voice | CarrierRoute::Fallback => answer(app, request, call_id, route, &callback, now).await,
        CarrierRoute::Action => agent_left(app, call_id, callback, now).await,
        CarrierRoute::Status => status(app, call_id, callback, now).await,
    }
}

fn route(path: &str) -> Option<(CarrierRoute, Uuid)> {
    let mut parts = path.strip_prefix("/api/webhooks/signalwire/")?.split('/');
    let route = match parts.next()? {
        "voice" => CarrierRoute::Voice,
        "fallback" => CarrierRoute::Fallback,
        "action" => CarrierRoute::Action,
        "status" => CarrierRoute::Status,
        _ => return None,
    };
    let call_id = Uuid::parse_str(parts.next()?).ok()?;
    parts.next().is_none().then_some((route, call_id))
}

/// The document that brings the agent in. The event about it is sent while the document is on its way, as far as time
/// allows: losing it loses a time, not a call.
async fn answer(
    app: &App,
    request: &Inbound,
    call_id: Uuid,
    route: CarrierRoute,
    callback: &Callback,
    now: Timestamp,
) -> Reply {
    let news = news(call_id, route, callback.clone(), now);
    let sent = tokio::time::timeout(EVENT_WHILE_RINGING, app.call_events.send(&news)).await;
    if !matches!(sent, Ok(Ok(()))) {
        tracing::warn!(call.id = %call_id, "the moment of answer was not noted in time");
    }
    let ticket = request.query("v").and_then(|text| Ticket::decode(&text, now));
    let document = ticket.and_then(|ticket| bridge(app, call_id, &ticket, callback));
    Reply::xml(document.unwrap_or_else(|| {
        tracing::error!(call.id = %call_id, "no agent can be connected: the ticket is missing, malformed or too old");
        cxml::apology(APOLOGY)
    }))
}

fn bridge(app: &App, call_id: Uuid, ticket: &Ticket, callback: &Callback) -> Option<String> {
    let call_id = call_id.to_string();
    let bridge = Bridge {
        agent_number: &ticket.agent_number,
        sip_host: &app.sip_host,
        caller_id: callback.from().unwrap_or_default(),
        ring_timeout_secs: AGENT_RINGS_SECS,
        time_limit_secs: ticket.time_limit_secs,
        action_url: &format!("{}/api/webhooks/signalwire/action/{call_id}", app.public_base_url),
        headers: &[
            ("X-CALL-ID", &call_id),
            ("X-CALLER-ID", callback.to().unwrap_or_default()),
            ("X-Elevenwire-Call", &call_id),
        ],
    };
    match cxml::bridge(&bridge) {
        Ok(document) => Some(document),
        Err(error) => {
            tracing::error!(call.id = call_id, error = %error, "the bridge could not be written");
            None
        }
    }
}

/// Whether the fallback is asked in place of our answer to the end of the agent's leg: the callee must not meet the agent a
/// second time.
fn after_the_agent(callback: &Callback) -> bool {
    let failed = callback.fields().get("ErrorUrl").map_or("", String::as_str);
    callback.dial_call_status().is_some() || failed.contains("/api/webhooks/signalwire/action/")
}

/// The agent's leg ended: the call ends with it. Whoever was left alone hears why.
async fn agent_left(app: &App, call_id: Uuid, callback: Callback, now: Timestamp) -> Reply {
    let alone = callback.dial_call_status().is_some_and(|status| !matches!(status.as_str(), "completed" | "answered"));
    let news = news(call_id, CarrierRoute::Action, callback, now);
    let sent = tokio::time::timeout(EVENT_WHILE_ENDING, app.call_events.send(&news)).await;
    if !matches!(sent, Ok(Ok(()))) {
        tracing::error!(call.id = %call_id, "what became of the agent's leg was not noted");
    }
    Reply::xml(if alone { cxml::apology(APOLOGY) } else { cxml::hangup() })
}

/// Progress. When the queue refuses, 503 makes the carrier try again (three times in all).
async fn status(app: &App, call_id: Uuid, callback: Callback, now: Timestamp) -> Reply {
    match app.call_events.send(&news(call_id, CarrierRoute::Status, callback, now)).await {
        Ok(()) => Reply::empty(204),
        Err(error) => {
            tracing::error!(call.id = %call_id, error = %error, "the event could not be queued");
            Reply::empty(503)
        }
    }
}

fn news(call_id: Uuid, route: CarrierRoute, callback: Callback, now: Timestamp) -> CallNews {
    CallNews::Carrier { call_id, route, received_at: now, fields: callback.into_fields() }
}

//! `POST /api/calls`, and the canary of a schedule: a wish to call somebody is checked, written down once, and whoever dials
//! is woken.

mod canary;
mod request;

pub use canary::{Canary, Ring, Rung, ring};
use elevenwire::auth::{Caller, Scope, Tokens};
use elevenwire::call::Connect;
use elevenwire::config::{Env, Misconfigured};
use elevenwire::cost::Tariff;
use elevenwire::dialling::Dialling;
use elevenwire::guard::Decision;
use elevenwire::http::{Inbound, Reply, json_body};
use elevenwire::problem::{FieldError, Problem};
use elevenwire::queue::{CallCommand, Queue};
use elevenwire::store::Store;
use elevenwire::store::agents::Agent;
use elevenwire::store::intents::{IdempotencyKey, NewCall, Recorded, new_id};
use elevenwire::store::situation::Situation;
use jiff::{Timestamp, ToSpan};
pub use request::CallRequest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A body larger than this is not read.
const LARGEST_BODY: usize = 256 * 1024;

/// A single call that could not be placed for this long makes no sense any more.
const WORTH_PLACING_MINUTES: i64 = 15;

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// Intents and agents.
    pub store: Store,
    /// Who may call.
    pub tokens: Tokens,
    /// place-call's queue.
    pub calls: Queue,
    /// place-trunk-call's queue.
    pub trunk_calls: Queue,
    /// Seconds to let ring when nobody says otherwise.
    pub ring_timeout_secs: u32,
    /// Our own address, for links.
    pub public_base_url: String,
    /// What the guard is told of the deployment.
    pub dialling: Dialling,
}

/// What the function reads from its environment.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: elevenwire::config::Secret,
    /// `API_TOKENS`.
    pub tokens: Tokens,
    /// `CALLS_QUEUE_URL`.
    pub calls_queue_url: String,
    /// `TRUNK_CALLS_QUEUE_URL`.
    pub trunk_calls_queue_url: String,
    /// `CALL_TIMEOUT_SECS`.
    pub ring_timeout_secs: u32,
    /// `PUBLIC_BASE_URL`.
    pub public_base_url: String,
    /// `SCHEDULE_RULES`.
    pub schedule_rules: String,
    /// See [`Dialling::from_env`].
    pub dialling: Dialling,
    /// See [`Tariff::from_env`].
    pub tariff: Tariff,
    /// `CANARY_NUMBER` and `CANARY_AGENT`; none unless both are set.
    pub canary: Option<Canary>,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or malformed.
    pub fn from_env(mut env: Env) -> Result<Self, Misconfigured> {
        let database_url = env.secret("DATABASE_URL");
        let calls_queue_url = env.required("CALLS_QUEUE_URL");
        let trunk_calls_queue_url = env.required("TRUNK_CALLS_QUEUE_URL");
        let ring_timeout_secs = env.parsed("CALL_TIMEOUT_SECS", 60);
        let public_base_url = env.required("PUBLIC_BASE_URL").trim_end_matches('/').to_owned();
        let schedule_rules = env.required("SCHEDULE_RULES");
        let dialling = Dialling::from_env(&mut env);
        let tariff = Tariff::from_env(&mut env);
        let canary = Canary::from_env(&env);
        let tokens = env.with("API_TOKENS", Tokens::parse);
        env.finish(tokens.map(|tokens| Self {
            database_url,
            tokens,
            calls_queue_url,
            trunk_calls_queue_url,
            ring_timeout_secs,
            public_base_url,
            schedule_rules,
            dialling,
            tariff,
            canary,
        }))
    }
}

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(initiate))]
pub struct Doc;

/// Asks for a call.
///
/// It is written down once per `Idempotency-Key`, and placed as soon as the law and the carrier allow. `draw` are the random bits of the new call's id.
#[utoipa::path(
    post, path = "/api/calls", tag = "calls", operation_id = "placeCall",
    params(("Idempotency-Key" = String, Header, description = "New for each call: sent twice, a request makes one call.",
        min_length = 1, max_length = 255, pattern = "^[!#-~]+$", example = "0b6f7c1e-2f7f-4f0e-9f2e-0e7d3a2b1c4d")),
    request_body(content = request::CallWish),
    responses(
        (status = 202, description = "It is written down.", body = Accepted, headers(
            ("Location" = String, description = "Its address."),
            ("Idempotency-Replayed" = Option<String>, description = "`true`: it was asked for before."))),
        (status = 409, description = "The number is busy with another call, or may not be called before `until`."),
        (status = 429, description = "The token has used up its calls or its money of the day.")
    ),
    security(("token" = ["call"]))
)]
pub async fn initiate(app: &App, request: &Inbound, now: Timestamp, draw: [u8; 10]) -> Reply {
    match record(app, request, now, draw).await {
        Ok(reply) => reply,
        Err(problem) => problem.into(),
    }
}

async fn record(app: &App, request: &Inbound, now: Timestamp, draw: [u8; 10]) -> Result<Reply, Problem> {
    let caller = app.tokens.authorize(request.header("authorization"), Scope::Call)?;
    if request.body.len() > LARGEST_BODY {
        return Err(Problem::new(413, "Content Too Large", "The body may have 256 kB."));
    }
    let key = idempotency_key(request, &caller)?;
    let wish = CallRequest::parse(&json_body(request.header("content-type"), &request.body)?)?;
    let asked = Asked { wish, caller, key, refusable: true };
    let Written { call_id, response, replayed } = write_down(app, &asked, now, draw).await?;
    let reply = accepted(app, call_id, &response);
    Ok(if replayed { reply.with("Idempotency-Replayed", "true") } else { reply })
}

/// A wish, and whose it is.
struct Asked {
    wish: CallRequest,
    caller: Caller,
    key: IdempotencyKey,
    /// What the guard forbids now is refused and not written down. Else its claim alone asks the guard, and the call ends by
    /// its word.
    refusable: bool,
}

/// A wish that is written down.
struct Written {
    call_id: Uuid,
    response: Value,
    /// It was before.
    replayed: bool,
}

async fn write_down(app: &App, asked: &Asked, now: Timestamp, draw: [u8; 10]) -> Result<Written, Problem> {
    let Asked { wish, caller, key, refusable } = asked;
    let agent = agent(app, wish).await?;
    let from = caller_id(wish, &agent)?;
    let mut call = intent(app, wish, &agent, from, caller, new_id(now, draw), now);
    let refused = if *refusable { ask_guard(app, wish, &mut call, now).await? } else { None };
    let response = response(&call, now);
    let recorded = match refused {
        // The answer of then, if the call was written down before; nothing is written now.
        Some(problem) => app.store.intent_of(key).await.map_err(|error| unavailable(&error))?.ok_or(problem)?,
        None => app
            .store
            .record_intent(&call, key, &caller.caps, &response, now)
            .await
            .map_err(|error| unavailable(&error))?,
    };
    match recorded {
        Recorded::Fresh => {
            if call.due_at <= now {
                wake(app, call.id, agent.connect).await;
            }
            tracing::info!(call.id = %call.id, campaign.id = call.campaign, "written down");
            Ok(Written { call_id: call.id, response, replayed: false })
        }
        Recorded::Done { call_id, response } => {
            // Its first wake-up may be what was lost.
            wake(app, call_id, agent.connect).await;
            Ok(Written { call_id, response, replayed: true })
        }
        Recorded::KeyReused => Err(Problem::fields(vec![FieldError::new(
            "Idempotency-Key",
            "was used for another request before",
            "Send a new key for a new call; send the same body to ask for the same call.",
        )])),
        Recorded::StillRunning => Err(Problem::new(
            409,
            "Conflict",
            "The request with this Idempotency-Key is still running. Send it again in a second.",
        )),
        Recorded::OverCap(what) => {
            let detail = format!("This token has used up its {what} of today. The day ends at 00:00 UTC.");
            Err(Problem::new(429, "Too Many Requests", detail))
        }
        Recorded::NumberBusy { call_id } => {
            let detail = "A call to this number is waiting or live. It ends by itself: follow the link.";
            Err(Problem::new(409, "Conflict", detail).with_link(link(app, call_id)))
        }
    }
}

/// The key of the IETF draft is a structured string, in quotes; a bare one is taken too.
fn idempotency_key(request: &Inbound, caller: &Caller) -> Result<IdempotencyKey, Problem> {
    let key = request.header("idempotency-key").map(|key| key.trim().trim_matches('"')).unwrap_or_default();
    if key.is_empty() || key.len() > 255 || !key.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        let detail = "Send an `Idempotency-Key` header with 1 to 255 characters, new for each call (a UUID): sent twice \
                      with the same key, a request makes one call.";
        return Err(Problem::new(400, "Bad Request", detail));
    }
    let request_sha256 = hex::encode(Sha256::digest(&request.body));
    Ok(IdempotencyKey { token: caller.name.clone(), key: key.to_owned(), request_sha256 })
}

async fn agent(app: &App, wish: &CallRequest) -> Result<Agent, Problem> {
    let found = app.store.agent(&wish.agent).await.map_err(|error| unavailable(&error))?;
    found.ok_or_else(|| {
        let mend = "GET /api/agents lists the registered agents; POST /api/agents registers one.";
        Problem::fields(vec![FieldError::new("agent", "is not registered", mend)])
    })
}

fn caller_id(wish: &CallRequest, agent: &Agent) -> Result<String, Problem> {
    let from = match &wish.from {
        Some(from) => agent.caller_ids.iter().find(|id| *id == from.as_str()),
        None => agent.caller_ids.first(),
    };
    from.cloned().ok_or_else(|| {
        let mend = "Use one of the agent's `caller_ids`, or add the number to them.";
        Problem::fields(vec![FieldError::new("from", "is not a number that this agent may call from", mend)])
    })
}

fn intent(
    app: &App,
    wish: &CallRequest,
    agent: &Agent,
    from: String,
    caller: &Caller,
    id: Uuid,
    now: Timestamp,
) -> NewCall {
    NewCall {
        id,
        to: wish.to.clone(),
        from,
        agent: agent.name.clone(),
        elevenlabs_agent_id: agent.elevenlabs_agent_id.clone(),
        connect: agent.connect,
        elevenlabs_phone_number_id: agent.elevenlabs_phone_number_id.clone(),
        campaign: wish.campaign.clone(),
        variables: wish.variables.clone(),
        metadata: wish.metadata.clone(),
        requested_by: caller.name.clone(),
        ring_timeout_secs: wish.timeout_secs.or(agent.ring_timeout_secs).unwrap_or(app.ring_timeout_secs),
        max_duration_secs: wish.max_duration_secs.unwrap_or(u32::MAX).min(agent.max_duration_secs),
        due_at: now,
        expires_at: now.checked_add(WORTH_PLACING_MINUTES.minutes()).unwrap_or(now),
        contact_id: None,
        callee: wish.callee.clone(),
    }
}

/// Asks the guard before anything is written down, so that whoever asks hears at once why not and until when. A call that
/// may wait for the next window gets its times; place-call asks again when it claims.
async fn ask_guard(
    app: &App,
    wish: &CallRequest,
    call: &mut NewCall,
    now: Timestamp,
) -> Result<Option<Problem>, Problem> {
    let history = app.store.history(call.to.as_str(), now).await.map_err(|error| unavailable(&error))?;
    let to = call.to.as_str();
    let situation = Situation::of(to, &call.callee, None, call.ring_timeout_secs, history, &app.dialling);
    match situation.decide(&app.dialling, now) {
        Decision::Allow { .. } => Ok(None),
        Decision::Block { because } => Ok(Some(Problem::guarded(because, None))),
        // Short enough to wait for: its claim will.
        Decision::Defer { until, .. } if until < call.expires_at => Ok(None),
        Decision::Defer { until, because } if !wish.may_wait => Ok(Some(Problem::guarded(because, Some(until)))),
        Decision::Defer { until, .. } => {
            let Situation { contact, rules, history } = &situation;
            match app.dialling.first_allowed(contact, rules, history, until) {
                Ok((from, closes)) => {
                    call.due_at = from;
                    call.expires_at = closes;
                    Ok(None)
                }
                Err(because) => Ok(Some(Problem::guarded(because, None))),
            }
        }
    }
}

/// What is answered; [`response`] writes it.
#[derive(Debug, utoipa::ToSchema)]
pub struct Accepted {
    /// The call's id.
    pub id: Uuid,
    /// Who is called.
    pub to: String,
    /// From which number.
    pub from: String,
    /// Our name of the agent.
    pub agent: String,
    /// The label.
    pub campaign: Option<String>,
    /// `intent`: written down.
    pub state: String,
    /// When it was written down.
    pub created_at: Timestamp,
    /// When it is placed, at the earliest.
    pub due_at: Timestamp,
    /// When it is not worth placing any more.
    pub expires_at: Timestamp,
}

fn response(call: &NewCall, now: Timestamp) -> Value {
    json!({
        "id": call.id,
        "to": call.to,
        "from": call.from,
        "agent": call.agent,
        "campaign": call.campaign,
        "state": "intent",
        "created_at": now,
        "due_at": call.due_at,
        "expires_at": call.expires_at,
    })
}

fn accepted(app: &App, call_id: Uuid, response: &Value) -> Reply {
    Reply::json(202, response).with("Location", link(app, call_id))
}

fn link(app: &App, call_id: Uuid) -> String {
    format!("{}/api/calls/{call_id}", app.public_base_url)
}

/// A lost wake-up delays a call, and loses nothing: the intent is written down, and the trigger sweeps.
async fn wake(app: &App, call_id: Uuid, connect: Connect) {
    let queue = match connect {
        Connect::Sip => &app.calls,
        Connect::Trunk => &app.trunk_calls,
    };
    if let Err(error) = queue.send(&CallCommand::Place { call_id }).await {
        tracing::warn!(call.id = %call_id, error = %error, "could not wake place-call; the trigger will");
    }
}

fn unavailable(error: &elevenwire::store::StoreError) -> Problem {
    tracing::error!(error = %error, "the intent could not be written down");
    Problem::unavailable("The database")
}

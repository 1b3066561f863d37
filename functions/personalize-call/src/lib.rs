//! What an agent asks while somebody is on the line. "Who is this?" when its leg comes up: the call's variables, one
//! statement, bounded in time, and an answer in any case, because a failed one can prevent the conversation. And its tool
//! for an opt-out: the instance that answered the first question is warm for it, and has the secret and the database.

mod opt_out;

use std::time::Duration;

use elevenwire::config::{Env, Misconfigured, Secret, is_one_of};
use elevenwire::elevenlabs::initiation::{Request, Response};
use elevenwire::http::{Inbound, Reply};
use elevenwire::store::Store;
use elevenwire::store::calls::Personal;
use elevenwire::telemetry::metrics;
use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

pub use opt_out::opt_out;

/// Path of the tool.
pub const OPT_OUT_PATH: &str = "/api/tools/opt-out";

/// The header that carries the secret.
pub const SECRET_HEADER: &str = "x-elevenwire-secret";

/// How long the database may take.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The vendor's question is small.
const LARGEST_BODY: usize = 64 * 1024;

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// Calls.
    pub store: Store,
    /// The secrets that a question may carry.
    pub secrets: Vec<Secret>,
}

/// What the function reads from its environment.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `ELEVENLABS_INITIATION_SECRET`.
    pub secrets: Vec<Secret>,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or malformed.
    pub fn from_env(mut env: Env) -> Result<Self, Misconfigured> {
        env.required("ELEVENLABS_INITIATION_SECRET");
        let config =
            Self { database_url: env.secret("DATABASE_URL"), secrets: env.secrets("ELEVENLABS_INITIATION_SECRET") };
        env.finish(Some(config))
    }
}

/// Handles whatever came: the two addresses have their own handlers.
pub async fn answer(app: &App, request: &Inbound, now: Timestamp) -> Reply {
    if request.path == OPT_OUT_PATH { opt_out(app, request, now).await } else { personalize(app, request, now).await }
}

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(personalize, opt_out::opt_out))]
pub struct Doc;

/// Answers the agent's "who is this?" while a call comes in.
#[utoipa::path(
    post, path = "/api/webhooks/elevenlabs/initiation", tag = "vendors", operation_id = "initiateConversation",
    request_body(content = Object, description = "The vendor's question."),
    responses((status = 200, description = "The call's variables.", body = Object), (status = 400, description = "The body cannot be read."), (status = 401, description = "The secret is missing or wrong."), (status = 413, description = "The body is too large.")),
    security(("agent" = []))
)]
pub async fn personalize(app: &App, request: &Inbound, now: Timestamp) -> Reply {
    if !is_one_of(&app.secrets, request.header(SECRET_HEADER).unwrap_or_default()) {
        metrics::count(metrics::REFUSED_SIGNATURES);
        tracing::warn!(webhook = "initiation", request.id = request.request_id, "refused");
        return Reply::empty(401);
    }
    if request.body.len() > LARGEST_BODY {
        return Reply::empty(413);
    }
    let Ok(question) = Request::parse(&request.body) else { return Reply::empty(400) };
    let call_id = question.call_hints().into_iter().find_map(|hint| Uuid::parse_str(hint).ok());
    let variables = match call_id {
        Some(call_id) => variables(app, call_id, &question, now).await,
        // Somebody calls the agent's number by himself.
        None => Map::new(),
    };
    Reply::json(200, &Response::new(variables))
}

async fn variables(app: &App, call_id: Uuid, question: &Request, now: Timestamp) -> Map<String, Value> {
    let agent = question.agent_id.as_deref().unwrap_or_default();
    let conversation = question.conversation_id.as_deref().filter(|id| !id.is_empty());
    let asked = app.store.personalize(call_id, agent, conversation, now);
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(Some(personal))) => {
            tracing::info!(call.id = %call_id, campaign.id = personal.campaign_id, "personalized");
            known(personal)
        }
        Ok(Ok(None)) => {
            tracing::warn!(call.id = %call_id, "no such call of this agent");
            Map::new()
        }
        Ok(Err(error)) => {
            tracing::error!(call.id = %call_id, error = %error, "answered without the database");
            from_headers(call_id)
        }
        Err(_) => {
            tracing::error!(call.id = %call_id, "the database did not answer in time");
            from_headers(call_id)
        }
    }
}

fn known(personal: Personal) -> Map<String, Value> {
    let mut variables = match personal.variables {
        Value::Object(variables) => variables,
        _ => Map::new(),
    };
    variables.insert("campaign_id".to_owned(), Value::String(personal.campaign_id.unwrap_or_default()));
    variables.extend(from_headers(personal.call_id));
    variables
}

/// What is known without the database: the call's id, so that the transcript finds its way home.
fn from_headers(call_id: Uuid) -> Map<String, Value> {
    Map::from_iter([("call_id".to_owned(), Value::String(call_id.to_string()))])
}

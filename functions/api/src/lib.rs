//! Reads and control: agents, calls, campaigns, conversations, dead letters, endpoints of events, exports, imports, numbers,
//! records, stops, suppressions, the guard.

mod agents;
mod calls;
mod campaign_body;
mod campaigns;
mod console;
mod contacts;
mod dead_letters;
mod endpoints;
mod exports;
mod guard;
mod imports;
mod numbers;
pub mod openapi;
mod query;
mod records;
mod stops;
mod suppressions;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use elevenwire::auth::{Caller, Scope, Tokens};
use elevenwire::blobs::Blobs;
use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::cost::Tariff;
use elevenwire::dialling::Dialling;
use elevenwire::http::{Reply, json_body};
use elevenwire::problem::{FieldError, Problem};
use elevenwire::queue::{self, Queue};
use elevenwire::store::agents::{Agent, Stored};
use elevenwire::store::{Store, StoreError};
use jiff::Timestamp;
use serde_json::Value;

use openapi::pages;
use query::{Asked, Paging, Pairs, listed};

/// A body larger than this is not read.
const LARGEST_BODY: usize = 64 * 1024;

/// What the function needs.
pub struct App {
    /// Everything.
    pub store: Store,
    /// Who may ask.
    pub tokens: Tokens,
    /// place-call's queue.
    pub calls: Queue,
    /// What the guard is told of the deployment.
    pub dialling: Dialling,
    /// Seconds to let ring when nobody says otherwise.
    pub ring_timeout_secs: u32,
    /// Files of imports, and the CSVs of their bad rows.
    pub blobs: Blobs,
    /// import-contacts' queue.
    pub imports: Queue,
    /// export-records' queue.
    pub exports: Queue,
    /// Every queue by its name, with its dead letters.
    pub queues: Vec<(&'static str, Queue)>,
    /// Random bits for new ids.
    pub draw: Box<dyn Fn() -> [u8; 10] + Send + Sync>,
    /// The clock.
    pub now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

/// What the function reads from its environment.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `API_TOKENS`.
    pub tokens: Tokens,
    /// `SCHEDULE_RULES`.
    pub schedule_rules: String,
    /// See [`Dialling::from_env`].
    pub dialling: Dialling,
    /// See [`Tariff::from_env`].
    pub tariff: Tariff,
    /// `CALL_TIMEOUT_SECS`.
    pub ring_timeout_secs: u32,
    /// `S3_BUCKET`.
    pub bucket: String,
    /// The queues, by name.
    pub queue_urls: [(&'static str, String); 7],
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or malformed.
    pub fn from_env(mut env: Env) -> Result<Self, Misconfigured> {
        let database_url = env.secret("DATABASE_URL");
        let schedule_rules = env.required("SCHEDULE_RULES");
        let dialling = Dialling::from_env(&mut env);
        let tariff = Tariff::from_env(&mut env);
        let ring_timeout_secs = env.parsed("CALL_TIMEOUT_SECS", 60);
        let tokens = env.with("API_TOKENS", Tokens::parse);
        let bucket = env.required("S3_BUCKET");
        let queue_urls = queue::all_of(&mut env);
        env.finish(tokens.map(|tokens| Self {
            database_url,
            tokens,
            schedule_rules,
            dialling,
            tariff,
            ring_timeout_secs,
            bucket,
            queue_urls,
        }))
    }
}

/// The routes.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/api/agents", get(list_agents).post(post_agent))
        .route("/api/agents/{name}", get(get_agent).put(put_agent))
        .merge(openapi::routes())
        .merge(calls::routes())
        .merge(campaigns::routes())
        .merge(contacts::routes())
        .merge(dead_letters::routes())
        .merge(endpoints::routes())
        .merge(stops::routes())
        .merge(guard::routes())
        .merge(suppressions::routes())
        .merge(imports::routes())
        .merge(exports::routes())
        .merge(records::routes())
        .merge(numbers::routes())
        .fallback(async || Answer(Problem::not_found("There is no such address. See the README for the API.").into()))
        .method_not_allowed_fallback(method_not_taken)
        .layer(axum::middleware::map_response(openapi::as_problem))
        // Behind that layer, because it tells people in pages what is wrong.
        .merge(console::routes().method_not_allowed_fallback(method_not_taken))
        .layer(axum::extract::DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(Arc::new(app))
}

async fn method_not_taken() -> Answer {
    Answer(Problem::new(405, "Method Not Allowed", "This address does not take this method.").into())
}

/// An answer of ours as one of axum's.
struct Answer(Reply);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.0.body));
        *response.status_mut() = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let content_type = [("Content-Type", self.0.content_type.to_owned()), ("Cache-Control", "no-store".to_owned())];
        for (name, value) in content_type.into_iter().chain(self.0.headers).filter(|(_, value)| !value.is_empty()) {
            if let (Ok(name), Ok(value)) = (name.parse::<header::HeaderName>(), value.parse()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self(reply)
    }
}

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(list_agents, get_agent, post_agent, put_agent))]
struct Doc;

type Answered = Result<Answer, Answer>;

fn wrong(problem: Problem) -> Answer {
    Answer(problem.into())
}

fn unavailable(error: &StoreError) -> Answer {
    tracing::error!(error = %error, "the database was asked in vain");
    wrong(Problem::unavailable("The database"))
}

fn authorize(app: &App, headers: &HeaderMap, scope: Scope) -> Result<Caller, Answer> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    app.tokens.authorize(header, scope).map_err(wrong)
}

/// The body as a JSON object, if it does not say that it is something else.
fn json_of(headers: &HeaderMap, body: &[u8]) -> Result<Value, Answer> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    json_body(kind, body).map_err(wrong)
}

/// Refuses fields that are not known.
fn only(body: &Value, known: &[&str]) -> Result<(), Answer> {
    let unknown = body.as_object().into_iter().flatten().filter(|(name, _)| !known.contains(&name.as_str()));
    let mend = format!("Leave it out, or use one of: {}.", known.join(", "));
    let shown = |name: &str| name.chars().take(64).collect::<String>();
    let errors: Vec<FieldError> =
        unknown.map(|(name, _)| FieldError::new(shown(name), "is not a field here", mend.as_str())).collect();
    if errors.is_empty() { Ok(()) } else { Err(wrong(Problem::fields(errors))) }
}

/// Agents, by name.
#[utoipa::path(
    get, path = "/api/agents", tag = "agents", operation_id = "listAgents",
    params(Paging),
    responses((status = 200, description = "The answer.", body = pages::Agents)),
    security(("token" = ["read"]))
)]
async fn list_agents(State(app): State<Arc<App>>, Query(query): Query<Pairs>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let mut asked = Asked::of(query, &["cursor", "limit"]);
    let (after, most) = (asked.cursor(|name| Some(name.to_owned())), asked.limit());
    let (after, most) = asked.done((after, most))?;
    let agents = app.store.agents_after(after.as_deref(), most).await.map_err(|error| unavailable(&error))?;
    Ok(listed("agents", &agents, most, |last| last.name.clone()))
}

/// One agent.
#[utoipa::path(
    get, path = "/api/agents/{name}", tag = "agents", operation_id = "readAgent",
    params(("name" = String, Path, description = "Its name.", max_length = 64)),
    responses((status = 200, description = "The answer.", body = Agent)),
    security(("token" = ["read"]))
)]
async fn get_agent(State(app): State<Arc<App>>, Path(name): Path<String>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    // The database has no text with a NUL.
    let agent =
        if name.contains('\0') { None } else { app.store.agent(&name).await.map_err(|error| unavailable(&error))? };
    let agent = agent
        .ok_or_else(|| wrong(Problem::not_found("There is no agent with this name. GET /api/agents lists them.")))?;
    Ok(Reply::json(200, &agent).into())
}

/// Registers an agent.
#[utoipa::path(
    post, path = "/api/agents", tag = "agents", operation_id = "createAgent",
    request_body(content = agents::AgentWish),
    responses((status = 201, description = "It is registered.", body = Agent, headers(("Location" = String, description = "Its address."))),
            (status = 409, description = "There is an agent of this name.")),
    security(("token" = ["admin"]))
)]
async fn post_agent(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Answered {
    authorize(&app, &headers, Scope::Admin)?;
    let body = json_of(&headers, &body)?;
    let agent = agents::parse(&body, None, (app.now)()).map_err(wrong)?;
    store_agent(&app, &agent, false).await
}

/// Registers an agent, or changes the one of this name.
#[utoipa::path(
    put, path = "/api/agents/{name}", tag = "agents", operation_id = "putAgent",
    params(("name" = String, Path, description = "Its name.", max_length = 64, pattern = "^[A-Za-z0-9._:-]{1,64}$")),
    request_body(content = agents::NamedAgentWish),
    responses((status = 200, description = "It is changed.", body = Agent),
            (status = 201, description = "It is registered.", body = Agent, headers(("Location" = String, description = "Its address.")))),
    security(("token" = ["admin"]))
)]
async fn put_agent(State(app): State<Arc<App>>, Path(name): Path<String>, headers: HeaderMap, body: Bytes) -> Answered {
    authorize(&app, &headers, Scope::Admin)?;
    let body = json_of(&headers, &body)?;
    let agent = agents::parse(&body, Some(&name), (app.now)()).map_err(wrong)?;
    store_agent(&app, &agent, true).await
}

async fn store_agent(app: &App, agent: &Agent, replace: bool) -> Answered {
    match app.store.put_agent(agent, replace).await.map_err(|error| unavailable(&error))? {
        Stored::Created(agent) => {
            let location = format!("/api/agents/{}", agent.name);
            Ok(Reply::json(201, &agent).with("Location", location).into())
        }
        Stored::Replaced(agent) => Ok(Reply::json(200, &agent).into()),
        Stored::NameTaken => {
            let detail = format!("There is an agent of this name. Change it with PUT /api/agents/{}.", agent.name);
            Err(wrong(Problem::new(409, "Conflict", detail)))
        }
        Stored::NumberTaken => Err(wrong(Problem::fields(vec![FieldError::new(
            "number",
            "belongs to another agent",
            "One number is one agent at ElevenLabs: import another number, or change that agent.",
        )]))),
    }
}

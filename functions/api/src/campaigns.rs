//! `/api/campaigns`: made, read, changed, started, paused, canceled.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use elevenwire::auth::Scope;
use elevenwire::campaign;
use elevenwire::cost::Spend;
use elevenwire::http::Reply;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::queue::CallCommand;
use elevenwire::store::campaigns::{Campaign, Moved, Progress};
use elevenwire::store::intents::new_id;
use elevenwire::store::stops;
use serde_json::Value;
use uuid::Uuid;

use crate::campaign_body::{self, CampaignChange, CampaignWish};
use crate::openapi::pages;
use crate::query::{Asked, Paging, Pairs, listed};
use crate::stops::command;
use crate::{Answer, Answered, App, authorize, json_of, unavailable, wrong};

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(create, list, read, patch, start, pause, resume, cancel))]
pub(crate) struct Doc;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/campaigns", get(list).post(create))
        .route("/api/campaigns/{id}", get(read).patch(patch))
        .route("/api/campaigns/{id}/start", post(start))
        .route("/api/campaigns/{id}/pause", post(pause))
        .route("/api/campaigns/{id}/resume", post(resume))
        .route("/api/campaigns/{id}/cancel", post(cancel))
}

/// Attempts that are picked and not yet placed are few: ten seconds of the carrier's timetable.
const MOST_WOKEN: i64 = 100;

fn missing() -> Answer {
    wrong(Problem::not_found("There is no campaign with this id. GET /api/campaigns lists them."))
}

pub(crate) fn id(text: &str) -> Result<Uuid, Answer> {
    Uuid::parse_str(text).map_err(|_| missing())
}

pub(crate) async fn known(app: &App, text: &str) -> Result<Campaign, Answer> {
    let found = app.store.campaign(id(text)?).await.map_err(|error| unavailable(&error))?;
    found.ok_or_else(missing)
}

fn view(campaign: &Campaign, progress: &Progress, spend: &Spend) -> Value {
    let mut view = serde_json::to_value(campaign).unwrap_or_default();
    view["progress"] = serde_json::to_value(progress).unwrap_or_default();
    view["cost"] = serde_json::to_value(spend).unwrap_or_default();
    view
}

/// Makes a campaign, as a draft.
#[utoipa::path(
    post, path = "/api/campaigns", tag = "campaigns", operation_id = "createCampaign",
    request_body(content = CampaignWish),
    responses((status = 201, description = "It is made.", body = pages::CampaignView, headers(("Location" = String, description = "Its address.")))),
    security(("token" = ["call"]))
)]
async fn create(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Answered {
    authorize(&app, &headers, Scope::Call)?;
    let campaign = wished(&app, &json_of(&headers, &body)?).await?;
    let campaign = stored(&app, campaign).await?;
    let location = format!("/api/campaigns/{}", campaign.id);
    Ok(Reply::json(201, &view(&campaign, &Progress::default(), &Spend::default())).with("Location", location).into())
}

/// The campaign that `body` asks for, which is not stored yet.
pub(crate) async fn wished(app: &App, body: &Value) -> Result<Campaign, Answer> {
    let now = (app.now)();
    let campaign = campaign_body::parse(body, new_id(now, (app.draw)()), now).map_err(wrong)?;
    check_agent(app, &campaign).await?;
    Ok(campaign)
}

/// Stores a new campaign, for whoever may.
pub(crate) async fn stored(app: &App, campaign: Campaign) -> Result<Campaign, Answer> {
    app.store.create_campaign(&campaign).await.map_err(|error| unavailable(&error))?;
    tracing::info!(campaign.id = %campaign.id, "made");
    Ok(campaign)
}

/// Its agent is registered, and its caller id is one of the agent's.
async fn check_agent(app: &App, campaign: &Campaign) -> Result<(), Answer> {
    let found = app.store.agent(&campaign.agent).await.map_err(|error| unavailable(&error))?;
    let Some(agent) = found else {
        let mend = "GET /api/agents lists the registered agents; POST /api/agents registers one.";
        return Err(wrong(Problem::fields(vec![FieldError::new("agent", "is not registered", mend)])));
    };
    if campaign.from.as_ref().is_some_and(|from| !agent.caller_ids.contains(from)) {
        let mend = "Use one of the agent's `caller_ids`, or add the number to them.";
        let error = FieldError::new("from", "is not a number that this agent may call from", mend);
        return Err(wrong(Problem::fields(vec![error])));
    }
    Ok(())
}

/// Campaigns, the newest first.
#[utoipa::path(
    get, path = "/api/campaigns", tag = "campaigns", operation_id = "listCampaigns",
    params(Paging),
    responses((status = 200, description = "The answer.", body = pages::Campaigns)),
    security(("token" = ["read"]))
)]
async fn list(State(app): State<Arc<App>>, Query(query): Query<Pairs>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let mut asked = Asked::of(query, &["cursor", "limit"]);
    let slice = asked.slice(|id| Uuid::parse_str(id).ok());
    let slice = asked.done(slice)?;
    let campaigns = app.store.campaigns(&slice).await.map_err(|error| unavailable(&error))?;
    Ok(listed("campaigns", &campaigns, slice.most, |last| format!("{}_{}", last.created_at, last.id)))
}

/// One campaign, and how far it is.
#[utoipa::path(
    get, path = "/api/campaigns/{id}", tag = "campaigns", operation_id = "readCampaign",
    params(("id" = Uuid, Path, description = "Its id.")),
    responses((status = 200, description = "The answer.", body = pages::CampaignView)),
    security(("token" = ["read"]))
)]
async fn read(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let campaign = known(&app, &id).await?;
    answer(&app, &campaign).await
}

async fn answer(app: &App, campaign: &Campaign) -> Answered {
    let progress = app.store.progress(campaign.id).await.map_err(|error| unavailable(&error))?;
    let spend = spend(app, campaign, &progress).await?;
    Ok(Reply::json(200, &view(campaign, &progress, &spend)).into())
}

/// What it has cost, and what it will have.
pub(crate) async fn spend(app: &App, campaign: &Campaign, progress: &Progress) -> Result<Spend, Answer> {
    let cost = app.store.campaign_cost(campaign.id, (app.now)()).await.map_err(|error| unavailable(&error))?;
    Ok(Spend::of(cost, progress.done, progress.waiting + progress.calling))
}

/// Changes a campaign: what is sent replaces what is there (RFC 7396). Agent and purpose stay.
#[utoipa::path(
    patch, path = "/api/campaigns/{id}", tag = "campaigns", operation_id = "changeCampaign",
    params(("id" = Uuid, Path, description = "Its id.")),
    request_body(content = CampaignChange),
    responses((status = 200, description = "The answer.", body = pages::CampaignView), (status = 409, description = "It is over, or was changed meanwhile.")),
    security(("token" = ["call"]))
)]
async fn patch(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Answered {
    authorize(&app, &headers, Scope::Call)?;
    let known = known(&app, &id).await?;
    let changed = campaign_body::change(&known, &json_of(&headers, &body)?, (app.now)()).map_err(wrong)?;
    check_agent(&app, &changed).await?;
    let missing = changed.missing();
    if known.state == campaign::State::Running && !missing.is_empty() {
        return Err(wrong(incomplete(&missing)));
    }
    let stored = app.store.change_campaign(&changed, known.updated_at, (app.now)()).await;
    match stored.map_err(|error| unavailable(&error))? {
        Some(campaign) => answer(&app, &campaign).await,
        None => Err(wrong(Problem::new(
            409,
            "Conflict",
            "The campaign is over, or was changed by somebody else meanwhile. Read it, then send the change again.",
        ))),
    }
}

pub(crate) fn incomplete(missing: &[String]) -> Problem {
    let mend = |field: &str| match field {
        "texts.identity" => "A marketing call must say who calls: add the text.",
        "texts.ai_disclosure" => "A marketing call must say that a machine speaks: add the text.",
        "texts.recording" => "A marketing call must say that it is recorded: add the text.",
        _ => "A marketing call must say how to say no: add the text.",
    };
    Problem::fields(missing.iter().map(|field| FieldError::new(field, "is missing", mend(field))).collect())
}

/// Starts a campaign.
#[utoipa::path(
    post, path = "/api/campaigns/{id}/start", tag = "campaigns", operation_id = "startCampaign",
    params(("id" = Uuid, Path, description = "Its id.")),
    request_body(content = Option<pages::Why>),
    responses((status = 200, description = "The answer.", body = pages::CampaignView), (status = 409, description = "It cannot: see `detail`.")),
    security(("token" = ["call"]))
)]
async fn start(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Answered {
    go(&app, &id, &headers, &body, campaign::State::Running).await
}

/// Lets a paused campaign go on.
#[utoipa::path(
    post, path = "/api/campaigns/{id}/resume", tag = "campaigns", operation_id = "resumeCampaign",
    params(("id" = Uuid, Path, description = "Its id.")),
    request_body(content = Option<pages::Why>),
    responses((status = 200, description = "The answer.", body = pages::CampaignView), (status = 409, description = "It cannot: see `detail`.")),
    security(("token" = ["call"]))
)]
async fn resume(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Answered {
    let answer = go(&app, &id, &headers, &body, campaign::State::Running).await?;
    wake(&app, self::id(&id)?).await;
    Ok(answer)
}

/// Attempts that found the campaign paused go on at once. What the queue does not take, or the database, the trigger's
/// sweep wakes.
pub(crate) async fn wake(app: &App, id: Uuid) {
    let woken = match app.store.due_after_pause(id, MOST_WOKEN, (app.now)()).await {
        Ok(woken) => woken,
        Err(error) => return tracing::warn!(error = %error, "attempts wait until they look again"),
    };
    for call_id in woken {
        if let Err(error) = app.calls.send(&CallCommand::Place { call_id }).await {
            return tracing::warn!(error = %error, "could not wake place-call; the trigger will");
        }
    }
}

/// Pauses a campaign: no call is placed until it is resumed.
#[utoipa::path(
    post, path = "/api/campaigns/{id}/pause", tag = "campaigns", operation_id = "pauseCampaign",
    params(("id" = Uuid, Path, description = "Its id.")),
    request_body(content = Option<pages::Why>),
    responses((status = 200, description = "The answer.", body = pages::CampaignView), (status = 409, description = "It cannot: see `detail`.")),
    security(("token" = ["call"]))
)]
async fn pause(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Answered {
    go(&app, &id, &headers, &body, campaign::State::Paused).await
}

/// Also takes back what the carrier has queued. Whoever is on the line may finish.
#[utoipa::path(
    post, path = "/api/campaigns/{id}/cancel", tag = "campaigns", operation_id = "cancelCampaign",
    params(("id" = Uuid, Path, description = "Its id.")),
    request_body(content = Option<pages::Why>),
    responses((status = 200, description = "The answer.", body = pages::CampaignView), (status = 409, description = "It cannot: see `detail`.")),
    security(("token" = ["call"]))
)]
async fn cancel(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Answered {
    let answer = go(&app, &id, &headers, &body, campaign::State::Canceled).await?;
    take_back(&app, self::id(&id)?).await?;
    Ok(answer)
}

/// What the carrier has queued of a canceled campaign.
pub(crate) async fn take_back(app: &App, id: Uuid) -> Result<(), Answer> {
    let scope = stops::Scope::Campaign(id.to_string());
    let reached = app.store.end_live(&scope, false, (app.now)()).await.map_err(|error| unavailable(&error))?;
    command(app, &reached).await;
    Ok(())
}

async fn go(app: &App, id: &str, headers: &HeaderMap, body: &Bytes, to: campaign::State) -> Answered {
    authorize(app, headers, Scope::Call)?;
    moved(app, id, to, reason(headers, body)?.as_deref()).await
}

/// Moves a campaign, for whoever may.
pub(crate) async fn moved(app: &App, id: &str, to: campaign::State, reason: Option<&str>) -> Answered {
    let known = known(app, id).await?;
    let missing = known.missing();
    if to == campaign::State::Running && !missing.is_empty() {
        return Err(wrong(incomplete(&missing)));
    }
    let moved = app.store.move_campaign(known.id, to, reason, "owner", (app.now)()).await;
    match moved.map_err(|error| unavailable(&error))? {
        Moved::Done(campaign) => {
            tracing::info!(campaign.id = %campaign.id, campaign.state = to.as_str(), "moved by its owner");
            answer(app, &campaign).await
        }
        Moved::Missing => Err(self::missing()),
        Moved::Importing => {
            Err(wrong(Problem::new(409, "Conflict", "Contacts are being imported: start it when the import is done.")))
        }
        Moved::Held(why) => {
            let mend = "Raise the budget with PATCH, or wait until it does not hold any more.";
            Err(wrong(Problem::new(409, "Conflict", format!("The breaker would pause it again: {why}. {mend}"))))
        }
        Moved::Not(state) => {
            let detail = format!("The campaign is {}: it cannot become {}.", state.as_str(), to.as_str());
            Err(wrong(Problem::new(409, "Conflict", detail)))
        }
    }
}

/// `{"reason": "…"}`, or nothing.
fn reason(headers: &HeaderMap, body: &Bytes) -> Result<Option<String>, Answer> {
    if body.is_empty() {
        return Ok(None);
    }
    let body = json_of(headers, body)?;
    crate::only(&body, &["reason"])?;
    match body.get("reason") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(reason)) if reason.len() <= 500 && !reason.contains('\0') => Ok(Some(reason.clone())),
        Some(_) => {
            let error = FieldError::new("reason", "is not a text or too long", "Send at most 500 bytes of text.");
            Err(wrong(Problem::fields(vec![error])))
        }
    }
}

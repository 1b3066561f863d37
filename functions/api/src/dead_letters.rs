//! `/api/dead-letters`: what no function could do anything with, and back with it when the cause is mended.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use elevenwire::auth::Scope;
use elevenwire::http::Reply;
use elevenwire::problem::Problem;
use elevenwire::queue::{QueueDown, Worker};
use futures_util::future::try_join_all;

use crate::openapi::pages::{DeadLetters, DeadQueue, Redriven};
use crate::{Answer, Answered, App, authorize, wrong};

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(list, redrive))]
pub(crate) struct Doc;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/dead-letters", get(list)).route("/api/dead-letters/{queue}/redrive", post(redrive))
}

/// Messages that go back by one request: well within its time.
const MOST: u64 = 500;

pub(crate) fn no_queue(error: &QueueDown) -> Answer {
    tracing::error!(error = %error, "the queue was asked in vain");
    wrong(Problem::unavailable("The queue"))
}

/// Every queue that has dead letters, with the first of them.
pub(crate) async fn found(app: &App) -> Result<Vec<DeadQueue>, QueueDown> {
    let looked = app.queues.iter().map(async |(name, queue)| {
        let Some(worker) = Worker::of(queue.clone()).await? else { return Ok(None) };
        let count = worker.dead().await?;
        let letters = if count > 0 { worker.look().await? } else { Vec::new() };
        Ok((count > 0).then(|| DeadQueue { queue: (*name).to_owned(), count, letters }))
    });
    Ok(try_join_all(looked).await?.into_iter().flatten().collect())
}

/// Sends dead letters of a queue back, for whoever may; answers how many went.
pub(crate) async fn sent_back(app: &App, name: &str, by: &str) -> Result<u64, Answer> {
    let missing = || {
        let names: Vec<&str> = app.queues.iter().map(|(name, _)| *name).collect();
        wrong(Problem::not_found(format!("There is no such queue. They are: {}.", names.join(", "))))
    };
    let (name, queue) = app.queues.iter().find(|(known, _)| *known == name).ok_or_else(missing)?;
    let worker = Worker::of(queue.clone()).await.map_err(|error| no_queue(&error))?.ok_or_else(missing)?;
    let sent = worker.send_back(MOST).await.map_err(|error| no_queue(&error))?;
    tracing::warn!(queue = name, sent, by, "dead letters were sent back");
    Ok(sent)
}

/// Messages that were put aside, with their reasons. A queue that has none is not named.
#[utoipa::path(
    get, path = "/api/dead-letters", tag = "about", operation_id = "listDeadLetters",
    responses((status = 200, description = "The answer.", body = DeadLetters)),
    security(("token" = ["read"]))
)]
async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let queues = found(&app).await.map_err(|error| no_queue(&error))?;
    Ok(Reply::json(200, &DeadLetters { queues }).into())
}

/// Sends the dead letters of a queue back to be worked off again: 500 at most, so ask again until none is sent.
#[utoipa::path(
    post, path = "/api/dead-letters/{queue}/redrive", tag = "about", operation_id = "redriveDeadLetters",
    params(("queue" = String, Path, description = "Its name.", max_length = 64, example = "transcriptions")),
    responses((status = 200, description = "They went.", body = Redriven)),
    security(("token" = ["admin"]))
)]
async fn redrive(State(app): State<Arc<App>>, Path(queue): Path<String>, headers: HeaderMap) -> Answered {
    let caller = authorize(&app, &headers, Scope::Admin)?;
    Ok(Reply::json(200, &Redriven { sent: sent_back(&app, &queue, &caller.name).await? }).into())
}

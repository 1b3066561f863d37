//! The agent's tool for somebody who does not want to be called any more. A person is on the line: one short transaction,
//! bounded in time, and an answer that the agent can speak from. It never claims what was not written down.

use elevenwire::config::is_one_of;
use elevenwire::http::{Inbound, Reply};
use elevenwire::telemetry::metrics;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{App, LARGEST_BODY, PATIENCE, SECRET_HEADER};

/// What may name the call in the tool's body. A phone number never does: only the number of the call itself is suppressed.
const NAMES: [&str; 6] =
    ["conversation_id", "system__conversation_id", "call_id", "system__call_id", "call_sid", "system__call_sid"];

/// What is answered.
#[derive(Debug, utoipa::ToSchema)]
#[expect(dead_code, reason = "describes what is answered")]
pub struct OptOut {
    /// It is written down.
    pub noted: bool,
    /// What the agent says.
    pub message: String,
}

const NOTED: &str = "It is noted. This number will not be called again.";
const NOT_NOTED: &str = "It could not be noted just now. The wish was passed on to a person, who will see to it.";

/// Somebody on the line wants no more calls: the agent's tool.
#[utoipa::path(
    post, path = "/api/tools/opt-out", tag = "vendors", operation_id = "optOut",
    request_body(content = Object, description = "Names the call: `conversation_id`, `call_id` or `call_sid`. Also a body that cannot be read is answered."),
    responses((status = 200, description = "Whether it is noted, and what to say.", body = OptOut), (status = 401, description = "The secret is missing or wrong."), (status = 413, description = "The body is too large.")),
    security(("agent" = []))
)]
pub async fn opt_out(app: &App, request: &Inbound, now: Timestamp) -> Reply {
    if !is_one_of(&app.secrets, request.header(SECRET_HEADER).unwrap_or_default()) {
        metrics::count(metrics::REFUSED_SIGNATURES);
        tracing::warn!(webhook = "opt-out", request.id = request.request_id, "refused");
        return Reply::empty(401);
    }
    if request.body.len() > LARGEST_BODY {
        return Reply::empty(413);
    }
    // Also a body that cannot be read comes from an agent whose callee wants no more calls.
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let noted = note(app, &names(&body), now).await;
    let message = if noted { NOTED } else { NOT_NOTED };
    Reply::json(200, &json!({ "noted": noted, "message": message }))
}

fn names(body: &Value) -> Vec<String> {
    let is_an_id = |id: &&str| !id.is_empty() && id.len() <= 255 && !id.chars().any(char::is_control);
    NAMES.iter().filter_map(|name| body[*name].as_str()).map(str::trim).filter(is_an_id).map(str::to_owned).collect()
}

async fn note(app: &App, names: &[String], now: Timestamp) -> bool {
    let alarm = "opt_out_not_noted";
    match tokio::time::timeout(PATIENCE, app.store.opt_out_in_call(names, now)).await {
        Ok(Ok(Some(call))) => {
            tracing::info!(call.id = %call.call_id, fresh = call.fresh, "an opt-out was noted");
            return true;
        }
        Ok(Ok(None)) => tracing::error!(alarm, ids = ?names, "an opt-out names no call of ours"),
        Ok(Err(error)) => tracing::error!(alarm, ids = ?names, error = %error, "an opt-out was not noted"),
        Err(_) => tracing::error!(alarm, ids = ?names, "an opt-out was not noted: the database did not answer in time"),
    }
    false
}

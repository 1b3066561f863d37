//! Phone numbers that were imported as SIP trunks.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State},
    response::Response,
};
use serde_json::{Value, json};

use super::{
    admin::{answer, read, set, text},
    errors::ApiError,
};
use crate::{config::ImportedNumber, signalwire::errors::json_answer, world::World};

type Shared = State<Arc<World>>;

/// A number as the API shows it.
#[must_use]
pub fn view(number: &ImportedNumber) -> Value {
    let assigned =
        (!number.agent_id.is_empty()).then(|| json!({ "agent_id": number.agent_id, "agent_name": number.name }));
    let authenticates = !number.username.is_empty();
    json!({ "phone_number": number.number, "label": number.name, "phone_number_id": number.phone_number_id,
        "supports_inbound": true, "supports_outbound": true, "provider": "sip_trunk", "assigned_agent": assigned,
        "inbound_trunk": { "allowed_addresses": [], "allowed_numbers": null, "media_encryption": "allowed",
            "has_auth_credentials": authenticates, "username": authenticates.then_some(&number.username),
            "remote_domains": null },
        "outbound_trunk": null, "livekit_stack": "standard" })
}

/// `GET /v1/convai/phone-numbers`.
pub async fn list(State(world): Shared) -> Response {
    json_answer(200, &Value::Array(world.config().numbers.iter().map(view).collect()))
}

/// `POST /v1/convai/phone-numbers`: imports a SIP trunk number.
pub async fn import(State(world): Shared, body: Bytes) -> Response {
    let done = read(&body).and_then(|body| {
        if text(&body, "/provider")? != "sip_trunk" {
            return Err(ApiError::schema("provider"));
        }
        let optional = |path: &str| body.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = ImportedNumber {
            number: text(&body, "/phone_number")?,
            agent_id: optional("/agent_id"),
            name: text(&body, "/label")?,
            phone_number_id: format!("phnum_{}", world.fresh().token(24)),
            username: optional("/inbound_trunk_config/credentials/username"),
            password: optional("/inbound_trunk_config/credentials/password"),
        };
        let id = number.phone_number_id.clone();
        set(&world, |config| {
            config.numbers.retain(|n| n.number != number.number);
            config.numbers.push(number);
        });
        Ok(json!({ "phone_number_id": id }))
    });
    answer(&world, done)
}

/// `PATCH /v1/convai/phone-numbers/{id}`: its agent, its label, its inbound credentials.
pub async fn patch(State(world): Shared, Path(id): Path<String>, body: Bytes) -> Response {
    let done = read(&body).and_then(|body| {
        set(&world, |config| {
            let Some(number) = config.numbers.iter_mut().find(|number| number.phone_number_id == id) else { return };
            if let Some(agent) = body.get("agent_id") {
                agent.as_str().unwrap_or_default().clone_into(&mut number.agent_id);
            }
            if let Some(label) = body["label"].as_str() {
                label.clone_into(&mut number.name);
            }
            if let Some(trunk) = body.get("inbound_trunk_config") {
                let credential = |name: &str| trunk["credentials"][name].as_str().unwrap_or_default().to_owned();
                (number.username, number.password) = (credential("username"), credential("password"));
            }
        });
        let config = world.config();
        let number = config.numbers.iter().find(|number| number.phone_number_id == id);
        number.map(view).ok_or_else(|| ApiError::not_found("phone_number_not_found"))
    });
    answer(&world, done)
}

//! ElevenLabs' error bodies: `detail` may be an object, an old object, a text or `FastAPI`'s array.

use axum::response::Response;
use serde_json::json;

use crate::{signalwire::errors::json_answer, switches::DETAIL_SHAPE, world::World};

/// An error of the ElevenLabs API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub status: u16,
    /// `not_found`, `validation_error`, …
    pub kind: &'static str,
    /// `conversation_not_found`, …
    pub code: &'static str,
    pub message: String,
}

impl ApiError {
    /// 401.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self { status: 401, kind: "authentication_error", code: "invalid_api_key", message: "Invalid API key".into() }
    }

    /// 404 for an unknown conversation, or one without a recording.
    #[must_use]
    pub fn no_conversation(message: &str) -> Self {
        Self { status: 404, kind: "not_found", code: "conversation_not_found", message: message.into() }
    }

    /// 404 for anything else.
    #[must_use]
    pub fn not_found(code: &'static str) -> Self {
        Self { status: 404, kind: "not_found", code, message: "Not found".into() }
    }

    /// 422, always in `FastAPI`'s shape.
    #[must_use]
    pub fn schema(field: &str) -> Self {
        Self { status: 422, kind: "validation_error", code: "missing", message: field.into() }
    }

    /// 429 because every slot is taken.
    #[must_use]
    pub fn no_slot() -> Self {
        Self {
            status: 429,
            kind: "rate_limit_error",
            code: "concurrent_limit_exceeded",
            message: "All concurrent conversations are in use".into(),
        }
    }

    /// The body that the switch asks for.
    #[must_use]
    pub fn answer(&self, world: &World) -> Response {
        let shape = if self.status == 422 { "array" } else { world.at(DETAIL_SHAPE) };
        let body = match shape {
            "status_message" => json!({ "detail": { "status": self.code, "message": self.message } }),
            "text" => json!({ "detail": self.message }),
            "array" => json!({ "detail": [{ "type": self.code, "loc": ["body", self.message], "msg": "Field required",
                "input": null }] }),
            _ => json!({ "detail": { "type": self.kind, "code": self.code, "message": self.message,
                "status": self.code, "request_id": world.fresh().token(32), "param": null } }),
        };
        json_answer(self.status, &body)
    }
}

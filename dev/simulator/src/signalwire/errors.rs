//! SignalWire's error bodies, in all the shapes that its documents show.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    switches::{ERROR_CODE, ERROR_SHAPE},
    world::World,
};

/// An error of the compatibility API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub status: u16,
    pub code: u32,
    pub message: String,
}

impl ApiError {
    /// A bad request with a code of the vendor's table.
    #[must_use]
    pub fn bad(code: u32, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    /// 404 with code 20404.
    #[must_use]
    pub fn not_found() -> Self {
        Self { status: 404, code: 20_404, message: "The requested resource was not found".into() }
    }

    /// The body that the switches ask for. Documented: a list for a bad create, else flat; codes are strings in the
    /// list and numbers in the flat form.
    #[must_use]
    pub fn answer(&self, world: &World, creating: bool) -> Response {
        let shape = match world.at(ERROR_SHAPE) {
            "documented" if creating && self.status == 400 => "list",
            "documented" => "flat",
            other => other,
        };
        let code: Value = match (world.at(ERROR_CODE), shape) {
            ("string", _) | ("documented", "list") => json!(self.code.to_string()),
            _ => json!(self.code),
        };
        let info = format!("https://developer.signalwire.com/compatibility-api/error-codes/#{}", self.code);
        let body = match shape {
            "list" => json!({ "errors": [{ "code": code, "message": self.message, "more_info": info }] }),
            "texts" => json!({ "errors": [format!("{}: {}", self.code, self.message)] }),
            "native" => json!({ "errors": [{ "type": "validation_error", "code": code, "message": self.message,
                "attribute": null, "url": info }] }),
            "bare" => json!({ "error": self.message }),
            _ => json!({ "code": code, "message": self.message, "more_info": info, "status": self.status }),
        };
        json_answer(self.status, &body)
    }
}

/// A JSON answer with its content type.
#[must_use]
pub fn json_answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string()).into_response()
}

//! The description of the whole API, put together from the functions that answer it.

use serde_json::Value;
use utoipa::OpenApi;

/// The document, as `docs/openapi.json` holds it.
#[must_use]
pub fn document() -> Value {
    let mut document = api::openapi::document_of_api();
    for part in [
        initiate_call::Doc::openapi(),
        health::Doc::openapi(),
        personalize_call::Doc::openapi(),
        elevenlabs_webhook::Doc::openapi(),
        signalwire_webhook::Doc::openapi(),
    ] {
        document.merge(part);
    }
    api::openapi::finished(&document)
}

/// The same as text.
#[must_use]
pub fn text() -> String {
    format!("{}\n", serde_json::to_string_pretty(&document()).unwrap_or_default())
}

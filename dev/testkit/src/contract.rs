//! The description of the whole API, put together from the functions that answer it.

use std::path::Path;
use std::process::Command;

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

/// Asks an address whatever the document allows and forbids (`dev/schemathesis.toml`).
///
/// # Errors
/// What schemathesis says when it found something, or did not run.
pub async fn hold_to_it(url: &str, token: &str, more: &[&str]) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(root.join(".venv/bin/schemathesis"));
    command.args(["--config-file", "dev/schemathesis.toml", "run", "docs/openapi.json", "--no-color", "--url", url]);
    command.args(more).current_dir(&root).env("TOKEN", token);
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    if ran.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned())
}

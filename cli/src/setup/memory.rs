//! What cannot be read back from ElevenLabs: the webhook's secret, shown once, and whether its retries were turned on.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Failure;

/// What an earlier run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// The webhook whose secret lies beside this file.
    pub webhook_id: Option<String>,
    /// The webhook whose retries were turned on.
    pub retries_on: Option<String>,
}

/// Where the webhook's secret lies.
pub(super) fn secret_path(dir: &Path) -> PathBuf {
    dir.join("webhook-secret")
}

impl Memory {
    pub(super) fn read(dir: &Path) -> Self {
        let text = fs::read(dir.join("setup.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        keep(&dir.join("setup.json"), &format!("{text}\n"))
    }
}

/// Writes a file that nobody else may read, whole or not at all.
pub(super) fn keep(path: &Path, text: &str) -> Result<(), Failure> {
    let written = || {
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            fs::create_dir_all(dir)?;
        }
        let fresh = path.with_extension("new");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    written().map_err(|error: std::io::Error| Failure::Usage(format!("{} cannot be written: {error}", path.display())))
}

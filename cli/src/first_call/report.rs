//! The report of a first call: for a person, and for whoever sets the simulator's switches.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::Evidence;
use super::judge::{Sighting, judge};
use crate::Failure;
use crate::doctor::{Finding, Verdict};

/// What a first call showed.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Our id of the call.
    pub call_id: String,
    /// When it was asked for.
    pub began_at: Timestamp,
    /// What became of it.
    pub outcome: Option<String>,
    /// What never came.
    pub missing: Value,
    /// What doctor found before it, but for what was fine.
    pub doctor: Vec<Finding>,
    /// Every switch.
    pub switches: Vec<Sighting>,
}

impl Report {
    pub(super) fn new(call_id: &str, began_at: Timestamp, evidence: &Evidence, findings: &[Finding]) -> Self {
        Self {
            call_id: call_id.to_owned(),
            began_at,
            outcome: evidence.call["outcome"].as_str().map(str::to_owned),
            missing: evidence.call["missing"].clone(),
            doctor: findings.iter().filter(|finding| finding.verdict != Verdict::Ok).cloned().collect(),
            switches: judge(evidence),
        }
    }

    /// For a person.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "First call {} at {}: {}, missing {}\n\n",
            self.call_id,
            self.began_at,
            self.outcome.as_deref().unwrap_or("no outcome"),
            self.missing
        );
        for sighting in &self.switches {
            let seen = match (&sighting.seen, sighting.by) {
                (Some(seen), Some(by)) if seen == sighting.assumed => format!("{seen}, as assumed ({by})"),
                (Some(seen), by) => format!("{seen}, NOT {} as assumed ({})", sighting.assumed, by.unwrap_or_default()),
                (None, _) => format!("not seen in this call; assumed: {}", sighting.assumed),
            };
            let _ = writeln!(text, "{:<26} {seen}", sighting.switch);
        }
        for finding in &self.doctor {
            let _ = writeln!(text, "\ndoctor: {} ({:?}): {}", finding.check, finding.verdict, finding.detail);
        }
        text
    }

    /// Writes both; answers the path of the text.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn keep(&self, dir: &Path) -> Result<String, Failure> {
        let path = dir.join(format!("first-call-{}", self.call_id));
        let failed = |error: std::io::Error| Failure::Usage(format!("{} cannot be written: {error}", path.display()));
        fs::create_dir_all(dir).map_err(failed)?;
        let json = serde_json::to_string_pretty(self).unwrap_or_default();
        fs::write(path.with_extension("json"), format!("{json}\n")).map_err(failed)?;
        fs::write(path.with_extension("txt"), self.text()).map_err(failed)?;
        Ok(path.with_extension("txt").display().to_string())
    }
}

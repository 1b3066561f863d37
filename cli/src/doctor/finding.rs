//! What a check found, and how it is told.

use std::fmt::Write as _;

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Calls work, but this should be mended.
    Warns,
    /// Must be mended.
    Fails,
    /// Could not be looked at; the detail says why.
    NotChecked,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name, one of [`CHECKS`](super::CHECKS).
    pub check: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen.
    pub detail: String,
    /// What to do, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, detail: detail.into(), mend: None }
    }

    /// Must be mended.
    pub fn fails(check: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fails, detail: detail.into(), mend: Some(mend.into()) }
    }

    /// Should be mended.
    pub fn warns(check: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warns, ..Self::fails(check, detail, mend) }
    }

    /// Not looked at.
    pub fn skipped(check: &'static str, why: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::NotChecked, detail: why.into(), mend: None }
    }

    /// Fails with all that is wrong, or is fine.
    pub fn of(check: &'static str, wrong: &[String], fine: impl Into<String>, mend: impl Into<String>) -> Self {
        if wrong.is_empty() { Self::ok(check, fine) } else { Self::fails(check, wrong.join("; "), mend) }
    }
}

/// A line a check, the mend below it.
#[must_use]
pub fn table(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let word = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Warns => "warns",
            Verdict::Fails => "FAILS",
            Verdict::NotChecked => "not checked",
        };
        let _ = writeln!(text, "{word:<12} {:<24} {}", finding.check, finding.detail);
        if let Some(mend) = &finding.mend {
            let _ = writeln!(text, "{:<12} → {mend}", "");
        }
    }
    let count = |verdict: Verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let _ = writeln!(
        text,
        "{} ok, {} fail, {} warn, {} not checked",
        count(Verdict::Ok),
        count(Verdict::Fails),
        count(Verdict::Warns),
        count(Verdict::NotChecked)
    );
    text
}

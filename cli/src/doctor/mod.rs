//! `elevenwire doctor`: checks from outside what a person gets wrong, and says how to mend it.

mod agents;
mod cloud;
mod deployment;
mod doors;
mod finding;
mod look;
mod webhook;

use clap::Args;
pub use finding::{Finding, Verdict, table};
use serde_json::{Value, json};

use self::look::{Seen, public_base};
use crate::here::{Here, Known};
use crate::vendors::Trouble;
use crate::{Client, Failure, Global};

/// What `doctor` takes.
#[derive(Debug, Clone, Default, Args)]
pub struct Doctor {
    /// Name of the stack in AWS: with it, and AWS credentials, the account's quota is checked as well.
    #[arg(long, env = "AWS_STACK", value_name = "NAME")]
    pub aws_stack: Option<String>,
}

/// Every check, in the order in which they are told, and what it is about.
pub const CHECKS: [(&str, &str); 30] = [
    ("api", "the deployment answers and takes the token"),
    ("public-url", "the address that the vendors call answers"),
    ("carrier-door", "SignalWire's signature is taken: signing key, and the address that is signed"),
    ("webhook-secret", "ElevenLabs' signature is taken, and nothing without one"),
    ("initiation-secret", "the initiation webhook brings the secret that we take"),
    ("signalwire-credentials", "SignalWire takes project and token"),
    ("caller-ids", "every caller id is bought or verified"),
    ("elevenlabs-credentials", "ElevenLabs takes the API key"),
    ("agents", "agents are registered, and exist at ElevenLabs"),
    ("numbers", "each agent's number is imported, and assigned to it"),
    ("number-format", "it is written as it was imported"),
    ("number-trunk", "it is a SIP trunk without a password, with the id that we dial from"),
    ("initiation-webhook", "the initiation webhook points to us"),
    ("initiation-switch", "each agent asks it"),
    ("webhook", "the post-call webhook points to us, and is chosen"),
    ("webhook-enabled", "it is not switched off"),
    ("webhook-events", "it brings transcripts as JSON, recordings, failures"),
    ("webhook-retries", "its retries are on"),
    ("addresses", "the list of addresses has all of ElevenLabs'"),
    ("opt-out-tool", "each agent can note an opt-out"),
    ("opt-out-field", "each agent collects whether somebody opted out"),
    ("agent-tools", "each agent can hang up and knows voicemail"),
    ("clock", "everybody has the same time"),
    ("database", "the database answers, and is new enough"),
    ("migrations", "the schema is the program's"),
    ("bucket", "the bucket can be read and written"),
    ("deployed-credentials", "the deployment's own credentials are taken"),
    ("queues", "queues answer, and nothing waits for long"),
    ("dead-letters", "nothing was put aside"),
    ("lambda-concurrency", "the account lets as much run at once as the template asks for"),
];

/// What the checks look at.
pub(crate) struct Facts<'a> {
    seen: &'a Seen,
    known: &'a Known,
    base: String,
}

impl Facts<'_> {
    /// Our agents; `Err` is why they are not known.
    fn agents(&self) -> Result<&[Value], String> {
        let agents = self.seen.agents.as_ref().map_err(|_| "our agents are not known: see api".to_owned())?;
        match agents["agents"].as_array() {
            Some(agents) if !agents.is_empty() => Ok(agents),
            _ => Err("no agent is registered: see agents".to_owned()),
        }
    }

    /// Our own address with a path, as the vendors should have it; or why it is not known.
    fn address(&self, path: &str) -> Result<String, String> {
        match &self.seen.public {
            Ok(_) => Ok(format!("{}{path}", self.base)),
            Err(_) => Err("our address is not known: see public-url".to_owned()),
        }
    }

    /// An answer of ElevenLabs', or why nothing can be said.
    fn voices<'s, T>(&'s self, answer: &'s Result<T, Trouble>) -> Result<&'s T, String> {
        if self.seen.elevenlabs.is_err() {
            return Err("ElevenLabs cannot be asked: see elevenlabs-credentials".to_owned());
        }
        answer.as_ref().map_err(|trouble| format!("ElevenLabs did not tell: {trouble}"))
    }

    /// Each of our agents with what ElevenLabs says of it. Those that it does not know are the check `agents`' concern.
    fn pairs(&self) -> Result<Vec<(&Value, &Value)>, String> {
        if self.seen.elevenlabs.is_err() {
            return Err("ElevenLabs cannot be asked: see elevenlabs-credentials".to_owned());
        }
        let told = |agent: &'_ Value| {
            let id = agent["elevenlabs_agent_id"].as_str().unwrap_or_default();
            self.seen.vendors_agents.get(id).and_then(|told| told.as_ref().ok())
        };
        let pairs: Vec<_> = self.agents()?.iter().filter_map(|agent| Some((agent, told(agent)?))).collect();
        if pairs.is_empty() { Err("ElevenLabs told of no agent of ours: see agents".to_owned()) } else { Ok(pairs) }
    }
}

/// Our name of an agent.
fn name(agent: &Value) -> &str {
    agent["name"].as_str().unwrap_or("?")
}

/// Looks, and judges.
///
/// # Errors
/// When no HTTP client can be made.
pub async fn examine(client: &Client, here: &Here, doctor: &Doctor) -> Result<Vec<Finding>, Failure> {
    let seen = Box::pin(look::look(client, here, doctor.aws_stack.as_deref())).await?;
    let facts = Facts { seen: &seen, known: &here.known, base: public_base(client, &here.known) };
    let mut findings = Vec::new();
    findings.extend(doors::check(&facts));
    findings.extend(agents::check(&facts));
    findings.extend(webhook::check(&facts));
    findings.extend(deployment::check(&facts));
    let place = |finding: &Finding| CHECKS.iter().position(|(name, _)| *name == finding.check);
    findings.sort_by_key(place);
    Ok(findings)
}

/// Whether something must be mended.
#[must_use]
pub fn ails(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.verdict == Verdict::Fails)
}

pub(crate) async fn run(global: &Global, doctor: &Doctor, here: &Here) -> Result<(), Failure> {
    let findings = examine(&Client::new(global)?, here, doctor).await?;
    if global.json {
        crate::write(&format!("{:#}\n", json!({ "ok": !ails(&findings), "checks": findings })))?;
    } else {
        crate::write(&table(&findings))?;
    }
    let failed: Vec<&str> =
        findings.iter().filter(|finding| finding.verdict == Verdict::Fails).map(|finding| finding.check).collect();
    if failed.is_empty() { Ok(()) } else { Err(Failure::Found(format!("to be mended: {}", failed.join(", ")))) }
}

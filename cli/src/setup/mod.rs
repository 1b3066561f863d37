//! `elevenwire setup`: brings ElevenLabs and the deployment to where doctor wants them. Shows what it will change, asks,
//! and changes one thing after the other, looking anew before each: so it may die anywhere, and be run again.

mod memory;
mod plan;
mod state;

use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
pub use plan::Step;
use serde_json::json;

use self::memory::Memory;
use self::state::State;
use crate::here::Here;
use crate::vendors::{Trouble, Vendor};
use crate::{Client, Failure, Global};

/// More steps than a set-up has: a change that does not show ends the run.
const MOST_STEPS: usize = 40;

/// What `setup` takes. What is left out is taken from the agent as it is registered.
#[derive(Debug, Clone, Default, Args)]
pub struct Setup {
    /// Our name of the agent.
    #[arg(long, default_value = "agent")]
    pub agent: String,
    /// Its id at ElevenLabs (agent_…).
    #[arg(long, value_name = "ID")]
    pub elevenlabs_agent: Option<String>,
    /// The number that is imported at ElevenLabs for it: any of yours.
    #[arg(long, value_name = "NUMBER")]
    pub number: Option<String>,
    /// A number that it may call from; may be given several times.
    #[arg(long = "caller-id", value_name = "NUMBER")]
    pub caller_ids: Vec<String>,
    /// Calls that it may hold at once; left out for a new agent, ElevenLabs' own limit of it if it has one.
    #[arg(long, value_name = "CALLS")]
    pub max_concurrent: Option<u32>,
    /// Where the webhook's secret and what was done are kept.
    #[arg(long, default_value = ".elevenwire", value_name = "DIR")]
    pub dir: PathBuf,
    /// Change without asking.
    #[arg(long)]
    pub yes: bool,
}

/// A set-up under way.
#[derive(Debug)]
pub struct Run<'a> {
    client: &'a Client,
    vendor: Vendor,
    here: &'a Here,
    setup: &'a Setup,
}

impl<'a> Run<'a> {
    /// Begins.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(client: &'a Client, here: &'a Here, setup: &'a Setup) -> Result<Self, Failure> {
        let http = elevenwire::http::client(Duration::from_secs(15))
            .map_err(|error| Failure::Unreachable(format!("no HTTP client: {error}")))?;
        Ok(Self { client, vendor: Vendor::elevenlabs(http, &here.known), here, setup })
    }

    /// What is to be done now, in order.
    ///
    /// # Errors
    /// When something that must be known is not, or somebody does not answer.
    pub async fn plan(&self) -> Result<Vec<Step>, Failure> {
        let state = State::read(self.client, &self.vendor, self.setup).await?;
        plan::make(&state, self.here, self.client.base(), &Memory::read(&self.setup.dir))
    }

    /// Does what was shown, at most `most` steps; answers how many it did.
    ///
    /// # Errors
    /// When a step is refused, or the world is not as it was when the plan was shown.
    pub async fn apply(&self, shown: &[Step], most: usize, mut told: impl FnMut(&Step)) -> Result<usize, Failure> {
        // Found now rather than when a secret is to be kept that is shown once.
        Memory::read(&self.setup.dir).write(&self.setup.dir)?;
        for done in 0..most.min(MOST_STEPS) {
            let Some(step) = self.plan().await?.into_iter().next() else { return Ok(done) };
            if !shown.iter().any(|other| other.key == step.key) {
                let changed = format!("something changed meanwhile ({}): run it again", step.line);
                return Err(Failure::Found(changed));
            }
            step.act(self.client, &self.vendor, &self.setup.dir).await?;
            told(&step);
        }
        Ok(most)
    }
}

/// A vendor's trouble as the command's.
pub(crate) fn failed(what: &str, trouble: &Trouble) -> Failure {
    match trouble {
        Trouble::NotAsked(why) => Failure::Usage(why.clone()),
        Trouble::Refused(status, said) => {
            Failure::Refused(*status, json!({ "detail": format!("ElevenLabs refused {what}: HTTP {status}: {said}") }))
        }
        Trouble::Silent(why) => Failure::Unreachable(format!("{what}: {why}")),
    }
}

pub(crate) async fn run(global: &Global, setup: &Setup, here: &Here) -> Result<(), Failure> {
    let client = Client::new(global)?;
    let run = Run::new(&client, here, setup)?;
    let steps = run.plan().await?;
    if steps.is_empty() {
        crate::write("nothing to change\n")?;
        return epilogue(setup, here);
    }
    for step in &steps {
        crate::write(&format!("{}\n", step.line))?;
    }
    if !setup.yes && !agreed("Change this?")? {
        return Err(Failure::Found("nothing was changed".to_owned()));
    }
    run.apply(&steps, MOST_STEPS, |step| {
        let _ = crate::write(&format!("done: {}\n", step.key));
    })
    .await?;
    epilogue(setup, here)
}

/// Asks the person before the terminal.
///
/// # Errors
/// When there is none.
pub(crate) fn agreed(question: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage("nobody can be asked here: give --yes".to_owned()));
    }
    let _ = write!(std::io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// What a person has to do now: the secret reaches the functions by a deploy, and no other way, because the next deploy
/// would undo it.
fn epilogue(setup: &Setup, here: &Here) -> Result<(), Failure> {
    use secrecy::ExposeSecret;
    let path = memory::secret_path(&setup.dir);
    let Ok(kept) = std::fs::read_to_string(&path) else { return Ok(()) };
    if here.known.webhook_secret.as_ref().is_some_and(|secret| secret.expose_secret() == kept.trim()) {
        return Ok(());
    }
    let path = path.display();
    crate::write(&format!(
        "The webhook's secret lies in {path}. Give it to the functions, then delete the file when doctor is content:\n  \
         .venv/bin/sam deploy --config-file samconfig.local.toml --parameter-overrides \"ElevenLabsWebhookSecret=$(cat {path})\" SecretsRevision=2\n"
    ))
}

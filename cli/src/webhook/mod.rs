//! `elevenwire webhook`: is a signature right, and if not, why; and signed webhooks to try a receiver with.

mod send;
mod verify;

use clap::{Args, Subcommand, ValueEnum};
use elevenwire::config::Env;
use secrecy::SecretString;

use crate::{Failure, Global, settings};

/// Verify a webhook that was received, or send signed ones.
#[derive(Debug, Args)]
#[command(after_help = send::EXAMPLES)]
pub(crate) struct Webhook {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Verify(verify::Verify),
    Send(send::Send),
}

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Vendor {
    Elevenlabs,
    Signalwire,
}

impl Vendor {
    fn name(self) -> &'static str {
        match self {
            Self::Elevenlabs => "ElevenLabs",
            Self::Signalwire => "SignalWire",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Elevenlabs => "ELEVENLABS_WEBHOOK_SECRET",
            Self::Signalwire => "SIGNALWIRE_SIGNING_SECRET",
        }
    }
}

impl Webhook {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        match &self.what {
            What::Verify(it) => it.run(global).await,
            What::Send(it) => it.run(global).await,
        }
    }
}

/// A setting, from the environment or else of the local stack.
fn setting(name: &str) -> Option<String> {
    Env::of_process().optional(name).or_else(|| settings::local()?.remove(name))
}

/// A list of secrets, the current one first.
fn secrets(name: &str) -> Vec<SecretString> {
    let list = setting(name).unwrap_or_default();
    list.split(',').map(str::trim).filter(|secret| !secret.is_empty()).map(SecretString::from).collect()
}

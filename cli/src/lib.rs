//! The command line of 11Wire: asks and commands a deployment over its API, as a person would.

pub mod client;
pub mod doctor;
pub mod failure;
pub mod first_call;
pub mod here;
pub mod setup;
pub mod vendors;

mod agents;
mod aws;
mod call;
mod calls;
mod campaign;
mod completions;
mod guard;
mod interrupt;
mod number;
mod output;
mod profile;
mod progress;
mod redrive;
mod replay;
mod settings;
mod settle;
mod show;
mod stop;
mod suppress;
mod webhook;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
pub use failure::Failure;

pub use crate::client::Client;
use crate::here::Here;

const EPILOGUE: &str = "\
Every command takes --help, with examples. docs/cli.md goes by task.

The deployment: --url and --token, else --profile, else BASE_URL and API_TOKEN, else the default profile, else the local
stack of this folder (.local/env).

--json: each line of the output is one JSON object, as the API answers it; of a list each entry is a line.

Exit codes:
    0  done
    1  something is wrong that was looked for: calls are not settled, a signature does not fit, an import failed
    2  the arguments, or the environment, are not enough
    3  the API refused; it says how to mend it
    4  nobody answers, or not as 11Wire does
  130  interrupted";

/// What every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Deployment")]
pub struct Global {
    /// Address of the deployment.
    #[arg(long, env = "BASE_URL", global = true, value_name = "URL", hide_env_values = true)]
    pub url: Option<String>,
    /// Token of the API.
    #[arg(long, env = "API_TOKEN", global = true, hide_env_values = true)]
    pub token: Option<String>,
    /// Answer as JSON, for programs.
    #[arg(long, global = true)]
    pub json: bool,
    /// Deployment of this name in the configuration file.
    #[arg(long, env = "ELEVENWIRE_PROFILE", global = true, value_name = "NAME", hide_env_values = true)]
    pub profile: Option<String>,
    /// The configuration file [default: ~/.config/elevenwire/config.toml].
    #[arg(long, env = "ELEVENWIRE_CONFIG", global = true, value_name = "FILE", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// The address stands in the arguments, not in the environment.
    #[arg(skip)]
    pub url_said: bool,
    /// The token stands in the arguments, not in the environment.
    #[arg(skip)]
    pub token_said: bool,
}

/// Ask and command 11Wire.
#[derive(Debug, Parser)]
#[command(name = "elevenwire", version, after_help = EPILOGUE, max_term_width = 120)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Call(Box<call::Call>),
    Calls(calls::Calls),
    Show(show::Show),
    Number(number::Number),
    Campaign(campaign::Campaign),
    Stop(stop::Stop),
    Suppress(suppress::Suppress),
    Guard(guard::Guard),
    Agents(agents::Agents),
    Settle(settle::Settle),
    Replay(replay::Replay),
    Redrive(redrive::Redrive),
    Webhook(webhook::Webhook),
    /// Check from outside what a person gets wrong, and say how to mend it.
    #[command(after_help = "Examples:\n  elevenwire doctor\n  elevenwire doctor --json --aws-stack elevenwire")]
    Doctor(doctor::Doctor),
    /// Set ElevenLabs up for a deployment, and register an agent; shows what it will change, and asks.
    #[command(
        after_help = "Examples:\n  elevenwire setup --agent reminder --elevenlabs-agent agent_… --number +14155550100 --caller-id +14155550100"
    )]
    Setup(setup::Setup),
    /// Ring a phone of yours, show what happens, and write down how the vendors behave.
    #[command(after_help = "Examples:\n  elevenwire first-call +14155550123")]
    FirstCall(first_call::FirstCall),
    Profile(profile::Profile),
    Completions(completions::Completions),
}

impl Command {
    /// Whether it ends by itself, and in order, when it is interrupted.
    fn ends_itself(&self) -> bool {
        matches!(self, Self::Replay(_) | Self::Redrive(_))
    }
}

/// Reads the arguments, does what they say, prints it; answers the exit code ([`Failure::exit_code`]).
pub async fn run<T: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = T>) -> ExitCode {
    let cli = match parse(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way as well, and are no error.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let done = if cli.command.ends_itself() {
        obey(&cli).await
    } else {
        tokio::select! {
            done = obey(&cli) => done,
            () = interrupt::asked() => Err(Failure::Interrupted),
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(cli.global.json),
    }
}

fn parse<T: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = T>) -> Result<Cli, clap::Error> {
    let matches = Cli::command().try_get_matches_from(arguments)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    let said = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
    (cli.global.url_said, cli.global.token_said) = (said("url"), said("token"));
    Ok(cli)
}

async fn obey(cli: &Cli) -> Result<(), Failure> {
    let global = &cli.global;
    match &cli.command {
        Command::Call(it) => it.run(global).await,
        Command::Calls(it) => it.run(global).await,
        Command::Show(it) => it.run(global).await,
        Command::Number(it) => it.run(global).await,
        Command::Campaign(it) => it.run(global).await,
        Command::Stop(it) => it.run(global).await,
        Command::Suppress(it) => it.run(global).await,
        Command::Guard(it) => it.run(global).await,
        Command::Agents(it) => it.run(global).await,
        Command::Settle(it) => it.run(global).await,
        Command::Replay(it) => it.run(global).await,
        Command::Redrive(it) => it.run(global).await,
        Command::Webhook(it) => it.run(global).await,
        Command::Doctor(doctor) => Box::pin(doctor::run(global, doctor, &Here::of_process())).await,
        Command::Setup(setup) => Box::pin(setup::run(global, setup, &Here::of_process())).await,
        Command::FirstCall(wish) => Box::pin(first_call::run(global, wish, &Here::of_process())).await,
        Command::Profile(it) => it.run(global),
        Command::Completions(it) => it.run(),
    }
}

/// Prints; a reader that went away (`| head`) ends the command without a word.
pub(crate) fn write(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|_| Failure::Gone)
}

/// Tells a person something beside the answer, on the standard error output.
pub(crate) fn tell(text: &str) {
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{text}\n"));
}

/// The one clock of the command line.
#[expect(clippy::disallowed_methods, reason = "a command is its own main: it reads the clock where a person would")]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_contradict_nothing() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_said_behind_a_command_counts_as_said() {
        let cli = parse(["elevenwire", "show", "x", "--url", "http://a"]).unwrap();
        assert!(cli.global.url_said && !cli.global.token_said);
        assert_eq!(cli.global.url.as_deref(), Some("http://a"));
    }
}

//! The command line of 11Wire: asks and commands a deployment over its API, as a person would.

pub mod client;
pub mod doctor;
pub mod failure;
pub mod first_call;
pub mod here;
pub mod setup;
pub mod vendors;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
pub use failure::Failure;

pub use crate::client::Client;
use crate::here::Here;

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Address of the deployment.
    #[arg(long, env = "BASE_URL", global = true, value_name = "URL")]
    pub url: Option<String>,
    /// Token of the API.
    #[arg(long, env = "API_TOKEN", global = true, hide_env_values = true)]
    pub token: Option<String>,
    /// Answer as JSON, for programs.
    #[arg(long, global = true)]
    pub json: bool,
}

/// Ask and command 11Wire.
#[derive(Debug, Parser)]
#[command(name = "elevenwire", version)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check from outside what a person gets wrong, and say how to mend it.
    Doctor(doctor::Doctor),
    /// Set ElevenLabs up for a deployment, and register an agent; shows what it will change, and asks.
    Setup(setup::Setup),
    /// Ring a phone of yours, show what happens, and write down how the vendors behave.
    FirstCall(first_call::FirstCall),
    /// Show one call.
    Show {
        /// Id of the call.
        call_id: String,
    },
}

/// Reads the arguments, does what they say, prints it; answers the exit code ([`Failure::exit_code`]).
pub async fn run<T: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = T>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way as well, and are no error.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match obey(&cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(cli.global.json),
    }
}

async fn obey(cli: &Cli) -> Result<(), Failure> {
    let client = Client::new(&cli.global)?;
    match &cli.command {
        Command::Doctor(doctor) => Box::pin(doctor::run(&cli.global, doctor, &Here::of_process())).await,
        Command::Setup(setup) => Box::pin(setup::run(&cli.global, setup, &Here::of_process())).await,
        Command::FirstCall(wish) => Box::pin(first_call::run(&cli.global, wish, &Here::of_process())).await,
        Command::Show { call_id } => {
            let call = client.get(&format!("/api/calls/{call_id}")).await?;
            write(&format!("{call:#}\n"))
        }
    }
}

/// Prints; a reader that went away (`| head`) ends the command without a word.
pub(crate) fn write(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|_| Failure::Gone)
}

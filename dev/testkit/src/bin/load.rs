//! `load`: one run, its figures on standard output, its progress on standard error. The exit code is 0 only when
//! everything that was accepted is in PostgreSQL, and 130 when it was interrupted.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use testkit::load::{Kind, Settings, run};
use tokio::sync::watch;

/// Sends signed webhooks at a set rate, each at its slot whatever became of those before it, and waits until every
/// accepted one is in PostgreSQL. What the environment does not say is taken from the file of the local stack.
#[derive(Debug, Parser)]
#[command(name = "make load", version)]
struct Arguments {
    /// Webhooks a second.
    #[arg(long, default_value_t = 10.0)]
    rate: f64,
    /// For how long.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// What is sent, in turn.
    #[arg(long = "kind", value_enum, value_delimiter = ',', default_value = "status,transcription")]
    kinds: Vec<Kind>,
    /// Size of a transcription.
    #[arg(long, default_value_t = 20_000)]
    bytes: usize,
    /// Seconds that the queues may take after the last answer.
    #[arg(long, default_value_t = 120.0)]
    drain: f64,
    /// What stands before /api/webhooks.
    #[arg(long, env = "BASE_URL")]
    url: Option<String>,
    /// The same as the receiver calls it [default: the address].
    #[arg(long, env = "PUBLIC_BASE_URL")]
    public_url: Option<String>,
    /// Where they must arrive.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    #[arg(long, env = "ELEVENLABS_WEBHOOK_SECRET", hide_env_values = true)]
    elevenlabs_webhook_secret: Option<String>,
    #[arg(long, env = "SIGNALWIRE_SIGNING_SECRET", hide_env_values = true)]
    signalwire_signing_secret: Option<String>,
    /// Written by `make up`.
    #[arg(long, default_value = ".local/env")]
    env_file: PathBuf,
}

impl Arguments {
    fn settings(self) -> Result<Settings, String> {
        let text = std::fs::read_to_string(&self.env_file).unwrap_or_default();
        let local: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let setting = |given: Option<String>, name: &str| {
            let found =
                given.filter(|value| !value.is_empty()).or_else(|| local.get(name).map(|&value| value.to_owned()));
            found.ok_or_else(|| format!("{name} is not set, and {} does not name it: make up", self.env_file.display()))
        };
        // The first of a list is the current one.
        let secret =
            |given, name| setting(given, name).map(|list| list.split(',').next().unwrap_or_default().trim().into());
        if !(self.rate > 0.0 && self.rate <= 10_000.0) {
            return Err(format!("RATE is {}: more than 0, at most 10000 webhooks a second", self.rate));
        }
        if !(self.seconds > 0.0 && self.seconds <= 3600.0) {
            return Err(format!("SECONDS is {}: more than 0, at most 3600", self.seconds));
        }
        let url = setting(self.url, "BASE_URL")?.trim_end_matches('/').to_owned();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 36 million")]
        let count = ((self.rate * self.seconds).round() as usize).max(1);
        Ok(Settings {
            public_url: self.public_url.unwrap_or_else(|| url.clone()).trim_end_matches('/').to_owned(),
            url,
            database_url: setting(self.database_url, "DATABASE_URL")?.into(),
            elevenlabs_secret: secret(self.elevenlabs_webhook_secret, "ELEVENLABS_WEBHOOK_SECRET")?,
            signalwire_secret: secret(self.signalwire_signing_secret, "SIGNALWIRE_SIGNING_SECRET")?,
            kinds: self.kinds,
            rate: self.rate,
            count,
            bytes: self.bytes,
            drain: Duration::try_from_secs_f64(self.drain).map_err(|error| format!("--drain: {error}"))?,
        })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let say = |line: String| {
        let _ = writeln!(std::io::stderr(), "{line}");
    };
    let settings = match Arguments::parse().settings() {
        Ok(settings) => settings,
        Err(problem) => {
            say(format!("error: {problem}"));
            return ExitCode::from(2);
        }
    };
    let (asked, mut stop) = watch::channel(false);
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        let _ = asked.send(true);
        // Whoever asks twice does not want to wait.
        let _ = tokio::signal::ctrl_c().await;
        std::process::exit(130);
    });
    match run(&settings, &mut stop, &say).await {
        Ok(report) => {
            let _ = write!(std::io::stdout(), "{report}");
            if report.interrupted {
                ExitCode::from(130)
            } else if report.is_good() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            say(format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

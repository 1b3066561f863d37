//! The simulator as a program: settings from flags or `SIM_*`, the address into a file, until SIGTERM or Ctrl-C.

use std::{collections::BTreeMap, io, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Parser;
use serde_json::{Value, json};
use simulator::{Config, ImportedNumber, Simulator};
use tokio::signal::unix::{SignalKind, signal};

/// Plays SignalWire and ElevenLabs on one port, with a control API under /control.
#[derive(Debug, Parser)]
#[command(version)]
struct Flags {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "SIM_LISTEN", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// File that gets the port once it listens.
    #[arg(long, env = "SIM_PORT_FILE")]
    port_file: Option<PathBuf>,
    /// Seed of all chance.
    #[arg(long, env = "SIM_SEED")]
    seed: Option<u64>,
    /// Nominal seconds of a call that pass in one real second.
    #[arg(long, env = "SIM_TIME_SCALE")]
    time_scale: Option<f64>,
    /// SignalWire's dialling rate, calls per real second.
    #[arg(long, env = "SIM_CPS")]
    cps: Option<f64>,
    /// SignalWire project id.
    #[arg(long, env = "SIM_PROJECT_ID")]
    project_id: Option<String>,
    /// SignalWire API token.
    #[arg(long, env = "SIM_API_TOKEN")]
    api_token: Option<String>,
    /// SignalWire signing key.
    #[arg(long, env = "SIM_SIGNING_KEY")]
    signing_key: Option<String>,
    /// Number that `From` may be; repeat it, or none for any.
    #[arg(long, env = "SIM_OWNED_NUMBERS", value_delimiter = ',')]
    owned_number: Vec<String>,
    /// ElevenLabs API key.
    #[arg(long, env = "SIM_ELEVENLABS_API_KEY")]
    elevenlabs_api_key: Option<String>,
    /// Secret of the post-call webhook.
    #[arg(long, env = "SIM_WEBHOOK_SECRET")]
    webhook_secret: Option<String>,
    /// Post-call webhook.
    #[arg(long, env = "SIM_WEBHOOK_URL")]
    webhook_url: Option<String>,
    /// Turns the retries of that webhook's transcripts on.
    #[arg(long, env = "SIM_RETRY_ENABLED")]
    retry_enabled: bool,
    /// Conversation-initiation webhook.
    #[arg(long, env = "SIM_INITIATION_URL")]
    initiation_url: Option<String>,
    /// Static header of the initiation webhook, `Name: value`; repeatable.
    #[arg(long, env = "SIM_INITIATION_HEADER")]
    initiation_header: Vec<String>,
    /// Conversations at once.
    #[arg(long, env = "SIM_AGENT_CONCURRENCY")]
    agent_concurrency: Option<usize>,
    /// Imported number, `number=agent_id` or `number=agent_id=name`; repeatable.
    #[arg(long = "number", env = "SIM_NUMBERS", value_delimiter = ',')]
    numbers: Vec<String>,
    /// `default`, `seed`, or a JSON object of switches.
    #[arg(long, env = "SIM_SWITCHES", default_value = "default")]
    switches: String,
    /// JSON object of further settings, as for PATCH /control/config.
    #[arg(long, env = "SIM_CONFIG")]
    config: Option<String>,
}

impl Flags {
    /// The settings that were named.
    fn patch(&self) -> Result<Value, String> {
        let mut patch = json!({});
        let mut set = |name: &str, value: Value| {
            if !value.is_null() {
                patch[name] = value;
            }
        };
        set("seed", json!(self.seed));
        set("time_scale", json!(self.time_scale));
        set("calls_per_second", json!(self.cps));
        set("project_id", json!(self.project_id));
        set("api_token", json!(self.api_token));
        set("signing_key", json!(self.signing_key));
        set("owned_numbers", json!(self.owned_number.iter().filter(|n| !n.is_empty()).collect::<Vec<_>>()));
        set("elevenlabs_api_key", json!(self.elevenlabs_api_key));
        set("webhook_secret", json!(self.webhook_secret));
        set("webhook_url", json!(self.webhook_url));
        set("retry_enabled", json!(self.retry_enabled));
        set("initiation_url", json!(self.initiation_url));
        set("initiation_headers", json!(headers(&self.initiation_header)?));
        set("agent_concurrency", json!(self.agent_concurrency));
        set("numbers", json!(numbers(&self.numbers)?));
        let switches = serde_json::from_str(&self.switches).unwrap_or_else(|_| json!(self.switches));
        set("switches", switches);
        let more: Value =
            self.config.as_deref().map_or(Ok(Value::Null), serde_json::from_str).map_err(|e| e.to_string())?;
        for (name, value) in more.as_object().into_iter().flatten() {
            set(name, value.clone());
        }
        Ok(patch)
    }
}

fn headers(given: &[String]) -> Result<BTreeMap<String, String>, String> {
    let pair = |text: &String| {
        let (name, value) = text.split_once(':').ok_or_else(|| format!("`{text}` is not `Name: value`"))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    given.iter().filter(|text| !text.is_empty()).map(pair).collect()
}

fn numbers(given: &[String]) -> Result<Vec<ImportedNumber>, String> {
    let number = |text: &String| {
        let mut parts = text.splitn(3, '=').map(str::to_owned);
        match (parts.next(), parts.next()) {
            (Some(number), Some(agent_id)) => Ok(ImportedNumber {
                number,
                agent_id,
                name: parts.next().unwrap_or_default(),
                phone_number_id: String::new(),
                username: String::new(),
                password: String::new(),
            }),
            _ => Err(format!("`{text}` is not `number=agent_id`")),
        }
    };
    given.iter().filter(|text| !text.is_empty()).map(number).collect()
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    match run(Flags::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "stopped");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> Result<(), String> {
    let patch = flags.patch()?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let config = Config { listen: flags.listen, ..Config::default() };
    let simulator = Simulator::start(config).await.map_err(|e| format!("cannot listen on {}: {e}", flags.listen))?;
    simulator.configure(patch)?;
    if let Some(path) = &flags.port_file {
        // Written beside and renamed, so that a reader never sees half a number.
        let beside = path.with_extension("part");
        let text = format!("{}\n", simulator.address().port());
        let written = tokio::fs::write(&beside, text).await;
        let done = match written {
            Ok(()) => tokio::fs::rename(&beside, path).await,
            Err(error) => Err(error),
        };
        done.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    tracing::info!(url = simulator.url(), "listening");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    simulator.shutdown().await;
    Ok(())
}

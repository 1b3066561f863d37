//! `chaos`: one run, its figures on standard output, its progress on standard error. The exit code is 0 only when nothing
//! differs. It wants the services that `make chaos` starts.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use chaos::{Settings, away, measure, run};
use clap::{Parser, Subcommand};

/// Places calls of mixed fate while everything around the product goes wrong, then holds its tables against the simulator's
/// own book. The last line is `settled N/N, unknown U, given up G, double dials D, differences X`; the exit code is 0 only
/// when all are settled and nothing differs.
#[derive(Debug, Parser)]
#[command(name = "make chaos", version)]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    /// Half of it are single calls that are to come to an end (one that the carrier never had is given up, and another is
    /// placed in its stead), half are contacts of campaigns.
    #[arg(long, default_value_t = 1000)]
    calls: usize,
    /// All chance of the run comes from it, and how the vendors behave where their documents are silent.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Every post-call webhook and every status callback is lost; voice, action and initiation stay.
    #[arg(long)]
    drop_all_webhooks: bool,
    /// How often PostgreSQL goes away while calls are placed (every second time killed); twice more while they are settled.
    #[arg(long, default_value_t = 5)]
    restarts: usize,
    /// What of the product's own log is shown, such as `error`: in this weather it is all complaints.
    #[arg(long, env = "RUST_LOG", default_value = "off")]
    log: String,
}

/// Something else than chaos.
#[derive(Debug, Clone, Copy, Subcommand)]
enum What {
    /// One campaign in fair weather, measured.
    Campaign {
        /// People.
        #[arg(long, default_value_t = 1000)]
        contacts: usize,
        /// Conversations that the agents' vendor holds at once.
        #[arg(long, default_value_t = 10)]
        agents: u32,
        /// Calls a second that the carrier dials.
        #[arg(long, default_value_t = 20.0)]
        rate: f64,
        /// How much faster than in earnest calls pass: the slower, the more lines are taken.
        #[arg(long, default_value_t = 40.0)]
        speed: f64,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(&arguments.log))
        .with_writer(std::io::stderr)
        .init();
    let settings = Settings {
        calls: arguments.calls.max(1),
        seed: arguments.seed,
        drop_all_webhooks: arguments.drop_all_webhooks,
        restarts: arguments.restarts,
    };
    let say = |line: String| {
        let _ = writeln!(std::io::stderr(), "{line}");
    };
    if let Some(What::Campaign { contacts, agents, rate, speed }) = arguments.what {
        let measured = Box::pin(measure(contacts, agents, (rate, speed), &say)).await;
        let _ = write!(std::io::stdout(), "{measured}");
        return if measured.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let verdict = tokio::select! {
        verdict = run(&settings, &say) => verdict,
        _ = tokio::signal::ctrl_c() => {
            say("stopping: the servers end with this".to_owned());
            while away() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            return ExitCode::from(130);
        }
    };
    let _ = write!(std::io::stdout(), "{verdict}");
    if verdict.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

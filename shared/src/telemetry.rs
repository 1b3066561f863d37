//! Logs: one JSON object a line, to standard output. What may be logged is written in `docs/logging.md`.

use tracing_subscriber::EnvFilter;

use crate::config::Env;

/// Starts the log of a Lambda function. `RUST_LOG` sets the level, `info` unless told.
pub fn start() {
    let filter = Env::of_process().optional("RUST_LOG").unwrap_or_else(|| "info".to_owned());
    let logs = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        // Lambda stamps each line with its own time.
        .without_time()
        .with_env_filter(EnvFilter::new(filter));
    // A second start (a test in the same process) keeps the first log.
    let _ = logs.try_init();
}

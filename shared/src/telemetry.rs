//! Logs: one JSON object a line, to standard output. What may be logged is written in `docs/logging.md`. Metrics have a
//! module of their own.

pub mod metrics;

use tracing_subscriber::EnvFilter;

use crate::config::Env;

/// Starts the log of a Lambda function. `RUST_LOG` sets the level, `info` unless told. `trace` is read as `debug`: at that
/// level the libraries print whole requests, with numbers, tokens and what people said.
pub fn start() {
    let filter = Env::of_process().optional("RUST_LOG").unwrap_or_else(|| "info".to_owned());
    let filter = capped(&filter);
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

fn capped(filter: &str) -> String {
    filter.to_ascii_lowercase().replace("trace", "debug")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_filter_lets_whole_requests_into_the_log() {
        assert_eq!(capped("TRACE"), "debug");
        assert_eq!(capped("info,hyper=trace"), "info,hyper=debug");
    }
}

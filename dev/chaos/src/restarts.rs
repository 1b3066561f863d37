//! PostgreSQL stops and starts under the run: asked to end, and killed.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::injected::{count, read};
use crate::run::Run;

/// It is away, or about to be. One for the process, as there is one server.
static AWAY: AtomicBool = AtomicBool::new(false);

/// Whether it is away: who leaves then would leave a server behind.
#[must_use]
pub fn away() -> bool {
    AWAY.load(Ordering::Relaxed)
}

/// Restarts it in the background; every second time it is killed.
pub(crate) fn begin(run: &Arc<Run>) -> JoinHandle<()> {
    let run = Arc::clone(run);
    tokio::spawn(async move {
        AWAY.store(true, Ordering::Relaxed);
        let crash = read(&run.counters.restarts) % 2 == 1;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut command = Command::new(root.join(".venv/bin/python"));
        command.arg(root.join("dev/stack/services.py")).args(["restart", "--away", "0.4"]);
        if crash {
            command.arg("--crash");
        }
        // A Ctrl-C at the terminal is for the run, which waits for this.
        command.process_group(0).stdin(Stdio::null());
        let done = command.status().await.unwrap();
        if done.success() {
            count(&run.counters.restarts);
            if crash {
                count(&run.counters.crashes);
            }
        } else {
            run.wrong.lock().unwrap().push("PostgreSQL could not be restarted".to_owned());
        }
        AWAY.store(false, Ordering::Relaxed);
    })
}

//! The command line as a person has it: the program itself, against all functions in one process (`testkit::World`).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first thing that is not as it should be")]

mod asking;
mod campaigning;
mod clouding;
mod ending;
mod refusing;
mod running;
mod verifying;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use testkit::World;
use testkit::world::TOKEN;

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The lines of its output, each of which is JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

/// An empty folder of a test's own.
pub(crate) fn folder() -> PathBuf {
    let name = format!("elevenwire-{}", uuid::Uuid::now_v7().simple());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(folder.join(".local")).unwrap();
    folder
}

/// Runs a command in a folder with an environment and nothing else.
pub(crate) async fn run_in(folder: &std::path::Path, env: &[(&str, &str)], arguments: &[&str]) -> Said {
    let mut command = running::command(folder, env, arguments);
    let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let said = Said { code: done.status.code().unwrap_or(-1), out: text(done.stdout), err: text(done.stderr) };
    assert!(!said.out.contains(TOKEN) && !said.err.contains(TOKEN), "the token is shown: {said:?}");
    said
}

/// Runs a command of a whole line against a world.
pub(crate) async fn run(world: &World, line: &str) -> Said {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    run_in(&folder(), &[("BASE_URL", &world.url), ("API_TOKEN", TOKEN)], &arguments).await
}

/// Runs a command while the world goes on.
pub(crate) async fn run_meanwhile(world: &World, line: &str) -> Said {
    let command = run(world, line);
    tokio::pin!(command);
    loop {
        tokio::select! {
            said = &mut command => return said,
            () = tokio::time::sleep(Duration::from_millis(50)) => { Box::pin(world.pump()).await; }
        }
    }
}

//! A command that goes on while a test looks at it.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use testkit::World;
use testkit::world::TOKEN;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{Said, folder};

/// How long a command may say nothing of what is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

enum Line {
    Out(String),
    Err(String),
}

/// A command under way, with what it said until now.
pub(crate) struct Running {
    child: Child,
    lines: UnboundedReceiver<Line>,
    out: String,
    err: String,
}

/// The program with an environment and nothing else.
pub(crate) fn command(folder: &Path, env: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elevenwire"));
    command.env_clear().envs(env.iter().copied()).env("HOME", folder).current_dir(folder).args(arguments);
    command.stdin(Stdio::null());
    command
}

fn listen(stream: impl Read + Send + 'static, sender: UnboundedSender<Line>, kind: fn(String) -> Line) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let _ = sender.send(kind(line.unwrap() + "\n"));
        }
    });
}

impl Running {
    /// Starts one in a folder.
    pub(crate) fn start_in(folder: &Path, env: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut command = command(folder, env, arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = unbounded_channel();
        listen(child.stdout.take().unwrap(), sender.clone(), Line::Out);
        listen(child.stderr.take().unwrap(), sender, Line::Err);
        Self { child, lines, out: String::new(), err: String::new() }
    }

    /// Starts one of a whole line against a world.
    pub(crate) fn start(world: &World, line: &str) -> Self {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        Self::start_in(&folder(), &[("BASE_URL", &world.url), ("API_TOKEN", TOKEN)], &arguments)
    }

    fn keep(&mut self, line: Line) {
        match line {
            Line::Out(line) => self.out.push_str(&line),
            Line::Err(line) => self.err.push_str(&line),
        }
    }

    /// Waits until it has said something, wherever.
    pub(crate) async fn until(&mut self, words: &str) {
        while !self.out.contains(words) && !self.err.contains(words) {
            let line = tokio::time::timeout(PATIENCE, self.lines.recv()).await;
            let Ok(Some(line)) = line else { panic!("it never said {words:?}: {} {}", self.out, self.err) };
            self.keep(line);
        }
    }

    /// Asks for its end, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Everything that it said, once it has ended.
    pub(crate) async fn end(mut self) -> Said {
        while let Some(line) = tokio::time::timeout(PATIENCE, self.lines.recv()).await.unwrap() {
            self.keep(line);
        }
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Said { code, out: self.out, err: self.err }
    }
}

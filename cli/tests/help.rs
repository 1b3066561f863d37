//! What every command says of itself, in `help.txt`; and completions.

#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it should be")]

use std::fmt::Write as _;
use std::process::Command;

const TEXT: &str = include_str!("help.txt");

const COMMANDS: [&str; 41] = [
    "",
    "call",
    "calls",
    "show",
    "number",
    "campaign",
    "campaign create",
    "campaign import",
    "campaign list",
    "campaign show",
    "campaign start",
    "campaign pause",
    "campaign resume",
    "campaign cancel",
    "campaign watch",
    "stop",
    "stop list",
    "stop lift",
    "suppress",
    "suppress add",
    "suppress remove",
    "suppress import",
    "suppress export",
    "suppress list",
    "guard",
    "agents",
    "settle",
    "replay",
    "redrive",
    "webhook",
    "webhook verify",
    "webhook send",
    "profile",
    "profile set",
    "profile use",
    "profile list",
    "profile remove",
    "completions",
    "doctor",
    "setup",
    "first-call",
];

fn said(arguments: &[&str]) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_elevenwire")).env("COLUMNS", "120").args(arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}");
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn every_command_explains_itself_with_examples() {
    let mut all = String::new();
    for command in COMMANDS {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let help = said(&arguments);
        assert!(command.is_empty() || help.contains("Examples:"), "{command}");
        write!(all, "$ elevenwire {}\n{}\n\n", arguments.join(" "), help.trim_end()).unwrap();
    }
    if all != TEXT {
        let path = std::env::temp_dir().join("help.txt");
        std::fs::write(&path, &all).unwrap();
        panic!("the words differ from help.txt; if they are right, take {} for it", path.display());
    }
}

#[test]
fn completions_are_there_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(said(&["completions", shell]).contains("elevenwire"), "{shell}");
    }
}

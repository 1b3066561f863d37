//! `elevenwire completions`: for shells.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{Cli, Failure};

const EXAMPLES: &str = "\
Examples:
  elevenwire completions bash > ~/.local/share/bash-completion/completions/elevenwire
  elevenwire completions zsh > ~/.zfunc/_elevenwire
  elevenwire completions fish > ~/.config/fish/completions/elevenwire.fish";

/// Print the completions for a shell.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// Which shell.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        // Into memory first: the generator panics when its reader goes away.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "elevenwire", &mut script);
        crate::write(&String::from_utf8_lossy(&script))
    }
}

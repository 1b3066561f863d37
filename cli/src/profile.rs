//! `elevenwire profile`: deployments by name, in a file that only its owner reads.

use std::io::BufRead as _;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::{Failure, Global, output, settings};

const EXAMPLES: &str = "\
Examples:
  elevenwire profile set prod --url https://abc.execute-api.us-east-1.amazonaws.com    # asks for the token
  pass show 11wire | elevenwire profile set prod --url https://… --aws-stack elevenwire
  elevenwire profile use prod
  elevenwire --profile prod calls";

/// Store deployments by name: address, token, stack.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Profile {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Store one; --url is its address, the token is read from the standard input.
    #[command(after_help = EXAMPLES)]
    Set {
        /// Its name.
        name: String,
        /// Its CloudFormation stack, for replay and redrive.
        #[arg(long, value_name = "NAME")]
        aws_stack: Option<String>,
    },
    /// Take this one when none is named.
    #[command(after_help = "Examples:\n  elevenwire profile use prod")]
    Use {
        /// Its name.
        name: String,
    },
    /// List them, without their tokens.
    #[command(after_help = "Examples:\n  elevenwire profile list")]
    List,
    /// Forget one.
    #[command(after_help = "Examples:\n  elevenwire profile remove prod")]
    Remove {
        /// Its name.
        name: String,
    },
}

impl Profile {
    pub(crate) fn run(&self, global: &Global) -> Result<(), Failure> {
        let file = settings::config_file(global)?;
        let mut config = settings::config(&file)?;
        let unknown = |name: &str| Failure::Usage(format!("{} has no profile {name}", file.display()));
        match &self.what {
            What::List => return list(&config, global),
            What::Set { name, aws_stack } => {
                // What happens to be in the environment is not stored by accident.
                let url = global.url.clone().filter(|_| global.url_said);
                let url = url.ok_or_else(|| Failure::Usage("give its address with --url".to_owned()))?;
                let token = if global.token_said { global.token.clone() } else { read_token()? };
                let stored = settings::Profile { url, token, aws_stack: aws_stack.clone() };
                config.profiles.insert(name.clone(), stored);
                config.default.get_or_insert_with(|| name.clone());
            }
            What::Use { name } => {
                config.default = Some(config.profiles.get_key_value(name).ok_or_else(|| unknown(name))?.0.clone());
            }
            What::Remove { name } => {
                config.profiles.remove(name).ok_or_else(|| unknown(name))?;
                config.default = config.default.filter(|default| default != name);
            }
        }
        settings::store(&file, &config)?;
        crate::tell(&format!("{} is written", file.display()));
        Ok(())
    }
}

fn list(config: &settings::Config, global: &Global) -> Result<(), Failure> {
    if global.json {
        let line = |(name, profile): (&String, &settings::Profile)| {
            let default = config.default.as_ref() == Some(name);
            let has_token = profile.token.is_some();
            format!(
                "{}\n",
                json!({ "name": name, "url": profile.url, "aws_stack": profile.aws_stack, "has_token": has_token, "default": default })
            )
        };
        return crate::write(&config.profiles.iter().map(line).collect::<String>());
    }
    let row = |(name, profile): (&String, &settings::Profile)| {
        let default = if config.default.as_ref() == Some(name) { "default" } else { "" };
        let token = if profile.token.is_some() { "stored" } else { "none" };
        let stack = profile.aws_stack.clone().unwrap_or_else(|| "-".to_owned());
        vec![name.clone(), profile.url.clone(), token.to_owned(), stack, default.to_owned()]
    };
    crate::write(&output::table(
        &["profile", "url", "token", "AWS stack", ""],
        config.profiles.iter().map(row).collect(),
    ))
}

/// Hidden while it is typed; the first line of what is piped. An empty one is none.
fn read_token() -> Result<Option<String>, Failure> {
    let wrong = |error: std::io::Error| Failure::Usage(format!("the token could not be read: {error}"));
    let token = if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        crate::tell("Token (it is not shown):");
        console::Term::stderr().read_secure_line().map_err(wrong)?
    } else {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map_err(wrong)?;
        line
    };
    Ok(Some(token.trim().to_owned()).filter(|token| !token.is_empty()))
}

//! Which deployment is meant: the arguments, a profile that is named, the environment, the default profile, or the local
//! stack. Address and token come from one place, so that no token is sent to somebody else's address.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use elevenwire::config::Env;
use serde::{Deserialize, Serialize};

use crate::{Failure, Global};

/// Where the local stack writes its addresses and secrets. `LOCAL_DIR` is the folder of another one.
fn local_file() -> PathBuf {
    let folder = Env::of_process().optional("LOCAL_DIR").unwrap_or_else(|| ".local".to_owned());
    Path::new(&folder).join("env")
}

/// An address, and who asks there.
pub(crate) struct Deployment {
    pub(crate) url: String,
    pub(crate) token: Option<String>,
}

/// The configuration file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The profile that is taken when none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<String>,
    #[serde(default)]
    pub(crate) profiles: BTreeMap<String, Profile>,
}

/// A deployment in it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    /// Its CloudFormation stack, for `replay` and `redrive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) aws_stack: Option<String>,
}

/// Where the configuration file lies.
pub(crate) fn config_file(global: &Global) -> Result<PathBuf, Failure> {
    if let Some(file) = &global.config {
        return Ok(file.clone());
    }
    let env = Env::of_process();
    let folder = env.optional("XDG_CONFIG_HOME").map(PathBuf::from);
    let folder = folder.or_else(|| env.optional("HOME").map(|home| PathBuf::from(home).join(".config")));
    let folder = folder.ok_or_else(|| Failure::Usage("no HOME: name the file with --config".to_owned()))?;
    Ok(folder.join("elevenwire/config.toml"))
}

/// Reads it; an empty one when there is none.
pub(crate) fn config(file: &Path) -> Result<Config, Failure> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Config::default()),
        Err(error) => return Err(Failure::file(file, &error)),
    };
    let open = std::fs::metadata(file).is_ok_and(|known| known.permissions().mode() & 0o077 != 0);
    if open {
        crate::tell(&format!("{0} holds tokens and others may read it: chmod 600 {0}", file.display()));
    }
    // Without the library's excerpt: the line may hold a token.
    toml::from_str(&text).map_err(|error| Failure::Usage(format!("{}: {}", file.display(), error.message())))
}

/// Writes it, for nobody but its owner: whole or not at all.
pub(crate) fn store(file: &Path, config: &Config) -> Result<(), Failure> {
    let text = toml::to_string(config).map_err(|error| Failure::Usage(error.to_string()))?;
    let new = file.with_extension("toml.new");
    let write = || {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let _ = std::fs::remove_file(&new);
        let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        out.write_all(text.as_bytes())?;
        std::fs::rename(&new, file)
    };
    write().map_err(|error| Failure::file(file, &error))
}

/// What the local stack of this folder wrote down; `None` when there is none.
pub(crate) fn local() -> Option<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(local_file()).ok()?;
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Some(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// The profile that is named, or the default one when nothing is.
pub(crate) fn profile(global: &Global) -> Result<Option<Profile>, Failure> {
    if global.profile.is_none() && global.config.is_none() && config_file(global).is_err() {
        return Ok(None);
    }
    let file = config_file(global)?;
    let config = config(&file)?;
    match (&global.profile, &config.default) {
        (Some(name), _) => config.profiles.get(name).cloned().map(Some).ok_or_else(|| {
            let known = config.profiles.keys().cloned().collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "none".to_owned() } else { known };
            Failure::Usage(format!("{} has no profile {name}; it has {known}", file.display()))
        }),
        (None, Some(name)) => Ok(config.profiles.get(name).cloned()),
        (None, None) => Ok(None),
    }
}

/// Which deployment is meant.
pub(crate) fn deployment(global: &Global) -> Result<Deployment, Failure> {
    let of = |url: &str, token: Option<String>| Deployment { url: url.trim_end_matches('/').to_owned(), token };
    // Arguments say more than what is written down, and that more than what happens to be in the environment.
    let said = |stored: Option<String>| if global.token_said { global.token.clone() } else { stored };
    let named = global.profile.is_some();
    if let (Some(url), false) = (global.url.as_deref().filter(|url| !url.is_empty()), named && !global.url_said) {
        return Ok(of(url, said(if named { None } else { global.token.clone() })));
    }
    if let Some(profile) = profile(global)? {
        return Ok(of(&profile.url, said(profile.token)));
    }
    if let Some(local) = local()
        && let Some(url) = local.get("BASE_URL")
    {
        crate::tell(&format!("the local stack ({})", local_file().display()));
        return Ok(of(url, said(local.get("API_TOKEN").cloned())));
    }
    let mend = "no address: give --url, set BASE_URL, or store one with `elevenwire profile set` (the local stack writes \
                its own to .local/env)";
    Err(Failure::Usage(mend.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn global(file: &Path) -> Global {
        Global { config: Some(file.to_owned()), ..Global::default() }
    }

    fn written(name: &str) -> PathBuf {
        let file = std::env::temp_dir().join(format!("elevenwire-{name}-{}", std::process::id())).join("config.toml");
        let profile = |url: &str| Profile { url: url.into(), token: Some("stored".into()), aws_stack: None };
        let profiles = [("a".to_owned(), profile("http://a/")), ("b".to_owned(), profile("http://b"))].into();
        store(&file, &Config { default: Some("a".into()), profiles }).unwrap();
        file
    }

    #[test]
    fn the_file_is_its_owners_alone() {
        let file = written("mode");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(config(&file).unwrap().profiles.len(), 2);
    }

    #[test]
    fn a_profile_that_is_named_is_stronger_than_the_environment() {
        let file = written("named");
        let environment = Global { url: Some("http://e".into()), token: Some("e".into()), ..global(&file) };
        let found = deployment(&environment).unwrap();
        assert_eq!((found.url.as_str(), found.token.as_deref()), ("http://e", Some("e")));
        let found = deployment(&Global { profile: Some("b".into()), ..environment.clone() }).unwrap();
        assert_eq!((found.url.as_str(), found.token.as_deref()), ("http://b", Some("stored")));
        let found = deployment(&global(&file)).unwrap();
        assert_eq!((found.url.as_str(), found.token.as_deref()), ("http://a", Some("stored")));
    }

    #[test]
    fn a_stored_token_never_goes_to_an_address_of_another_place() {
        let file = written("apart");
        let said = Global { url: Some("http://x".into()), url_said: true, profile: Some("b".into()), ..global(&file) };
        assert_eq!(deployment(&said).unwrap().token, None);
    }

    #[test]
    fn an_unknown_profile_is_named_with_those_that_are_known() {
        let file = written("unknown");
        let failure = deployment(&Global { profile: Some("c".into()), ..global(&file) }).err().unwrap();
        assert!(failure.to_string().ends_with("has no profile c; it has a, b"), "{failure}");
    }
}

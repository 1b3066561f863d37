//! What commands learn from outside their arguments: the environment, under the deployment's own names, and the clock.

use elevenwire::config::{Env, Secret};
use elevenwire::elevenlabs::client::API_URL;
use jiff::Timestamp;

/// Tells the time.
pub type Now = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// The surroundings of a command.
pub struct Here {
    /// What the environment says.
    pub known: Known,
    /// The clock.
    pub now: Now,
}

/// The deployment's settings, as far as the environment has them.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// `PUBLIC_BASE_URL`, without a slash at its end.
    pub public_base_url: Option<String>,
    /// `SIGNALWIRE_SPACE_URL`.
    pub space: Option<String>,
    /// `SIGNALWIRE_PROJECT_ID`.
    pub project_id: Option<String>,
    /// `SIGNALWIRE_API_TOKEN`.
    pub carrier_token: Option<Secret>,
    /// `SIGNALWIRE_SIGNING_SECRET`, the first of the list.
    pub signing_key: Option<Secret>,
    /// `ELEVENLABS_API_URL`; the vendor's own when it is not set.
    pub elevenlabs_url: String,
    /// `ELEVENLABS_API_KEY`.
    pub elevenlabs_key: Option<Secret>,
    /// `ELEVENLABS_WEBHOOK_SECRET`, the first of the list; `later`, as a first deploy has it, is none.
    pub webhook_secret: Option<Secret>,
    /// `ELEVENLABS_INITIATION_SECRET`, the first of the list.
    pub initiation_secret: Option<Secret>,
    /// `ELEVENLABS_WEBHOOK_ALLOWED_IPS`; `None` when it is not set here, which says nothing about the deployment.
    pub allowed_ips: Option<String>,
    /// `OWN_NUMBERS`.
    pub own_numbers: Vec<String>,
}

impl Known {
    /// Reads the environment. Nothing must be there: what is missing is told by whoever needs it.
    #[must_use]
    pub fn read(env: &Env) -> Self {
        let first = |name: &str| env.secrets(name).into_iter().next();
        let own = env.optional("OWN_NUMBERS").unwrap_or_default();
        let webhook = env.optional("ELEVENLABS_WEBHOOK_SECRET").filter(|secret| secret != "later");
        Self {
            public_base_url: env.optional("PUBLIC_BASE_URL").map(|url| url.trim_end_matches('/').to_owned()),
            space: env.optional("SIGNALWIRE_SPACE_URL"),
            project_id: env.optional("SIGNALWIRE_PROJECT_ID"),
            carrier_token: first("SIGNALWIRE_API_TOKEN"),
            signing_key: first("SIGNALWIRE_SIGNING_SECRET"),
            elevenlabs_url: env.optional("ELEVENLABS_API_URL").unwrap_or_else(|| API_URL.to_owned()),
            elevenlabs_key: first("ELEVENLABS_API_KEY"),
            webhook_secret: webhook.and_then(|_| first("ELEVENLABS_WEBHOOK_SECRET")),
            initiation_secret: first("ELEVENLABS_INITIATION_SECRET"),
            allowed_ips: env.optional("ELEVENLABS_WEBHOOK_ALLOWED_IPS"),
            own_numbers: own.split(',').map(|number| number.trim().to_owned()).filter(|n| !n.is_empty()).collect(),
        }
    }
}

impl Here {
    /// Those of this process.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place of the command line that reads the clock")]
    pub fn of_process() -> Self {
        Self { known: Known::read(&Env::of_process()), now: Box::new(Timestamp::now) }
    }
}

impl std::fmt::Debug for Here {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Here").field("known", &self.known).finish_non_exhaustive()
    }
}

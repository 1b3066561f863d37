//! The vendors' own APIs as a person's tools see them: whole answers, and why there is none.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use elevenwire::config::Secret;
use elevenwire::elevenlabs::client;
use elevenwire::signalwire::space::SpaceUrl;
use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::here::Known;

/// Pages of a list, at most.
const MOST_PAGES: usize = 50;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It was not asked, and why.
    #[error("{0}")]
    NotAsked(String),
    /// It refused: status, and its body or the beginning of it.
    #[error("HTTP {0}: {1}")]
    Refused(u16, String),
    /// Nobody answered, or not in JSON.
    #[error("{0}")]
    Silent(String),
}

/// An answer, or why there is none.
pub type Answer = Result<Value, Trouble>;

#[derive(Debug)]
enum Auth {
    Basic(String, Secret),
    Key(Secret),
}

/// One vendor.
#[derive(Debug)]
pub struct Vendor {
    http: reqwest::Client,
    base: String,
    auth: Result<Auth, String>,
    date: Mutex<Option<String>>,
}

impl Vendor {
    /// SignalWire, with the credentials of the environment.
    #[must_use]
    pub fn signalwire(http: reqwest::Client, known: &Known) -> Self {
        let space = known.space.as_deref().map(SpaceUrl::parse);
        let auth = match (&space, &known.project_id, &known.carrier_token) {
            (None, ..) => Err("SIGNALWIRE_SPACE_URL is not set".to_owned()),
            (Some(Err(problem)), ..) => Err(format!("SIGNALWIRE_SPACE_URL {problem}")),
            (_, None, _) => Err("SIGNALWIRE_PROJECT_ID is not set".to_owned()),
            (_, _, None) => Err("SIGNALWIRE_API_TOKEN is not set".to_owned()),
            (_, Some(project), Some(token)) => Ok(Auth::Basic(project.clone(), token.clone())),
        };
        let base = space.and_then(Result::ok).map(|space| space.to_string()).unwrap_or_default();
        Self { http, base, auth, date: Mutex::default() }
    }

    /// ElevenLabs, with the key of the environment.
    #[must_use]
    pub fn elevenlabs(http: reqwest::Client, known: &Known) -> Self {
        let base = known.elevenlabs_url.trim_end_matches('/').to_owned();
        let auth = match (client::base(&base), &known.elevenlabs_key) {
            (Err(problem), _) => Err(format!("ELEVENLABS_API_URL {problem}")),
            (_, None) => Err("ELEVENLABS_API_KEY is not set".to_owned()),
            (_, Some(key)) => Ok(Auth::Key(key.clone())),
        };
        Self { http, base, auth, date: Mutex::default() }
    }

    /// Reads.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// Reads a list to its end: by a cursor (ElevenLabs), or by links (SignalWire).
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn all(&self, path: &str, field: &str) -> Result<Vec<Value>, Trouble> {
        let (mut found, mut next) = (Vec::new(), path.to_owned());
        for _ in 0..MOST_PAGES {
            let page = self.get(&next).await?;
            let items = page[field].as_array().ok_or_else(|| Trouble::Silent(format!("no `{field}` in the answer")))?;
            found.extend(items.iter().cloned());
            let link = page["links"]["next"].as_str().map(|link| link.trim_start_matches(&self.base).to_owned());
            let cursor = page["next_cursor"].as_str().filter(|_| page["has_more"] == true);
            let cursor =
                cursor.map(|cursor| format!("{path}{}cursor={cursor}", if path.contains('?') { '&' } else { '?' }));
            match link.or(cursor).filter(|link| link.starts_with('/')) {
                Some(link) => next = link,
                None => return Ok(found),
            }
        }
        Err(Trouble::Silent("the list has no end".to_owned()))
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let auth = self.auth.as_ref().map_err(|why| Trouble::NotAsked(why.clone()))?;
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        request = match auth {
            Auth::Basic(user, password) => request.basic_auth(user, Some(password.expose_secret())),
            Auth::Key(key) => request.header("xi-api-key", key.expose_secret()),
        };
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request).await
    }

    async fn answer(&self, request: RequestBuilder) -> Answer {
        let silent = |error: reqwest::Error| Trouble::Silent(format!("no answer: {}", error.without_url()));
        let answer = request.timeout(Duration::from_secs(15)).send().await.map_err(silent)?;
        let status = answer.status().as_u16();
        if let Some(date) = answer.headers().get("date").and_then(|date| date.to_str().ok()) {
            *self.date.lock().unwrap_or_else(PoisonError::into_inner) = Some(date.to_owned());
        }
        let body = answer.bytes().await.map_err(silent)?;
        if status >= 300 {
            let text: String = String::from_utf8_lossy(&body).chars().take(600).collect();
            return Err(Trouble::Refused(status, text));
        }
        serde_json::from_slice(&body).map_err(|_| Trouble::Silent("the answer is not JSON".to_owned()))
    }

    /// The date of its last answer.
    #[must_use]
    pub fn date(&self) -> Option<String> {
        self.date.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The name of the workspace secret that holds the initiation secret: whoever has the secret knows its name, and a changed
/// secret has another.
#[must_use]
pub fn secret_name(secret: &Secret) -> String {
    use sha2::{Digest, Sha256};
    let digest = hex::encode(Sha256::digest(secret.expose_secret()));
    format!("elevenwire_initiation_{}", digest.get(..8).unwrap_or_default())
}

/// Whether a header of a webhook or a tool holds the secret: as a text, or as the workspace secret of its name.
#[must_use]
pub fn holds(headers: &Value, secret: &Secret, secrets: &[Value]) -> bool {
    let header = headers.as_object().and_then(|all| all.iter().find(|(name, _)| name.eq_ignore_ascii_case(HEADER)));
    let Some((_, value)) = header else { return false };
    let named = |id: &str| secrets.iter().any(|s| s["secret_id"] == id && s["name"] == secret_name(secret).as_str());
    value.as_str().is_some_and(|text| text == secret.expose_secret()) || value["secret_id"].as_str().is_some_and(named)
}

/// The header of the initiation webhook and of the tool.
pub const HEADER: &str = "X-Elevenwire-Secret";
/// Where the agent asks who calls.
pub const INITIATION_PATH: &str = "/api/webhooks/elevenlabs/initiation";
/// Where the agent sends what was said.
pub const WEBHOOK_PATH: &str = "/api/webhooks/elevenlabs";
/// Where the agent's tool notes an opt-out.
pub const OPT_OUT_PATH: &str = "/api/tools/opt-out";
/// What a workspace sends after a call.
pub const EVENTS: [&str; 3] = ["transcript", "audio", "call_initiation_failure"];
/// Where an agent says that it asks who calls.
pub const SWITCH: &str = "/platform_settings/overrides/enable_conversation_initiation_client_data_from_webhook";

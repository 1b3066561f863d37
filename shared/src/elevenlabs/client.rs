//! ElevenLabs' API, as far as it is used: conversations, their recordings, and the state of our webhook. Everything here
//! may be repeated: doing it twice is doing it once.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::{RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::conversation::Status;
use super::loose;
use crate::crash::{Effect, around};
use crate::retry::Failure;
use crate::signalwire::reason::masked;
use crate::signalwire::space::is_loopback;
use crate::signalwire::wire;

/// The vendor's own address, unless a residency has another.
pub const API_URL: &str = "https://api.elevenlabs.io";

/// How soon to ask again when the vendor did not say.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// Credentials, credit and addresses are mended by a person: the work waits for it rather than being given up.
const ASK_AGAIN_AFTER_MENDING: Duration = Duration::from_mins(15);
/// Two hours of conversation with many tools have a few megabytes.
const LARGEST_BODY: usize = 32 * 1024 * 1024;
const LARGEST_ERROR: usize = 64 * 1024;
/// A recording is streamed for as long as a Lambda function can run.
const AUDIO_TIMEOUT: Duration = Duration::from_mins(15);
/// The vendor's maximum.
const PAGE_SIZE: &str = "100";

/// A client of one workspace.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    api_key: SecretString,
}

/// The API's address is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an https address such as https://api.elevenlabs.io (plain http is for addresses of this machine only)"
)]
pub struct BadBaseUrl;

/// Which conversations to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Listing<'a> {
    /// Of this agent.
    pub agent_id: Option<&'a str>,
    /// Started after this second.
    pub started_after: Option<Timestamp>,
    /// Started before this second.
    pub started_before: Option<Timestamp>,
    /// With this user id.
    pub user_id: Option<&'a str>,
    /// With this value of a dynamic variable: `("call_id", "…")`.
    pub dynamic_variable: Option<(&'a str, &'a str)>,
    /// Oldest first; the vendor's own order is newest first.
    pub oldest_first: bool,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What is on it.
    pub conversations: Vec<Listed>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// A conversation in a list: neither its variables nor its telephone call are told here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The vendor's id.
    pub conversation_id: String,
    /// The vendor's id of the agent.
    pub agent_id: Option<String>,
    /// How far it is.
    pub status: Status,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// Seconds.
    pub duration_secs: Option<i64>,
    /// `inbound` or `outbound`, as ElevenLabs sees it.
    pub direction: Option<String>,
}

/// A webhook as the vendor keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The vendor's id.
    pub webhook_id: String,
    /// Its name.
    pub name: Option<String>,
    /// Where it points.
    pub url: Option<String>,
    /// Switched off by somebody.
    pub is_disabled: bool,
    /// Switched off by the vendor after too many failures.
    pub is_auto_disabled: bool,
    /// HTTP status of the latest failure.
    pub most_recent_failure_error_code: Option<i64>,
    /// When the latest failure was.
    pub most_recent_failure_at: Option<Timestamp>,
}

/// A recording that is being read.
pub struct Audio {
    response: Response,
    /// Content type.
    pub content_type: Option<String>,
    /// Bytes, where the vendor says so beforehand.
    pub length: Option<u64>,
}

impl Client {
    /// `base_url` is `https://api.elevenlabs.io` or that of a region.
    ///
    /// # Errors
    /// When it is not an address to which a key may be sent.
    pub fn new(http: reqwest::Client, base_url: &str, api_key: SecretString) -> Result<Self, BadBaseUrl> {
        Ok(Self { http, base: base(base_url)?, api_key })
    }

    /// A conversation as the vendor's JSON, to be kept as it is and read by
    /// [`Conversation::from_api`](super::conversation::Conversation::from_api); `None` when the vendor has none of this id.
    ///
    /// # Errors
    /// When the vendor gives no clear answer, or refuses.
    pub async fn get_conversation(&self, id: &str) -> Result<Option<Bytes>, Failure> {
        match self.get(self.at(&["conversations", id]), None).await? {
            Some(response) => body(response).await.map(Some),
            None => Ok(None),
        }
    }

    /// A page of the list of conversations. `cursor` is the `next` of the page before.
    ///
    /// # Errors
    /// When the vendor gives no clear answer, or refuses.
    pub async fn list_conversations(&self, listing: &Listing<'_>, cursor: Option<&str>) -> Result<Page, Failure> {
        let mut url = self.at(&["conversations"]);
        url.query_pairs_mut().extend_pairs(listing.query()).extend_pairs(cursor.map(|cursor| ("cursor", cursor)));
        let page = self.json(url).await?;
        let Some(items) = page["conversations"].as_array() else {
            return Err(Failure::later(ASK_AGAIN, "ElevenLabs' list of conversations has no conversations in it"));
        };
        let more = loose::flag(&page["has_more"]).unwrap_or(true);
        let next = loose::text(&page["next_cursor"]).filter(|_| more);
        if next.is_some() && next.as_deref() == cursor {
            return Err(Failure::later(ASK_AGAIN, "ElevenLabs' list of conversations goes in circles"));
        }
        Ok(Page { conversations: items.iter().filter_map(Listed::read).collect(), next })
    }

    /// The recording of a conversation; `None` when there is none.
    ///
    /// # Errors
    /// When the vendor gives no clear answer, or refuses.
    pub async fn audio(&self, id: &str) -> Result<Option<Audio>, Failure> {
        let response = self.get(self.at(&["conversations", id, "audio"]), Some(AUDIO_TIMEOUT)).await?;
        Ok(response.map(|response| Audio {
            content_type: header(&response, "content-type"),
            length: response.content_length(),
            response,
        }))
    }

    /// Whether the vendor can be reached with this key.
    ///
    /// # Errors
    /// When it cannot, with the reason.
    pub async fn probe(&self) -> Result<(), Failure> {
        let mut url = self.at(&["conversations"]);
        url.query_pairs_mut().append_pair("page_size", "1");
        self.json(url).await.map(drop)
    }

    /// The workspace's webhooks. Needs a key of an administrator.
    ///
    /// # Errors
    /// When the vendor gives no clear answer, or refuses.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, Failure> {
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| Failure::never(BadBaseUrl.to_string()))?.extend([
            "v1",
            "workspace",
            "webhooks",
        ]);
        url.query_pairs_mut().append_pair("include_usages", "true");
        let answer = self.json(url).await?;
        let Some(webhooks) = answer["webhooks"].as_array() else {
            return Err(Failure::later(ASK_AGAIN, "ElevenLabs' list of webhooks has no webhooks in it"));
        };
        Ok(webhooks.iter().filter_map(Webhook::read).collect())
    }

    /// Turns the retries of a webhook on. Its other settings stay as they are.
    ///
    /// # Errors
    /// When the vendor gives no clear answer, or refuses.
    pub async fn turn_retries_on(&self, webhook: &Webhook) -> Result<(), Failure> {
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| Failure::never(BadBaseUrl.to_string()))?.extend([
            "v1",
            "workspace",
            "webhooks",
            &webhook.webhook_id,
        ]);
        // The vendor wants the first two whatever is changed.
        let body = serde_json::json!({
            "is_disabled": webhook.is_disabled,
            "name": webhook.name.as_deref().unwrap_or("11Wire"),
            "retry_enabled": true,
        });
        let response = self.send(self.http.patch(url).json(&body)).await?;
        match response.status().as_u16() {
            200..300 => Ok(()),
            status => Err(Failure::later(
                ASK_AGAIN_AFTER_MENDING,
                format!("ElevenLabs refused to change its webhook: {status}"),
            )),
        }
    }

    fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["v1", "convai"]).extend(segments);
        }
        url
    }

    async fn json(&self, url: Url) -> Result<Value, Failure> {
        let response = self
            .get(url, None)
            .await?
            .ok_or_else(|| Failure::later(ASK_AGAIN_AFTER_MENDING, "ElevenLabs answered HTTP 404"))?;
        serde_json::from_slice(&body(response).await?)
            .map_err(|_| Failure::later(ASK_AGAIN, "ElevenLabs' answer is not JSON"))
    }

    /// An answer that succeeded; `None` where the vendor says that it does not have this.
    async fn get(&self, url: Url, timeout: Option<Duration>) -> Result<Option<Response>, Failure> {
        let mut request = self.http.get(url);
        if let Some(timeout) = timeout {
            request = request.timeout(timeout);
        }
        let mut response = self.send(request).await?;
        if response.status().is_success() {
            return Ok(Some(response));
        }
        let status = response.status().as_u16();
        let retry_after = wire::retry_after(response.headers());
        let body = wire::read(&mut response, LARGEST_ERROR).await.unwrap_or_default();
        refused(status, retry_after, &body)
    }

    /// Every request goes through here.
    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let request = request.header("xi-api-key", self.api_key.expose_secret());
        around(Effect::Http, request.send()).await.map_err(lost)
    }
}

impl Audio {
    /// Whether the answer can be a recording: a page or a text of somebody in between is none.
    #[must_use]
    pub fn may_be_sound(&self) -> bool {
        let kind = self.content_type.as_deref().unwrap_or("audio/").trim().to_ascii_lowercase();
        kind.starts_with("audio/") || kind.starts_with("application/octet-stream")
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When the recording breaks off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        self.response.chunk().await.map_err(lost)
    }
}

impl Listing<'_> {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![("page_size", PAGE_SIZE.to_owned())];
        let second = |time: Timestamp| time.as_second().to_string();
        let optional = [
            ("agent_id", self.agent_id.map(str::to_owned)),
            ("call_start_after_unix", self.started_after.map(second)),
            ("call_start_before_unix", self.started_before.map(second)),
            ("user_id", self.user_id.map(str::to_owned)),
            ("dynamic_variable_params", self.dynamic_variable.map(|(name, value)| format!("{name}:eq:{value}"))),
            ("sort_direction", self.oldest_first.then(|| "asc".to_owned())),
        ];
        query.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        query
    }
}

impl Listed {
    fn read(item: &Value) -> Option<Self> {
        Some(Self {
            conversation_id: loose::text(&item["conversation_id"])?,
            agent_id: loose::text(&item["agent_id"]),
            status: Status::parse(item["status"].as_str().unwrap_or_default()),
            started_at: loose::moment(&item["start_time_unix_secs"]),
            duration_secs: loose::int(&item["call_duration_secs"]),
            direction: loose::text(&item["direction"]),
        })
    }
}

impl Webhook {
    fn read(item: &Value) -> Option<Self> {
        Some(Self {
            webhook_id: loose::text(&item["webhook_id"])?,
            name: loose::text(&item["name"]),
            url: loose::text(&item["webhook_url"]),
            is_disabled: loose::flag(&item["is_disabled"]).unwrap_or_default(),
            is_auto_disabled: loose::flag(&item["is_auto_disabled"]).unwrap_or_default(),
            most_recent_failure_error_code: loose::int(&item["most_recent_failure_error_code"]),
            most_recent_failure_at: loose::moment(&item["most_recent_failure_timestamp"]),
        })
    }
}

/// What an answer without success means. A 404 says "we have none of this id" only in the vendor's own words; a bare one
/// comes from a wrong address.
fn refused<T>(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Result<Option<T>, Failure> {
    let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let detail = match &body["detail"] {
        Value::Array(details) => details.first().unwrap_or(&Value::Null),
        detail => detail,
    };
    let code = loose::first_text(detail, &["code", "status", "type"]);
    if status == 404 && code.is_some() {
        return Ok(None);
    }
    let said = loose::first_text(detail, &["message", "msg"]).or_else(|| loose::text(detail));
    let part = |text: Option<String>| text.map_or(String::new(), |text| format!(": {}", masked(&text)));
    let reason = format!("ElevenLabs answered HTTP {status}{}{}", part(code), part(said));
    Err(match status {
        300..=399 | 401..=404 => Failure::later(ASK_AGAIN_AFTER_MENDING, reason),
        408 | 409 | 425 | 429 | 500.. => Failure::later(retry_after.unwrap_or(ASK_AGAIN), reason),
        _ => Failure::never(reason),
    })
}

/// An address to which a key may be sent.
///
/// # Errors
/// When it is not one.
pub fn base(url: &str) -> Result<Url, BadBaseUrl> {
    let base = Url::parse(url.trim().trim_end_matches('/')).map_err(|_| BadBaseUrl)?;
    let safe = base.scheme() == "https" || base.scheme() == "http" && is_loopback(&base);
    if !safe || base.query().is_some() || !base.username().is_empty() {
        return Err(BadBaseUrl);
    }
    Ok(base)
}

async fn body(mut response: Response) -> Result<Bytes, Failure> {
    let body = wire::read(&mut response, LARGEST_BODY).await;
    body.ok_or_else(|| Failure::later(ASK_AGAIN, "ElevenLabs' answer broke off, or is too large"))
}

fn lost(error: reqwest::Error) -> Failure {
    let never = error.is_builder();
    let reason = format!("no answer from ElevenLabs: {}", wire::describe(error));
    if never { Failure::never(reason) } else { Failure::later(ASK_AGAIN, reason) }
}

fn header(response: &Response, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

// Written out, because the HTTP client would print its headers.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Audio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audio")
            .field("content_type", &self.content_type)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

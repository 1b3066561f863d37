//! SignalWire's Calls API. Asking for a call is [`Client::create_call`]; everything else reads or ends calls and may be
//! repeated freely.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::{RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::callback::CallStatus;
use super::create::{CreateAnswer, CreateCall, judge};
use super::reason::{masked, refusal};
use super::record::{CallRecord, CarrierError};
use super::space::SpaceUrl;
use super::wire;
use crate::crash::{Effect, around};
use crate::phone::PhoneNumber;
use crate::retry::Failure;

/// How long one request may take: under the function's own timeout of 30 s.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// How soon to ask again when the carrier did not say.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// Credentials and addresses are mended by a person: the work waits for it rather than being given up.
const ASK_AGAIN_AFTER_MENDING: Duration = Duration::from_mins(15);
/// A page of 1,000 calls has about 1.2 MB.
const LARGEST_BODY: usize = 8 * 1024 * 1024;
/// 200,000 calls: past that a list is not worth believing.
const MOST_PAGES: usize = 200;

/// A client of one project of one space.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    space: SpaceUrl,
    project_id: String,
    token: SecretString,
}

/// What to do to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallChange {
    /// Take it back before it is answered.
    Cancel,
    /// End it.
    HangUp,
}

/// What became of changing a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeAnswer {
    /// Done; the call's status now.
    Changed(CallStatus),
    /// It is not in a state in which this can be done: already answered, or already over.
    WrongState,
    /// The carrier does not know it.
    NotFound,
}

/// An answer that was read.
struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    body: Option<Bytes>,
}

impl Client {
    /// A client with an HTTP client of its own: one new connection a request, no redirects, no retries, no proxy. A kept
    /// connection that the carrier had closed in the meantime, or a layer that repeats requests, would make a lost answer
    /// look like a connection that was never made. A third of `timeout` is for the connection, so that one that cannot be
    /// made is known as such before time is up.
    ///
    /// # Errors
    /// When the TLS library cannot start.
    pub fn new(
        space: SpaceUrl,
        project_id: String,
        token: SecretString,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout / 3)
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .user_agent(concat!("11Wire/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, space, project_id, token })
    }

    /// Asks for a call, once.
    pub async fn create_call(&self, call: &CreateCall<'_>) -> CreateAnswer {
        let request = self.http.post(self.calls(None)).form(&call.form());
        match self.send(request).await {
            Ok(answer) => judge(answer.status, answer.retry_after, &answer.body.unwrap_or_default()),
            // No byte of the request is sent before the connection stands, with TLS.
            Err(error) if error.is_connect() => CreateAnswer::Again {
                retry_after: None,
                reason: format!("no connection to SignalWire: {}", wire::describe(error)),
            },
            Err(error) if error.is_builder() => CreateAnswer::Refused {
                code: None,
                http_status: None,
                reason: refusal(None, None, Some(&wire::describe(error))),
            },
            Err(error) => {
                CreateAnswer::Unknown { reason: format!("no answer from SignalWire: {}", wire::describe(error)) }
            }
        }
    }

    /// Takes a call back, or ends it.
    ///
    /// # Errors
    /// When the carrier gives no clear answer, or refuses for another reason than the call's state.
    pub async fn update_call(&self, sid: &str, change: CallChange) -> Result<ChangeAnswer, Failure> {
        let status = match change {
            CallChange::Cancel => "canceled",
            CallChange::HangUp => "completed",
        };
        let answer = self.ask(self.http.post(self.calls(Some(sid))).form(&[("Status", status)])).await?;
        match answer.code() {
            Some(20404) => Ok(ChangeAnswer::NotFound),
            Some(10000 | 21220) => Ok(ChangeAnswer::WrongState),
            _ => answer.call().map(|call| ChangeAnswer::Changed(call.status)),
        }
    }

    /// Reads a call; `None` when the carrier says that it does not know it. (A 404 without the carrier's code is a wrong
    /// address, and says nothing about the call.)
    ///
    /// # Errors
    /// When the carrier gives no clear answer, or refuses.
    pub async fn fetch_call(&self, sid: &str) -> Result<Option<CallRecord>, Failure> {
        let answer = self.ask(self.http.get(self.calls(Some(sid)))).await?;
        if answer.code() == Some(20404) { Ok(None) } else { answer.call().map(Some) }
    }

    /// All calls between two numbers, newest first as the carrier lists them. Not filtered by time, because a call that
    /// is still queued has no start time. All pages or an error: half a list would hide a call that rings.
    ///
    /// # Errors
    /// When a page cannot be had, or points out of the space.
    pub async fn list_calls(&self, to: &PhoneNumber, from: &PhoneNumber) -> Result<Vec<CallRecord>, Failure> {
        self.list(&[("To", to.as_str()), ("From", from.as_str())]).await
    }

    /// All calls that were dialled in a span of time, with the legs that they made. All pages or an error.
    ///
    /// # Errors
    /// As [`Client::list_calls`].
    pub async fn list_started(&self, from: Timestamp, until: Timestamp) -> Result<Vec<CallRecord>, Failure> {
        let gmt = |at: Timestamp| at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        self.list(&[("StartTime>", &gmt(from)), ("StartTime<", &gmt(until))]).await
    }

    async fn list(&self, filters: &[(&str, &str)]) -> Result<Vec<CallRecord>, Failure> {
        let mut url = self.calls(None);
        url.query_pairs_mut().extend_pairs(filters).append_pair("PageSize", "1000");
        let mut calls = Vec::new();
        let mut seen = HashSet::new();
        for _ in 0..MOST_PAGES {
            seen.insert(url.clone());
            let page = self.ask(self.http.get(url)).await?.json()?;
            let Some(items) = page["calls"].as_array() else {
                return Err(Failure::later(ASK_AGAIN, "SignalWire's list of calls has no calls in it"));
            };
            calls.extend(items.iter().filter_map(CallRecord::from_json));
            let Some(next) = page["next_page_uri"].as_str().filter(|next| !next.is_empty()) else { return Ok(calls) };
            url = self
                .space
                .within(next)
                .ok_or_else(|| Failure::never("SignalWire's list of calls points to another host"))?;
            if seen.contains(&url) {
                return Err(Failure::later(ASK_AGAIN, "SignalWire's list of calls goes in circles"));
            }
        }
        Err(Failure::later(ASK_AGAIN, "SignalWire's list of calls has no end"))
    }

    /// Whether the carrier can be reached with these credentials. Needs only the Voice scope, as calling does.
    ///
    /// # Errors
    /// When it cannot, with the reason.
    pub async fn probe(&self) -> Result<(), Failure> {
        let mut url = self.calls(None);
        url.query_pairs_mut().append_pair("PageSize", "1");
        self.ask(self.http.get(url)).await?.json().map(drop)
    }

    fn calls(&self, sid: Option<&str>) -> Url {
        let mut segments = vec!["api", "laml", "2010-04-01", "Accounts", &self.project_id, "Calls"];
        segments.extend(sid);
        self.space.at(&segments)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let request = request.basic_auth(&self.project_id, Some(self.token.expose_secret()));
        let request = request.header(reqwest::header::ACCEPT, "application/json");
        around(Effect::Http, async {
            let mut response = request.send().await?;
            let retry_after = wire::retry_after(response.headers());
            let body = wire::read(&mut response, LARGEST_BODY).await;
            Ok(Answer { status: response.status().as_u16(), retry_after, body })
        })
        .await
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        self.send(request).await.map_err(|error| {
            let never = error.is_builder();
            let reason = format!("no answer from SignalWire: {}", wire::describe(error));
            if never { Failure::never(reason) } else { Failure::later(ASK_AGAIN, reason) }
        })
    }
}

impl Answer {
    /// The carrier's error code, unless the answer is a success.
    fn code(&self) -> Option<i64> {
        if self.status < 400 { None } else { CarrierError::read(self.body.as_deref().unwrap_or_default()).code }
    }

    fn call(&self) -> Result<CallRecord, Failure> {
        CallRecord::from_json(&self.json()?)
            .ok_or_else(|| Failure::later(ASK_AGAIN, "SignalWire answered without a call"))
    }

    fn json(&self) -> Result<Value, Failure> {
        let body = self.body.as_deref().unwrap_or_default();
        if (200..300).contains(&self.status) {
            return serde_json::from_slice(body)
                .map_err(|_| Failure::later(ASK_AGAIN, "SignalWire's answer is not JSON, or broke off"));
        }
        let error = CarrierError::read(body);
        let code = error.code.map_or(String::new(), |code| format!(", error {code}"));
        let said = error.message.as_deref().map_or(String::new(), |message| format!(": {}", masked(message)));
        let reason = format!("SignalWire answered HTTP {}{code}{said}", self.status);
        Err(match self.status {
            300..=399 | 401..=404 => Failure::later(ASK_AGAIN_AFTER_MENDING, reason),
            408 | 409 | 425 | 429 | 500.. => Failure::later(self.retry_after.unwrap_or(ASK_AGAIN), reason),
            _ => Failure::never(reason),
        })
    }
}

// Written out, because the HTTP client would print its headers.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("space", &self.space)
            .field("project_id", &self.project_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

//! Asking ElevenLabs to dial through its SIP trunk: what is sent, and what its answer means.
//!
//! The endpoint is not idempotent, and answers only when the callee does (27 to 90 s were measured). So the only question
//! that matters about an answer is whether a telephone may have rung because of it. See [`OutboundAnswer`].

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::client::{BadBaseUrl, base};
use super::loose;
use crate::call::InitiationFailure;
use crate::crash::{Effect, around};
use crate::phone::PhoneNumber;
use crate::signalwire::reason::masked;
use crate::signalwire::wire;

/// How long past the time that it may ring an answer is waited for.
pub const ANSWER_TAKES: Duration = Duration::from_secs(90);

/// Before the connection stands no byte of the question is sent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Nothing is sent while it rings, and a NAT gateway forgets a connection that is silent for 350 s.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A question that was turned away at the door is turned away at once. An answer that took longer may be that of a dial.
const TURNED_AWAY_WITHIN: Duration = Duration::from_secs(10);

const LARGEST_BODY: usize = 256 * 1024;

/// Asks ElevenLabs to dial.
#[derive(Clone)]
pub struct Trunk {
    http: reqwest::Client,
    url: Url,
    api_key: SecretString,
}

/// A call to ask for.
#[derive(Debug, Clone)]
pub struct OutboundCall<'a> {
    /// ElevenLabs' id of the agent.
    pub agent_id: &'a str,
    /// ElevenLabs' id of the number to dial from.
    pub phone_number_id: &'a str,
    /// Whom to call.
    pub to: &'a PhoneNumber,
    /// Our id of the call. It comes back as the variable `call_id` and as the user id, and both can be searched for.
    pub call_id: &'a str,
    /// Its campaign.
    pub campaign_id: Option<&'a str>,
    /// Variables for the agent, a JSON object.
    pub variables: &'a Value,
    /// Seconds that it may ring.
    pub ring_timeout_secs: u32,
}

impl OutboundCall<'_> {
    /// What is sent.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut variables = self.variables.as_object().cloned().unwrap_or_else(Map::new);
        variables.insert("call_id".to_owned(), self.call_id.into());
        variables.insert("campaign_id".to_owned(), self.campaign_id.unwrap_or_default().into());
        json!({
            "agent_id": self.agent_id,
            "agent_phone_number_id": self.phone_number_id,
            "to_number": self.to.as_str(),
            "conversation_initiation_client_data": { "dynamic_variables": variables, "user_id": self.call_id },
            "telephony_call_config": { "ringing_timeout_secs": self.ring_timeout_secs.clamp(1, 999) },
        })
    }
}

/// What became of asking for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboundAnswer {
    /// It was answered, and the agent is on the line.
    Answered {
        /// The vendor's conversation, if it told.
        conversation_id: Option<String>,
        /// The vendor's id of the telephone call, if it told.
        sip_call_id: Option<String>,
    },
    /// It came to nothing (`success: false`): a telephone may have rung, and rings no more.
    CameToNothing {
        /// The vendor's conversation, if it told.
        conversation_id: Option<String>,
        /// The vendor's id of the telephone call, if it told.
        sip_call_id: Option<String>,
        /// Why, as far as the vendor's free text tells.
        failure: InitiationFailure,
        /// SIP status, as far as the vendor's free text tells.
        sip_code: Option<u16>,
        /// The vendor's words, for the log.
        reason: String,
    },
    /// The vendor said no: nothing rang, and asking again would get the same answer.
    Refused {
        /// Because of the called number.
        bad_number: bool,
        /// Why, for a person.
        reason: String,
    },
    /// Nothing rang, certainly, and asking again may help.
    Again {
        /// How long the vendor wants us to wait.
        retry_after: Option<Duration>,
        /// Why, for the log.
        reason: String,
    },
    /// It may be ringing, or have rung. Never asked again: settled by looking.
    Unknown {
        /// Why, for the log.
        reason: String,
    },
}

impl Trunk {
    /// A client with an HTTP client of its own: one new connection a question, no redirects, no retries, no proxy, for the
    /// reasons that are given at [`signalwire::client::Client::new`](crate::signalwire::client::Client::new).
    ///
    /// # Errors
    /// When `base_url` is not an address to which a key may be sent.
    pub fn new(base_url: &str, api_key: SecretString) -> Result<Self, NoTrunk> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(KEEPALIVE)
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .user_agent(concat!("11Wire/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let mut url = base(base_url)?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["v1", "convai", "sip-trunk", "outbound-call"]);
        }
        Ok(Self { http, url, api_key })
    }

    /// Asks for a call, once, and waits for its answer for `patience` at most.
    pub async fn call(&self, call: &OutboundCall<'_>, patience: Duration) -> OutboundAnswer {
        let request = self.http.post(self.url.clone()).header("xi-api-key", self.api_key.expose_secret());
        let request = request.timeout(patience).json(&call.body());
        let asked = tokio::time::Instant::now();
        let answer = around(Effect::Http, async {
            let mut response = request.send().await?;
            let retry_after = wire::retry_after(response.headers());
            let body = wire::read(&mut response, LARGEST_BODY).await;
            Ok((response.status().as_u16(), retry_after, body))
        });
        match answer.await {
            Ok((status, retry_after, body)) => judge(status, retry_after, &body.unwrap_or_default(), asked.elapsed()),
            Err(error) => no_answer(error),
        }
    }
}

fn no_answer(error: reqwest::Error) -> OutboundAnswer {
    let (unconnected, unsent) = (error.is_connect(), error.is_builder());
    let reason = wire::describe(error);
    if unconnected {
        OutboundAnswer::Again { retry_after: None, reason: format!("no connection to ElevenLabs: {reason}") }
    } else if unsent {
        OutboundAnswer::Refused { bad_number: false, reason: format!("the question could not be put: {reason}") }
    } else {
        OutboundAnswer::Unknown { reason: format!("no answer from ElevenLabs: {reason}") }
    }
}

/// What an answer of the vendor's means. `body` is empty when it was lost: then the status line speaks alone; `after` is how
/// long it took.
///
/// * 2xx with `success: true`: answered. With `success: false`: came to nothing. Without either: something happened, nobody
///   knows what.
/// * 429, and 503 with the vendor's own JSON error: turned away at the door, will be let in later. Only if it came at once
///   and does not speak of SIP: the vendor's SIP service reports a failed dial with just these two codes ("unavailable",
///   "resource exhausted"), and then a telephone has rung. A bare 503 may come from a proxy that lost the answer.
/// * 400, 401, 402, 403, 404, 405, 413, 415, 422: what is checked before anything is done, the request's form, the key, the
///   credit, the agent's and the number's ids. With the same two conditions.
/// * 408, 409, 425, 499: unknown. They come from the middle of a connection, or speak of a state that may be our own call.
///   So are the other 4xx (424 "failed dependency" can be a trunk that failed while it dialled): none of them is documented.
/// * All else (redirects, 500, 502, 504): unknown.
#[must_use]
pub fn judge(status: u16, retry_after: Option<Duration>, body: &[u8], after: Duration) -> OutboundAnswer {
    let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
    if (200..300).contains(&status) {
        return outcome(status, &body);
    }
    let error = ApiError::read(&body);
    let reason = error.sentence(status);
    let at_the_door = after <= TURNED_AWAY_WITHIN && !error.speaks_of_sip;
    match status {
        429 if at_the_door => OutboundAnswer::Again { retry_after, reason },
        503 if at_the_door && error.is_the_vendors_own => OutboundAnswer::Again { retry_after, reason },
        400..=405 | 413 | 415 | 422 if at_the_door => {
            OutboundAnswer::Refused { bad_number: error.of_the_number, reason }
        }
        _ => OutboundAnswer::Unknown { reason: format!("{reason}, which does not say whether it dialled") },
    }
}

fn outcome(status: u16, body: &Value) -> OutboundAnswer {
    let id = |name: &str| loose::text(&body[name]);
    let (conversation_id, sip_call_id) = (id("conversation_id"), id("sip_call_id"));
    match loose::flag(&body["success"]) {
        Some(true) => OutboundAnswer::Answered { conversation_id, sip_call_id },
        Some(false) => {
            let message = id("message").unwrap_or_default();
            let (failure, sip_code) = cause(&message);
            let reason = format!("ElevenLabs dialled in vain: {}", masked(&message));
            OutboundAnswer::CameToNothing { conversation_id, sip_call_id, failure, sip_code, reason }
        }
        None => {
            let reason = format!("ElevenLabs answered HTTP {status} without saying whether the call succeeded");
            OutboundAnswer::Unknown { reason }
        }
    }
}

/// Why a dial came to nothing, as far as the free text tells: a SIP status ("INVITE failed: sip status: 486: Busy here"), or
/// a word.
pub(crate) fn cause(message: &str) -> (InitiationFailure, Option<u16>) {
    let text = message.to_ascii_lowercase();
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() == 3);
    let mut codes = numbers.filter_map(|digits| digits.parse::<u16>().ok()).filter(|code| (300..700).contains(code));
    let sip_code = codes.next().filter(|_| text.contains("sip"));
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let failure = match sip_code {
        Some(486 | 600) => InitiationFailure::Busy,
        Some(408 | 480 | 487) => InitiationFailure::NoAnswer,
        None if says(&["busy"]) && !says(&["system"]) => InitiationFailure::Busy,
        None if says(&["no answer", "no-answer", "not answer", "unanswered"]) => InitiationFailure::NoAnswer,
        _ => InitiationFailure::Other,
    };
    (failure, sip_code)
}

fn speaks_of_sip(lowercase: &str) -> bool {
    ["sip status", "sip_status", "invite failed", "twirp"].iter().any(|words| lowercase.contains(words))
}

/// An error of the API, in any of its shapes.
#[derive(Default)]
struct ApiError {
    code: Option<String>,
    message: Option<String>,
    /// It has a code of the vendor's, in the vendor's own shape.
    is_the_vendors_own: bool,
    speaks_of_sip: bool,
    /// It names the field of the called number.
    of_the_number: bool,
}

impl ApiError {
    fn read(body: &Value) -> Self {
        let detail = match &body["detail"] {
            Value::Array(details) => details.first().unwrap_or(&Value::Null),
            detail => detail,
        };
        let code = loose::first_text(detail, &["code", "status", "type"]);
        let field = |value: &Value| value.as_str() == Some("to_number");
        Self {
            is_the_vendors_own: body["detail"].is_object() && code.is_some(),
            speaks_of_sip: speaks_of_sip(&body.to_string().to_ascii_lowercase()),
            of_the_number: field(&detail["param"]) || detail["loc"].as_array().is_some_and(|at| at.iter().any(field)),
            message: loose::first_text(detail, &["message", "msg"]).or_else(|| loose::text(detail)),
            code,
        }
    }

    fn sentence(&self, status: u16) -> String {
        let part = |text: &Option<String>| text.as_ref().map_or(String::new(), |text| format!(": {}", masked(text)));
        format!("ElevenLabs answered HTTP {status}{}{}", part(&self.code), part(&self.message))
    }
}

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum NoTrunk {
    /// The API's address is not one.
    #[error("{0}")]
    Address(#[from] BadBaseUrl),
    /// The TLS library cannot start.
    #[error("{0}")]
    Http(#[from] reqwest::Error),
}

// Written out, because the HTTP client would print its headers.
impl fmt::Debug for Trunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trunk").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

//! Asking SignalWire for a call: what is sent, and what its answer means.
//!
//! The Calls API is not idempotent, so that the only question that matters about an answer is whether a telephone may
//! be ringing because of it. See [`CreateAnswer`].

use std::time::Duration;

use super::callback::CallStatus;
use super::reason::{Class, RefusalReason, class, masked, refusal};
use super::record::{CallRecord, CarrierError};
use crate::phone::PhoneNumber;

/// How the carrier asks for our addresses.
const DOCUMENT_METHOD: &str = "POST";

/// A call to ask for. All addresses are ours and are requested by POST.
#[derive(Debug, Clone)]
pub struct CreateCall<'a> {
    /// Whom to call.
    pub to: &'a PhoneNumber,
    /// Caller id.
    pub from: &'a PhoneNumber,
    /// What to do once it is answered.
    pub url: &'a str,
    /// What to do when `url` cannot be fetched.
    pub fallback_url: &'a str,
    /// Who is told of `initiated`, `ringing` and the end. (Not of `answered`: that callback would compete with the voice
    /// request for the warm instance.)
    pub status_callback: &'a str,
    /// Who is told the result of answering machine detection; `None` switches detection off. It runs beside the call,
    /// so that a person hears the agent at once.
    pub amd_callback: Option<&'a str>,
    /// Seconds that it may ring (1 to 600).
    pub timeout_secs: u32,
}

impl CreateCall<'_> {
    /// The form that is sent.
    #[must_use]
    pub fn form(&self) -> Vec<(&'static str, String)> {
        let mut form = vec![
            ("To", self.to.as_str().to_owned()),
            ("From", self.from.as_str().to_owned()),
            ("Url", self.url.to_owned()),
            ("Method", DOCUMENT_METHOD.to_owned()),
            ("FallbackUrl", self.fallback_url.to_owned()),
            ("FallbackMethod", DOCUMENT_METHOD.to_owned()),
            ("StatusCallback", self.status_callback.to_owned()),
            ("StatusCallbackMethod", DOCUMENT_METHOD.to_owned()),
            ("StatusCallbackEvent", "initiated".to_owned()),
            ("StatusCallbackEvent", "ringing".to_owned()),
            ("StatusCallbackEvent", "completed".to_owned()),
            ("Timeout", self.timeout_secs.clamp(1, 600).to_string()),
        ];
        if let Some(callback) = self.amd_callback {
            form.extend([
                ("MachineDetection", "Enable".to_owned()),
                ("AsyncAmd", "true".to_owned()),
                ("AsyncAmdStatusCallback", callback.to_owned()),
                ("AsyncAmdStatusCallbackMethod", DOCUMENT_METHOD.to_owned()),
            ]);
        }
        form
    }
}

/// What became of asking for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateAnswer {
    /// The carrier took it.
    Placed {
        /// The carrier's id.
        sid: String,
        /// Its status, usually `queued`.
        status: CallStatus,
    },
    /// The carrier said no: nothing rings, and asking again would get the same answer.
    Refused {
        /// The carrier's error code.
        code: Option<i64>,
        /// HTTP status; `None` when the request could not even be made.
        http_status: Option<u16>,
        /// Why, for a person.
        reason: RefusalReason,
    },
    /// Nothing rings, certainly, and asking again may help.
    Again {
        /// How long the carrier wants us to wait.
        retry_after: Option<Duration>,
        /// Why, for the log.
        reason: String,
    },
    /// It may be ringing. Never asked again: settled by looking.
    Unknown {
        /// Why, for the log.
        reason: String,
    },
}

/// What an answer of the carrier means. `body` is empty when it was lost: then the status line speaks alone.
///
/// * 2xx with a call in it: placed. 2xx without: something was taken, nobody knows what.
/// * 429, or one of the two throttling codes: not taken, will be later.
/// * 503 with a code of the carrier's own: not taken. A bare 503 may come from a proxy that lost the answer.
/// * Codes 20001, 20504 and 31003, under any other status: unknown. They report a failure *inside* the carrier ("internal
///   error", "connection timeout") and say nothing about whether the call had been handed on by then. Waiting for the
///   sweep costs minutes, a wrong guess rings somebody twice.
/// * 408, 409, 425, 499: unknown. They come from the middle of a connection or speak of a state that may be our own
///   call. Every other 4xx says that the request was not taken, with or without a body that can be read.
/// * All else (redirects, 500, 502, 504): unknown.
#[must_use]
pub fn judge(status: u16, retry_after: Option<Duration>, body: &[u8]) -> CreateAnswer {
    if (200..300).contains(&status) {
        let call = serde_json::from_slice(body).ok().and_then(|call| CallRecord::from_json(&call));
        return call.map_or_else(
            || unknown(status, "without a call in it"),
            |call| CreateAnswer::Placed { sid: call.sid, status: call.status },
        );
    }
    let error = CarrierError::read(body);
    let said = error.code.map(class);
    match (status, said) {
        (429, _) | (400..500, Some(Class::Throttled)) => again(status, retry_after, &error),
        (400..600, Some(Class::Transient)) => unknown(status, "with a failure of the carrier's own"),
        (503, _) if error.is_the_carriers_own() => again(status, retry_after, &error),
        (408 | 409 | 425 | 499, _) => unknown(status, "which does not say whether the call was taken"),
        (400..500, _) => CreateAnswer::Refused {
            code: error.code,
            http_status: Some(status),
            reason: refusal(error.code, Some(status), error.message.as_deref()),
        },
        _ => unknown(status, "which does not say whether the call was taken"),
    }
}

fn again(status: u16, retry_after: Option<Duration>, error: &CarrierError) -> CreateAnswer {
    let code = error.code.map_or(String::new(), |code| format!(", error {code}"));
    let said = error.message.as_deref().map_or(String::new(), |message| format!(": {}", masked(message)));
    CreateAnswer::Again { retry_after, reason: format!("SignalWire answered HTTP {status}{code}{said}") }
}

fn unknown(status: u16, what: &str) -> CreateAnswer {
    CreateAnswer::Unknown { reason: format!("SignalWire answered HTTP {status} {what}") }
}

#[cfg(test)]
mod tests;

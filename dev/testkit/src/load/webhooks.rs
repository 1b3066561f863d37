//! What is sent, as both vendors sign it.

use clap::ValueEnum;
use elevenwire::{elevenlabs, signalwire};
use jiff::Timestamp;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::Settings;
use super::calls::Call;

/// A turn of a conversation with its metrics is about this long.
const TURN: &str = "Thank you for asking. The appointment is on Tuesday at half past ten, in the practice on the second \
    floor; please bring the letter with you, and tell us by Monday noon if you would rather come on another day.";

/// A type of webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// The carrier's `completed`.
    Status,
    /// The agents' vendor's `post_call_transcription`.
    Transcription,
}

/// One webhook: of its kind there is one a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Webhook {
    pub kind: Kind,
    pub call: Call,
}

impl Webhook {
    /// Signed now.
    pub fn request(&self, http: &reqwest::Client, settings: &Settings) -> RequestBuilder {
        match self.kind {
            Kind::Status => self.status(http, settings),
            Kind::Transcription => self.transcription(http, settings),
        }
    }

    fn transcription(&self, http: &reqwest::Client, settings: &Settings) -> RequestBuilder {
        let now = Timestamp::now().as_second();
        let body = transcription(&self.call, now, settings.bytes).to_string();
        let signature = elevenlabs::signature::header(&settings.elevenlabs_secret, now, body.as_bytes());
        let request = http.post(format!("{}/api/webhooks/elevenlabs", settings.url));
        request.header("content-type", "application/json").header("elevenlabs-signature", signature).body(body)
    }

    fn status(&self, http: &reqwest::Client, settings: &Settings) -> RequestBuilder {
        let path = format!("/api/webhooks/signalwire/status/{}", self.call.id);
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("CallSid", &self.call.id.to_string()).append_pair("Direction", "outbound-api");
        form.append_pair("From", &self.call.from).append_pair("To", &self.call.to);
        form.append_pair("CallStatus", "completed").append_pair("CallbackSource", "call-progress-events");
        form.append_pair("CallDuration", "12").append_pair("SequenceNumber", "3").append_pair("SipResultCode", "200");
        let body = form.finish();
        let signed = format!("{}{path}", settings.public_url);
        let signature = signalwire::signature::sign_form(&settings.signalwire_secret, &signed, body.as_bytes());
        let request = http.post(format!("{}{path}", settings.url));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.header("x-signalwire-signature", signature).body(body)
    }
}

fn transcription(call: &Call, now: i64, bytes: usize) -> Value {
    let turn = |at: usize| {
        let role = if at.is_multiple_of(2) { "agent" } else { "user" };
        json!({ "role": role, "message": TURN, "time_in_call_secs": at })
    };
    let turns = (bytes / turn(0).to_string().len()).max(1);
    json!({ "type": "post_call_transcription", "event_timestamp": now, "data": {
        "agent_id": call.elevenlabs_agent_id, "conversation_id": call.conversation_id(), "status": "done",
        "transcript": (0..turns).map(turn).collect::<Vec<_>>(),
        "metadata": { "start_time_unix_secs": now - 12, "call_duration_secs": 12 },
        "analysis": { "call_successful": "success", "transcript_summary": "A test of the load." },
        "conversation_initiation_client_data": { "dynamic_variables": { "call_id": call.id } } } })
}

//! One signed webhook of each type, as both vendors would send it. `dev/send_webhook.py` sends the same before anything is
//! built.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use elevenwire::{elevenlabs, signalwire};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{Vendor, secrets, setting};
use crate::client::reason;
use crate::{Failure, Global, output, tell, write};

pub(super) const EXAMPLES: &str = "\
Examples:
  elevenwire webhook send                                     # to the local stack
  elevenwire webhook send --to https://… --type transcription
  elevenwire webhook send --forge                             # signed wrongly: each must be refused
  elevenwire webhook verify body.json --header 'ElevenLabs-Signature: t=…,v0=…'

Secrets come from ELEVENLABS_WEBHOOK_SECRET, ELEVENLABS_INITIATION_SECRET and SIGNALWIRE_SIGNING_SECRET, else from .local/env.
The transcription is stored. The types of SignalWire speak of a call that nobody knows, unless --call-id names one.";

const CALLER: &str = "+14155550199";
/// One MPEG-1 layer III frame of 32 kbit/s at 44.1 kHz with no sound in it: 26 ms each.
const SILENT_FRAME: [u8; 4] = [0xFF, 0xFB, 0x10, 0xC4];

/// Send one signed webhook of each type.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Send {
    /// What stands before /api/webhooks [default: `PUBLIC_BASE_URL`, else the local stack].
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Only this type; say it again for more.
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    types: Vec<Type>,
    /// Of which call [default: one that nobody knows].
    #[arg(long, value_name = "ID")]
    call_id: Option<String>,
    /// Of which conversation [default: one that nobody knows].
    #[arg(long, value_name = "ID")]
    conversation_id: Option<String>,
    /// Who was called.
    #[arg(long, default_value = "+14155550142")]
    number: String,
    /// Sign as of this time (RFC 3339) [default: now].
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Sign with a wrong secret: everything must be refused.
    #[arg(long)]
    forge: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Type {
    Transcription,
    Audio,
    InitiationFailure,
    Initiation,
    Voice,
    Status,
    Action,
}

struct Sender<'a> {
    it: &'a Send,
    url: String,
    call: String,
    conversation: String,
    now: Timestamp,
}

/// Path, body, and headers.
type Request = (String, Vec<u8>, Vec<(&'static str, String)>);

impl Send {
    pub(super) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let url = self.to.clone().or_else(|| setting("PUBLIC_BASE_URL"));
        let url = url.ok_or_else(|| Failure::Usage("no --to, no PUBLIC_BASE_URL and no .local/env".to_owned()))?;
        let now = self.at.unwrap_or_else(crate::now);
        let id = || elevenwire::store::intents::new_id(now, rand::random());
        let sender = Sender {
            it: self,
            url: url.trim_end_matches('/').to_owned(),
            call: self.call_id.clone().unwrap_or_else(|| id().to_string()),
            conversation: self.conversation_id.clone().unwrap_or_else(|| format!("conv_{}", id().simple())),
            now,
        };
        tell(&format!("{}\ncall {}, conversation {}", sender.url, sender.call, sender.conversation));
        let http = elevenwire::http::client(Duration::from_secs(35)).map_err(|e| Failure::Unreachable(reason(&e)))?;
        let types = if self.types.is_empty() { Type::value_variants() } else { &self.types };
        let mut refused = 0;
        for kind in types {
            refused += u32::from(!sender.send(&http, *kind, global).await?);
        }
        if refused == 0 { Ok(()) } else { Err(Failure::Found(format!("{refused} of {} were not taken", types.len()))) }
    }
}

impl Sender<'_> {
    /// Whether it was taken.
    async fn send(&self, http: &reqwest::Client, kind: Type, global: &Global) -> Result<bool, Failure> {
        let (path, body, headers) = self.request(kind)?;
        let mut request = http.post(format!("{}{path}", self.url)).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let begun = Instant::now();
        let gone = |error: reqwest::Error| {
            Failure::Unreachable(format!("{} does not answer: {}", self.url, reason(&error.without_url())))
        };
        let answer = request.send().await.map_err(gone)?;
        let (status, millis) = (answer.status().as_u16(), begun.elapsed().as_millis());
        let said: String = answer.text().await.map_err(gone)?.trim().chars().take(300).collect();
        let name = kind.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        if global.json {
            output::line(
                &json!({ "type": name, "status": status, "millis": u64::try_from(millis).unwrap_or(0), "body": said }),
            )?;
        } else {
            write(&format!("{name:20} {status}  {millis:6} ms  {}\n", output::shown(&said)))?;
        }
        Ok(status < 300)
    }

    fn request(&self, kind: Type) -> Result<Request, Failure> {
        match kind {
            Type::Transcription => self.elevenlabs("post_call_transcription", self.transcription()),
            Type::Audio => {
                let frame = [SILENT_FRAME.as_slice(), &[0; 100]].concat();
                self.elevenlabs("post_call_audio", json!({ "full_audio": STANDARD.encode(frame.repeat(40)) }))
            }
            Type::InitiationFailure => self.elevenlabs("call_initiation_failure", self.failure()),
            Type::Initiation => self.initiation(),
            Type::Voice => self.signalwire("voice", &[("CallStatus", "in-progress")]),
            Type::Status => self.signalwire(
                "status",
                &[
                    ("CallStatus", "completed"),
                    ("CallbackSource", "call-progress-events"),
                    ("CallDuration", "12"),
                    ("SequenceNumber", "3"),
                    ("SipResultCode", "200"),
                ],
            ),
            Type::Action => self.signalwire(
                "action",
                &[
                    ("CallStatus", "in-progress"),
                    ("DialCallSid", "00000000-0000-4000-8000-000000000002"),
                    ("DialCallStatus", "completed"),
                    ("DialCallDuration", "10"),
                    ("DialSipResponseCode", "200"),
                ],
            ),
        }
    }

    /// The current secret is the first of the list.
    fn secret(&self, name: &str) -> Result<SecretString, Failure> {
        if self.it.forge {
            return Ok("forged".into());
        }
        secrets(name).into_iter().next().ok_or_else(|| Failure::Usage(format!("no secret: set {name}")))
    }

    fn elevenlabs(&self, event: &str, mut data: Value) -> Result<Request, Failure> {
        let time = self.now.as_second();
        data["agent_id"] = "agent_send_webhook".into();
        data["conversation_id"] = self.conversation.as_str().into();
        let body = json!({ "type": event, "event_timestamp": time, "data": data }).to_string().into_bytes();
        let signature = elevenlabs::signature::header(&self.secret(Vendor::Elevenlabs.variable())?, time, &body);
        let headers = vec![("content-type", "application/json".to_owned()), ("elevenlabs-signature", signature)];
        Ok(("/api/webhooks/elevenlabs".to_owned(), body, headers))
    }

    fn transcription(&self) -> Value {
        let phone = json!({ "type": "sip_trunking", "direction": "outbound", "external_number": self.it.number,
            "agent_number": CALLER });
        json!({ "status": "done", "has_audio": true,
            "transcript": [
                { "role": "agent", "message": "Hello, this is a test of the webhook.", "time_in_call_secs": 0 },
                { "role": "user", "message": "Good, I can hear you – thanks!", "time_in_call_secs": 3 }],
            "metadata": { "start_time_unix_secs": self.now.as_second() - 12, "call_duration_secs": 12, "phone_call": phone },
            "analysis": { "call_successful": "success", "transcript_summary": "A test of the webhook." },
            "conversation_initiation_client_data": { "dynamic_variables": { "call_id": self.call } } })
    }

    fn failure(&self) -> Value {
        json!({ "failure_reason": "busy", "metadata": { "type": "sip", "body": { "from_number": CALLER,
            "to_number": self.it.number, "sip_status_code": 486, "error_reason": "Busy Here", "call_sid": self.call } } })
    }

    fn initiation(&self) -> Result<Request, Failure> {
        let body = json!({ "caller_id": CALLER, "called_number": self.it.number, "agent_id": "agent_send_webhook",
            "conversation_id": self.conversation, "sip_headers": { "X-Elevenwire-Call": self.call } });
        let secret = self.secret("ELEVENLABS_INITIATION_SECRET")?.expose_secret().to_owned();
        let headers = vec![("content-type", "application/json".to_owned()), ("x-elevenwire-secret", secret)];
        Ok(("/api/webhooks/elevenlabs/initiation".to_owned(), body.to_string().into_bytes(), headers))
    }

    fn signalwire(&self, kind: &str, fields: &[(&str, &str)]) -> Result<Request, Failure> {
        let path = format!("/api/webhooks/signalwire/{kind}/{}", self.call);
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("AccountSid", "00000000-0000-4000-8000-000000000000").append_pair("ApiVersion", "2010-04-01");
        form.append_pair("CallSid", "00000000-0000-4000-8000-000000000001").append_pair("Direction", "outbound-api");
        form.append_pair("From", CALLER).append_pair("To", &self.it.number).extend_pairs(fields);
        let body = form.finish().into_bytes();
        let key = self.secret(Vendor::Signalwire.variable())?;
        let signature = signalwire::signature::sign_form(&key, &format!("{}{path}", self.url), &body);
        let kind = "application/x-www-form-urlencoded".to_owned();
        Ok((path, body, vec![("content-type", kind), ("x-signalwire-signature", signature)]))
    }
}

//! The envelope of a post-call webhook, read without building what it holds: an audio event is megabytes of base64.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;

use super::loose;
use super::text::mend;

/// What stands on the envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostCall {
    /// What kind of event it is.
    pub kind: Kind,
    /// Unix seconds.
    pub event_timestamp: Option<i64>,
    /// The vendor's id of the conversation.
    pub conversation_id: Option<String>,
    /// The vendor's id of the agent.
    pub agent_id: Option<String>,
    /// Our id of the call: only the guide's flat shape has it here.
    pub call_id: Option<String>,
    /// Whether the flat shape holds a conversation; it may hold a recording alone.
    pub has_conversation: bool,
}

/// Kinds of post-call events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `post_call_transcription`.
    Transcription,
    /// `post_call_transcription_otel`: the transcript as spans; to be fetched as JSON.
    TranscriptionOtel,
    /// `post_call_audio`.
    Audio,
    /// `call_initiation_failure`.
    InitiationFailure,
    /// The integration guide's shape: `call_id`, `conversation.messages`, `metadata.*`, `audio`, and no `data`.
    Flat,
    /// Anything else, by its name; empty when it has none.
    Other(String),
}

/// The body is not a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a JSON object")]
pub struct NotAnObject;

/// A recording that was pushed.
#[derive(Clone, PartialEq, Eq)]
pub struct AudioPush {
    /// The vendor's id of the conversation; in the flat shape, ours of the call where it has none.
    pub conversation_id: Option<String>,
    /// The vendor's id of the agent.
    pub agent_id: Option<String>,
    /// The recording: MP3.
    pub bytes: Vec<u8>,
}

/// Why a body holds no recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAudio {
    /// Not a JSON object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// No audio, or an empty one.
    #[error("the body holds no audio")]
    Missing,
    /// Audio that is not base64.
    #[error("the audio is not base64")]
    NotBase64,
}

type Shallow<'a> = BTreeMap<String, &'a RawValue>;

impl PostCall {
    /// Reads the envelope of a body. What is in it may be of any shape.
    ///
    /// # Errors
    /// When the body is not a JSON object.
    pub fn peek(body: &[u8]) -> Result<Self, NotAnObject> {
        let text = mend(body);
        let top = shallow(&text.json).ok_or(NotAnObject)?;
        let data = top.get("data").and_then(|data| shallow(data.get()));
        let has = |name: &str| top.contains_key(name);
        let is_flat = data.is_none() && (has("conversation") || has("audio") || has("call_id") && !has("type"));
        let (kind, ids) = if is_flat {
            (Kind::Flat, flat_ids(&top))
        } else {
            (Kind::named(field(&top, "type")), data.unwrap_or_default())
        };
        Ok(Self {
            kind,
            event_timestamp: top
                .get("event_timestamp")
                .and_then(|raw| small(raw))
                .as_ref()
                .and_then(loose::moment)
                .map(Timestamp::as_second),
            conversation_id: field(&ids, "conversation_id"),
            agent_id: field(&ids, "agent_id"),
            call_id: if is_flat { field(&top, "call_id") } else { None },
            has_conversation: has("conversation"),
        })
    }
}

impl Kind {
    fn named(name: Option<String>) -> Self {
        match name.as_deref() {
            Some("post_call_transcription") => Self::Transcription,
            Some("post_call_transcription_otel") => Self::TranscriptionOtel,
            Some("post_call_audio") => Self::Audio,
            Some("call_initiation_failure") => Self::InitiationFailure,
            _ => Self::Other(name.unwrap_or_default()),
        }
    }

    /// A name for it that may stand in a path and in a log.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Transcription => "post_call_transcription",
            Self::TranscriptionOtel => "post_call_transcription_otel",
            Self::Audio => "post_call_audio",
            Self::InitiationFailure => "call_initiation_failure",
            Self::Flat => "flat",
            Self::Other(name) => safe_id(name).unwrap_or("other"),
        }
    }
}

/// Reads a pushed recording, of an audio event or of the flat shape. It is decoded once.
///
/// # Errors
/// When the body holds none.
pub fn audio(body: &[u8]) -> Result<AudioPush, NoAudio> {
    let text = mend(body);
    let top = shallow(&text.json).ok_or(NoAudio::NotAnObject)?;
    let data = top.get("data").and_then(|data| shallow(data.get()));
    let (ids, audio) = match &data {
        Some(data) => (data.clone(), data.get("full_audio").or_else(|| data.get("audio"))),
        None => (flat_ids(&top), top.get("audio").or_else(|| top.get("full_audio"))),
    };
    let audio: String = audio.and_then(|raw| serde_json::from_str(raw.get()).ok()).ok_or(NoAudio::Missing)?;
    let bytes = decode(&audio).ok_or(NoAudio::NotBase64)?;
    if bytes.is_empty() {
        return Err(NoAudio::Missing);
    }
    let conversation_id =
        field(&ids, "conversation_id").or_else(|| if data.is_none() { field(&top, "call_id") } else { None });
    Ok(AudioPush { conversation_id, agent_id: field(&ids, "agent_id"), bytes })
}

// Written out, because nobody wants to read a recording.
impl fmt::Debug for AudioPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudioPush")
            .field("conversation_id", &self.conversation_id)
            .field("agent_id", &self.agent_id)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// The text, if it may become part of a path: 1 to 128 letters, digits, `_` and `-`.
#[must_use]
pub fn safe_id(text: &str) -> Option<&str> {
    let safe =
        (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    safe.then_some(text)
}

fn shallow(json: &str) -> Option<Shallow<'_>> {
    serde_json::from_str(json).ok()
}

/// In the flat shape the ids stand on top, in `metadata` or in `conversation`; the first that has one counts.
fn flat_ids<'a>(top: &Shallow<'a>) -> Shallow<'a> {
    let mut ids = top.clone();
    for inner in ["metadata", "conversation"] {
        for (name, raw) in top.get(inner).and_then(|raw| shallow(raw.get())).unwrap_or_default() {
            let name = if inner == "conversation" && name == "id" { "conversation_id".to_owned() } else { name };
            ids.entry(name).or_insert(raw);
        }
    }
    ids
}

fn field(object: &Shallow<'_>, name: &str) -> Option<String> {
    small(object.get(name)?).as_ref().and_then(loose::text)
}

/// A value that is small enough to be an id, a time or a name.
fn small(raw: &RawValue) -> Option<Value> {
    if raw.get().len() > 1024 { None } else { serde_json::from_str(raw.get()).ok() }
}

const TOLERANT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, TOLERANT);

/// Base64 in either alphabet, with or without padding, white space or a `data:` prefix.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let text = if text.starts_with("data:") { text.split_once(',')?.1 } else { text };
    STANDARD.decode(text).ok().or_else(|| {
        let plain = text.bytes().filter(|b| !b.is_ascii_whitespace()).map(|b| match b {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        });
        STANDARD.decode(plain.collect::<Vec<u8>>()).ok()
    })
}

#[cfg(test)]
mod tests;

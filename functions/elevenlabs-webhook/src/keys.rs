//! Where things lie in the bucket. Deterministic: no clock but the event's own, no chance.

use elevenwire::elevenlabs::events::{PostCall, safe_id};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `raw/{type}/{yyyy}/{mm}/{dd}/{conversation_id}-{digest}.json`, dated by the event itself, so that a retry on the next
/// day finds the same key. An event without a time is dated by its arrival. An id that is no safe part of a path is left
/// out: the digest is enough.
pub fn raw(event: &PostCall, digest: &str, now: Timestamp) -> String {
    let time = event.event_timestamp.and_then(|second| Timestamp::from_second(second).ok()).unwrap_or(now);
    let day = time.to_zoned(TimeZone::UTC).strftime("%Y/%m/%d");
    let id = event.conversation_id.as_deref().or(event.call_id.as_deref()).and_then(safe_id).unwrap_or("none");
    format!("raw/{}/{day}/{id}-{digest}.json", event.kind.as_str())
}

/// `recordings/{conversation_id}/{sha256}.mp3`; the id was checked before.
pub fn recording(conversation_id: &str, sha256: &str) -> String {
    format!("recordings/{conversation_id}/{sha256}.mp3")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(body: &str) -> String {
        raw(&PostCall::peek(body.as_bytes()).unwrap(), "d1", Timestamp::from_second(0).unwrap())
    }

    #[test]
    fn a_key_is_dated_by_its_event() {
        let body =
            r#"{"type":"post_call_transcription","event_timestamp":1739537297,"data":{"conversation_id":"conv_1"}}"#;
        assert_eq!(key(body), "raw/post_call_transcription/2025/02/14/conv_1-d1.json");
    }

    #[test]
    fn an_id_never_becomes_a_path_unchecked() {
        let body = r#"{"type":"post_call_transcription","data":{"conversation_id":"../../x"}}"#;
        assert_eq!(key(body), "raw/post_call_transcription/1970/01/01/none-d1.json");
        let odd = key(r#"{"type":"../../etc/passwd","data":{}}"#);
        assert!(odd.starts_with("raw/") && !odd.contains(".."), "{odd}");
    }
}

//! The documents that SignalWire's voice requests are answered with. Every value is escaped for where it stands: XML for
//! the document, percent for the SIP address.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The largest document that the carrier reads, in bytes.
pub const MAX_BYTES: usize = 64 * 1000;

/// In a header value within a SIP address: unreserved characters stay.
const HEADER_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// In the user part of a SIP address: a number's `+` stays too.
const SIP_USER: &AsciiSet = &HEADER_VALUE.remove(b'+');
/// In a SIP host: a port and an IPv6 address stay.
const SIP_HOST: &AsciiSet = &HEADER_VALUE.remove(b':').remove(b'[').remove(b']');

/// How an answered call is connected to its agent.
#[derive(Debug, Clone)]
pub struct Bridge<'a> {
    /// The number under which ElevenLabs knows the agent: the user of the SIP address.
    pub agent_number: &'a str,
    /// Host of the SIP address, with a port if it is not the default.
    pub sip_host: &'a str,
    /// Number that the agent's side sees as the caller.
    pub caller_id: &'a str,
    /// Seconds that the agent may take to answer (5 to 600).
    pub ring_timeout_secs: u32,
    /// Seconds after which the carrier ends the call (1 to 14,400).
    pub time_limit_secs: u32,
    /// Where the carrier tells what became of the agent's leg.
    pub action_url: &'a str,
    /// Headers of the INVITE, such as `X-CALL-ID`.
    pub headers: &'a [(&'a str, &'a str)],
}

/// Why a call cannot be bridged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unbridgeable {
    /// A header name that is not `X-` and letters, digits or dashes.
    #[error("{0:?} is not the name of a custom SIP header")]
    HeaderName(String),
    /// A control character in the address or in a header: it would end the header and start another.
    #[error("{0} holds a control character")]
    ControlCharacter(String),
    /// The agent's number or the host is empty.
    #[error("the agent's SIP address is incomplete")]
    NoAddress,
    /// The document would be larger than the carrier reads.
    #[error("the document is larger than the carrier reads")]
    TooLarge,
}

/// Connects the call to the agent.
///
/// # Errors
/// When a value cannot stand in a SIP address, or the document grows too large.
pub fn bridge(bridge: &Bridge<'_>) -> Result<String, Unbridgeable> {
    let document = format!(
        "<Dial callerId=\"{}\" timeout=\"{}\" timeLimit=\"{}\" action=\"{}\" method=\"POST\"><Sip>{}</Sip></Dial>",
        Xml(bridge.caller_id),
        bridge.ring_timeout_secs.clamp(5, 600),
        bridge.time_limit_secs.clamp(1, 14_400),
        Xml(bridge.action_url),
        Xml(&sip_address(bridge)?),
    );
    let document = response(&document);
    if document.len() < MAX_BYTES { Ok(document) } else { Err(Unbridgeable::TooLarge) }
}

/// Says a sentence and hangs up. What is longer than 4,000 characters is cut.
#[must_use]
pub fn apology(text: &str) -> String {
    let cut: String = text.chars().take(4_000).collect();
    response(&format!("<Say>{}</Say><Hangup/>", Xml(&cut)))
}

/// Hangs up.
#[must_use]
pub fn hangup() -> String {
    response("<Hangup/>")
}

fn response(verbs: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>{verbs}</Response>")
}

fn sip_address(bridge: &Bridge<'_>) -> Result<String, Unbridgeable> {
    let user = escaped("the agent's number", bridge.agent_number, SIP_USER)?;
    let host = escaped("the SIP host", bridge.sip_host, SIP_HOST)?;
    if user.is_empty() || host.is_empty() {
        return Err(Unbridgeable::NoAddress);
    }
    let mut address = format!("sip:{user}@{host};transport=tls");
    for (index, (name, value)) in bridge.headers.iter().enumerate() {
        if !is_header_name(name) {
            return Err(Unbridgeable::HeaderName((*name).to_owned()));
        }
        let separator = if index == 0 { '?' } else { '&' };
        // Writing to a `String` cannot fail.
        let _ = write!(address, "{separator}{name}={}", escaped(name, value, HEADER_VALUE)?);
    }
    Ok(address)
}

fn escaped(what: &str, value: &str, keep: &'static AsciiSet) -> Result<String, Unbridgeable> {
    if value.chars().any(char::is_control) {
        return Err(Unbridgeable::ControlCharacter(what.to_owned()));
    }
    Ok(utf8_percent_encode(value, keep).to_string())
}

fn is_header_name(name: &str) -> bool {
    name.strip_prefix("X-")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

/// A value escaped for XML text and attributes alike. White space is written as references, so that attribute
/// normalisation keeps it; what XML cannot hold becomes U+FFFD.
struct Xml<'a>(&'a str);

impl std::fmt::Display for Xml<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\t' | '\n' | '\r' => write!(f, "&#{};", u32::from(c))?,
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

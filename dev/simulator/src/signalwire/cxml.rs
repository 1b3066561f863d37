//! The cXML documents that the product answers, read as strictly as the vendor says it reads them.

use percent_encoding::percent_decode_str;
use roxmltree::{Document, Node};

/// Why a document is refused, as SignalWire's debugger code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub u32);

/// 11750: the document is over 64 kB.
pub const TOO_LARGE: Refused = Refused(11_750);
/// 12100: not well formed, or not a `<Response>` of known verbs.
pub const PARSE: Refused = Refused(12_100);
/// 12300: the content type is not XML.
pub const CONTENT_TYPE: Refused = Refused(12_300);
/// 13221 and relatives: an attribute or a noun of `<Dial>` is wrong.
pub const DIAL: Refused = Refused(13_221);

/// One instruction.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    Say(String),
    /// Seconds of silence.
    Pause(f64),
    Hangup,
    Reject,
    Redirect {
        url: String,
        get: bool,
    },
    Dial(Dial),
}

/// `<Dial>` with its SIP addresses.
#[derive(Debug, Clone, PartialEq)]
pub struct Dial {
    pub action: Option<String>,
    pub get: bool,
    /// Seconds of ringing.
    pub timeout: u32,
    /// Seconds of talk.
    pub time_limit: u32,
    pub caller_id: Option<String>,
    pub answer_on_bridge: bool,
    pub sips: Vec<Sip>,
}

/// A `<Sip>` noun.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sip {
    pub uri: String,
    pub user: String,
    pub host: String,
    pub transport: Option<String>,
    pub headers: Vec<(String, String)>,
    pub username: String,
    pub password: String,
}

/// Checks content type and size, then parses.
///
/// # Errors
/// The debugger code of what is wrong.
pub fn read(content_type: &str, body: &[u8]) -> Result<Vec<Verb>, Refused> {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(media.as_str(), "application/xml" | "text/xml") {
        return Err(CONTENT_TYPE);
    }
    if body.len() > 64 * 1024 {
        return Err(TOO_LARGE);
    }
    parse(std::str::from_utf8(body).map_err(|_| PARSE)?)
}

/// Parses a document.
///
/// # Errors
/// [`PARSE`] or [`DIAL`].
pub fn parse(text: &str) -> Result<Vec<Verb>, Refused> {
    if text.starts_with(char::is_whitespace) {
        return Err(PARSE);
    }
    let document = Document::parse(text).map_err(|_| PARSE)?;
    let root = document.root_element();
    if root.tag_name().name() != "Response" || stray_text(root) {
        return Err(PARSE);
    }
    root.children().filter(Node::is_element).map(verb).collect()
}

fn verb(node: Node<'_, '_>) -> Result<Verb, Refused> {
    let text = || node.text().unwrap_or_default().trim().to_owned();
    match node.tag_name().name() {
        "Say" => Ok(Verb::Say(text())),
        "Pause" => Ok(Verb::Pause(f64::from(number(node, "length", 1, 0..=3600)?))),
        "Hangup" => Ok(Verb::Hangup),
        "Reject" => Ok(Verb::Reject),
        "Redirect" => Ok(Verb::Redirect { url: text(), get: method(node, "method")? }),
        "Dial" => dial(node).map(Verb::Dial),
        _ => Err(PARSE),
    }
}

fn dial(node: Node<'_, '_>) -> Result<Dial, Refused> {
    const KNOWN: [&str; 17] = [
        "action",
        "method",
        "answerOnBridge",
        "callerId",
        "callerName",
        "hangupOnStar",
        "timeLimit",
        "timeout",
        "record",
        "recordingStatusCallback",
        "recordingStatusCallbackEvent",
        "recordingStatusCallbackMethod",
        "recordingStorageUrl",
        "recordingStorageUrlMethod",
        "recordingTrack",
        "ringTone",
        "trim",
    ];
    if stray_text(node) || node.attributes().any(|a| !KNOWN.contains(&a.name())) {
        return Err(DIAL);
    }
    let sips: Vec<Sip> = node.children().filter(Node::is_element).map(sip).collect::<Result<_, _>>()?;
    if sips.is_empty() || sips.len() > 10 {
        return Err(DIAL);
    }
    Ok(Dial {
        action: node.attribute("action").filter(|a| !a.is_empty()).map(str::to_owned),
        get: method(node, "method")?,
        timeout: number(node, "timeout", 30, 5..=600)?,
        time_limit: number(node, "timeLimit", 14_400, 1..=14_400)?,
        caller_id: node.attribute("callerId").map(str::to_owned),
        answer_on_bridge: node.attribute("answerOnBridge") == Some("true"),
        sips,
    })
}

fn sip(node: Node<'_, '_>) -> Result<Sip, Refused> {
    if node.tag_name().name() != "Sip" || node.children().any(|c| c.is_element()) {
        return Err(DIAL);
    }
    let uri = node.text().unwrap_or_default().trim();
    let mut sip = sip_uri(uri).ok_or(DIAL)?;
    node.attribute("username").unwrap_or_default().clone_into(&mut sip.username);
    node.attribute("password").unwrap_or_default().clone_into(&mut sip.password);
    Ok(sip)
}

/// Reads `sip:user@host:port;transport=tls?X-Name=value&…`; header names and values are percent-decoded.
#[must_use]
pub fn sip_uri(uri: &str) -> Option<Sip> {
    let rest = uri.strip_prefix("sip:").or_else(|| uri.strip_prefix("sips:"))?;
    if uri.contains(char::is_whitespace) || uri.contains(['<', '>', '"']) {
        return None;
    }
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (address, parameters) = address.split_once(';').unwrap_or((address, ""));
    let (user, host) = address.rsplit_once('@')?;
    if user.is_empty() || host.is_empty() {
        return None;
    }
    let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
    let transport = parameters.split(';').find_map(|p| p.strip_prefix("transport=")).map(str::to_owned);
    let headers = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            let clean = !value.contains(['\r', '\n']) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            (clean && !name.is_empty()).then_some((name, value))
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Sip { uri: uri.to_owned(), user: decode(user)?, host: host.to_owned(), transport, headers, ..Sip::default() })
}

fn number(node: Node<'_, '_>, name: &str, default: u32, range: std::ops::RangeInclusive<u32>) -> Result<u32, Refused> {
    match node.attribute(name) {
        None => Ok(default),
        Some(text) => text.parse().ok().filter(|n| range.contains(n)).ok_or(DIAL),
    }
}

fn method(node: Node<'_, '_>, name: &str) -> Result<bool, Refused> {
    match node.attribute(name) {
        None | Some("POST") => Ok(false),
        Some("GET") => Ok(true),
        Some(_) => Err(DIAL),
    }
}

fn stray_text(node: Node<'_, '_>) -> bool {
    node.children().any(|c| c.is_text() && c.text().is_some_and(|t| !t.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_a_sip_address_are_decoded_from_xml_and_from_the_uri() {
        let text = "<Response><Dial timeLimit=\"600\"><Sip>sip:%2B1555@h:5061;transport=tls?X-CALL-ID=a%26b&amp;X-B=%3Cc%3E</Sip></Dial></Response>";
        let Ok([Verb::Dial(dial)]) = parse(text).as_deref().map(|v| <[Verb; 1]>::try_from(v.to_vec()).unwrap()) else {
            panic!("one dial is wanted")
        };
        assert_eq!((dial.time_limit, dial.timeout, dial.action), (600, 30, None));
        let sip = &dial.sips[0];
        assert_eq!((sip.user.as_str(), sip.transport.as_deref()), ("+1555", Some("tls")));
        assert_eq!(sip.headers, [("X-CALL-ID".into(), "a&b".into()), ("X-B".to_owned(), "<c>".to_owned())]);
    }

    #[test]
    fn a_header_cannot_smuggle_a_line() {
        assert_eq!(sip_uri("sip:a@h?X-A=1%0d%0aX-Evil=2"), None);
        assert_eq!(sip_uri("sip:a@h?X%20A=1"), None);
        assert_eq!(sip_uri("sip:@h"), None);
        assert_eq!(sip_uri("tel:+1"), None);
    }

    #[test]
    fn what_the_vendor_refuses_is_refused() {
        assert_eq!(read("text/html", b"<Response/>"), Err(CONTENT_TYPE));
        assert_eq!(read("text/xml", &vec![b' '; 70_000]), Err(TOO_LARGE));
        assert_eq!(read("text/xml; charset=utf-8", b"<Response/>"), Ok(Vec::new()));
        for bad in
            [" <Response/>", "<response/>", "<Response><say>x</say></Response>", "<Response>x</Response>", "", "{}"]
        {
            assert_eq!(parse(bad), Err(PARSE), "{bad}");
        }
        for bad in ["<Dial/>", "<Dial timeout=\"0\"><Sip>sip:a@h</Sip></Dial>", "<Dial><Number>+1</Number></Dial>"] {
            assert_eq!(parse(&format!("<Response>{bad}</Response>")), Err(DIAL), "{bad}");
        }
    }
}

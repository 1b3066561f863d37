//! The documents that the carrier reads: whatever values stand in them, they parse, and give the same values back.
#![no_main]

use elevenwire::signalwire::cxml::{Bridge, MAX_BYTES, Unbridgeable, apology, bridge};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;
use roxmltree::{Document, Node};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    /// As they come, most values are refused: mild ones are made such that they are not.
    mild: bool,
    agent_number: &'a str,
    sip_host: &'a str,
    caller_id: &'a str,
    action_url: &'a str,
    ring_timeout_secs: u32,
    time_limit_secs: u32,
    headers: [(&'a str, &'a str); 3],
    sentence: &'a str,
}

fuzz_target!(|input: Input<'_>| {
    let spoken = apology(input.sentence);
    let spoken = Document::parse(&spoken).unwrap();
    let cut: String = input.sentence.chars().take(4_000).collect();
    assert_eq!(text(&node(&spoken, "Say")), as_xml_holds(&cut));

    let mild = |text: &str| text.replace(|c: char| input.mild && c.is_control(), "");
    let part = |text: &str| if input.mild { format!("1{}", mild(text)) } else { text.to_owned() };
    let name = |index: usize, name: &str| if input.mild { format!("X-Value-{index}") } else { name.to_owned() };
    let (agent_number, sip_host) = (part(input.agent_number), part(input.sip_host));
    let headers: Vec<(String, String)> =
        input.headers.iter().enumerate().map(|(index, header)| (name(index, header.0), mild(header.1))).collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let wanted = Bridge {
        agent_number: &agent_number,
        sip_host: &sip_host,
        caller_id: input.caller_id,
        ring_timeout_secs: input.ring_timeout_secs,
        time_limit_secs: input.time_limit_secs,
        action_url: input.action_url,
        headers: &headers,
    };
    if input.mild {
        assert!(!matches!(bridge(&wanted), Err(error) if error != Unbridgeable::TooLarge));
    }
    let Ok(document) = bridge(&wanted) else { return };
    assert!(document.len() < MAX_BYTES);
    let document = Document::parse(&document).unwrap();
    let dial = node(&document, "Dial");
    assert_eq!(dial.attribute("callerId"), Some(as_xml_holds(input.caller_id).as_str()));
    assert_eq!(dial.attribute("action"), Some(as_xml_holds(input.action_url).as_str()));
    check_address(&text(&node(&document, "Sip")), &wanted);
});

fn check_address(address: &str, wanted: &Bridge<'_>) {
    let (user, rest) = address.strip_prefix("sip:").unwrap().split_once('@').unwrap();
    let (host, headers) = rest.split_once(";transport=tls").unwrap();
    assert_eq!((decoded(user), decoded(host)), (wanted.agent_number.to_owned(), wanted.sip_host.to_owned()));
    let headers = headers.strip_prefix('?').unwrap_or_default().split('&').filter(|header| !header.is_empty());
    let headers: Vec<(String, String)> = headers
        .map(|header| header.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect();
    let expected: Vec<(String, String)> =
        wanted.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(headers, expected);
}

fn node<'d, 'i>(document: &'d Document<'i>, name: &str) -> Node<'d, 'i> {
    document.descendants().find(|node| node.has_tag_name(name)).unwrap()
}

fn text(node: &Node<'_, '_>) -> String {
    node.children().filter_map(|child| child.text()).collect()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// What XML 1.0 cannot hold is replaced, and nothing else.
fn as_xml_holds(text: &str) -> String {
    let held = |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if held(c) { c } else { '\u{fffd}' }).collect()
}

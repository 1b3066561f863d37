use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use roxmltree::Document;

use super::*;

const BRIDGE: Bridge<'_> = Bridge {
    agent_number: "+15551234567",
    sip_host: "sip.rtc.elevenlabs.io:5061",
    caller_id: "+15551234567",
    ring_timeout_secs: 20,
    time_limit_secs: 600,
    action_url: "https://api.example.com/api/webhooks/signalwire/action/7f3c?a=1&b=2",
    headers: &[("X-CALL-ID", "7f3c"), ("X-CALLER-ID", "+15559876543"), ("X-Elevenwire-Call", "7f3c")],
};

#[test]
fn a_bridge_is_the_documented_dial() {
    let expected = concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<Response><Dial callerId=\"+15551234567\" timeout=\"20\" timeLimit=\"600\" ",
        "action=\"https://api.example.com/api/webhooks/signalwire/action/7f3c?a=1&amp;b=2\" method=\"POST\">",
        "<Sip>sip:+15551234567@sip.rtc.elevenlabs.io:5061;transport=tls?X-CALL-ID=7f3c&amp;X-CALLER-ID=%2B15559876543",
        "&amp;X-Elevenwire-Call=7f3c</Sip></Dial></Response>",
    );
    assert_eq!(bridge(&BRIDGE).unwrap(), expected);
}

#[test]
fn times_stay_within_what_the_carrier_takes() {
    let document = bridge(&Bridge { ring_timeout_secs: 0, time_limit_secs: 0, ..BRIDGE }).unwrap();
    assert!(document.contains("timeout=\"5\" timeLimit=\"1\""));
    let document = bridge(&Bridge { ring_timeout_secs: 9999, time_limit_secs: 99_999, ..BRIDGE }).unwrap();
    assert!(document.contains("timeout=\"600\" timeLimit=\"14400\""));
}

#[test]
fn header_names_that_are_not_custom_headers_are_refused() {
    for name in ["Via", "X-", "X-A B", "X-A:", "x-a", "X-A\r\nVia", "X-É", ""] {
        let headers = [(name, "v")];
        let refused = bridge(&Bridge { headers: &headers, ..BRIDGE });
        assert_eq!(refused, Err(Unbridgeable::HeaderName(name.to_owned())), "{name:?}");
    }
}

#[test]
fn control_characters_never_reach_a_sip_address() {
    for value in ["a\r\nVia: evil", "a\0", "a\u{85}", "\t"] {
        let headers = [("X-A", value)];
        for hostile in [
            Bridge { headers: &headers, ..BRIDGE },
            Bridge { agent_number: value, ..BRIDGE },
            Bridge { sip_host: value, ..BRIDGE },
        ] {
            assert!(matches!(bridge(&hostile), Err(Unbridgeable::ControlCharacter(_))), "{hostile:?}");
        }
    }
}

#[test]
fn an_incomplete_address_and_a_document_too_large_are_refused() {
    assert_eq!(bridge(&Bridge { agent_number: "", ..BRIDGE }), Err(Unbridgeable::NoAddress));
    assert_eq!(bridge(&Bridge { sip_host: "", ..BRIDGE }), Err(Unbridgeable::NoAddress));
    let large = "a".repeat(70_000);
    assert_eq!(bridge(&Bridge { headers: &[("X-A", &large)], ..BRIDGE }), Err(Unbridgeable::TooLarge));
    assert!(apology(&"&".repeat(100_000)).len() < MAX_BYTES);
}

#[test]
fn the_short_documents_are_what_they_say() {
    let document = apology("Sorry <we> can't & won't");
    assert!(document.contains("<Say>Sorry &lt;we&gt; can&#39;t &amp; won&#39;t</Say><Hangup/>"));
    assert!(hangup().ends_with("<Response><Hangup/></Response>"));
    assert!(hangup().starts_with("<?xml"));
}

/// The user, the host and the headers of a SIP address, decoded.
fn read_sip(address: &str) -> (String, String, Vec<(String, String)>) {
    let decode = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let (address, query) = address.split_once('?').unwrap_or((address, ""));
    let (user, host) = address.strip_prefix("sip:").unwrap().split_once('@').unwrap();
    let host = host.strip_suffix(";transport=tls").unwrap();
    let headers = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), decode(value))
    });
    (decode(user), decode(host), headers.collect())
}

proptest! {
    #[test]
    fn hostile_values_come_back_as_they_were(
        user in "\\PC{1,30}", host in "\\PC{1,30}", caller_id in "[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff]{0,30}",
        action in "[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff]{0,60}",
        headers in proptest::collection::vec(("X-[A-Za-z0-9-]{1,12}", "\\PC{0,30}"), 0..5),
    ) {
        let borrowed: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let given = Bridge { agent_number: &user, sip_host: &host, caller_id: &caller_id, action_url: &action, headers: &borrowed, ..BRIDGE };
        let text = bridge(&given).unwrap();
        let document = Document::parse(&text).unwrap();
        let dial = document.root_element().first_element_child().unwrap();
        prop_assert_eq!(dial.attribute("callerId"), Some(caller_id.as_str()));
        prop_assert_eq!(dial.attribute("action"), Some(action.as_str()));
        let sip = dial.first_element_child().unwrap();
        prop_assert_eq!(sip.children().count(), 1);
        prop_assert_eq!(read_sip(sip.text().unwrap()), (user, host, headers));
    }

    #[test]
    fn any_text_makes_a_document_that_parses(text in any::<String>()) {
        let document = apology(&text);
        let document = Document::parse(&document).unwrap();
        let verbs: Vec<&str> = document.root_element().children().map(|verb| verb.tag_name().name()).collect();
        prop_assert_eq!(verbs, ["Say", "Hangup"]);
    }
}

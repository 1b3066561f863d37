//! What a conversation says about the call that it belongs to.

use serde_json::{Map, Value};

use super::events::safe_id;
use super::loose;

/// Ids that may name the call, to be tried in the order of the fields. An id binds only when its call exists, has this
/// agent and is still free: whoever calls in can send us any header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallHints {
    /// Our id, from the SIP header `X-Elevenwire-Call`.
    pub elevenwire_call: Option<String>,
    /// Our id, from the dynamic variable `call_id`.
    pub call_id_variable: Option<String>,
    /// Ids of the telephone call: the carrier's, or ours as it was sent in `X-CALL-ID`.
    pub carrier_ids: Vec<String>,
    /// The variable `system__call_sid`: the same, as the agent saw it.
    pub system_call_sid: Option<String>,
}

impl CallHints {
    /// All of them in order, each once.
    #[must_use]
    pub fn in_order(&self) -> Vec<&str> {
        let ours = self.elevenwire_call.iter().chain(&self.call_id_variable);
        let mut all: Vec<&str> = Vec::new();
        for id in ours.chain(&self.carrier_ids).chain(&self.system_call_sid) {
            if !all.contains(&id.as_str()) {
                all.push(id);
            }
        }
        all
    }

    /// Reads the hints of SIP headers and variables. `telephony` are ids that the payload itself calls the call's.
    pub(super) fn read(
        headers: &Map<String, Value>,
        variables: &Map<String, Value>,
        telephony: [Option<&str>; 2],
    ) -> Self {
        let named = |map: &Map<String, Value>, wanted: &[&str]| -> Option<String> {
            map.iter()
                .filter(|(name, _)| wanted.contains(&bare(name).as_str()))
                .find_map(|(_, value)| loose::text(value))
        };
        let ours = |id: Option<String>| id.filter(|id| safe_id(id).is_some());
        let variable = |name: &str| variables.get(name).and_then(loose::text);
        let mut carrier_ids = Vec::new();
        let header_id = named(headers, &["callid", "callsid", "twiliocallsid"]);
        for id in telephony.into_iter().flatten().map(str::to_owned).chain(header_id).chain(variable("system__call_id"))
        {
            if is_an_id(&id) && !carrier_ids.contains(&id) {
                carrier_ids.push(id);
            }
        }
        Self {
            elevenwire_call: ours(named(headers, &["elevenwirecall"]))
                .or_else(|| ours(named(variables, &["elevenwirecall"]))),
            call_id_variable: ours(variable("call_id")),
            carrier_ids,
            system_call_sid: variable("system__call_sid").filter(|id| is_an_id(id)),
        }
    }
}

/// The name of a header without what the two vendors do to it: `X-Elevenwire-Call`, `sip_elevenwire_call` and
/// `x-elevenwire-call` are one.
fn bare(name: &str) -> String {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let name = name.strip_prefix("sip").unwrap_or(&name);
    name.strip_prefix('x').unwrap_or(name).to_owned()
}

/// A SIP call id may hold `@` and dots.
fn is_an_id(text: &str) -> bool {
    text.len() <= 255 && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn our_header_is_found_under_every_name_that_it_may_come_back_with() {
        for name in [
            "X-Elevenwire-Call",
            "x-elevenwire-call",
            "sip_elevenwire_call",
            "sip_x_elevenwire_call",
            "elevenwire_call",
            "SIP_ELEVENWIRECALL",
        ] {
            let headers = map(json!({"sip_callerid": "+14155550123", name: "0192-call"}));
            let hints = CallHints::read(&headers, &Map::new(), [None, None]);
            assert_eq!(hints.elevenwire_call.as_deref(), Some("0192-call"), "{name}");
            let hints = CallHints::read(&Map::new(), &headers, [None, None]);
            assert_eq!(hints.elevenwire_call.as_deref(), Some("0192-call"), "{name} among the variables");
        }
    }

    #[test]
    fn the_order_is_header_variable_carrier_system() {
        let headers = map(json!({"sip_callid": "D", "sip_elevenwire_call": "A"}));
        let variables = map(json!({"call_id": "B", "system__call_sid": "E", "system__call_id": "C"}));
        let hints = CallHints::read(&headers, &variables, [Some("C"), None]);
        assert_eq!(hints.in_order(), ["A", "B", "C", "D", "E"]);
    }

    #[test]
    fn what_cannot_be_an_id_is_no_hint() {
        let headers = map(json!({"sip_elevenwire_call": "../../etc", "sip_callid": "a b"}));
        let variables = map(json!({"call_id": {"a": 1}, "system__call_sid": "x".repeat(300)}));
        assert_eq!(CallHints::read(&headers, &variables, [Some("a\nb"), None]), CallHints::default());
    }
}

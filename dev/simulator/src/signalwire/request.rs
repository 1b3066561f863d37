//! Signed requests to the product's SignalWire URLs: voice, fallback, action, status, detection.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::call::Hook;
use crate::{
    post::Message,
    sign,
    switches::{
        CALLBACK_BODY, JSON_SCHEME, SHA256_HEADER, SIGNATURE_HEADER, SIGNED_FRAGMENT, SIGNED_PORT, SIGNED_USERINFO,
        Switches,
    },
};

/// Form parameters in the order in which they are sent.
pub type Params = Vec<(String, String)>;

/// Builds the signed request. Only callbacks may be JSON (switch `callback_body`); voice and action are forms.
#[must_use]
pub fn signed(key: &str, switches: &Switches, hook: &Hook, params: &Params, callback: bool) -> Message {
    let (bare, fragment) = hook.url.split_once('#').unwrap_or((&hook.url, ""));
    let mut url = bare.to_owned();
    let json = callback && !hook.get && switches.is(CALLBACK_BODY, "json");
    let mut headers = vec![("user-agent", "SignalWire simulator".to_owned())];
    let mut body = String::new();
    if hook.get {
        let query = encode(params);
        url = format!("{url}{}{query}", if url.contains('?') { '&' } else { '?' });
    } else if json {
        body = json_body(params).to_string();
        headers.push(("content-type", "application/json".into()));
        if switches.is(JSON_SCHEME, "body_sha256") {
            let digest = sign::sha256_hex([&body]);
            url = format!("{url}{}bodySHA256={digest}", if url.contains('?') { '&' } else { '?' });
        }
    } else {
        body = encode(params);
        headers.push(("content-type", "application/x-www-form-urlencoded".into()));
    }
    let text = signed_url(switches, &url, fragment);
    let signature = match (hook.get, json, switches.get(JSON_SCHEME)) {
        (true, ..) | (false, true, "body_sha256") => sign::signalwire_form(key, &text, &[]),
        (false, true, "raw") => sign::signalwire_raw(key, &text, body.as_bytes()),
        _ => sign::signalwire_form(key, &text, params),
    };
    let named = switches.get(SIGNATURE_HEADER);
    if named != "twilio" {
        headers.push(("x-signalwire-signature", signature.clone()));
    }
    if named != "signalwire" {
        headers.push(("x-twilio-signature", signature));
    }
    if switches.is(SHA256_HEADER, "present") {
        headers.push(("x-signalwire-sha256-signature", sign::signalwire_raw_sha256(key, &text, body.as_bytes())));
    }
    Message { get: hook.get, url, headers, body: body.into(), timeout: read_timeout(fragment) }
}

/// The URL that goes into the signature.
fn signed_url(switches: &Switches, url: &str, fragment: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let cut = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(cut);
    let (userinfo, host) = authority.rsplit_once('@').map_or((None, authority), |(u, h)| (Some(u), h));
    let standard = if scheme == "http" { ":80" } else { ":443" };
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let host = match switches.get(SIGNED_PORT) {
        "standard_port_added" if !has_port => format!("{host}{standard}"),
        "standard_port_stripped" => host.strip_suffix(standard).unwrap_or(host).to_owned(),
        _ => host.to_owned(),
    };
    let mut text = format!("{scheme}://");
    if let Some(userinfo) = userinfo.filter(|_| switches.is(SIGNED_USERINFO, "with")) {
        text = format!("{text}{userinfo}@");
    }
    text = format!("{text}{host}{path}");
    if !fragment.is_empty() && switches.is(SIGNED_FRAGMENT, "with") {
        text = format!("{text}#{fragment}");
    }
    text
}

/// 5 s, or what the fragment asks for (`#rt=15000`, 100 to 15,000 ms).
fn read_timeout(fragment: &str) -> Duration {
    let wanted = fragment.split('&').find_map(|part| part.strip_prefix("rt=")).and_then(|ms| ms.parse::<u64>().ok());
    Duration::from_millis(wanted.unwrap_or(5_000).clamp(100, 15_000))
}

fn json_body(params: &Params) -> Value {
    params.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect::<Map<_, _>>().into()
}

/// `application/x-www-form-urlencoded`, with `+` for spaces.
fn encode(params: &Params) -> String {
    let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string().replace("%20", "+");
    params.iter().map(|(n, v)| format!("{}={}", escape(n), escape(v))).collect::<Vec<_>>().join("&")
}

//! Creating a call: what the form may hold, and which code refuses it.

use form_urlencoded::parse;

use super::{
    call::{Detection, Hook, Spec},
    errors::ApiError,
};
use crate::{config::Config, line::fate::Fate};

const EVENTS: [&str; 6] = ["initiated", "ringing", "answered", "completed", "ringing_forwarded", "ringing_queued"];

/// A decoded form.
#[derive(Debug, Clone)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Decodes a form body; what is not UTF-8 is replaced.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        Self(parse(body).into_owned().collect())
    }

    /// First value of a name, if it is not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// All values of a name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A URL and its method.
    ///
    /// # Errors
    /// 21402 for a bad URL, 21209 for a bad method.
    pub fn hook(&self, url: &str, method: &str) -> Result<Option<Hook>, ApiError> {
        let get = match self.get(method) {
            None | Some("POST") => false,
            Some("GET") => true,
            Some(other) => return Err(ApiError::bad(21_209, format!("{method} {other} is not GET or POST"))),
        };
        let Some(text) = self.get(url) else { return Ok(None) };
        if !is_url(text) {
            return Err(ApiError::bad(21_402, format!("{url} is not a valid URL")));
        }
        Ok(Some(Hook { url: text.to_owned(), get }))
    }

    fn number(&self, name: &str, default: u32, range: (u32, u32), code: u32) -> Result<u32, ApiError> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .ok()
                .filter(|n| (range.0..=range.1).contains(n))
                .ok_or_else(|| ApiError::bad(code, format!("{name} must be {} to {}", range.0, range.1))),
        }
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|v| v.eq_ignore_ascii_case("true") || v == "1")
    }
}

/// Reads and checks the form of a new call.
///
/// # Errors
/// The vendor's code for the first thing that is wrong.
pub fn spec(form: &Form, config: &Config) -> Result<Spec, ApiError> {
    let (to, from) = numbers(form, config)?;
    let voice = form.hook("Url", "Method")?;
    let laml = form.get("Laml").or_else(|| form.get("Twiml")).map(str::to_owned);
    if voice.is_none() && laml.is_none() {
        return Err(ApiError::bad(21_205, "Url is required"));
    }
    let (detection, async_amd) = detection(form)?;
    Ok(Spec {
        to,
        from,
        voice: voice.unwrap_or_default(),
        laml,
        fallback: form.hook("FallbackUrl", "FallbackMethod")?,
        status_callback: form.hook("StatusCallback", "StatusCallbackMethod")?,
        events: events(form)?,
        timeout: form.number("Timeout", 60, (1, 600), 21_208)?,
        detection,
        async_amd,
    })
}

fn numbers(form: &Form, config: &Config) -> Result<(String, String), ApiError> {
    let to = form.get("To").ok_or_else(|| ApiError::bad(21_201, "No 'To' number is specified"))?;
    if !is_e164(to) {
        return Err(ApiError::bad(21_211, format!("Invalid 'To' phone number: {to}")));
    }
    let from = form.get("From").ok_or_else(|| ApiError::bad(21_213, "No 'From' number is specified"))?;
    if !is_e164(from) {
        return Err(ApiError::bad(21_212, format!("Invalid 'From' phone number: {from}")));
    }
    let mut usable = config.owned_numbers.iter().chain(&config.verified_numbers);
    if !config.owned_numbers.is_empty() && !usable.any(|number| number == from) {
        return Err(ApiError::bad(21_210, "'From' phone number is not purchased or verified"));
    }
    if Fate::of(to) == Fate::ApiRefuses {
        return Err(ApiError::bad(21_217, "Phone number does not appear to be valid"));
    }
    Ok((to.to_owned(), from.to_owned()))
}

/// Repeated keys, and the space-separated form that users send as well.
fn events(form: &Form) -> Result<Vec<String>, ApiError> {
    let names = form.all("StatusCallbackEvent").chain(form.all("StatusCallbackEvent[]"));
    let mut events: Vec<String> = names.flat_map(str::split_whitespace).map(str::to_owned).collect();
    if let Some(unknown) = events.iter().find(|e| !EVENTS.contains(&e.as_str())) {
        return Err(ApiError::bad(21_626, format!("Invalid status callback event: {unknown}")));
    }
    if events.is_empty() {
        events.push("completed".into());
    }
    Ok(events)
}

fn detection(form: &Form) -> Result<(Detection, Option<Hook>), ApiError> {
    let detection = match form.get("MachineDetection") {
        None | Some("none") => Detection::Off,
        Some("Enable") => Detection::Enable,
        Some("DetectMessageEnd") => Detection::MessageEnd,
        Some(other) => return Err(ApiError::bad(21_234, format!("Invalid MachineDetection: {other}"))),
    };
    for (name, range) in [
        ("MachineDetectionTimeout", (1, 120)),
        ("MachineDetectionSpeechThreshold", (1000, 6000)),
        ("MachineDetectionSpeechEndThreshold", (500, 5000)),
        ("MachineDetectionSilenceTimeout", (2000, 10_000)),
        ("MachineWordsThreshold", (1, 100)),
    ] {
        form.number(name, range.0, range, 21_234)?;
    }
    let hook = form.hook("AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod")?;
    if !form.flag("AsyncAmd") {
        return Ok((detection, None));
    }
    match hook {
        Some(hook) => Ok((detection, Some(hook))),
        None => Err(ApiError::bad(21_262, "AsyncAmdStatusCallback is required with AsyncAmd")),
    }
}

/// `+` and 7 to 15 digits, the first not 0.
#[must_use]
pub fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

/// `http(s)://host…` without spaces.
#[must_use]
pub fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?']))
        && !text.contains(char::is_whitespace)
        && reqwest::Url::parse(text).is_ok()
}

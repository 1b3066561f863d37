//! Looks at everything once: the deployment, its doors, both vendors, AWS. Judges nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use elevenwire::elevenlabs::signature;
use elevenwire::signalwire::signature::sign_form;
use futures_util::future::join_all;
use futures_util::join;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::{Value, json};

use super::cloud::{self, Quota};
use crate::here::{Here, Known};
use crate::vendors::{Answer, HEADER, INITIATION_PATH, Trouble, Vendor, WEBHOOK_PATH};
use crate::{Client, Failure};

/// A path below the carrier's doors that is no call of anybody's: a signature is checked before that is seen.
const CARRIER_PROBE: &str = "/api/webhooks/signalwire/status/doctor";

/// The status of a request, or why there is none.
pub(super) type Knock = Result<u16, String>;
type List = Result<Vec<Value>, Trouble>;

/// Everything that was seen.
#[derive(Debug)]
pub(super) struct Seen {
    pub agents: Answer,
    pub health: Answer,
    pub public: Knock,
    pub carrier_door: (Knock, Knock, Option<String>),
    pub webhook_door: (Knock, Knock),
    pub initiation_door: (Knock, Knock),
    pub carrier: Answer,
    pub owned: List,
    pub elevenlabs: Answer,
    pub webhooks: List,
    pub settings: Answer,
    pub numbers: Answer,
    pub tools: List,
    pub secrets: List,
    pub vendors_agents: BTreeMap<String, Answer>,
    /// Who, and how many seconds his clock is ahead of ours.
    pub skews: Vec<(&'static str, i64)>,
    pub quota: Result<Quota, String>,
}

/// The address that the vendors call.
pub(super) fn public_base(client: &Client, known: &Known) -> String {
    known.public_base_url.clone().unwrap_or_else(|| client.base().to_owned())
}

pub(super) async fn look(client: &Client, here: &Here, stack: Option<&str>) -> Result<Seen, Failure> {
    let no_client = |error| Failure::Unreachable(format!("no HTTP client: {error}"));
    let http = elevenwire::http::client(Duration::from_secs(15)).map_err(no_client)?;
    let known = &here.known;
    let (carrier, voices) = (Vendor::signalwire(http.clone(), known), Vendor::elevenlabs(http.clone(), known));
    let doors = Doors { http, base: public_base(client, known), known, now: (here.now)() };
    let agents = own(client.get("/api/agents").await);
    let ids = ids(&agents);
    let project = known.project_id.clone().unwrap_or_default();
    let calls = format!("/api/laml/2010-04-01/Accounts/{project}/Calls.json?PageSize=1");
    let started = (here.now)();
    let ((public, dated), health, carrier_door, webhook_door, initiation_door, quota) = join!(
        doors.public(),
        async { own(client.get("/api/health?deep=1").await) },
        doors.carrier(client.base()),
        doors.webhook(),
        doors.initiation(),
        cloud::quota(stack),
    );
    let (credentials, owned, elevenlabs, webhooks, settings, numbers, tools, secrets, vendors_agents) = join!(
        carrier.get(&calls),
        owned(&carrier),
        voices.get("/v1/convai/conversations?page_size=1"),
        voices.all("/v1/workspace/webhooks?include_usages=true", "webhooks"),
        voices.get("/v1/convai/settings"),
        voices.get("/v1/convai/phone-numbers"),
        voices.all("/v1/convai/tools?page_size=100", "tools"),
        voices.all("/v1/convai/secrets?page_size=100", "secrets"),
        join_all(ids.iter().map(async |id| (id.clone(), voices.get(&format!("/v1/convai/agents/{id}")).await))),
    );
    let taken = [("SignalWire", carrier.date()), ("ElevenLabs", voices.date()), ("the deployment", dated)];
    let ours = (here.now)();
    let skews = taken.into_iter().filter_map(|(who, date)| Some((who, skew(&date?, started, ours)?))).collect();
    Ok(Seen {
        agents,
        health,
        public,
        carrier_door,
        webhook_door,
        initiation_door,
        carrier: credentials,
        owned,
        elevenlabs,
        webhooks,
        settings,
        numbers,
        tools,
        secrets,
        vendors_agents: vendors_agents.into_iter().collect(),
        skews,
        quota,
    })
}

/// Seconds outside of the span in which the date was given.
fn skew(date: &str, from: Timestamp, to: Timestamp) -> Option<i64> {
    let date = DateTimeParser::new().parse_timestamp(date).ok()?;
    // The header has whole seconds.
    let (early, late) = (from.as_second() - 1 - date.as_second(), date.as_second() - to.as_second());
    Some(if early > 0 { -early } else { late.max(0) })
}

/// ElevenLabs' ids of our agents.
fn ids(agents: &Answer) -> Vec<String> {
    let listed = agents.as_ref().ok().and_then(|agents| agents["agents"].as_array());
    let id = |agent: &Value| agent["elevenlabs_agent_id"].as_str().map(str::to_owned);
    let mut ids: Vec<String> = listed.into_iter().flatten().filter_map(id).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// An answer of ours; a refusal with a report in it (health's, when something fails) is one.
fn own(answer: Result<Value, Failure>) -> Answer {
    match answer {
        Ok(value) => Ok(value),
        Err(Failure::Refused(503, report)) if report["checks"].is_array() => Ok(report),
        Err(Failure::Refused(status, problem)) => {
            Err(Trouble::Refused(status, problem["detail"].as_str().unwrap_or_default().to_owned()))
        }
        Err(other) => Err(Trouble::Silent(other.to_string())),
    }
}

/// Numbers that were bought, and those that were verified.
async fn owned(carrier: &Vendor) -> List {
    let (bought, verified) = join!(
        carrier.all("/api/relay/rest/phone_numbers?page_size=1000", "data"),
        carrier.all("/api/relay/rest/verified_caller_ids?page_size=1000", "data"),
    );
    let verified = verified?.into_iter().filter(|number| number["verified"] != false);
    Ok(bought?.into_iter().chain(verified).map(|number| number["number"].clone()).collect())
}

struct Doors<'a> {
    http: reqwest::Client,
    base: String,
    known: &'a Known,
    now: Timestamp,
}

impl Doors<'_> {
    /// Whether the address answers as 11Wire does, and its date.
    async fn public(&self) -> (Knock, Option<String>) {
        match self.http.get(format!("{}/api/health", self.base)).send().await {
            Err(error) => (Err(format!("no answer: {}", error.without_url())), None),
            Ok(answer) => {
                let date = answer.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
                let status = answer.status().as_u16();
                let json: Value = answer.json().await.unwrap_or_default();
                let ours = json["checks"].is_array() || json["title"].is_string();
                (if ours { Ok(status) } else { Err(format!("HTTP {status}, but not of 11Wire")) }, date)
            }
        }
    }

    async fn knock(&self, path: &str, headers: &[(&str, String)], body: &str) -> Knock {
        let mut request = self.http.post(format!("{}{path}", self.base)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.send().await.map_err(|error| format!("no answer: {}", error.without_url()))?;
        Ok(answer.status().as_u16())
    }

    /// Signed and unsigned, and the address that is signed when it is not this one.
    async fn carrier(&self, ours: &str) -> (Knock, Knock, Option<String>) {
        let form = ("content-type", "application/x-www-form-urlencoded".to_owned());
        let body = "CallSid=doctor";
        let unsigned = self.knock(CARRIER_PROBE, std::slice::from_ref(&form), body).await;
        let Some(key) = &self.known.signing_key else {
            return (Err("SIGNALWIRE_SIGNING_SECRET is not set".to_owned()), unsigned, None);
        };
        let signed_for = async |base: &str| {
            let signature = sign_form(key, &format!("{base}{CARRIER_PROBE}"), body.as_bytes());
            self.knock(CARRIER_PROBE, &[form.clone(), ("x-signalwire-signature", signature)], body).await
        };
        let signed = signed_for(&self.base).await;
        if signed != Ok(403) {
            return (signed, unsigned, None);
        }
        let other_scheme = match self.base.split_once("://") {
            Some(("https", rest)) => format!("http://{rest}"),
            Some((_, rest)) => format!("https://{rest}"),
            None => String::new(),
        };
        for other in [ours, &other_scheme, &format!("{}/", self.base)] {
            if signed_for(other).await.is_ok_and(|status| status != 403) {
                return (signed, unsigned, Some(other.to_owned()));
            }
        }
        (signed, unsigned, None)
    }

    /// Signed and unsigned. An event of no known type is kept as it is, and nothing follows from it.
    async fn webhook(&self) -> (Knock, Knock) {
        let t = self.now.as_second();
        let body = json!({ "type": "doctor_probe", "event_timestamp": t, "data": {} }).to_string();
        let json = ("content-type", "application/json".to_owned());
        let unsigned = self.knock(WEBHOOK_PATH, std::slice::from_ref(&json), &body).await;
        let signed = match &self.known.webhook_secret {
            None => Err("ELEVENLABS_WEBHOOK_SECRET is not set".to_owned()),
            Some(secret) => {
                let signature = signature::header(secret, t, body.as_bytes());
                self.knock(WEBHOOK_PATH, &[json, ("elevenlabs-signature", signature)], &body).await
            }
        };
        (signed, unsigned)
    }

    /// With the secret and without. A question that names no call is answered without variables.
    async fn initiation(&self) -> (Knock, Knock) {
        use secrecy::ExposeSecret;
        let json = ("content-type", "application/json".to_owned());
        let without = self.knock(INITIATION_PATH, std::slice::from_ref(&json), "{}").await;
        let with = match &self.known.initiation_secret {
            None => Err("ELEVENLABS_INITIATION_SECRET is not set".to_owned()),
            Some(secret) => {
                self.knock(INITIATION_PATH, &[json, (HEADER, secret.expose_secret().to_owned())], "{}").await
            }
        };
        (with, without)
    }
}

//! Follows a call until everything has come home, and gathers what it left behind.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Evidence;
use crate::here::Here;
use crate::vendors::{Trouble, Vendor};
use crate::{Client, Failure};

/// An id that no call and no conversation has.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// `patience`: how long in all, how often.
pub(super) async fn follow(
    client: &Client,
    here: &Here,
    id: &str,
    patience: (Duration, Duration),
    out: &mut dyn FnMut(&str),
) -> Result<Evidence, Failure> {
    let until = Instant::now() + patience.0;
    let mut told = HashSet::new();
    loop {
        let call = client.get(&format!("/api/calls/{id}")).await?;
        let timeline = client.get(&format!("/api/calls/{id}/events")).await?;
        let events = timeline["events"].as_array().cloned().unwrap_or_default();
        for event in &events {
            if told.insert(event.to_string()) {
                out(&line(event));
            }
        }
        for message in call["conversation"]["messages"].as_array().into_iter().flatten() {
            if told.insert(message.to_string())
                && let Some(said) = message["message"].as_str()
            {
                out(&format!(
                    "{:>5} s  {:<6} {said}",
                    message["time_in_call_secs"],
                    message["role"].as_str().unwrap_or("?")
                ));
            }
        }
        let settled = !call["settled_at"].is_null();
        if settled || Instant::now() >= until {
            let end = if settled { "everything has come home" } else { "not everything came in time" };
            out(&format!("{end}: {}, missing {}", call["outcome"].as_str().unwrap_or("no outcome"), call["missing"]));
            return Ok(gather(client, here, call, events).await);
        }
        sleep(patience.1).await;
    }
}

fn line(event: &Value) -> String {
    let fact = event["fact"].as_object();
    let short = |(name, value): (&String, &Value)| {
        (name != "sid").then(|| format!("{name}={}", value.to_string().trim_matches('"')))
    };
    let details: Vec<String> =
        fact.into_iter().flatten().filter(|(_, value)| !value.is_null()).filter_map(short).collect();
    let time = event["at"].as_str().and_then(|at| at.get(11..19)).unwrap_or_default();
    format!("{time}  {:<16} {}", event["kind"].as_str().unwrap_or("?"), details.join(" "))
}

async fn gather(client: &Client, here: &Here, call: Value, events: Vec<Value>) -> Evidence {
    let mut seen = Evidence { call, events, ..Evidence::default() };
    let conversation = seen.call["conversation"]["id"].as_str().unwrap_or_default().to_owned();
    if !conversation.is_empty()
        && let Ok(page) = client.get(&format!("/api/deliveries?conversation_id={conversation}")).await
    {
        seen.deliveries = page["deliveries"].as_array().cloned().unwrap_or_default();
    }
    let Ok(http) = elevenwire::http::client(Duration::from_secs(15)) else { return seen };
    let (carrier, voices) = (Vendor::signalwire(http.clone(), &here.known), Vendor::elevenlabs(http, &here.known));
    let project = here.known.project_id.as_deref().unwrap_or_default();
    let calls = format!("/api/laml/2010-04-01/Accounts/{project}/Calls");
    if let Some(sid) = seen.call["carrier_sid"].as_str() {
        seen.carrier = carrier.get(&format!("{calls}/{sid}.json")).await.unwrap_or_default();
    }
    if !conversation.is_empty() {
        seen.conversation = voices.get(&format!("/v1/convai/conversations/{conversation}")).await.unwrap_or_default();
    }
    seen.carriers_error = refused(carrier.get(&format!("{calls}/{NOBODY}.json")).await);
    seen.voices_error = refused(voices.get(&format!("/v1/convai/conversations/conv_{NOBODY}")).await);
    let webhooks = voices.all("/v1/workspace/webhooks", "webhooks").await.unwrap_or_default();
    seen.webhook = webhooks.into_iter().next().unwrap_or_default();
    seen
}

/// The body of a 404.
fn refused(answer: Result<Value, Trouble>) -> Option<String> {
    match answer {
        Err(Trouble::Refused(404, body)) => Some(body),
        _ => None,
    }
}

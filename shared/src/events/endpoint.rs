//! Posts events to the owner's endpoints, signed, without following anybody anywhere.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::RETRY_AFTER;
use secrecy::SecretString;

use super::{Answer, Event, address, signature};
use crate::crash::{Effect, around};

/// How long an endpoint may take: Standard Webhooks advises 15 to 30 seconds.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// Posts events.
#[derive(Debug, Clone)]
pub struct Poster {
    http: reqwest::Client,
    played: bool,
}

impl Poster {
    /// `played`: both vendors are played on this machine, and so may be whoever listens.
    ///
    /// # Errors
    /// When the TLS library cannot start.
    pub fn new(played: bool) -> Result<Self, reqwest::Error> {
        let builder = crate::http::builder(TIMEOUT);
        let builder = if played { builder } else { builder.dns_resolver(PublicOnly).https_only(true) };
        Ok(Self { http: builder.build()?, played })
    }

    /// Sends an event. `unix_now` is the time of this try.
    pub async fn post(&self, target: &str, secrets: &[SecretString], event: &Event, unix_now: i64) -> Answer {
        let url = match address::parse(target, self.played) {
            Ok(url) => url,
            Err((problem, _)) => return Answer::Refused(format!("its address {problem}"), None),
        };
        let body = event.body();
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", unix_now)
            .header("webhook-signature", signature::header(secrets, &event.id, unix_now, &body))
            .body(body);
        match around(Effect::Post, request.send()).await {
            Ok(answer) => meaning(&answer),
            Err(error) => Answer::Refused(describe(&error), None),
        }
    }
}

/// The status alone counts: what is in the body is nobody's business.
fn meaning(answer: &reqwest::Response) -> Answer {
    let status = answer.status();
    if status.is_success() {
        return Answer::Taken;
    }
    if status.as_u16() == 410 {
        return Answer::Gone;
    }
    let wish = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Answer::Refused(format!("it answered {}", status.as_u16()), wish.map(Duration::from_secs))
}

/// Without the address: it may hold a token.
fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer in {} s", TIMEOUT.as_secs());
    }
    let mut source: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.is::<NotPublic>() {
            return NotPublic.to_string();
        }
        source = inner.source();
    }
    let what = if error.is_connect() { "no connection could be made" } else { "the connection broke" };
    what.to_owned()
}

/// Every address of the name is in a private network.
#[derive(Debug, thiserror::Error)]
#[error("its name does not lead to a public address")]
struct NotPublic;

/// Looks names up, and keeps the public addresses: checked here and not before, so that the checked address is the one that
/// is connected to.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|found| address::is_public(found.ip())).collect();
            if public.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_into_the_house_is_not_connected_to() {
        let found = PublicOnly.resolve("localhost".parse().unwrap()).await;
        assert!(found.err().unwrap().is::<NotPublic>());
    }

    #[tokio::test]
    async fn an_address_that_got_into_the_table_in_another_way_is_not_posted_to() {
        let event = Event {
            id: "msg_1".to_owned(),
            kind: super::super::TEST.to_owned(),
            timestamp: jiff::Timestamp::UNIX_EPOCH,
            data: serde_json::Value::Null,
        };
        let poster = Poster::new(false).unwrap();
        for inside in ["http://example.com/", "https://127.0.0.1/", "https://[fd00:ec2::254]/"] {
            assert!(matches!(poster.post(inside, &[], &event, 0).await, Answer::Refused(..)), "{inside}");
        }
    }
}

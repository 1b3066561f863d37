//! Outgoing requests: callbacks and webhooks.

use std::time::Duration;

use bytes::Bytes;

use crate::world::World;

/// A receiver's answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: Bytes,
}

impl Answer {
    /// 2xx.
    #[must_use]
    pub fn ok(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// No connection.
    Connect,
    /// Too slow.
    Timeout,
    /// Anything else on the way.
    Broken,
}

/// A request that can be sent more than once.
#[derive(Debug, Clone)]
pub struct Message {
    pub get: bool,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    pub timeout: Duration,
}

/// Sends one message once and reads the whole answer (1 MB at most).
///
/// # Errors
/// When no complete answer came.
pub async fn send(world: &World, message: &Message) -> Result<Answer, NoAnswer> {
    let request = if message.get {
        world.http.get(&message.url)
    } else {
        world.http.post(&message.url).body(message.body.clone())
    };
    finish(with_headers(request, &message.headers).timeout(message.timeout)).await
}

/// Adds headers; those that are not valid are left out.
pub fn with_headers(
    mut request: reqwest::RequestBuilder,
    headers: &[(&'static str, String)],
) -> reqwest::RequestBuilder {
    for (name, value) in headers {
        if let Ok(value) = reqwest::header::HeaderValue::from_str(value) {
            request = request.header(*name, value);
        }
    }
    request
}

/// Sends a request that is ready and reads its answer.
///
/// # Errors
/// When no complete answer came.
pub async fn finish(request: reqwest::RequestBuilder) -> Result<Answer, NoAnswer> {
    const LIMIT: usize = 1024 * 1024;
    let mut response = request.send().await.map_err(|e| classify(&e))?;
    let status = response.status().as_u16();
    let content_type = response
        .headers()
        .get(reqwest::header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| classify(&e))? {
        body.extend_from_slice(&chunk);
        if body.len() > LIMIT {
            break;
        }
    }
    Ok(Answer { status, content_type, body: body.into() })
}

fn classify(error: &reqwest::Error) -> NoAnswer {
    tracing::debug!(error = ?error, "no answer to an outgoing request");
    if error.is_connect() {
        NoAnswer::Connect
    } else if error.is_timeout() {
        NoAnswer::Timeout
    } else {
        NoAnswer::Broken
    }
}

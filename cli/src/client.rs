//! The deployment's API over HTTP.

use std::time::Duration;

use http::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::{Failure, Global, settings};

/// How often, and after which pause, something is asked again that is only followed.
const PATIENCE: u32 = 5;
const PAUSE: Duration = Duration::from_secs(2);

/// A deployment, and who asks.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// An answer that is not JSON.
#[derive(Debug)]
pub(crate) struct Plain {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// A client for what the arguments name, or the environment, a profile, the local stack.
    ///
    /// # Errors
    /// When no address is given.
    pub fn new(global: &Global) -> Result<Self, Failure> {
        let deployment = settings::deployment(global)?;
        let http = elevenwire::http::client(Duration::from_secs(30))
            .map_err(|error| Failure::Unreachable(format!("no HTTP client: {error}")))?;
        Ok(Self { http, url: deployment.url, token: deployment.token })
    }

    /// The address, without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.url
    }

    /// Reads.
    ///
    /// # Errors
    /// [`Failure::Refused`] with the problem document, [`Failure::Unreachable`].
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(Method::GET, path, None, &[]).await
    }

    /// Reads something that is followed: what passes by itself is asked for again.
    pub(crate) async fn look(&self, path: &str) -> Result<Value, Failure> {
        let mut tries = 0;
        loop {
            match self.get(path).await {
                Err(failure) if failure.passes() && tries < PATIENCE => tries += 1,
                answer => return answer,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Sends a request with a JSON body, if any; answers the JSON, null when there is none.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        let mut request = self.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let (status, plain) = self.answer(request).await?;
        self.json(status, &plain.body)
    }

    /// Sends bytes of another kind; answers the JSON.
    pub(crate) async fn send_bytes(&self, path: &str, kind: &str, body: Vec<u8>) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path).header(http::header::CONTENT_TYPE, kind).body(body);
        let (status, plain) = self.answer(request).await?;
        self.json(status, &plain.body)
    }

    /// Reads what is not JSON.
    pub(crate) async fn plain(&self, path: &str) -> Result<Plain, Failure> {
        let (status, plain) = self.answer(self.request(Method::GET, path)).await?;
        if status < 400 {
            return Ok(plain);
        }
        match self.json(status, &plain.body) {
            Err(failure) => Err(failure),
            Ok(_) => Ok(plain),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn answer(&self, request: RequestBuilder) -> Result<(u16, Plain), Failure> {
        let unreachable = |error: reqwest::Error| {
            Failure::Unreachable(format!("{} does not answer: {}", self.url, reason(&error.without_url())))
        };
        let answer = request.send().await.map_err(unreachable)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.map_err(unreachable)?.to_vec();
        Ok((status, Plain { headers, body }))
    }

    fn json(&self, status: u16, body: &[u8]) -> Result<Value, Failure> {
        let json = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(body) };
        match json {
            Ok(json) if status < 300 => Ok(json),
            // The gateway has refusals of its own, with `message`.
            Ok(problem) if status >= 400 && (problem["title"].is_string() || problem["message"].is_string()) => {
                Err(Failure::Refused(status, problem))
            }
            _ => Err(Failure::Unreachable(format!("{} answered {status}, not as 11Wire does: is it one?", self.url))),
        }
    }
}

/// Why, with what is behind it: the library's own words end at "error sending request".
pub(crate) fn reason(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        words = format!("{words}: {inner}");
        source = inner.source();
    }
    words
}

/// A path with what is given of its query.
pub(crate) fn path(base: &str, query: &[(&str, Option<&str>)]) -> String {
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    for (name, value) in query {
        if let Some(value) = value {
            encoded.append_pair(name, value);
        }
    }
    match encoded.finish() {
        empty if empty.is_empty() => base.to_owned(),
        query => format!("{base}?{query}"),
    }
}

/// A text of the user's as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_in_a_query_stays_a_plus() {
        assert_eq!(path("/api/calls", &[("number", Some("+1415")), ("state", None)]), "/api/calls?number=%2B1415");
        assert_eq!(path("/api/calls", &[("state", None)]), "/api/calls");
        assert_eq!(segment("a/b"), "a%2Fb");
    }
}

//! The deployment's API over HTTP.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::{Failure, Global};

/// A deployment, and who asks.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Client {
    /// A client for what the arguments name.
    ///
    /// # Errors
    /// When no address is given.
    pub fn new(global: &Global) -> Result<Self, Failure> {
        let url = global.url.as_deref().unwrap_or_default().trim_end_matches('/').to_owned();
        if url.is_empty() {
            let mend = "no address: give --url, or set BASE_URL (the local stack writes it to .local/env)";
            return Err(Failure::Usage(mend.to_owned()));
        }
        let http = elevenwire::http::client(Duration::from_secs(30))
            .map_err(|error| Failure::Unreachable(format!("no HTTP client: {error}")))?;
        Ok(Self { http, url, token: global.token.clone() })
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
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let unreachable = |error: reqwest::Error| {
            Failure::Unreachable(format!("{} does not answer: {}", self.url, error.without_url()))
        };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(unreachable)?;
        let json = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body) };
        match json {
            Ok(json) if status < 400 => Ok(json),
            Ok(problem) => Err(Failure::Refused(status, problem)),
            Err(_) => Err(Failure::Unreachable(format!("{} answered {status} without JSON: is it 11Wire?", self.url))),
        }
    }
}

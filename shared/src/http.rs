//! The HTTP side of a function: a request as plain values, so that handlers are called in tests without building the
//! world, and the answers that all functions share.

use std::future::Future;
use std::net::IpAddr;

use ::http::{HeaderMap, Method};
use bytes::Bytes;
use lambda_http::request::RequestContext;
use lambda_http::{Body, RequestExt, Response, service_fn};
use serde::Serialize;
use serde_json::Value;

use crate::problem::Problem;
use crate::telemetry::metrics::{self, Watch};

/// A request to a function.
#[derive(Clone, Default)]
pub struct Inbound {
    /// HTTP method.
    pub method: Method,
    /// Path as it was sent, without the query.
    pub path: String,
    /// Query as it was sent, without `?`; empty when there is none.
    pub raw_query: String,
    /// Headers.
    pub headers: HeaderMap,
    /// The bytes that arrived; a base64 transport encoding of the gateway is undone.
    pub body: Bytes,
    /// Address of the peer, as the gateway saw it (`X-Forwarded-For` is not trusted).
    pub source_ip: Option<IpAddr>,
    /// The gateway's request id, for logs.
    pub request_id: String,
}

// Written out, because headers and bodies hold tokens and what people said.
impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbound")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("bytes", &self.body.len())
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

impl Inbound {
    /// A header as text, if it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A parameter of the query, decoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.raw_query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// Takes apart what the gateway sent.
    #[must_use]
    pub fn from_gateway(request: lambda_http::Request) -> Self {
        let context = request.request_context_ref();
        let (source_ip, request_id) = match context {
            Some(RequestContext::ApiGatewayV2(context)) => (
                context.http.source_ip.as_deref().and_then(|ip| ip.parse().ok()),
                context.request_id.clone().unwrap_or_default(),
            ),
            _ => (None, String::new()),
        };
        let path = request.raw_http_path().to_owned();
        let raw_query = request.uri().query().unwrap_or_default().to_owned();
        let (parts, body) = request.into_parts();
        let body = match body {
            Body::Text(text) => Bytes::from(text),
            Body::Binary(bytes) => Bytes::from(bytes),
            _ => Bytes::new(),
        };
        Self { method: parts.method, path, raw_query, headers: parts.headers, body, source_ip, request_id }
    }
}

/// An answer of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Content type, when there is a body.
    pub content_type: &'static str,
    /// `Location`, `Retry-After` and the like.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: String,
}

impl Reply {
    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, content_type: "", headers: Vec::new(), body: String::new() }
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        // Serialising our own types to a string fails only for maps with keys that are not texts: we have none.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self { status, content_type: "application/json", headers: Vec::new(), body }
    }

    /// A document of the telephone markup.
    #[must_use]
    pub fn xml(body: String) -> Self {
        Self { status: 200, content_type: "application/xml", headers: Vec::new(), body }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let mut reply = Self { content_type: "application/problem+json", ..Self::json(problem.status, &problem) };
        match problem.status {
            401 => reply.headers.push(("WWW-Authenticate", "Bearer".to_owned())),
            503 => reply.headers.push(("Retry-After", "5".to_owned())),
            _ => {}
        }
        reply
    }
}

/// Turns an answer into what the gateway takes.
#[must_use]
pub fn into_gateway(reply: Reply) -> Response<Body> {
    let mut response = Response::builder().status(reply.status).header("Cache-Control", "no-store");
    if !reply.content_type.is_empty() {
        response = response.header("Content-Type", reply.content_type);
    }
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let body = if reply.body.is_empty() { Body::Empty } else { Body::Text(reply.body) };
    response.body(body).unwrap_or_else(|_| {
        let mut failed = Response::new(Body::Empty);
        *failed.status_mut() = ::http::StatusCode::INTERNAL_SERVER_ERROR;
        failed
    })
}

/// What arrived at a function that has another trigger besides the HTTP API.
#[derive(Debug)]
pub enum Trigger {
    /// A request.
    Request(Box<Inbound>),
    /// Anything else: the input of a schedule, or of an invocation by hand.
    Other(Value),
}

impl Trigger {
    /// Tells the two apart.
    #[must_use]
    pub fn of(event: Value) -> Self {
        if event.pointer("/requestContext/http").is_none() {
            return Self::Other(event);
        }
        match serde_json::from_value::<lambda_http::request::LambdaRequest>(event) {
            Ok(request) => Self::Request(Box::new(Inbound::from_gateway(request.into()))),
            Err(_) => Self::Other(Value::Null),
        }
    }
}

/// An answer in the gateway's own shape (payload format 2.0), for a function that serves itself.
#[must_use]
pub fn gateway_json(reply: &Reply) -> Value {
    let mut headers = serde_json::Map::from_iter([("cache-control".to_owned(), Value::from("no-store"))]);
    if !reply.content_type.is_empty() {
        headers.insert("content-type".to_owned(), Value::from(reply.content_type));
    }
    headers.extend(reply.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), Value::from(value.as_str()))));
    serde_json::json!({ "statusCode": reply.status, "headers": headers, "body": reply.body, "isBase64Encoded": false })
}

/// Runs a function behind the HTTP API: each request is handled by `handle`, measured by `watch`, and one line is logged
/// about it.
///
/// # Errors
/// When the Lambda runtime ends.
pub async fn serve<F, Fut>(watch: &Watch, handle: F) -> Result<(), lambda_http::Error>
where
    F: Fn(Inbound) -> Fut,
    Fut: Future<Output = Reply> + Send,
{
    lambda_http::run(service_fn(|request: lambda_http::Request| {
        let inbound = Inbound::from_gateway(request);
        let (method, request_id) = (inbound.method.clone(), inbound.request_id.clone());
        let answer = handle(inbound);
        watch.invocation(async move {
            let reply = answer.await;
            tell(&method, &request_id, &reply);
            Ok::<_, lambda_http::Error>(into_gateway(reply))
        })
    }))
    .await
}

/// Counts a request by its answer, and logs a line about it.
pub fn tell(method: &Method, request_id: &str, reply: &Reply) {
    metrics::answered(reply.status);
    // The path is not logged: it may hold what somebody typed into it. Handlers log the ids that they trust.
    tracing::info!(http.method = %method, http.status = reply.status, request.id = request_id, "answered");
}

/// The body as a JSON object.
///
/// # Errors
/// 400 when it is not JSON, or not an object.
pub fn json_object(body: &[u8]) -> Result<Value, Problem> {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(Problem::new(400, "Bad Request", "The body must be a JSON object.")),
        Err(error) => {
            let place = format!("line {}, column {}", error.line(), error.column());
            Err(Problem::new(
                400,
                "Bad Request",
                format!("The body is not JSON: it breaks off or is malformed at {place}."),
            ))
        }
    }
}

/// The same, unless the sender says that it is something else. Nobody has to say: curl then says "form" by itself.
///
/// # Errors
/// As [`json_object`]; 415 for another content type.
pub fn json_body(content_type: Option<&str>, body: &[u8]) -> Result<Value, Problem> {
    let kind = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"));
    if is_json || kind.is_empty() || kind == "application/x-www-form-urlencoded" {
        return json_object(body);
    }
    let detail = "The body must be JSON: say `Content-Type: application/json`.";
    Err(Problem::new(415, "Unsupported Media Type", detail))
}

/// A client for a vendor's API: TLS by rustls, no redirects, no proxy.
///
/// # Errors
/// When the TLS library cannot start.
pub fn client(timeout: std::time::Duration) -> Result<reqwest::Client, reqwest::Error> {
    builder(timeout).build()
}

/// The same, where something is to be added.
pub(crate) fn builder(timeout: std::time::Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(std::time::Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("11Wire/", env!("CARGO_PKG_VERSION")))
}

//! All doors on one address, as the HTTP API puts them: a request becomes an [`Inbound`] and goes to the handler that the
//! template routes it to.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Request, Response};
use elevenwire::http::{Inbound, Reply};
use elevenwire::telemetry::metrics;
use http::Method;
use http::request::Parts;
use tower::ServiceExt;

use crate::apps::Apps;

/// The routes of the template.
pub(crate) fn router(apps: Arc<Apps>) -> Router {
    let dated = axum::middleware::from_fn_with_state(Arc::clone(&apps), date);
    Router::new().fallback(serve).layer(axum::extract::DefaultBodyLimit::disable()).layer(dated).with_state(apps)
}

/// Dates answers by the world's clock.
async fn date(State(apps): State<Arc<Apps>>, request: Request<Body>, next: axum::middleware::Next) -> Response<Body> {
    let mut response = next.run(request).await;
    response.headers_mut().insert("date", simulator::clock::http_date(apps.clock.now()).parse().unwrap());
    response
}

async fn serve(State(apps): State<Arc<Apps>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let inbound = Inbound {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        raw_query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.clone(),
        body: body.clone(),
        source_ip: Some(std::net::IpAddr::from([127, 0, 0, 1])),
        request_id: String::new(),
    };
    let path = inbound.path.clone();
    let function = function(&inbound.method, &path);
    let answer = apps.invocation(function, async {
        let response = handle(&apps, inbound, parts, body).await;
        metrics::answered(response.status().as_u16());
        response
    });
    answer.await
}

/// The function that the template routes a request to.
fn function(method: &Method, path: &str) -> &'static str {
    match (method, path) {
        (&Method::POST, "/api/calls") => "initiate-call",
        (&Method::POST, "/api/webhooks/elevenlabs/initiation" | personalize_call::OPT_OUT_PATH) => "personalize-call",
        (&Method::POST, "/api/webhooks/elevenlabs") => "elevenlabs-webhook",
        (&Method::POST, path) if path.starts_with("/api/webhooks/signalwire/") => "signalwire-webhook",
        (&Method::GET, "/api/health") => "health",
        _ => "api",
    }
}

async fn handle(apps: &Apps, inbound: Inbound, parts: Parts, body: Bytes) -> Response<Body> {
    let now = apps.clock.now();
    let path = inbound.path.clone();
    let reply = match (&inbound.method, path.as_str()) {
        (&Method::POST, "/api/calls") => initiate_call::initiate(&apps.initiate, &inbound, now, rand::random()).await,
        (&Method::POST, "/api/webhooks/elevenlabs/initiation") => {
            personalize_call::personalize(&apps.personalize, &inbound, now).await
        }
        (&Method::POST, personalize_call::OPT_OUT_PATH) => {
            personalize_call::answer(&apps.personalize, &inbound, now).await
        }
        (&Method::POST, "/api/webhooks/elevenlabs") => {
            elevenlabs_webhook::receive(&apps.elevenlabs, &inbound, now).await
        }
        (&Method::POST, path) if path.starts_with("/api/webhooks/signalwire/") => {
            signalwire_webhook::receive(&apps.signalwire, &inbound, now).await
        }
        (&Method::GET, "/api/health") => health::answer(&apps.health, &inbound, now).await,
        _ => {
            let request = Request::from_parts(parts, Body::from(body));
            return apps.api.clone().oneshot(request).await.unwrap_or_default();
        }
    };
    into_response(reply)
}

fn into_response(reply: Reply) -> Response<Body> {
    let mut response = Response::builder().status(reply.status);
    if !reply.content_type.is_empty() {
        response = response.header("Content-Type", reply.content_type);
    }
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}

//! Whoever listens for events: an endpoint of the owner's, which a test can make slow, or refuse.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;

/// An event as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signature: String,
    /// The bytes.
    pub body: String,
    /// What was answered.
    pub status: u16,
}

impl Received {
    /// The body.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// An endpoint.
#[derive(Debug, Clone)]
pub struct Listener(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    url: String,
    status: AtomicU16,
    takes_ms: AtomicU64,
    received: Mutex<Vec<Received>>,
}

impl Listener {
    /// Starts one that takes everything.
    pub async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", socket.local_addr().unwrap());
        let (status, takes_ms) = (AtomicU16::new(200), AtomicU64::new(0));
        let listener = Self(Arc::new(Inside { url, status, takes_ms, received: Mutex::default() }));
        let app = Router::new().fallback(take).with_state(listener.clone());
        tokio::spawn(async move { axum::serve(socket, app).await });
        listener
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// From now on it answers so.
    pub fn answer(&self, status: u16) {
        self.0.status.store(status, Ordering::Relaxed);
    }

    /// From now on it takes so long.
    pub fn take(&self, time: Duration) {
        self.0.takes_ms.store(u64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// Everything that came, whatever was answered.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.0.received.lock().unwrap().clone()
    }

    /// What was answered with success.
    #[must_use]
    pub fn taken(&self) -> Vec<Received> {
        self.received().into_iter().filter(|one| one.status < 300).collect()
    }

    /// Forgets what came.
    pub fn forget(&self) {
        self.0.received.lock().unwrap().clear();
    }
}

async fn take(State(listener): State<Listener>, headers: HeaderMap, body: String) -> Response {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(listener.0.takes_ms.load(Ordering::Relaxed))).await;
    let status = listener.0.status.load(Ordering::Relaxed);
    listener.0.received.lock().unwrap().push(Received {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp").parse().unwrap_or_default(),
        signature: header("webhook-signature"),
        body,
        status,
    });
    StatusCode::from_u16(status).unwrap().into_response()
}

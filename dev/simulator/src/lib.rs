//! Plays SignalWire and ElevenLabs over HTTP, as their documents say, for the local stack and for tests.
//!
//! It knows nothing of the product: it learns addresses and secrets from its [`Config`] and through the vendors' own
//! APIs. `docs/simulator.md` ties each behaviour to its source.

pub mod book;
pub mod clock;
pub mod config;
mod control;
mod dice;
mod door;
mod elevenlabs;
pub mod faults;
mod line;
pub mod mp3;
mod post;
pub mod script;
pub mod sign;
mod signalwire;
pub mod switches;
mod wire;
mod world;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, middleware};
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

pub use self::config::{Config, ImportedNumber, KnownAgent};
use self::{
    book::Book,
    wire::{CuttableListener, Scissors},
    world::World,
};

/// A running simulator. It stops when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    world: Arc<World>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Simulator {
    /// Starts on the present runtime and listens when it returns.
    ///
    /// # Errors
    /// When the address is taken or no HTTP client can be made.
    pub async fn start(config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let world = Arc::new(World::new(config).map_err(io::Error::other)?);
        let vendors = Router::new()
            .merge(signalwire::router(&world))
            .merge(signalwire::numbers::router(&world))
            .merge(elevenlabs::router(&world))
            .layer(middleware::from_fn_with_state(Arc::clone(&world), door::pass))
            .layer(middleware::map_response(door::date));
        let app = vendors.merge(control::router()).with_state(Arc::clone(&world));
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = axum::serve(CuttableListener(listener), app.into_make_service_with_connect_info::<Scissors>())
            .with_graceful_shutdown(async move { drop(stopped.await) });
        let server = tokio::spawn(async move { drop(serve.await) });
        world.spawn_idle(line::dialler::run(Arc::clone(&world)));
        Ok(Self { world, address, stop: Some(stop), server })
    }

    /// `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        self.world.config()
    }

    /// Changes settings, as `PATCH /control/config` does (`switches` and `faults` included).
    ///
    /// # Errors
    /// Says what is wrong; nothing is changed then.
    pub fn configure(&self, patch: Value) -> Result<(), String> {
        control::configure(&self.world, patch)
    }

    /// Looks into the book.
    pub fn book<T>(&self, look: impl FnOnce(&Book) -> T) -> T {
        look(&self.world.state().book)
    }

    /// Waits until no call, callback, webhook or retry is under way; false when `limit` passes first.
    pub async fn wait_idle(&self, limit: Duration) -> bool {
        self.world.idle(limit).await
    }

    /// Ends all calls and empties the book; `all` puts switches and faults back as well.
    pub fn reset(&self, all: bool) {
        control::restart(&self.world, all);
    }

    /// Stops and waits for the server's end.
    pub async fn shutdown(mut self) {
        self.halt();
        // Requests under way may end; one that a fault holds back may not keep us.
        let _ = tokio::time::timeout(Duration::from_secs(1), &mut self.server).await;
        self.server.abort();
    }

    fn halt(&mut self) {
        self.world.stop();
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.halt();
    }
}

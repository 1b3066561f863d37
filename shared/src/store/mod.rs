//! PostgreSQL: one file an aggregate, one statement a question. Statements are unnamed and typed, so that a pooler in
//! transaction mode is no obstacle, and the clock is a parameter.

pub mod agents;
pub mod calls;
pub mod campaigns;
pub mod canary;
pub mod claims;
pub mod console_sessions;
pub mod contacts;
pub mod conversations;
pub mod costs;
pub mod deliveries;
pub mod endpoints;
pub mod exports;
mod fence;
pub mod imports;
pub mod intents;
pub mod lease;
pub mod migrations;
pub mod outbox;
pub mod pace;
pub mod pulse;
pub mod reading;
pub mod recordings;
pub mod reports;
pub mod settle;
pub mod situation;
mod steps;
pub mod stops;
pub mod suppressions;
pub mod trunk;
pub mod turns;
pub mod wakefulness;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, MutexGuard};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Transaction};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::cost::Tariff;
use crate::crash::{Effect, around};
use crate::retry::Failure;

/// A connection that was not used for this long is asked whether it still lives: a frozen instance wakes up with a dead
/// one.
const TRUSTED_FOR: Duration = Duration::from_secs(5);

/// What went wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection, or it broke, or the server is short of something: worth another try.
    #[error("the database did not answer: {0}")]
    Down(String),
    /// The one-live-attempt rule: another attempt to this number is live.
    #[error("another call to this number is live")]
    Busy,
    /// The row that this speaks of does not exist.
    #[error("there is no {0}")]
    Missing(&'static str),
    /// The server refuses the value or the statement, today and tomorrow.
    #[error("the database refused it: {0}")]
    Refused(String),
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(state) = error.code() else { return Self::Down(describe(&error)) };
        let constraint = error.as_db_error().and_then(|refused| refused.constraint());
        if *state == SqlState::UNIQUE_VIOLATION && constraint == Some("calls_one_live_per_number") {
            return Self::Busy;
        }
        // 22: the data cannot be held; 23: a constraint. The message may quote the data, so only the code and the
        // constraint's name are kept.
        match &state.code()[..2] {
            "22" | "23" => Self::Refused(format!("{} {}", state.code(), constraint.unwrap_or_default())),
            _ => Self::Down(format!("SQLSTATE {}", state.code())),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Down(_) => Self::later(Duration::from_secs(10), error.to_string()),
            StoreError::Busy => Self::later(Duration::from_secs(30), error.to_string()),
            StoreError::Missing(_) | StoreError::Refused(_) => Self::never(error.to_string()),
        }
    }
}

fn describe(error: &tokio_postgres::Error) -> String {
    let inner = std::error::Error::source(error).map(ToString::to_string);
    inner.map_or_else(|| error.to_string(), |inner| format!("{error}: {inner}"))
}

/// The database. One connection: a Lambda instance handles one request at a time.
#[derive(Clone)]
pub struct Store {
    url: Arc<SecretString>,
    tls: MakeRustlsConnect,
    tariff: Tariff,
    connection: Arc<Mutex<Option<Connection>>>,
}

struct Connection {
    client: Client,
    used: Instant,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// The connection, held for one piece of work.
pub struct Session<'s>(MutexGuard<'s, Option<Connection>>);

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Store {
    /// A database by its URL. Connects at the first use.
    #[must_use]
    pub fn new(url: SecretString) -> Self {
        let tls = MakeRustlsConnect::new(tls());
        Self { url: Arc::new(url), tls, tariff: Tariff::default(), connection: Arc::default() }
    }

    /// The same, with what is assumed of costs that nobody has told yet.
    #[must_use]
    pub fn with_tariff(self, tariff: Tariff) -> Self {
        Self { tariff, ..self }
    }

    /// Takes the connection, alive: one that slept is checked first, one that died is made anew, once.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn session(&self) -> Result<Session<'_>, StoreError> {
        let mut held = self.connection.lock().await;
        let alive = match held.as_ref() {
            Some(connection) if connection.client.is_closed() => false,
            Some(connection) if connection.used.elapsed() < TRUSTED_FOR => true,
            Some(connection) => {
                let checked = tokio::time::timeout(Duration::from_secs(1), connection.client.check_connection()).await;
                matches!(checked, Ok(Ok(())))
            }
            None => false,
        };
        if !alive {
            *held = None;
            let client = self.connect().await?;
            #[cfg(feature = "crash-points")]
            reads_only(&client).await?;
            *held = Some(Connection { client, used: Instant::now() });
        }
        if let Some(connection) = held.as_mut() {
            connection.used = Instant::now();
        }
        Ok(Session(held))
    }

    pub(crate) async fn connect(&self) -> Result<Client, StoreError> {
        let mut config: tokio_postgres::Config =
            self.url.expose_secret().parse().map_err(|_| StoreError::Down("DATABASE_URL is malformed".to_owned()))?;
        config.connect_timeout(Duration::from_secs(5)).keepalives_idle(Duration::from_secs(30));
        let (client, connection) = config.connect(self.tls.clone()).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(error = describe(&error), "the database connection ended");
            }
        });
        Ok(client)
    }
}

impl Session<'_> {
    /// The connection, to read with. What writes is one statement of [`write`](Self::write), or a transaction: in tests the
    /// server refuses it otherwise.
    ///
    /// # Errors
    /// Never in practice: a session always holds one.
    pub fn client(&mut self) -> Result<&mut Client, StoreError> {
        self.0.as_mut().map(|held| &mut held.client).ok_or_else(|| StoreError::Down("no connection".to_owned()))
    }

    /// Begins a transaction. Dropped without [`commit`], it rolls back.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        // Said aloud, because connections read by default in tests.
        Ok(self.client()?.build_transaction().read_only(false).start().await?)
    }

    /// One statement that writes and commits by itself; answers how many rows it changed.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn write(&mut self, sql: &str, values: &[(&(dyn ToSql + Sync), Type)]) -> Result<u64, StoreError> {
        let client = self.client()?;
        Ok(around(Effect::Write, writing(client, client.execute_typed(sql, values))).await?)
    }

    /// As [`write`](Self::write), for a statement that returns a row or none.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn write_returning(
        &mut self,
        sql: &str,
        values: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Option<Row>, StoreError> {
        let client = self.client()?;
        Ok(around(Effect::Write, writing(client, client.query_typed_opt(sql, values))).await?)
    }
}

/// Commits: with [`Session::write`] the one place where an effect on the database becomes real.
///
/// # Errors
/// When the server refuses or does not answer.
pub async fn commit(transaction: Transaction<'_>) -> Result<(), StoreError> {
    Ok(around(Effect::Commit, transaction.commit()).await?)
}

/// Where crash points exist, a statement that writes without one is an error.
#[cfg(feature = "crash-points")]
async fn reads_only(client: &Client) -> Result<(), StoreError> {
    Ok(client.batch_execute("set default_transaction_read_only = on").await?)
}

#[cfg(feature = "crash-points")]
async fn writing<T>(
    client: &Client,
    statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, tokio_postgres::Error> {
    client.batch_execute("set default_transaction_read_only = off").await?;
    let done = statement.await;
    client.batch_execute("set default_transaction_read_only = on").await?;
    done
}

#[cfg(not(feature = "crash-points"))]
#[inline]
fn writing<F: Future>(_client: &Client, statement: F) -> F {
    statement
}

/// Certificates of the system. `DATABASE_URL` decides by its `sslmode` whether TLS is used.
fn tls() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    match builder.with_safe_default_protocol_versions() {
        Ok(builder) => builder.with_root_certificates(roots).with_no_client_auth(),
        // The provider above supports the default versions; without it there is no way to speak TLS at all.
        Err(error) => unreachable!("TLS cannot start: {error}"),
    }
}

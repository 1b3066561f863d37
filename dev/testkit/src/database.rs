//! A database a test, cloned from a template that was migrated once a run.

use elevenwire::store::{Store, migrations};
use tokio_postgres::{Client, NoTls};

const TEMPLATE: &str = "elevenwire_template";

/// A database of a test's own.
#[derive(Debug)]
pub struct Database {
    /// Its URL.
    pub url: String,
}

impl Database {
    /// Makes one, on the server that `TEST_DATABASE_URL` names (nextest's setup script starts it).
    pub async fn create() -> Self {
        let server = env("TEST_DATABASE_URL");
        let admin = connect(&server).await;
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        // One test makes the template, the others wait for it.
        admin.batch_execute("select pg_advisory_lock(1)").await.unwrap();
        let known = admin.query_opt("select 1 from pg_database where datname = $1", &[&TEMPLATE]).await.unwrap();
        if known.is_none() {
            admin.batch_execute("create database elevenwire_building").await.unwrap();
            migrations::run(&Store::new(at(&server, "elevenwire_building").into())).await.unwrap();
            // Its last connection closes in the background: the rename waits for that.
            while admin
                .batch_execute(&format!("alter database elevenwire_building rename to {TEMPLATE}"))
                .await
                .is_err()
            {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        admin.batch_execute(&format!("create database {name} template {TEMPLATE}")).await.unwrap();
        admin.batch_execute("select pg_advisory_unlock(1)").await.unwrap();
        Self { url: at(&server, &name) }
    }

    /// The store over it.
    #[must_use]
    pub fn store(&self) -> Store {
        Store::new(self.url.clone().into())
    }

    /// A connection of its own, to look around with.
    pub async fn client(&self) -> Client {
        connect(&self.url).await
    }

    /// A number that a query answers.
    pub async fn count(&self, sql: &str) -> i64 {
        self.client().await.query_one(sql, &[]).await.unwrap().get(0)
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The server's URL with another database.
fn at(server: &str, name: &str) -> String {
    let (base, query) =
        server.split_once('?').map_or((server, String::new()), |(base, query)| (base, format!("?{query}")));
    let (host, _) = base.rsplit_once('/').unwrap();
    format!("{host}/{name}{query}")
}

/// A variable that the setup script of the test run sets.
#[must_use]
pub fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with `make test` or cargo nextest"))
}

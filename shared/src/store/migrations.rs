//! The schema, in versions. Run after each deploy by the function `migrate`.

use super::{Store, StoreError};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Brings the schema up to date. Safe to run again and at the same time: refinery records what ran.
///
/// # Errors
/// When the server does not answer, or a migration fails (then nothing of it stays).
pub async fn run(store: &Store) -> Result<Vec<String>, StoreError> {
    let mut client = store.connect().await?;
    // Two runs at once would both start the same version: the second waits here until the first has ended.
    client.batch_execute("select pg_advisory_lock(7011900127)").await?;
    let report = embedded::migrations::runner().run_async(&mut client).await;
    let report = report.map_err(|error| StoreError::Refused(error.to_string()))?;
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}

/// The newest version that this program knows.
#[must_use]
pub fn newest() -> i32 {
    embedded::migrations::runner().get_migrations().iter().map(refinery::Migration::version).max().unwrap_or(0)
}

/// The version of the schema in the database.
///
/// # Errors
/// When the server does not answer, or no migration ever ran.
pub async fn current(store: &Store) -> Result<i32, StoreError> {
    let mut session = store.session().await?;
    let row = session.client()?.query_typed_one("select max(version) from refinery_schema_history", &[]).await?;
    Ok(row.get::<_, Option<i32>>(0).unwrap_or(0))
}

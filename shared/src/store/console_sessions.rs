//! Who is signed in to the console. The function keeps nothing between requests, so sessions are rows; only digests of
//! their secrets are kept.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::{Store, StoreError};

impl Store {
    /// Begins a session of a token's until `expires_at`; clears away those that are over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_console_session(
        &self,
        secret_sha256: &[u8],
        token_sha256: &[u8],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "with over as (delete from console_sessions where expires_at < $3)
            insert into console_sessions (secret_sha256, token_sha256, created_at, expires_at) values ($1, $2, $3, $4)";
        let typed = [
            (&secret_sha256 as _, Type::BYTEA),
            (&token_sha256 as _, Type::BYTEA),
            (&now as _, Type::TIMESTAMPTZ),
            (&expires_at as _, Type::TIMESTAMPTZ),
        ];
        self.session().await?.write(sql, &typed).await?;
        Ok(())
    }

    /// The digest of the token whose session this is; `None` when there is no such session, or it is over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn console_session(&self, secret_sha256: &[u8], now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "select token_sha256 from console_sessions where secret_sha256 = $1 and expires_at > $2";
        let typed = [(&secret_sha256 as _, Type::BYTEA), (&now as _, Type::TIMESTAMPTZ)];
        let row = self.session().await?.client()?.query_typed_opt(sql, &typed).await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_console_session(&self, secret_sha256: &[u8]) -> Result<(), StoreError> {
        let sql = "delete from console_sessions where secret_sha256 = $1";
        self.session().await?.write(sql, &[(&secret_sha256 as _, Type::BYTEA)]).await?;
        Ok(())
    }
}

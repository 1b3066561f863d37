//! Endpoints of the owner's that events are brought to.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{Store, StoreError, commit};
use crate::events;

/// So many at most: each may keep a connection of publish-events waiting.
pub const MOST: i64 = 20;

/// An endpoint, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Endpoint {
    /// Its id.
    pub id: Uuid,
    /// `https`, or `bus`: the deployment's own event bus.
    pub kind: String,
    /// Its address, or the bus's name.
    pub url: String,
    /// Its owner's words.
    pub description: Option<String>,
    /// Which types it gets; all when there is none.
    pub types: Vec<String>,
    /// `active` or `disabled`.
    pub state: String,
    /// Why it is disabled.
    pub because: Option<String>,
    /// Until when the secret before this one signs as well.
    pub old_secret_until: Option<Timestamp>,
    /// When it last took an event.
    pub last_success_at: Option<Timestamp>,
    /// When it last did not.
    pub last_failure_at: Option<Timestamp>,
    /// Why.
    pub last_failure: Option<String>,
    /// Events that wait for it.
    pub waiting: i64,
    /// Events that were given up.
    pub given_up: i64,
    /// Name of the token that made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A new endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEndpoint {
    /// Its id.
    pub id: Uuid,
    /// Its address.
    pub url: String,
    /// Its owner's words.
    pub description: Option<String>,
    /// Which types it gets; all when there is none.
    pub types: Vec<String>,
}

const SELECT: &str = "
select id, kind, target, description, types, state, because, old_secret_until, last_success_at, last_failure_at,
    last_failure, created_by, created_at, updated_at,
    (select count(*) from outbox_deliveries where endpoint_id = e.id and state = 'pending') as waiting,
    (select count(*) from outbox_deliveries where endpoint_id = e.id and state = 'failed') as given_up
from event_endpoints e";

fn endpoint(row: &Row) -> Endpoint {
    Endpoint {
        id: row.get("id"),
        kind: row.get("kind"),
        url: row.get("target"),
        description: row.get("description"),
        types: row.get("types"),
        state: row.get("state"),
        because: row.get("because"),
        old_secret_until: row.get("old_secret_until"),
        last_success_at: row.get("last_success_at"),
        last_failure_at: row.get("last_failure_at"),
        last_failure: row.get("last_failure"),
        waiting: row.get("waiting"),
        given_up: row.get("given_up"),
        created_by: row.get("created_by"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
    }
}

impl Store {
    /// Writes an endpoint down; `false` when there are [`MOST`] already.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn add_endpoint(
        &self,
        new: &NewEndpoint,
        secret: &SecretString,
        by_whom: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "insert into event_endpoints
                       (id, kind, target, description, types, secret, created_by, created_at, updated_at)
                   select $1, 'https', $2, $3, $4, $5, $6, $7, $7
                   where (select count(*) from event_endpoints where kind = 'https') < $8";
        let typed = [
            (&new.id as _, Type::UUID),
            (&new.url as _, Type::TEXT),
            (&new.description as _, Type::TEXT),
            (&new.types as _, Type::TEXT_ARRAY),
            (&secret.expose_secret() as _, Type::TEXT),
            (&by_whom as _, Type::TEXT),
            (&now as _, Type::TIMESTAMPTZ),
            (&MOST as _, Type::INT8),
        ];
        Ok(self.session().await?.write(sql, &typed).await? > 0)
    }

    /// All endpoints, the oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError> {
        let sql = format!("{SELECT} order by created_at, id");
        let rows = self.session().await?.client()?.query_typed(&sql, &[]).await?;
        Ok(rows.iter().map(endpoint).collect())
    }

    /// An endpoint.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn endpoint(&self, id: Uuid) -> Result<Option<Endpoint>, StoreError> {
        let sql = format!("{SELECT} where id = $1");
        let row = self.session().await?.client()?.query_typed_opt(&sql, &[(&id, Type::UUID)]).await?;
        Ok(row.as_ref().map(endpoint))
    }

    /// Forgets an endpoint, with what waits for it; whether there was one. The bus stays: it is the deployment's.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn remove_endpoint(&self, id: Uuid) -> Result<bool, StoreError> {
        let sql = "delete from event_endpoints where id = $1 and kind = 'https'";
        Ok(self.session().await?.write(sql, &[(&id, Type::UUID)]).await? > 0)
    }

    /// Gives an endpoint a new secret; the one before signs as well until `overlap`. Whether there is such an endpoint.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rotate_secret(
        &self,
        id: Uuid,
        secret: &SecretString,
        overlap: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "update event_endpoints set old_secret = secret, old_secret_until = $3, secret = $2, updated_at = $4
                   where id = $1 and kind = 'https'";
        let typed = [
            (&id as _, Type::UUID),
            (&secret.expose_secret() as _, Type::TEXT),
            (&overlap as _, Type::TIMESTAMPTZ),
            (&now as _, Type::TIMESTAMPTZ),
        ];
        Ok(self.session().await?.write(sql, &typed).await? > 0)
    }

    /// Lets a disabled endpoint get events again; whether there is such an endpoint.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn enable_endpoint(&self, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "update event_endpoints set state = 'active', because = null, updated_at = $2
                   where id = $1 and kind = 'https'";
        Ok(self.session().await?.write(sql, &[(&id, Type::UUID), (&now, Type::TIMESTAMPTZ)]).await? > 0)
    }

    /// Everything that an endpoint does not have is due now, also what was given up; how many events.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn deliver_again(&self, id: Uuid, now: Timestamp) -> Result<u64, StoreError> {
        // A try that is under way is left alone: it ends by itself.
        let sql = "update outbox_deliveries set attempts = 0, next_at = $2, state = 'pending'
                   where endpoint_id = $1 and (state = 'failed'
                       or (state = 'pending' and error is not null and next_at > $2 and attempted_at < $2 - interval '2 minutes'))";
        self.session().await?.write(sql, &[(&id, Type::UUID), (&now, Type::TIMESTAMPTZ)]).await
    }

    /// Writes an event down that says nothing, for this endpoint alone.
    ///
    /// # Errors
    /// When the database does not answer, or the endpoint is gone.
    pub async fn test_endpoint(&self, id: Uuid, test: Uuid, now: Timestamp) -> Result<String, StoreError> {
        let event_id = format!("msg_{}", test.simple());
        let event = "insert into outbox (id, type, subject, at, data)
                     values ($1, $2, $3, $4, jsonb_build_object('endpoint_id', $5))";
        let delivery =
            "insert into outbox_deliveries (event_id, endpoint_id, next_at, created_at) values ($1, $2, $3, $3)";
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let typed = [
            (&event_id as _, Type::TEXT),
            (&events::TEST as _, Type::TEXT),
            (&test.to_string() as _, Type::TEXT),
            (&now as _, Type::TIMESTAMPTZ),
            (&id as _, Type::UUID),
        ];
        tx.execute_typed(event, &typed).await?;
        let typed = [(&event_id as _, Type::TEXT), (&id as _, Type::UUID), (&now as _, Type::TIMESTAMPTZ)];
        tx.execute_typed(delivery, &typed).await?;
        commit(tx).await?;
        Ok(event_id)
    }
}

//! The outbox: events that are to be brought to somebody, each to each endpoint by a row of its own. The database writes
//! them itself, in the transaction of what happened (`shared/migrations/V7__events_out.sql`).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{Store, StoreError, commit};
use crate::events::Event;

/// A try whose end nobody wrote down counts as lost after this: longer than publish-events lives.
pub const TRY_LIVES: SignedDuration = SignedDuration::from_secs(120);

/// Events that an endpoint gets at once: as many as the bus takes in one request.
pub const AT_ONCE: i64 = 10;

/// A try at an endpoint, begun.
#[derive(Debug, Clone)]
pub struct Try {
    /// The endpoint.
    pub endpoint: Uuid,
    /// Whether it is the bus.
    pub to_bus: bool,
    /// Its address, or the bus's name.
    pub target: String,
    /// The secrets that sign: the new one, and the old one while both count.
    pub secrets: Vec<SecretString>,
    /// What is sent.
    pub event: Event,
    /// The how-manieth try this is, from 1.
    pub number: u32,
}

/// What became of a try that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is tried again then.
    Again(Timestamp),
    /// It is given up.
    GivenUp,
}

/// An event that an endpoint does not have.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Undelivered {
    /// Its id.
    pub event_id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened.
    pub timestamp: Timestamp,
    /// `pending` or `failed`.
    pub state: String,
    /// Tries so far.
    pub attempts: i32,
    /// The next one.
    pub next_at: Option<Timestamp>,
    /// Why the last one failed.
    pub error: Option<String>,
}

/// Whoever is written down as tried is not tried by somebody else: two publishers at once share the work.
const CLAIM: &str = "
with due as (
    select d.event_id, d.endpoint_id from event_endpoints e cross join lateral (
        select event_id, endpoint_id from outbox_deliveries
        where endpoint_id = e.id and state = 'pending' and next_at <= $1
        order by next_at, event_id limit $3 for update skip locked
    ) d
    where e.state = 'active' and e.id <> all ($2)
), begun as (
    update outbox_deliveries d set attempts = d.attempts + 1, attempted_at = $1, next_at = $4
    from due where d.endpoint_id = due.endpoint_id and d.event_id = due.event_id
    returning d.endpoint_id, d.event_id, d.attempts
)
select e.id as endpoint, e.kind = 'bus' as to_bus, e.target, e.secret,
    case when e.old_secret_until > $1 then e.old_secret end as old_secret,
    begun.attempts, o.id, o.type, o.at, o.data
from begun join event_endpoints e on e.id = begun.endpoint_id join outbox o on o.id = begun.event_id
order by e.id, o.at, o.id";

fn begun(row: &Row) -> Try {
    let secrets = ["secret", "old_secret"].map(|name| row.get::<_, Option<String>>(name).map(SecretString::from));
    Try {
        endpoint: row.get("endpoint"),
        to_bus: row.get("to_bus"),
        target: row.get("target"),
        secrets: secrets.into_iter().flatten().collect(),
        event: Event { id: row.get("id"), kind: row.get("type"), timestamp: row.get("at"), data: row.get("data") },
        number: u32::try_from(row.get::<_, i32>("attempts")).unwrap_or(u32::MAX),
    }
}

impl Store {
    /// The deployment's bus, if it has one, is an endpoint like the others; another one is none any more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep_bus(&self, name: Option<&str>, id: Uuid, now: Timestamp) -> Result<(), StoreError> {
        let active = "select target from event_endpoints where kind = 'bus' and state = 'active'";
        let mut session = self.session().await?;
        let known = session.client()?.query_typed(active, &[]).await?;
        if known.iter().map(|row| row.get::<_, &str>(0)).eq(name) {
            return Ok(());
        }
        let over = "update event_endpoints set state = 'disabled', because = 'the deployment has another bus, or none',
                        updated_at = $2
                    where kind = 'bus' and state = 'active' and target is distinct from $1";
        session.write(over, &[(&name, Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await?;
        if name.is_none() {
            return Ok(());
        }
        let sql = "insert into event_endpoints (id, kind, target, created_by, created_at, updated_at)
                   values ($1, 'bus', $2, 'the deployment', $3, $3)
                   on conflict (target) where kind = 'bus'
                   do update set state = 'active', because = null, updated_at = $3";
        session.write(sql, &[(&id, Type::UUID), (&name, Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await?;
        Ok(())
    }

    /// Begins tries of what is due, a batch for each endpoint that is not among `but`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_tries(&self, but: &[Uuid], now: Timestamp) -> Result<Vec<Try>, StoreError> {
        let lost = now.saturating_add(TRY_LIVES).unwrap_or(now);
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let typed = [
            (&now as _, Type::TIMESTAMPTZ),
            (&but as _, Type::UUID_ARRAY),
            (&AT_ONCE as _, Type::INT8),
            (&lost as _, Type::TIMESTAMPTZ),
        ];
        let rows = tx.query_typed(CLAIM, &typed).await?;
        if !rows.is_empty() {
            commit(tx).await?;
        }
        Ok(rows.iter().map(begun).collect())
    }

    /// An endpoint has taken these events.
    ///
    /// # Errors
    /// When the database does not answer: they are sent again then, with the same ids.
    pub async fn taken(&self, endpoint: Uuid, events: &[&str], now: Timestamp) -> Result<(), StoreError> {
        let sql = "with done as (
                update outbox_deliveries set state = 'delivered', delivered_at = $3, error = null
                where endpoint_id = $1 and event_id = any ($2) and state <> 'delivered'
            )
            update event_endpoints set last_success_at = greatest(last_success_at, $3) where id = $1";
        let typed = [(&endpoint as _, Type::UUID), (&events as _, Type::TEXT_ARRAY), (&now as _, Type::TIMESTAMPTZ)];
        self.session().await?.write(sql, &typed).await?;
        Ok(())
    }

    /// A try failed. One that was lost meanwhile, and begun anew by somebody else, changes nothing.
    ///
    /// # Errors
    /// When the database does not answer: then it counts as lost, and is tried again.
    pub async fn refused(&self, tried: &Try, why: &str, next: Next, now: Timestamp) -> Result<(), StoreError> {
        let sql = "with done as (
                update outbox_deliveries set error = $4, next_at = coalesce($5, next_at),
                    state = case when $5::timestamptz is null then 'failed' else 'pending' end
                where endpoint_id = $1 and event_id = $2 and attempts = $6 and state = 'pending'
            )
            update event_endpoints set last_failure_at = $3, last_failure = $4 where id = $1";
        let again = match next {
            Next::Again(at) => Some(at),
            Next::GivenUp => None,
        };
        let typed = [
            (&tried.endpoint as _, Type::UUID),
            (&tried.event.id as _, Type::TEXT),
            (&now as _, Type::TIMESTAMPTZ),
            (&why as _, Type::TEXT),
            (&again as _, Type::TIMESTAMPTZ),
            (&i32::try_from(tried.number).unwrap_or(i32::MAX) as _, Type::INT4),
        ];
        self.session().await?.write(sql, &typed).await?;
        Ok(())
    }

    /// An endpoint wants nothing any more; what waits for it waits until its owner says otherwise.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn disable_endpoint(&self, id: Uuid, because: &str, now: Timestamp) -> Result<(), StoreError> {
        let sql =
            "update event_endpoints set state = 'disabled', because = $2, last_failure = $2, last_failure_at = $3,
                       updated_at = $3
                   where id = $1 and state = 'active'";
        let typed = [(&id as _, Type::UUID), (&because as _, Type::TEXT), (&now as _, Type::TIMESTAMPTZ)];
        self.session().await?.write(sql, &typed).await?;
        Ok(())
    }

    /// For how long the oldest event has waited for an endpoint that is not disabled.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn longest_wait(&self, now: Timestamp) -> Result<Option<Duration>, StoreError> {
        let sql = "select d.created_at from outbox_deliveries d join event_endpoints e on e.id = d.endpoint_id
                   where d.state = 'pending' and e.state = 'active' order by d.created_at limit 1";
        let row = self.session().await?.client()?.query_typed_opt(sql, &[]).await?;
        let since = row.map(|row| row.get::<_, Timestamp>(0));
        Ok(since.and_then(|since| Duration::try_from(now.duration_since(since)).ok()))
    }

    /// What an endpoint does not have: what was given up first, then what waits, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn undelivered(&self, endpoint: Uuid, most: i64) -> Result<Vec<Undelivered>, StoreError> {
        let sql = "select o.id, o.type, o.at, d.state, d.attempts, d.next_at, d.error
                   from outbox_deliveries d join outbox o on o.id = d.event_id
                   where d.endpoint_id = $1 and d.state <> 'delivered'
                   order by d.state, d.created_at desc, o.id limit $2";
        let typed = [(&endpoint as _, Type::UUID), (&most as _, Type::INT8)];
        let rows = self.session().await?.client()?.query_typed(sql, &typed).await?;
        Ok(rows.iter().map(undelivered).collect())
    }
}

fn undelivered(row: &Row) -> Undelivered {
    let state: String = row.get(3);
    Undelivered {
        event_id: row.get(0),
        kind: row.get(1),
        timestamp: row.get(2),
        attempts: row.get(4),
        next_at: Some(row.get(5)).filter(|_| state == "pending"),
        state,
        error: row.get(6),
    }
}

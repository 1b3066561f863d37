//! What its owner stopped. Read in every claim, so a stop holds from the moment that it is committed, and survives a
//! redeploy.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::reading::Slice;
use super::{Store, StoreError, commit};
use crate::call::Connect;

/// What a stop covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = StopScope)]
#[serde(tag = "scope", content = "value", rename_all = "snake_case")]
pub enum Scope {
    /// Everything.
    All,
    /// A campaign, by id.
    Campaign(String),
    /// An agent, by name.
    Agent(String),
    /// A caller id.
    From(String),
}

impl Scope {
    /// The word and the value, as they stand in the database.
    #[must_use]
    pub fn parts(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::All => ("all", None),
            Self::Campaign(id) => ("campaign", Some(id)),
            Self::Agent(name) => ("agent", Some(name)),
            Self::From(number) => ("from", Some(number)),
        }
    }

    fn of(word: &str, value: Option<String>) -> Self {
        match (word, value) {
            ("campaign", Some(id)) => Self::Campaign(id),
            ("agent", Some(name)) => Self::Agent(name),
            ("from", Some(number)) => Self::From(number),
            _ => Self::All,
        }
    }
}

/// A stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Stop {
    /// Its id.
    pub id: Uuid,
    /// What it covers.
    #[serde(flatten)]
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// Live calls were ended as well.
    pub hang_up: bool,
    /// Name of the token that stopped.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// When it was lifted.
    pub lifted_at: Option<Timestamp>,
    /// Name of the token that lifted it.
    pub lifted_by: Option<String>,
}

const COLUMNS: &str = "id, scope, value, reason, hang_up, by_whom, at, lifted_at, lifted_by";

fn stop(row: &Row) -> Stop {
    Stop {
        id: row.get(0),
        scope: Scope::of(row.get(1), row.get(2)),
        reason: row.get(3),
        hang_up: row.get(4),
        by: row.get(5),
        at: row.get(6),
        lifted_at: row.get(7),
        lifted_by: row.get(8),
    }
}

/// Calls that a stop reaches: to be taken back, or to be hung up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// They wait at the carrier, or ring.
    pub to_cancel: Vec<Uuid>,
    /// Somebody is on the line.
    pub to_hang_up: Vec<Uuid>,
}

/// Which live calls a command of the owner's is for.
const COVERED: &str = "($1 = 'all' or ($1 = 'campaign' and campaign_id = $2) or ($1 = 'agent' and agent = $2)
    or ($1 = 'from' and from_number = $2) or ($1 = 'call' and id::text = $2))";

impl Store {
    /// Writes a stop down: from the commit on, no claim that it covers goes through.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stop(&self, new: &Stop) -> Result<(), StoreError> {
        let (scope, value) = new.scope.parts();
        let sql =
            "insert into stops (id, scope, value, reason, hang_up, by_whom, at) values ($1, $2, $3, $4, $5, $6, $7)";
        let typed = [
            (&new.id as _, Type::UUID),
            (&scope as _, Type::TEXT),
            (&value as _, Type::TEXT),
            (&new.reason as _, Type::TEXT),
            (&new.hang_up as _, Type::BOOL),
            (&new.by as _, Type::TEXT),
            (&new.at as _, Type::TIMESTAMPTZ),
        ];
        self.session().await?.write(sql, &typed).await?;
        Ok(())
    }

    /// Lifts a stop; `None` when there is none of this id. Lifting twice keeps the first time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn lift(&self, id: Uuid, by: &str, now: Timestamp) -> Result<Option<Stop>, StoreError> {
        let sql = format!(
            "update stops set lifted_at = coalesce(lifted_at, $2), lifted_by = coalesce(lifted_by, $3)
             where id = $1 returning {COLUMNS}"
        );
        let typed = [(&id as _, Type::UUID), (&now as _, Type::TIMESTAMPTZ), (&by as _, Type::TEXT)];
        let row = self.session().await?.write_returning(&sql, &typed).await?;
        Ok(row.as_ref().map(stop))
    }

    /// Those that hold, then those that were lifted; each the newest first. The slice begins behind a stop by whether it was
    /// lifted, its time and its id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stops(&self, slice: &Slice<(bool, Uuid)>) -> Result<Vec<Stop>, StoreError> {
        let sql = format!(
            "select {COLUMNS} from stops
             where $1::timestamptz is null or (lifted_at is not null and not $2)
                 or ((lifted_at is not null) = $2 and (at, id) < ($1, $3))
             order by lifted_at is not null, at desc, id desc limit $4"
        );
        let (at, (lifted, id)) = match slice.after {
            Some((at, (lifted, id))) => (Some(at), (lifted, Some(id))),
            None => (None, (false, None)),
        };
        let typed = [
            (&at as _, Type::TIMESTAMPTZ),
            (&lifted as _, Type::BOOL),
            (&id as _, Type::UUID),
            (&slice.most as _, Type::INT8),
        ];
        let rows = self.session().await?.client()?.query_typed(&sql, &typed).await?;
        Ok(rows.iter().map(stop).collect())
    }

    /// Notes for all live calls of a scope that they shall end, and answers which: those that nobody answered are taken
    /// back, the others hung up if `hang_up`. What ElevenLabs dials cannot be commanded.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_live(&self, scope: &Scope, hang_up: bool, now: Timestamp) -> Result<Reached, StoreError> {
        let (word, value) = scope.parts();
        self.end_covered(word, value, hang_up, now).await
    }

    /// The same for one call.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_call(&self, call_id: Uuid, hang_up: bool, now: Timestamp) -> Result<Reached, StoreError> {
        self.end_covered("call", Some(&call_id.to_string()), hang_up, now).await
    }

    async fn end_covered(
        &self,
        word: &str,
        value: Option<&str>,
        hang_up: bool,
        now: Timestamp,
    ) -> Result<Reached, StoreError> {
        // `placing` and `unknown` get the mark as well: whoever learns the carrier's id ends the call then.
        let sql = format!(
            "update calls set cancel_at = case when state = 'in_progress' then cancel_at else coalesce(cancel_at, $3) end,
                 hang_up_at = case when $4 then coalesce(hang_up_at, $3) else hang_up_at end, updated_at = $3
             where {COVERED} and connect = $5 and (state in ('placing', 'unknown', 'queued', 'ringing')
                 or ($4 and state = 'in_progress'))
             returning id, state"
        );
        let sip = Connect::Sip.as_str();
        let typed = [
            (&word as _, Type::TEXT),
            (&value as _, Type::TEXT),
            (&now as _, Type::TIMESTAMPTZ),
            (&hang_up as _, Type::BOOL),
            (&sip as _, Type::TEXT),
        ];
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let rows = tx.query_typed(&sql, &typed).await?;
        commit(tx).await?;
        let mut reached = Reached::default();
        for row in &rows {
            match row.get::<_, &str>(1) {
                "in_progress" => reached.to_hang_up.push(row.get(0)),
                _ => reached.to_cancel.push(row.get(0)),
            }
        }
        Ok(reached)
    }

    /// Takes back an attempt that nobody was asked for yet; says whether there was one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_back_intent(&self, call_id: Uuid, reason: &str, now: Timestamp) -> Result<bool, StoreError> {
        use crate::call::{Event, Fact, OwnEnd};
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let sql = "select number from numbers where number = (select to_number from calls where id = $1) for update";
        tx.query_typed_opt(sql, &[(&call_id, Type::UUID)]).await?;
        let sql = "select 1 from calls where id = $1 and state = 'intent' for update";
        let waits = tx.query_typed_opt(sql, &[(&call_id, Type::UUID)]).await?.is_some();
        if waits {
            let fact = Fact::Decided { end: OwnEnd::Canceled, reason: reason.to_owned() };
            super::calls::learn(&tx, call_id, &[Event::new(fact, now).into()], now).await?;
            commit(tx).await?;
        }
        Ok(waits)
    }
}

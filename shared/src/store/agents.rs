//! Agents: who speaks, from which numbers, under which limits.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::{Store, StoreError};
use crate::call::Connect;

/// What answering machine detection is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Amd {
    /// Nothing.
    Off,
    /// Connect at once, and hang up when it turns out to be a machine.
    HangUp,
}

/// A registered agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Agent {
    /// Our name for it.
    pub name: String,
    /// ElevenLabs' id.
    pub elevenlabs_agent_id: String,
    /// The number imported at ElevenLabs, as it is written there.
    pub number: String,
    /// Numbers that it may call from.
    pub caller_ids: Vec<String>,
    /// Who dials, and so how it comes to the line.
    pub connect: Connect,
    /// ElevenLabs' id of the number, which it needs to dial from it.
    pub elevenlabs_phone_number_id: Option<String>,
    /// Answering machine detection.
    pub amd: Amd,
    /// Seconds that it lets ring; the deployment's default when not set.
    pub ring_timeout_secs: Option<u32>,
    /// Seconds after which a call is ended.
    pub max_duration_secs: u32,
    /// Calls that it holds at once; the workspace's limit where it was registered before this had to be said.
    pub max_concurrent: Option<u32>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Agent {
    /// From which numbers it calls: the campaign's own, or its; without those that rest.
    #[must_use]
    pub fn usable_caller_ids(&self, of_campaign: Option<&String>, resting: &[String]) -> Vec<String> {
        let all = of_campaign.map_or(self.caller_ids.as_slice(), std::slice::from_ref);
        all.iter().filter(|number| !resting.contains(number)).cloned().collect()
    }
}

const COLUMNS: &str =
    "name, elevenlabs_agent_id, number, caller_ids, amd, ring_timeout_secs, max_duration_secs, created_at,
    updated_at, connect, elevenlabs_phone_number_id, max_concurrent";

fn agent(row: &Row) -> Agent {
    Agent {
        name: row.get(0),
        elevenlabs_agent_id: row.get(1),
        number: row.get(2),
        caller_ids: row.get(3),
        connect: Connect::parse(row.get(9)),
        elevenlabs_phone_number_id: row.get(10),
        amd: if row.get::<_, &str>(4) == "hang_up" { Amd::HangUp } else { Amd::Off },
        ring_timeout_secs: row.get::<_, Option<i32>>(5).and_then(|seconds| seconds.try_into().ok()),
        max_duration_secs: row.get::<_, i32>(6).try_into().unwrap_or(0),
        max_concurrent: row.get::<_, Option<i32>>(11).and_then(|limit| limit.try_into().ok()),
        created_at: row.get(7),
        updated_at: row.get(8),
    }
}

/// What became of storing an agent.
#[derive(Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is new.
    Created(Box<Agent>),
    /// It was there and is as asked now.
    Replaced(Box<Agent>),
    /// The name is taken, and replacing was not asked for.
    NameTaken,
    /// The number belongs to another agent.
    NumberTaken,
}

impl Store {
    /// An agent by our name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn agent(&self, name: &str) -> Result<Option<Agent>, StoreError> {
        let sql = format!("select {COLUMNS} from agents where name = $1");
        let row = self.session().await?.client()?.query_typed_opt(&sql, &[(&name, Type::TEXT)]).await?;
        Ok(row.as_ref().map(agent))
    }

    /// All agents, by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn agents(&self) -> Result<Vec<Agent>, StoreError> {
        self.agents_after(None, i64::MAX).await
    }

    /// Agents by name, behind the name `after` if it is given.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn agents_after(&self, after: Option<&str>, most: i64) -> Result<Vec<Agent>, StoreError> {
        let sql = format!("select {COLUMNS} from agents where $1::text is null or name > $1 order by name limit $2");
        let typed = [(&after as _, Type::TEXT), (&most as _, Type::INT8)];
        let rows = self.session().await?.client()?.query_typed(&sql, &typed).await?;
        Ok(rows.iter().map(agent).collect())
    }

    /// Stores an agent; `replace` allows that its name is known already. Its `created_at` is kept then.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn put_agent(&self, new: &Agent, replace: bool) -> Result<Stored, StoreError> {
        let on_conflict = if replace {
            "on conflict (name) do update set elevenlabs_agent_id = excluded.elevenlabs_agent_id, number = excluded.number,
                caller_ids = excluded.caller_ids, amd = excluded.amd, ring_timeout_secs = excluded.ring_timeout_secs,
                max_duration_secs = excluded.max_duration_secs, updated_at = excluded.updated_at,
                connect = excluded.connect, elevenlabs_phone_number_id = excluded.elevenlabs_phone_number_id,
                max_concurrent = excluded.max_concurrent"
        } else {
            "on conflict (name) do nothing"
        };
        // A row that an update touched has a xmax: that is how an insert and an update are told apart.
        let sql = format!(
            "insert into agents ({COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $11)
             {on_conflict} returning {COLUMNS}, xmax = 0"
        );
        let amd = if new.amd == Amd::HangUp { "hang_up" } else { "off" };
        let ring = new.ring_timeout_secs.and_then(|seconds| i32::try_from(seconds).ok());
        let most = i32::try_from(new.max_duration_secs).unwrap_or(i32::MAX);
        let mut session = self.session().await?;
        let stored = session
            .write_returning(
                &sql,
                &[
                    (&new.name, Type::TEXT),
                    (&new.elevenlabs_agent_id, Type::TEXT),
                    (&new.number, Type::TEXT),
                    (&new.caller_ids, Type::TEXT_ARRAY),
                    (&amd, Type::TEXT),
                    (&ring, Type::INT4),
                    (&most, Type::INT4),
                    (&new.updated_at, Type::TIMESTAMPTZ),
                    (&new.connect.as_str(), Type::TEXT),
                    (&new.elevenlabs_phone_number_id, Type::TEXT),
                    (&new.max_concurrent.and_then(|limit| i32::try_from(limit).ok()), Type::INT4),
                ],
            )
            .await;
        match stored {
            Ok(None) => Ok(Stored::NameTaken),
            Ok(Some(row)) if row.get(12) => Ok(Stored::Created(Box::new(agent(&row)))),
            Ok(Some(row)) => Ok(Stored::Replaced(Box::new(agent(&row)))),
            Err(StoreError::Refused(why)) if why.contains("agents_number_key") => Ok(Stored::NumberTaken),
            Err(error) => Err(error),
        }
    }
}

//! Campaigns: stored, started, stopped, counted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

use super::reading::Slice;
use super::{Store, StoreError, commit, imports};
use crate::campaign::breaker::{ALL_REST, Counts, LAST_ATTEMPTS, trips};
use crate::campaign::{Budget, Settings, State};
use crate::guard::Purpose;

/// A campaign.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Campaign {
    /// Its id.
    pub id: Uuid,
    /// Its owner's name for it.
    pub name: String,
    /// Our name of its agent.
    pub agent: String,
    /// Caller id; any of the agent's when not set.
    pub from: Option<String>,
    /// Why people are called.
    pub purpose: Purpose,
    /// Where it stands.
    pub state: State,
    /// Why it stands still.
    pub because: Option<String>,
    /// Who decided so: `owner` or `breaker`.
    pub decided_by: Option<String>,
    /// What its owner asks for.
    #[serde(flatten)]
    pub settings: Settings,
    /// When it was written down.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was first started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Campaign {
    /// Fields without which it cannot start: a marketing call says who calls, that a machine speaks, that it is recorded,
    /// and how to say no.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        if self.purpose != Purpose::Marketing {
            return Vec::new();
        }
        self.settings.texts.missing().into_iter().map(|name| format!("texts.{name}")).collect()
    }
}

pub(super) const COLUMNS: &str =
    "id, name, agent, from_number, purpose, state, because, decided_by, settings, created_at,
    updated_at, started_at, ended_at";

pub(super) fn campaign(row: &Row) -> Campaign {
    let Json(settings): Json<Settings> = row.get("settings");
    Campaign {
        id: row.get("id"),
        name: row.get("name"),
        agent: row.get("agent"),
        from: row.get("from_number"),
        // The table allows nothing else.
        purpose: Purpose::parse(row.get("purpose")).unwrap_or(Purpose::Marketing),
        state: State::parse(row.get("state")).unwrap_or(State::Draft),
        because: row.get("because"),
        decided_by: row.get("decided_by"),
        settings,
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
        started_at: row.get("started_at"),
        ended_at: row.get("ended_at"),
    }
}

/// What became of moving a campaign.
#[derive(Debug, Clone, PartialEq)]
pub enum Moved {
    /// It is there now, or was already.
    Done(Box<Campaign>),
    /// It is in a state from which it cannot go there.
    Not(State),
    /// Contacts are being imported.
    Importing,
    /// The breaker would pause it again, and says why.
    Held(String),
    /// There is none.
    Missing,
}

/// How many contacts are where, and how many calls were made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Progress {
    /// Contacts in all.
    pub contacts: i64,
    /// … that wait.
    pub waiting: i64,
    /// … that have an attempt under way.
    pub calling: i64,
    /// … that are done.
    pub done: i64,
    /// Done, by what became of them.
    pub outcomes: BTreeMap<String, i64>,
}

impl Store {
    /// Writes a new campaign down.
    ///
    /// # Errors
    /// When the database does not answer, or its agent is gone.
    pub async fn create_campaign(&self, new: &Campaign) -> Result<(), StoreError> {
        let sql = "insert into campaigns (id, name, agent, from_number, purpose, state, settings, starts_at, ends_at,
                max_concurrent, rate, max_attempts, created_at, updated_at)
            values ($1, $2, $3, $4, $5, 'draft', $6, $7, $8, $9, $10, $11, $12, $12)";
        let (max_concurrent, max_attempts) = limits(&new.settings);
        let typed = [
            (&new.id as _, Type::UUID),
            (&new.name as _, Type::TEXT),
            (&new.agent as _, Type::TEXT),
            (&new.from as _, Type::TEXT),
            (&new.purpose.as_str() as _, Type::TEXT),
            (&Json(&new.settings) as _, Type::JSONB),
            (&new.settings.schedule.start_at as _, Type::TIMESTAMPTZ),
            (&new.settings.schedule.end_at as _, Type::TIMESTAMPTZ),
            (&max_concurrent as _, Type::INT4),
            (&new.settings.rate as _, Type::FLOAT8),
            (&max_attempts as _, Type::INT4),
            (&new.created_at as _, Type::TIMESTAMPTZ),
        ];
        self.session().await?.write(sql, &typed).await?;
        Ok(())
    }

    /// Replaces what its owner asks for, if it was not changed by somebody else since `known`; `None` when it was, or is over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn change_campaign(
        &self,
        changed: &Campaign,
        known: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Campaign>, StoreError> {
        let sql = format!(
            "update campaigns set name = $2, from_number = $3, settings = $4, starts_at = $5, ends_at = $6,
                 max_concurrent = $7, rate = $8, max_attempts = $9, updated_at = $10
             where id = $1 and updated_at = $11 and state not in ('canceled', 'finished') returning {COLUMNS}"
        );
        let (max_concurrent, max_attempts) = limits(&changed.settings);
        let typed = [
            (&changed.id as _, Type::UUID),
            (&changed.name as _, Type::TEXT),
            (&changed.from as _, Type::TEXT),
            (&Json(&changed.settings) as _, Type::JSONB),
            (&changed.settings.schedule.start_at as _, Type::TIMESTAMPTZ),
            (&changed.settings.schedule.end_at as _, Type::TIMESTAMPTZ),
            (&max_concurrent as _, Type::INT4),
            (&changed.settings.rate as _, Type::FLOAT8),
            (&max_attempts as _, Type::INT4),
            (&now as _, Type::TIMESTAMPTZ),
            (&known as _, Type::TIMESTAMPTZ),
        ];
        let row = self.session().await?.write_returning(&sql, &typed).await?;
        Ok(row.as_ref().map(campaign))
    }

    /// A campaign.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn campaign(&self, id: Uuid) -> Result<Option<Campaign>, StoreError> {
        let sql = format!("select {COLUMNS} from campaigns where id = $1");
        let row = self.session().await?.client()?.query_typed_opt(&sql, &[(&id, Type::UUID)]).await?;
        Ok(row.as_ref().map(campaign))
    }

    /// Campaigns, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn campaigns(&self, slice: &Slice<Uuid>) -> Result<Vec<Campaign>, StoreError> {
        let sql = format!(
            "select {COLUMNS} from campaigns where $1::timestamptz is null or (created_at, id) < ($1, $2)
             order by created_at desc, id desc limit $3"
        );
        let (at, id) = slice.after.unzip();
        let typed = [(&at as _, Type::TIMESTAMPTZ), (&id as _, Type::UUID), (&slice.most as _, Type::INT8)];
        let rows = self.session().await?.client()?.query_typed(&sql, &typed).await?;
        Ok(rows.iter().map(campaign).collect())
    }

    /// Moves a campaign to `to`. From a pause it goes on, from a draft it starts; what is over stays over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn move_campaign(
        &self,
        id: Uuid,
        to: State,
        because: Option<&str>,
        by: &str,
        now: Timestamp,
    ) -> Result<Moved, StoreError> {
        if to == State::Running
            && let Some(why) = self.still_held(id, now).await?
        {
            return Ok(Moved::Held(why));
        }
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let sql = format!("select {COLUMNS} from campaigns where id = $1 for update");
        let Some(row) = tx.query_typed_opt(&sql, &[(&id, Type::UUID)]).await? else { return Ok(Moved::Missing) };
        let known = campaign(&row);
        if known.state == to {
            return Ok(Moved::Done(Box::new(known)));
        }
        let may = match to {
            State::Running => matches!(known.state, State::Draft | State::Paused),
            State::Paused | State::Finished => known.state == State::Running,
            State::Canceled => matches!(known.state, State::Draft | State::Running | State::Paused),
            State::Draft => false,
        };
        if !may {
            return Ok(Moved::Not(known.state));
        }
        if known.state == State::Draft && to == State::Running && imports::running(&tx, id).await? {
            return Ok(Moved::Importing);
        }
        let sql = format!(
            "update campaigns set state = $2, because = $3, decided_by = $4, updated_at = $5,
                 started_at = case when $2 = 'running' then coalesce(started_at, $5) else started_at end,
                 judged_from = case when $2 = 'running' then $5 else judged_from end,
                 ended_at = case when $2 in ('canceled', 'finished') then $5 else ended_at end
             where id = $1 returning {COLUMNS}"
        );
        let typed = [
            (&id as _, Type::UUID),
            (&to.as_str() as _, Type::TEXT),
            (&because as _, Type::TEXT),
            (&by as _, Type::TEXT),
            (&now as _, Type::TIMESTAMPTZ),
        ];
        let row = tx.query_typed_one(&sql, &typed).await?;
        if to == State::Canceled {
            cancel_waiting(&tx, id, now).await?;
        }
        commit(tx).await?;
        Ok(Moved::Done(Box::new(campaign(&row))))
    }

    /// Why a campaign that stands still could not go on for long: its owner's resume forgives its last attempts, but no
    /// budget that is used up, no share of the abandoned that the law forbids, and no caller ids that rest.
    async fn still_held(&self, id: Uuid, now: Timestamp) -> Result<Option<String>, StoreError> {
        let Some(known) = self.campaign(id).await?.filter(|known| known.state == State::Paused) else {
            return Ok(None);
        };
        let budget = &known.settings.budget;
        if let Some((_, why)) = trips(&self.breaker_counts(id, budget, now).await?.lasting(), budget) {
            return Ok(Some(why));
        }
        let resting = self.resting(now).await?;
        let agent = self.agent(&known.agent).await?;
        let rest = agent.is_some_and(|agent| agent.usable_caller_ids(known.from.as_ref(), &resting).is_empty());
        Ok(rest.then(|| ALL_REST.to_owned()))
    }

    /// How far it is: sums of few rows, whatever the number of contacts.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn progress(&self, id: Uuid) -> Result<Progress, StoreError> {
        let sql = "select status, outcome, sum(n)::int8 from contact_tallies where campaign_id = $1 group by 1, 2";
        let rows = self.session().await?.client()?.query_typed(sql, &[(&id, Type::UUID)]).await?;
        let mut progress = Progress::default();
        for row in &rows {
            let n: i64 = row.get(2);
            progress.contacts += n;
            match row.get::<_, &str>(0) {
                "waiting" => progress.waiting += n,
                "calling" => progress.calling += n,
                _ => {
                    progress.done += n;
                    let outcome = row.get::<_, Option<String>>(1).unwrap_or_else(|| "unknown".to_owned());
                    *progress.outcomes.entry(outcome).or_default() += n;
                }
            }
        }
        progress.outcomes.retain(|_, n| *n != 0);
        Ok(progress)
    }

    /// What the breaker looks at.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn breaker_counts(&self, id: Uuid, budget: &Budget, now: Timestamp) -> Result<Counts, StoreError> {
        // Counted over the whole campaign, so only where there is a bound.
        let calls = budget.max_calls.is_some();
        let spend = if budget.max_spend.is_some() { self.campaign_cost(id, now).await?.usd } else { 0.0 };
        let typed = [
            (&id.to_string() as _, Type::TEXT),
            (&LAST_ATTEMPTS as _, Type::INT8),
            (&now as _, Type::TIMESTAMPTZ),
            (&calls as _, Type::BOOL),
        ];
        let row = self.session().await?.client()?.query_typed_one(COUNTS, &typed).await?;
        let count = |at: usize| u32::try_from(row.get::<_, i64>(at)).unwrap_or(u32::MAX);
        Ok(Counts {
            last: count(0),
            failed: count(1),
            opted_out: count(2),
            answered_by_people: count(3),
            abandoned: count(4),
            calls: u64::from(count(5)),
            spend,
        })
    }
}

const COUNTS: &str = "
with last as (
    select c.id, c.outcome, c.to_number, c.ended_at from calls c
    where c.campaign_id = $1 and c.asks > 0
        and c.ended_at > coalesce((select judged_from from campaigns where id = $1::uuid), '-infinity')
    order by c.ended_at desc limit $2
), month as (
    select count(*) filter (where outcome in ('answered', 'abandoned')) as people,
        count(*) filter (where outcome = 'abandoned') as abandoned
    from calls where campaign_id = $1 and ended_at > $3::timestamptz - interval '30 days'
)
select (select count(*) from last), (select count(*) from last where outcome = 'failed'),
    (select count(*) from last join suppression_events e on e.call_id = last.id and e.action = 'added'),
    month.people, month.abandoned,
    case when $4 then (select count(*) from calls where campaign_id = $1 and asks > 0) else 0 end
from month";

/// Contacts that wait are done at once, attempts that nobody was asked for are ended by their claim.
async fn cancel_waiting(tx: &tokio_postgres::Transaction<'_>, id: Uuid, now: Timestamp) -> Result<(), StoreError> {
    let sql = "update contacts set status = 'done', outcome = 'canceled', because = 'campaign_canceled', due_at = null,
               updated_at = $2 where campaign_id = $1 and status = 'waiting'";
    tx.execute_typed(sql, &[(&id, Type::UUID), (&now, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}

fn limits(settings: &Settings) -> (i32, i32) {
    let integer = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    (integer(settings.max_concurrent), integer(settings.max_attempts))
}

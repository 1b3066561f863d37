//! Guard and claim in one short transaction under the lock of the number, and what follows from the carrier's answer.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use tokio_postgres::types::{Json, Type};
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::agents::Amd;
use super::calls::learn;
use super::{Store, StoreError, commit, trunk};
use crate::call::{Connect, Event, Fact, OwnEnd, State};
use crate::guard;
use crate::retry::Failure;

/// A wait that is no longer than this is the message's; a longer one is the row's, and the trigger sends a new message.
pub const LONGEST_DELAY: Duration = Duration::from_mins(1);

/// A claim older than this has lost its asker: place-call's own timeout is 30 s.
pub const ASKER_LIVES_SECS: i64 = 60;

/// The same where ElevenLabs dials, past the time that it may ring: it answers when the callee does, and is given 90 s more
/// than that ([`ANSWER_TAKES`](crate::elevenlabs::outbound::ANSWER_TAKES)). Should the asker live after all, its clear
/// answer outranks that none came.
pub const TRUNK_ASKER_LIVES_SECS: i64 = 150;

/// After this long an attempt that found its number busy is looked at again.
const BUSY_FOR_SECS: i64 = 30;

/// What the carrier is to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Id of the attempt.
    pub call_id: Uuid,
    /// Which question to the carrier this is: 1, 2, …
    pub ask: u32,
    /// Who is called.
    pub to: String,
    /// Caller id.
    pub from: String,
    /// Its campaign.
    pub campaign_id: Option<String>,
    /// Its variables, a JSON object.
    pub variables: Value,
    /// ElevenLabs' id of the agent.
    pub elevenlabs_agent_id: String,
    /// The agent's number at ElevenLabs.
    pub agent_number: String,
    /// ElevenLabs' id of that number, where ElevenLabs dials.
    pub phone_number_id: Option<String>,
    /// Answering machine detection.
    pub amd: Amd,
    /// Seconds to let it ring.
    pub ring_timeout_secs: u32,
    /// Seconds after which the call is ended.
    pub max_duration_secs: u32,
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is ours: ask the carrier now, and nobody else will.
    Fresh(Box<Order>),
    /// Not now.
    Wait {
        /// When it is due.
        until: Timestamp,
        /// Why, in a word.
        because: &'static str,
    },
    /// Another attempt to this number is live; it waits.
    Busy {
        /// When it is looked at again.
        until: Timestamp,
    },
    /// The guard ended it.
    Ended(OwnEnd),
    /// Somebody else asked already, or it is over.
    Done(State),
    /// It is dialled in the other way, by the other function: the wake-up went astray.
    Elsewhere,
}

impl Claim {
    /// The order, if it is ours now; else what is left to do about the message.
    ///
    /// # Errors
    /// When the same message is worth another try soon.
    pub fn order(self, call_id: Uuid, now: Timestamp) -> Result<Option<Order>, Failure> {
        match self {
            Self::Fresh(order) => return Ok(Some(*order)),
            Self::Wait { until, because } => wait(now, until, because)?,
            Self::Busy { until } => wait(now, until, "the number is busy with another call")?,
            Self::Ended(end) => tracing::info!(call.id = %call_id, call.end = ?end, "not placed"),
            Self::Done(state) => tracing::info!(call.id = %call_id, call.state = state.as_str(), "was placed before"),
            Self::Elsewhere => {
                tracing::warn!(call.id = %call_id, "is dialled by the other function; the trigger wakes it");
            }
        }
        Ok(None)
    }
}

fn wait(now: Timestamp, until: Timestamp, because: &str) -> Result<(), Failure> {
    let delay = Duration::try_from(until.duration_since(now)).unwrap_or_default();
    if delay > LONGEST_DELAY {
        return Ok(());
    }
    Err(Failure::later(delay.max(Duration::from_secs(1)), format!("not yet: {because}")))
}

impl Store {
    /// Asks the guard and claims the attempt, if it is to be dialled in the caller's way.
    ///
    /// # Errors
    /// When there is no such attempt, or the database does not answer.
    pub async fn claim(&self, call_id: Uuid, connect: Connect, now: Timestamp) -> Result<Claim, StoreError> {
        match self.try_claim(call_id, connect, now).await {
            Err(StoreError::Busy) => {
                // The index refused the second live attempt, and with it the transaction: the row waits.
                let until = later(now, BUSY_FOR_SECS);
                self.put_off(call_id, until).await?;
                Ok(Claim::Busy { until })
            }
            claimed => claimed,
        }
    }

    async fn try_claim(&self, call_id: Uuid, connect: Connect, now: Timestamp) -> Result<Claim, StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        // The number's row is locked before the call's: the same order as every opt-out.
        let sql = "select number from numbers where number = (select to_number from calls where id = $1) for update";
        let locked = tx.query_typed_opt(sql, &[(&call_id, Type::UUID)]).await?;
        if locked.is_none() {
            return Err(StoreError::Missing("such call"));
        }
        let row = tx.query_typed_one(CLAIMABLE, &[(&call_id, Type::UUID)]).await?;
        if Connect::parse(row.get("connect")) != connect {
            return Ok(Claim::Elsewhere);
        }
        let claim = match row.get::<_, &str>("state") {
            "intent" => guarded(&tx, call_id, &row, now).await?,
            "placing" => abandoned_claim(&tx, call_id, &row, now).await?,
            "unknown" => Claim::Done(State::Unknown),
            "ended" => Claim::Done(State::Ended),
            _ => Claim::Done(State::InProgress),
        };
        commit(tx).await?;
        Ok(claim)
    }

    async fn put_off(&self, call_id: Uuid, until: Timestamp) -> Result<(), StoreError> {
        let sql = "update calls set due_at = greatest(due_at, $2) where id = $1 and state = 'intent'";
        let mut session = self.session().await?;
        session.write(sql, &[(&call_id, Type::UUID), (&until, Type::TIMESTAMPTZ)]).await?;
        Ok(())
    }

    /// Writes down what whoever dials answered. With [`Fact::AskAgain`], `due_at` is when to ask again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn carrier_answered(
        &self,
        call_id: Uuid,
        fact: Fact,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let mut news = Vec::new();
        if let Some(conversation_id) = fact.conversation() {
            news = trunk::tie(&tx, call_id, conversation_id, now).await?;
        }
        news.push(Event::new(fact, now).into());
        learn(&tx, call_id, &news, now).await?;
        if let Some(due_at) = due_at {
            let sql = "update calls set due_at = $2, updated_at = $3 where id = $1";
            let types =
                [(&call_id as _, Type::UUID), (&due_at as _, Type::TIMESTAMPTZ), (&now as _, Type::TIMESTAMPTZ)];
            tx.execute_typed(sql, &types).await?;
        }
        commit(tx).await
    }
}

/// What is looked at before the guard: the attempt's own times, and what no call may pass over.
#[derive(Debug, Clone, Copy)]
struct Situation {
    suppressed: bool,
    hold_until: Option<Timestamp>,
    expires_at: Timestamp,
    due_at: Timestamp,
}

#[derive(Debug, Clone, Copy)]
enum Decision {
    Allow,
    Defer { until: Timestamp, because: &'static str },
    Expire,
    Block { because: &'static str },
}

fn decide(situation: &Situation, now: Timestamp) -> Decision {
    if situation.suppressed {
        return Decision::Block { because: "suppressed" };
    }
    if now >= situation.expires_at {
        return Decision::Expire;
    }
    if now < situation.due_at {
        return Decision::Defer { until: situation.due_at, because: "not_due" };
    }
    match situation.hold_until {
        Some(until) if now < until => Decision::Defer { until, because: "on_hold" },
        _ => Decision::Allow,
    }
}

const CLAIMABLE: &str = "
select c.state, c.asks, c.claimed_at, c.due_at, c.expires_at, c.to_number, c.from_number, c.campaign_id,
    c.ring_timeout_secs, c.max_duration_secs, c.connect, c.variables, c.elevenlabs_agent_id, c.elevenlabs_phone_number_id,
    a.number as agent_number, a.amd,
    n.suppressed_at is not null as suppressed, n.hold_until
from calls c join agents a on a.name = c.agent join numbers n on n.number = c.to_number
where c.id = $1";

async fn guarded(tx: &Transaction<'_>, call_id: Uuid, row: &Row, now: Timestamp) -> Result<Claim, StoreError> {
    let situation = Situation {
        suppressed: row.get("suppressed"),
        hold_until: row.get("hold_until"),
        expires_at: row.get("expires_at"),
        due_at: row.get("due_at"),
    };
    let decision = decide(&situation, now);
    keep_evidence(tx, call_id, &situation, decision, now).await?;
    match decision {
        Decision::Allow => {
            let ask = u32::try_from(row.get::<_, i32>("asks")).unwrap_or(0) + 1;
            let claimed = Fact::Claimed { ask, connect: Connect::parse(row.get("connect")) };
            learn(tx, call_id, &[Event::new(claimed, now).into()], now).await?;
            let sql = "update calls set claimed_at = $2 where id = $1";
            tx.execute_typed(sql, &[(&call_id, Type::UUID), (&now, Type::TIMESTAMPTZ)]).await?;
            Ok(Claim::Fresh(Box::new(order(call_id, ask, row))))
        }
        Decision::Defer { until, because } => {
            let sql = "update calls set due_at = $2, updated_at = $3 where id = $1 and due_at < $2";
            let times = [(&call_id as _, Type::UUID), (&until as _, Type::TIMESTAMPTZ), (&now as _, Type::TIMESTAMPTZ)];
            tx.execute_typed(sql, &times).await?;
            Ok(Claim::Wait { until, because })
        }
        Decision::Expire => end(tx, call_id, OwnEnd::Expired, "its time passed before it could be placed", now).await,
        Decision::Block { because } => end(tx, call_id, OwnEnd::Blocked, because, now).await,
    }
}

async fn end(tx: &Transaction<'_>, call_id: Uuid, end: OwnEnd, why: &str, now: Timestamp) -> Result<Claim, StoreError> {
    let fact = Fact::Decided { end, reason: why.to_owned() };
    learn(tx, call_id, &[Event::new(fact, now).into()], now).await?;
    Ok(Claim::Ended(end))
}

/// A claim whose asker may have died between claiming and writing the answer down: never asked again, because the carrier
/// may have it.
async fn abandoned_claim(tx: &Transaction<'_>, call_id: Uuid, row: &Row, now: Timestamp) -> Result<Claim, StoreError> {
    let claimed_at = row.get::<_, Option<Timestamp>>("claimed_at").unwrap_or(now);
    let lives = match Connect::parse(row.get("connect")) {
        Connect::Sip => ASKER_LIVES_SECS,
        Connect::Trunk => TRUNK_ASKER_LIVES_SECS + i64::from(row.get::<_, i32>("ring_timeout_secs")),
    };
    let given_up_at = later(claimed_at, lives);
    if now < given_up_at {
        return Ok(Claim::Wait { until: given_up_at, because: "being_asked" });
    }
    let ask = u32::try_from(row.get::<_, i32>("asks")).unwrap_or(0);
    let fact = Fact::Unclear { ask, reason: "the asker died before it wrote the carrier's answer down".to_owned() };
    learn(tx, call_id, &[Event::new(fact, now).into()], now).await?;
    Ok(Claim::Done(State::Unknown))
}

async fn keep_evidence(
    tx: &Transaction<'_>,
    call_id: Uuid,
    situation: &Situation,
    decision: Decision,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (word, because) = match decision {
        Decision::Allow => ("allow", None),
        Decision::Defer { because, .. } => ("defer", Some(because)),
        Decision::Expire => ("expire", None),
        Decision::Block { because } => ("block", Some(because)),
    };
    let inputs = json!({
        "suppressed": situation.suppressed,
        "hold_until": situation.hold_until,
        "expires_at": situation.expires_at,
        "due_at": situation.due_at,
    });
    tx.execute_typed(
        "insert into guard_decisions (call_id, decided_at, decision, because, rules_version, inputs)
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        &[
            (&call_id, Type::UUID),
            (&now, Type::TIMESTAMPTZ),
            (&word, Type::TEXT),
            (&because, Type::TEXT),
            (&guard::RULES_VERSION, Type::TEXT),
            (&Json(&inputs), Type::JSONB),
        ],
    )
    .await?;
    Ok(())
}

fn order(call_id: Uuid, ask: u32, row: &Row) -> Order {
    let seconds = |column: &str| u32::try_from(row.get::<_, i32>(column)).unwrap_or(0);
    Order {
        call_id,
        ask,
        to: row.get("to_number"),
        from: row.get("from_number"),
        campaign_id: row.get("campaign_id"),
        variables: row.get("variables"),
        elevenlabs_agent_id: row.get("elevenlabs_agent_id"),
        agent_number: row.get("agent_number"),
        phone_number_id: row.get("elevenlabs_phone_number_id"),
        amd: if row.get::<_, &str>("amd") == "hang_up" { Amd::HangUp } else { Amd::Off },
        ring_timeout_secs: seconds("ring_timeout_secs"),
        max_duration_secs: seconds("max_duration_secs"),
    }
}

/// `seconds` after `time`; at the end of all time, `time` itself.
fn later(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_add(seconds.seconds()).unwrap_or(time)
}

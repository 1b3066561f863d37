//! Guard and claim in one short transaction under the lock of the number, and what follows from the carrier's answer.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use serde_json::Value;
use tokio_postgres::types::{Json, Type};
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::agents::Amd;
use super::calls::learn;
use super::fence::{self, Passage};
use super::situation::{About, Situation, because, histories, keep_evidence};
use super::{Store, StoreError, commit, trunk};
use crate::call::callee::Callee;
use crate::call::{Connect, Event, Fact, OwnEnd, State};
use crate::campaign::Settings;
use crate::dialling::Dialling;
use crate::guard::Decision;
use crate::retry::Failure;
use crate::telemetry::metrics;

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
    /// Its slot in the carrier's timetable: not to be asked for before.
    pub slot_at: Timestamp,
}

impl Order {
    /// Waits for the slot, [`fence::EARLY`] at most, and answers the time then.
    pub async fn slot(&self, now: Timestamp) -> Timestamp {
        let wait = Duration::try_from(self.slot_at.duration_since(now)).unwrap_or_default().min(fence::EARLY);
        tokio::time::sleep(wait).await;
        let asked = now.checked_add(wait).unwrap_or(now);
        metrics::add(metrics::PACING_ERROR, asked.duration_since(self.slot_at).as_secs_f64() * 1000.0);
        asked
    }
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
    pub async fn claim(
        &self,
        call_id: Uuid,
        connect: Connect,
        dialling: &Dialling,
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
        match self.try_claim(call_id, connect, dialling, now).await {
            Err(StoreError::Busy) => {
                // The index refused the second live attempt, and with it the transaction: the row waits.
                let until = later(now, BUSY_FOR_SECS);
                self.put_off(call_id, until).await?;
                Ok(Claim::Busy { until })
            }
            claimed => claimed,
        }
    }

    async fn try_claim(
        &self,
        call_id: Uuid,
        connect: Connect,
        dialling: &Dialling,
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
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
            "intent" => intent(&tx, call_id, &row, dialling, now).await?,
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

    /// Writes down what whoever dials answered. With [`Fact::AskAgain`], `due_at` is when to ask again. Says whether its owner
    /// took the call back meanwhile.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn carrier_answered(
        &self,
        call_id: Uuid,
        fact: Fact,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        count(&fact);
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
        let sql = "select cancel_at is not null or hang_up_at is not null from calls where id = $1";
        let taken_back = tx.query_typed_one(sql, &[(&call_id, Type::UUID)]).await?.get(0);
        commit(tx).await?;
        Ok(taken_back)
    }
}

fn count(answer: &Fact) {
    match answer {
        Fact::Placed { .. } | Fact::Originated { .. } => metrics::count(metrics::CALLS_PLACED),
        Fact::Refused { .. } | Fact::NotOriginated { .. } => metrics::count(metrics::CALLS_REFUSED),
        Fact::Unclear { .. } => metrics::count(metrics::CALLS_UNCLEAR),
        Fact::AskAgain { .. } => metrics::count(metrics::CALLS_ASKED_AGAIN),
        _ => {}
    }
}

const CLAIMABLE: &str = "
select c.state, c.asks, c.claimed_at, c.due_at, c.expires_at, c.to_number, c.from_number, c.campaign_id, c.agent,
    c.ring_timeout_secs, c.max_duration_secs, c.connect, c.variables, c.elevenlabs_agent_id, c.elevenlabs_phone_number_id,
    c.contact_id, c.callee, c.slot_at, c.cancel_at is not null as taken_back,
    a.number as agent_number, a.amd, a.max_concurrent as agent_limit,
    m.state as campaign_state, m.settings, m.starts_at, m.ends_at, m.max_concurrent as campaign_limit,
    exists (select 1 from stops s where s.lifted_at is null and (s.scope = 'all'
        or (s.scope = 'campaign' and s.value = c.campaign_id) or (s.scope = 'agent' and s.value = c.agent)
        or (s.scope = 'from' and s.value = c.from_number))) as stopped
from calls c join agents a on a.name = c.agent
left join contacts k on k.id = c.contact_id left join campaigns m on m.id = k.campaign_id
where c.id = $1";

/// An attempt that nobody was asked for yet: its owner's word first, then the guard's, then room and a slot.
async fn intent(
    tx: &Transaction<'_>,
    call_id: Uuid,
    row: &Row,
    dialling: &Dialling,
    now: Timestamp,
) -> Result<Claim, StoreError> {
    match fence::owner(row, now) {
        Passage::Open => {}
        Passage::Closed { until, because } => return wait_until(tx, call_id, until, because, now).await,
        Passage::Over { end: how, reason } => return end(tx, call_id, how, reason, now).await,
    }
    let situation = situation(tx, call_id, row, dialling, now).await?;
    let decision = situation.decide(dialling, now);
    let about = About { call: Some(call_id), contact: row.get("contact_id") };
    let lawful_until = match &decision {
        Decision::Allow { until } => *until,
        Decision::Defer { until, .. } => {
            keep_evidence(tx, about, &situation, &decision, dialling, now).await?;
            let word = because(&decision).unwrap_or("guard");
            // Waiting longer than it is worth would only keep its number busy.
            if *until >= row.get::<_, Timestamp>("expires_at") {
                return end(tx, call_id, OwnEnd::Expired, word, now).await;
            }
            return wait_until(tx, call_id, *until, word, now).await;
        }
        Decision::Block { .. } => {
            keep_evidence(tx, about, &situation, &decision, dialling, now).await?;
            return end(tx, call_id, OwnEnd::Blocked, because(&decision).unwrap_or("guard"), now).await;
        }
    };
    let slot_at = match fence::room_and_slot(tx, call_id, row, dialling, now).await? {
        Ok(slot_at) => slot_at,
        // The row's time moves, but no evidence is kept: nothing about the person was decided.
        Err((until, because)) => return wait_until(tx, call_id, until, because, now).await,
    };
    keep_evidence(tx, about, &situation, &decision, dialling, now).await?;
    if situation.contact.own {
        tracing::info!(call.id = %call_id, "an own number: hours and consent were not looked at");
    }
    let ask = u32::try_from(row.get::<_, i32>("asks")).unwrap_or(0) + 1;
    let claimed = Fact::Claimed { ask, connect: Connect::parse(row.get("connect")) };
    learn(tx, call_id, &[Event::new(claimed, now).into()], now).await?;
    let sql = "update calls set claimed_at = $2, slot_at = $3, lawful_until = $4 where id = $1";
    let times = [
        (&call_id as _, Type::UUID),
        (&now as _, Type::TIMESTAMPTZ),
        (&slot_at as _, Type::TIMESTAMPTZ),
        (&lawful_until as _, Type::TIMESTAMPTZ),
    ];
    tx.execute_typed(sql, &times).await?;
    Ok(Claim::Fresh(Box::new(order(call_id, ask, slot_at, row))))
}

async fn situation(
    tx: &Transaction<'_>,
    call_id: Uuid,
    row: &Row,
    dialling: &Dialling,
    now: Timestamp,
) -> Result<Situation, StoreError> {
    let number: String = row.get("to_number");
    let Json(callee): Json<Callee> = row.get("callee");
    let settings = row.get::<_, Option<Json<Settings>>>("settings").map(|Json(settings)| settings);
    let ring = u32::try_from(row.get::<_, i32>("ring_timeout_secs")).unwrap_or(0);
    let history = histories(tx, std::slice::from_ref(&number), Some(call_id), now).await?.remove(&number);
    Ok(Situation::of(&number, &callee, settings.as_ref(), ring, history.unwrap_or_default(), dialling))
}

async fn wait_until(
    tx: &Transaction<'_>,
    call_id: Uuid,
    until: Timestamp,
    because: &'static str,
    now: Timestamp,
) -> Result<Claim, StoreError> {
    let sql = "update calls set due_at = $2, updated_at = $3 where id = $1 and due_at < $2";
    let times = [(&call_id as _, Type::UUID), (&until as _, Type::TIMESTAMPTZ), (&now as _, Type::TIMESTAMPTZ)];
    tx.execute_typed(sql, &times).await?;
    Ok(Claim::Wait { until, because })
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

fn order(call_id: Uuid, ask: u32, slot_at: Timestamp, row: &Row) -> Order {
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
        slot_at,
    }
}

/// `seconds` after `time`; at the end of all time, `time` itself.
pub(super) fn later(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_add(seconds.seconds()).unwrap_or(time)
}

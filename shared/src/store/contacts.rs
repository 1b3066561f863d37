//! Contacts: who is due becomes an attempt; what is next after it stands in `steps`. Only the trigger of the
//! campaigns does either.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::campaigns::Campaign;
use super::intents::{NewCall, insert};
use super::situation::{About, Situation, because, histories, keep_evidence};
use super::{Store, StoreError, commit, pace};
use crate::call::Connect;
use crate::call::callee::Callee;
use crate::dialling::Dialling;
use crate::guard::{Decision, History, Purpose};
use crate::phone::PhoneNumber;
use crate::store::agents::Agent;

/// Contacts that are looked at in one statement.
const BATCH: i64 = 100;

/// How long an attempt may wait for room before it is given back: its contact is then picked anew.
const WORTH_PLACING_MINUTES: i64 = 15;

/// A campaign's turn: whom it calls with, and how many attempts it may make now.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The campaign.
    pub campaign: &'a Campaign,
    /// Its agent.
    pub agent: &'a Agent,
    /// Caller ids that do not rest.
    pub caller_ids: &'a [String],
    /// Attempts that it may make now.
    pub quota: usize,
    /// Seconds to let it ring when nobody says otherwise.
    pub ring_timeout_secs: u32,
}

/// What a turn came to.
#[derive(Debug, Default)]
pub struct Picked {
    /// New attempts, with their slots.
    pub attempts: Vec<(Uuid, Connect, Timestamp)>,
    /// Contacts that were put off by the guard.
    pub deferred: usize,
    /// Contacts that the guard will never let be called.
    pub blocked: usize,
    /// Nothing more was due.
    pub drained: bool,
}

struct Due {
    id: i64,
    number: String,
    callee: Callee,
    variables: Value,
    attempts: i32,
    /// The outcome that its wait rests on was refined meanwhile.
    refined: bool,
}

const DUE: &str = "
select id, number, timezone, state, postal_code, consent_type, consent_at, consent_source, variables, attempts,
    coalesce((select c.outcome is distinct from last_outcome from calls c where c.id = last_call), false) as refined
from contacts where campaign_id = $1 and status = 'waiting' and due_at <= $2
order by due_at, id limit $3 for update skip locked";

fn due(row: &Row, purpose: Purpose) -> Due {
    Due {
        id: row.get("id"),
        number: row.get("number"),
        callee: Callee {
            timezone: row.get("timezone"),
            state: row.get("state"),
            postal_code: row.get("postal_code"),
            consent_type: row.get("consent_type"),
            consent_at: row.get("consent_at"),
            consent_source: row.get("consent_source"),
            purpose: Some(purpose),
        },
        variables: row.get("variables"),
        attempts: row.get("attempts"),
        refined: row.get("refined"),
    }
}

impl Store {
    /// Makes attempts of contacts that are due: a batch in one transaction, so that a death in the middle leaves either a
    /// contact that waits or one with its attempt. `draw` gives random bits for ids.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pick(
        &self,
        turn: &Turn<'_>,
        dialling: &Dialling,
        mut draw: impl FnMut() -> [u8; 10],
        now: Timestamp,
    ) -> Result<Picked, StoreError> {
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let typed = [(&turn.campaign.id as _, Type::UUID), (&now as _, Type::TIMESTAMPTZ), (&BATCH as _, Type::INT8)];
        let rows = tx.query_typed(DUE, &typed).await?;
        let contacts: Vec<Due> = rows.iter().map(|row| due(row, turn.campaign.purpose)).collect();
        let mut picked = Picked { drained: rows.len() < usize::try_from(BATCH).unwrap_or(0), ..Picked::default() };
        let numbers: Vec<String> = contacts.iter().map(|contact| contact.number.clone()).collect();
        let mut histories = histories(&tx, &numbers, None, now).await?;
        let live = live_numbers(&tx, &numbers).await?;
        let mut fresh = Vec::new();
        for contact in &contacts {
            if fresh.len() >= turn.quota {
                picked.drained = false;
                break;
            }
            if contact.refined {
                look_again(&tx, contact.id, now).await?;
                continue;
            }
            if live.contains(&contact.number) {
                // Another campaign, or a single call, has this number on the line.
                put_off(&tx, contact.id, super::claims::later(now, 60), "number_busy", now).await?;
                continue;
            }
            if contact_expired(turn.campaign, now) {
                finish(&tx, contact.id, "expired", "contact_expired", now).await?;
                continue;
            }
            let history = histories.remove(&contact.number).unwrap_or_default();
            match ask_guard(&tx, turn, contact, history, dialling, now).await? {
                Asked::Allowed => {
                    if let Some(call) = new_call(turn, contact, fresh.len(), draw(), now) {
                        fresh.push((contact.id, call));
                    }
                }
                Asked::Deferred => picked.deferred += 1,
                Asked::Blocked => picked.blocked += 1,
            }
        }
        let count = i64::try_from(fresh.len()).unwrap_or(0);
        let called: Vec<String> = fresh.iter().map(|(_, call)| call.to.as_str().to_owned()).collect();
        make_numbers(&tx, &called).await?;
        for (contact, call) in &fresh {
            insert(&tx, call, now).await?;
            begin(&tx, *contact, call.id, now).await?;
        }
        // Last, because claims take the number's lock before the timetable's.
        let slots = pace::reserve_campaign(&tx, dialling.pace, count, now).await?;
        for ((_, call), slot) in fresh.iter().zip(&slots) {
            let sql = "update calls set slot_at = $2, due_at = $2 where id = $1";
            tx.execute_typed(sql, &[(&call.id, Type::UUID), (slot, Type::TIMESTAMPTZ)]).await?;
            picked.attempts.push((call.id, call.connect, *slot));
        }
        used_up(&tx, turn.campaign, count, now).await?;
        commit(tx).await?;
        Ok(picked)
    }
}

/// What the guard said at the pick.
enum Asked {
    Allowed,
    Deferred,
    Blocked,
}

async fn ask_guard(
    tx: &Transaction<'_>,
    turn: &Turn<'_>,
    contact: &Due,
    history: History,
    dialling: &Dialling,
    now: Timestamp,
) -> Result<Asked, StoreError> {
    let settings = &turn.campaign.settings;
    let ring = ring_timeout(turn);
    let situation = Situation::of(&contact.number, &contact.callee, Some(settings), ring, history, dialling);
    let decision = situation.decide(dialling, now);
    let word = because(&decision).unwrap_or("guard");
    let about = About { call: None, contact: Some(contact.id) };
    match &decision {
        // Kept by the claim, which asks again under the number's lock.
        Decision::Allow { .. } => Ok(Asked::Allowed),
        Decision::Defer { until, .. } => {
            keep_evidence(tx, about, &situation, &decision, dialling, now).await?;
            put_off(tx, contact.id, *until, word, now).await?;
            Ok(Asked::Deferred)
        }
        Decision::Block { .. } => {
            keep_evidence(tx, about, &situation, &decision, dialling, now).await?;
            finish(tx, contact.id, "blocked", word, now).await?;
            Ok(Asked::Blocked)
        }
    }
}

/// Those of the numbers that have a live or waiting attempt.
async fn live_numbers(tx: &Transaction<'_>, numbers: &[String]) -> Result<HashSet<String>, StoreError> {
    let sql = "select distinct to_number from calls where to_number = any ($1) and state <> 'ended'";
    let rows = tx.query_typed(sql, &[(&numbers, Type::TEXT_ARRAY)]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn make_numbers(tx: &Transaction<'_>, numbers: &[String]) -> Result<(), StoreError> {
    // In order, so that two picks at once do not wait for each other in a circle.
    let sql = "insert into numbers (number) select n from unnest($1::text[]) n order by n on conflict do nothing";
    tx.execute_typed(sql, &[(&numbers, Type::TEXT_ARRAY)]).await?;
    Ok(())
}

fn contact_expired(campaign: &Campaign, now: Timestamp) -> bool {
    let (Some(secs), Some(started)) = (campaign.settings.expires_after_secs, campaign.started_at) else { return false };
    started.checked_add(std::time::Duration::from_secs(secs)).is_ok_and(|end| now >= end)
}

fn ring_timeout(turn: &Turn<'_>) -> u32 {
    turn.campaign.settings.ring_timeout_secs.or(turn.agent.ring_timeout_secs).unwrap_or(turn.ring_timeout_secs)
}

fn new_call(turn: &Turn<'_>, contact: &Due, at: usize, draw: [u8; 10], now: Timestamp) -> Option<NewCall> {
    let (campaign, agent) = (turn.campaign, turn.agent);
    // The import took only numbers that parse.
    let to = PhoneNumber::parse(&contact.number).ok()?;
    let spread = usize::try_from(contact.attempts).unwrap_or(0) + at;
    let from = turn.caller_ids.get(spread % turn.caller_ids.len().max(1))?;
    Some(NewCall {
        id: super::intents::new_id(now, draw),
        to,
        from: from.clone(),
        agent: agent.name.clone(),
        elevenlabs_agent_id: agent.elevenlabs_agent_id.clone(),
        connect: agent.connect,
        elevenlabs_phone_number_id: agent.elevenlabs_phone_number_id.clone(),
        campaign: Some(campaign.id.to_string()),
        variables: variables(campaign, &contact.variables),
        metadata: Value::Object(serde_json::Map::new()),
        requested_by: "campaign".to_owned(),
        ring_timeout_secs: ring_timeout(turn),
        max_duration_secs: agent.max_duration_secs,
        due_at: now,
        expires_at: super::claims::later(now, WORTH_PLACING_MINUTES * 60),
        contact_id: Some(contact.id),
        callee: contact.callee.clone(),
    })
}

/// The campaign's variables and texts, and over them the contact's own.
fn variables(campaign: &Campaign, own: &Value) -> Value {
    let mut all = campaign.settings.variables.clone();
    for (name, text) in campaign.settings.texts.all() {
        if let Some(text) = text {
            all.insert(format!("text_{name}"), text.into());
        }
    }
    if let Some(own) = own.as_object() {
        all.extend(own.clone());
    }
    Value::Object(all)
}

async fn put_off(
    tx: &Transaction<'_>,
    contact: i64,
    until: Timestamp,
    because: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "update contacts set due_at = $2, because = $3, updated_at = $4 where id = $1";
    let typed = [
        (&contact as _, Type::INT8),
        (&until as _, Type::TIMESTAMPTZ),
        (&because as _, Type::TEXT),
        (&now as _, Type::TIMESTAMPTZ),
    ];
    tx.execute_typed(sql, &typed).await?;
    Ok(())
}

async fn finish(
    tx: &Transaction<'_>,
    contact: i64,
    outcome: &str,
    because: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql =
        "update contacts set status = 'done', outcome = $2, because = $3, due_at = null, updated_at = $4 where id = $1";
    let typed = [
        (&contact as _, Type::INT8),
        (&outcome as _, Type::TEXT),
        (&because as _, Type::TEXT),
        (&now as _, Type::TIMESTAMPTZ),
    ];
    tx.execute_typed(sql, &typed).await?;
    Ok(())
}

/// Its last attempt decides anew what is next.
async fn look_again(tx: &Transaction<'_>, contact: i64, now: Timestamp) -> Result<(), StoreError> {
    let sql = "update contacts set status = 'calling', due_at = null, updated_at = $2 where id = $1";
    tx.execute_typed(sql, &[(&contact, Type::INT8), (&now, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}

async fn begin(tx: &Transaction<'_>, contact: i64, call: Uuid, now: Timestamp) -> Result<(), StoreError> {
    let sql = "update contacts set status = 'calling', last_call = $2, because = null, due_at = null, updated_at = $3
               where id = $1";
    tx.execute_typed(sql, &[(&contact, Type::INT8), (&call, Type::UUID), (&now, Type::TIMESTAMPTZ)]).await?;
    Ok(())
}

/// The campaign's own rate.
async fn used_up(tx: &Transaction<'_>, campaign: &Campaign, n: i64, now: Timestamp) -> Result<(), StoreError> {
    if n == 0 {
        return Ok(());
    }
    let sql =
        "update campaigns set paced_until = greatest(paced_until, $2) + make_interval(secs => $3 / rate) where id = $1";
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let n = n as f64;
    tx.execute_typed(sql, &[(&campaign.id, Type::UUID), (&now, Type::TIMESTAMPTZ), (&n, Type::FLOAT8)]).await?;
    Ok(())
}

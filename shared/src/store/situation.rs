//! What the guard is told, read from the database, and what it answered, kept as evidence.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_postgres::types::{Json, Type};
use tokio_postgres::{GenericClient, Row, Transaction};
use uuid::Uuid;

use super::{Store, StoreError};
use crate::call::callee::Callee;
use crate::campaign::Settings;
use crate::dialling::Dialling;
use crate::guard::{self, Contact, Decision, History, Rules};

/// Everything that the guard is asked about one attempt.
#[derive(Debug, Clone)]
pub struct Situation {
    /// Who is to be called.
    pub contact: Contact,
    /// What the owner asks for.
    pub rules: Rules,
    /// What is known of the number.
    pub history: History,
}

impl Situation {
    /// Puts it together; `campaign` are the settings of its campaign, if it has one.
    #[must_use]
    pub fn of(
        number: &str,
        callee: &Callee,
        campaign: Option<&Settings>,
        ring_timeout_secs: u32,
        history: History,
        dialling: &Dialling,
    ) -> Self {
        let contact = callee.contact(number, dialling.owns(number));
        Self { contact, rules: rules(callee, campaign, ring_timeout_secs, dialling), history }
    }

    /// Asks the guard.
    #[must_use]
    pub fn decide(&self, dialling: &Dialling, now: Timestamp) -> Decision {
        dialling.decide(&self.contact, &self.rules, &self.history, now)
    }

    fn evidence(&self, dialling: &Dialling) -> Value {
        let mut inputs = json!({ "contact": self.contact, "rules": self.rules, "history": self.history });
        if !dialling.guard_clock.is_zero() {
            inputs["played_secs"] = dialling.guard_clock.as_secs().into();
        }
        inputs
    }
}

/// The rules of a call: the law's, its campaign's if it has one, and why the person is called.
#[must_use]
pub fn rules(callee: &Callee, campaign: Option<&Settings>, ring_timeout_secs: u32, dialling: &Dialling) -> Rules {
    let mut rules = dialling.rules(ring_timeout_secs);
    rules.purpose = callee.purpose;
    match campaign {
        Some(settings) => settings.narrow(&rules),
        None => rules,
    }
}

const HISTORY: &str = "
select w.number, n.suppressed_at is not null as suppressed, n.hold_until,
    array(select claimed_at from calls where to_number = w.number and claimed_at > $2::timestamptz - interval '31 days'
        and id is distinct from $3) as attempts,
    (select max(ended_at) from calls where to_number = w.number and outcome = 'declined') as last_refusal,
    coalesce((select transcript = 'expected' and agent_connected is not false and settled_at is null
        and coalesce(outcome, 'answered') <> 'unknown'
        from calls where to_number = w.number and answered_at is not null and id is distinct from $3
        order by answered_at desc limit 1), false) as awaited
from unnest($1::text[]) as w (number) left join numbers n on n.number = w.number";

/// What is known of some numbers, over all campaigns. `but` is an attempt that is not counted: the one in question.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn histories(
    client: &impl GenericClient,
    numbers: &[String],
    but: Option<Uuid>,
    now: Timestamp,
) -> Result<HashMap<String, History>, StoreError> {
    let typed = [(&numbers as _, Type::TEXT_ARRAY), (&now as _, Type::TIMESTAMPTZ), (&but as _, Type::UUID)];
    let rows = client.query_typed(HISTORY, &typed).await?;
    Ok(rows.iter().map(|row| (row.get("number"), history(row))).collect())
}

fn history(row: &Row) -> History {
    History {
        suppressed: row.get("suppressed"),
        hold_until: row.get("hold_until"),
        attempts: row.get("attempts"),
        last_refusal: row.get("last_refusal"),
        transcript_awaited: row.get("awaited"),
    }
}

impl Store {
    /// What is known of a number, over all campaigns.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn history(&self, number: &str, now: Timestamp) -> Result<History, StoreError> {
        let mut session = self.session().await?;
        let numbers = [number.to_owned()];
        Ok(histories(session.client()?, &numbers, None, now).await?.remove(number).unwrap_or_default())
    }
}

/// Whom a decision is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    pub(super) call: Option<Uuid>,
    pub(super) contact: Option<i64>,
}

/// Keeps a decision with everything that it rests on.
pub(super) async fn keep_evidence(
    tx: &Transaction<'_>,
    about: About,
    situation: &Situation,
    decision: &Decision,
    dialling: &Dialling,
    now: Timestamp,
) -> Result<(), StoreError> {
    let answer = serde_json::to_value(decision).unwrap_or_default();
    let word = answer["decision"].as_str().unwrap_or_default().to_owned();
    let mut inputs = situation.evidence(dialling);
    inputs["answer"] = answer;
    let because = because(decision);
    tx.execute_typed(
        "insert into guard_decisions (call_id, contact_id, decided_at, decision, because, rules_version, inputs)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
        &[
            (&about.call, Type::UUID),
            (&about.contact, Type::INT8),
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

/// The first rule that stands in the way.
#[must_use]
pub fn because(decision: &Decision) -> Option<&'static str> {
    match decision {
        Decision::Allow { .. } => None,
        Decision::Defer { because, .. } | Decision::Block { because } => because.first().map(|reason| reason.rule),
    }
}

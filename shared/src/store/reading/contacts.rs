//! Contacts, each with why it was called, is not called, or not yet.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use utoipa::openapi::schema::{self, Object, ObjectBuilder};
use uuid::Uuid;

use super::Conditions;
use crate::call::Outcome;
use crate::explain::{self, ContactFacts};
use crate::store::{Store, StoreError};

/// Which contacts of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ContactFilter {
    /// `waiting`, `calling` or `done`.
    #[param(inline, value_type = Option<super::shapes::ContactStatus>)]
    pub status: Option<String>,
    /// What became of it: an outcome of a call, `exhausted`, `expired`, `canceled` or `blocked`.
    #[param(schema_with = one_of_outcomes)]
    pub outcome: Option<String>,
    /// Its number, E.164.
    #[param(max_length = 100, example = "+14155550123")]
    pub number: Option<String>,
}

/// What may become of a contact: an outcome of a call, or that its attempts are used up.
#[must_use]
pub fn contact_outcomes() -> Vec<&'static str> {
    Outcome::ALL.iter().map(|outcome| outcome.as_str()).chain(["exhausted"]).collect()
}

fn one_of_outcomes() -> Object {
    ObjectBuilder::new().schema_type(schema::Type::String).enum_values(Some(contact_outcomes())).build()
}

impl ContactFilter {
    pub(super) fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.text("k.status = :value", self.status.as_ref());
        conditions.text("k.outcome = :value", self.outcome.as_ref());
        conditions.text("k.number = :value", self.number.as_ref());
        conditions
    }
}

impl Store {
    /// Contacts of a campaign in the order of their numbers, which the index of each campaign has: the next page begins
    /// behind the `number` of the last one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn contacts_explained(
        &self,
        campaign: Uuid,
        filter: &ContactFilter,
        after: Option<&str>,
        most: i64,
    ) -> Result<Vec<Value>, StoreError> {
        let mut conditions = filter.conditions();
        conditions.and("k.campaign_id = :value", Some(campaign), Type::UUID);
        conditions.and("k.number > :value", after.map(str::to_owned), Type::TEXT);
        self.contacts_where(conditions, "k.number", most).await
    }

    /// A number's contacts in all campaigns, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn contacts_of_number(&self, number: &str, most: i64) -> Result<Vec<Value>, StoreError> {
        let mut conditions = Conditions::default();
        conditions.and("k.number = :value", Some(number.to_owned()), Type::TEXT);
        self.contacts_where(conditions, "k.created_at desc, k.id desc", most).await
    }

    async fn contacts_where(
        &self,
        mut conditions: Conditions,
        order: &str,
        most: i64,
    ) -> Result<Vec<Value>, StoreError> {
        let most = conditions.value(most, Type::INT8);
        let sql = format!(
            "select {FIELDS} as view, {FACTS} as facts
             from (select * from contacts k where {} order by {order} limit {most}) k
             join campaigns m on m.id = k.campaign_id order by {order}",
            conditions.sql()
        );
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(&sql, &conditions.typed()).await?;
        Ok(rows.iter().map(view).collect())
    }
}

fn view(row: &Row) -> Value {
    let mut view: Value = row.get("view");
    if let Ok(facts) = serde_json::from_value::<ContactFacts>(row.get("facts")) {
        view["explanation"] = serde_json::to_value(explain::contact(&facts)).unwrap_or_default();
    }
    view
}

const FIELDS: &str = "jsonb_build_object(
    'id', k.id, 'campaign', jsonb_build_object('id', m.id, 'name', m.name, 'state', m.state, 'purpose', m.purpose),
    'number', k.number, 'timezone', k.timezone, 'state', k.state, 'postal_code', k.postal_code,
    'consent', case when k.consent_type is not null then jsonb_build_object(
        'type', k.consent_type, 'at', k.consent_at, 'source', k.consent_source) end,
    'variables', k.variables, 'status', k.status, 'outcome', k.outcome, 'because', k.because, 'due_at', k.due_at,
    'attempts', k.attempts, 'last_call', k.last_call, 'last_outcome', k.last_outcome, 'import', k.import_id,
    'line', k.line, 'created_at', k.created_at, 'updated_at', k.updated_at)";

const FACTS: &str = "jsonb_build_object(
    'status', k.status, 'outcome', k.outcome, 'because', k.because, 'due_at', k.due_at, 'attempts', k.attempts,
    'last_outcome', k.last_outcome,
    'guard', (select jsonb_build_object('decision', g.decision,
            'because', coalesce(g.inputs->'answer'->'because', '[]'), 'until', g.inputs->'answer'->'until')
        from guard_decisions g where g.contact_id = k.id order by g.decided_at desc limit 1),
    'stop', case when k.status = 'waiting' then (
        select jsonb_build_object('scope', s.scope, 'reason', s.reason, 'by', s.by_whom) from stops s
        where s.lifted_at is null and (s.scope = 'all' or (s.scope = 'campaign' and s.value = m.id::text)
            or (s.scope = 'agent' and s.value = m.agent))
        order by s.at limit 1) end,
    'campaign', jsonb_build_object('name', m.name, 'state', m.state, 'because', m.because, 'decided_by', m.decided_by))";

//! The ledger of deliveries: what the agents' vendor sent, and what became of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::Type;

use super::{Conditions, Entry, Slice, Span};
use crate::store::{Store, StoreError};

/// Which deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct DeliveryFilter {
    /// Of a conversation.
    #[param(max_length = 500)]
    pub conversation_id: Option<String>,
    /// The vendor's event type.
    #[param(max_length = 500)]
    pub event_type: Option<String>,
    /// `stored`, `superseded` or `refused`.
    #[param(inline, value_type = Option<super::shapes::DeliveryResult>)]
    pub result: Option<String>,
    /// When it came.
    #[serde(flatten)]
    #[param(ignore)]
    pub received: Span,
}

impl DeliveryFilter {
    pub(super) fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.text("d.conversation_id = :value", self.conversation_id.as_ref());
        conditions.text("d.event_type = :value", self.event_type.as_ref());
        conditions.text("d.result = :value", self.result.as_ref());
        conditions.within("d.received_at", self.received);
        conditions
    }
}

impl Store {
    /// Deliveries, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        slice: &Slice<String>,
    ) -> Result<Vec<Entry<String>>, StoreError> {
        let (sql, conditions) = listing(filter, slice);
        let mut session = self.session().await?;
        let rows = session.client()?.query_typed(&sql, &conditions.typed()).await?;
        Ok(rows.iter().map(|row| Entry { view: row.get(0), at: row.get(1), id: row.get(2) }).collect())
    }

    /// How the database goes about a list, for the tests of the indexes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn plan_of_deliveries(
        &self,
        filter: &DeliveryFilter,
        slice: &Slice<String>,
    ) -> Result<Value, StoreError> {
        let (sql, conditions) = listing(filter, slice);
        let mut session = self.session().await?;
        let sql = format!("explain (format json) {sql}");
        Ok(session.client()?.query_typed_one(&sql, &conditions.typed()).await?.get(0))
    }
}

fn listing(filter: &DeliveryFilter, slice: &Slice<String>) -> (String, Conditions) {
    let mut conditions = filter.conditions();
    conditions.behind("d.received_at, d.digest", slice.after.clone(), Type::TEXT);
    let most = conditions.value(slice.most, Type::INT8);
    let sql = format!(
        "select to_jsonb(d), d.received_at, d.digest from deliveries d where {}
         order by d.received_at desc, d.digest desc limit {most}",
        conditions.sql()
    );
    (sql, conditions)
}

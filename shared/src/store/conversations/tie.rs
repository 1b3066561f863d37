//! Which call a conversation belongs to.

use jiff::Timestamp;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::super::{StoreError, suppressions, trunk};
use super::{Arrival, Tied, by_call_id, ended_at, meaning, noted};
use crate::call::Event;

/// What a conversation says of the call that it belongs to.
pub(super) struct Hints {
    conversation_id: String,
    /// The guide's flat shape names its call.
    named: Option<String>,
    /// Our ids, the best first.
    ours: Vec<Uuid>,
    /// The same, and what a carrier's id echoed.
    ids: Vec<Uuid>,
    carriers: Vec<String>,
}

impl Hints {
    pub(super) fn of(arrival: &Arrival<'_>) -> Self {
        let conversation = arrival.conversation;
        let hints = conversation.call_hints();
        let conversation_id = conversation.conversation_id.clone();
        let named = arrival.flat.then(|| hints.call_id_variable.clone().unwrap_or_else(|| conversation_id.clone()));
        // A call that the vendor dials has our id as its user id as well.
        let ours = [hints.elevenwire_call, hints.call_id_variable, conversation.user_id.clone()];
        let ours: Vec<Uuid> = ours.into_iter().flatten().filter_map(|id| Uuid::parse_str(&id).ok()).collect();
        let carriers: Vec<String> = hints.carrier_ids.into_iter().chain(hints.system_call_sid).collect();
        // SignalWire's X-CALL-ID carries our id, so a "carrier id" may be ours as well.
        let echoed: Vec<Uuid> = carriers.iter().filter_map(|id| Uuid::parse_str(id).ok()).collect();
        let ids = ours.iter().copied().chain(echoed).collect();
        Self { conversation_id, named, ours, ids, carriers }
    }

    /// Locks the numbers of every call that it may be tied to, in the order of their digits; answers them.
    pub(super) async fn lock_numbers(&self, tx: &Transaction<'_>) -> Result<Vec<String>, StoreError> {
        let named = self.named.as_deref().and_then(|id| Uuid::parse_str(id).ok());
        let ids: Vec<Uuid> = self.ids.iter().copied().chain(named).collect();
        let sql = "select distinct to_number from calls
                   where conversation_id = $1 or id = any ($2) or carrier_sid = any ($3)";
        let typed = [
            (&self.conversation_id as _, Type::TEXT),
            (&ids as _, Type::UUID_ARRAY),
            (&self.carriers as _, Type::TEXT_ARRAY),
        ];
        let rows = tx.query_typed(sql, &typed).await?;
        let numbers: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        suppressions::lock_numbers(tx, &numbers).await?;
        Ok(numbers)
    }
}

/// The call that was found.
pub(super) struct Found {
    /// The conversation is its.
    pub(super) tied: Option<Tied>,
    /// The conversation is of a second dial of that call, and belongs to none.
    pub(super) second_dial_of: Option<Uuid>,
}

impl Found {
    fn tied(tied: Option<Tied>) -> Self {
        Self { tied, second_dial_of: None }
    }
}

/// Ties a conversation to its call, by the strongest evidence first: the id that personalize-call noted, our id among the
/// SIP headers, our id among the variables, the carrier's id. An echoed id binds only when that call exists, has that
/// agent and is still free.
pub(super) async fn tie(
    tx: &Transaction<'_>,
    arrival: &Arrival<'_>,
    hints: &Hints,
    now: Timestamp,
) -> Result<Found, StoreError> {
    let conversation = arrival.conversation;
    if let Some(tied) = noted(tx, &conversation.conversation_id).await? {
        return Ok(Found::tied(Some(tied)));
    }
    if let Some(named) = &hints.named {
        return Ok(Found::tied(by_call_id(tx, named).await?));
    }
    let sql = "with found as (
            select id from calls
            where conversation_id is null and elevenlabs_agent_id = $2 and (id = any ($3) or carrier_sid = any ($4))
            order by array_position($3, id) nulls last, id limit 1 for update
        )
        update calls set conversation_id = $1, updated_at = $5 from found where calls.id = found.id
        returning calls.id, calls.campaign_id";
    let agent = conversation.agent_id.as_deref().unwrap_or_default();
    let row = tx
        .query_typed_opt(
            sql,
            &[
                (&conversation.conversation_id, Type::TEXT),
                (&agent, Type::TEXT),
                (&hints.ids, Type::UUID_ARRAY),
                (&hints.carriers, Type::TEXT_ARRAY),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await?;
    if row.is_none() && conversation.status.is_final() {
        let event = Event::new(meaning(conversation), ended_at(arrival, now));
        let second_dial_of = trunk::second_dial(tx, &hints.ours, agent, event, now).await?;
        return Ok(Found { tied: None, second_dial_of });
    }
    Ok(Found::tied(row.map(|row| Tied {
        call_id: row.get(0),
        campaign: row.get(1),
        stored_as: conversation.conversation_id.clone(),
    })))
}

//! Opt-outs heard in a call. Only the number that was called is ever suppressed, whatever number somebody says.

use jiff::Timestamp;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::super::{Store, StoreError, commit};
use super::Source;
use crate::opt_out::Heard;

/// An opt-out that a transcript held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptOut {
    /// Beyond doubt; else a person looks at it.
    pub sure: bool,
    /// The rule.
    pub rule: String,
    /// Whether it is new: not when the same transcript comes again.
    pub fresh: bool,
}

/// The call that an agent's tool spoke of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolCall {
    /// Its id.
    pub call_id: Uuid,
    /// Whether it is new.
    pub fresh: bool,
}

/// One fact a call and source. The number stays as it is where it is suppressed already, and where its owner lifted what
/// the same call had brought: it is the same wish, and he has decided about it.
const SUPPRESS: &str = "
update numbers set suppressed_at = $2, suppressed_because = $3, suppressed_by = $4, suppressed_call = $5
where number = $1 and suppressed_at is null and not exists (
    select 1 from suppression_events a join suppression_events r on r.number = a.number and r.id > a.id
    where a.call_id = $5 and a.action = 'added' and r.action = 'removed')";

/// Locks rows of numbers that exist, always in the same order.
pub(in super::super) async fn lock_numbers(tx: &Transaction<'_>, numbers: &[String]) -> Result<(), StoreError> {
    let sql = "select 1 from numbers where number = any ($1) order by number for update";
    tx.query_typed(sql, &[(&numbers, Type::TEXT_ARRAY)]).await?;
    Ok(())
}

/// What was heard in a call.
struct Said<'s> {
    call_id: Uuid,
    number: &'s str,
    source: Source,
    because: &'s str,
}

/// Suppresses the number of a call, under the number's lock; whether this is new.
async fn suppress(tx: &Transaction<'_>, said: &Said<'_>, now: Timestamp) -> Result<bool, StoreError> {
    let source = said.source.as_str();
    let event = "insert into suppression_events (number, action, source, because, call_id, at)
                 values ($1, 'added', $2, $3, $4, $5)
                 on conflict (call_id, source) where call_id is not null do nothing";
    let typed = [
        (&said.number as _, Type::TEXT),
        (&source as _, Type::TEXT),
        (&said.because as _, Type::TEXT),
        (&said.call_id as _, Type::UUID),
        (&now as _, Type::TIMESTAMPTZ),
    ];
    if tx.execute_typed(event, &typed).await? == 0 {
        return Ok(false);
    }
    let typed = [
        (&said.number as _, Type::TEXT),
        (&now as _, Type::TIMESTAMPTZ),
        (&said.because as _, Type::TEXT),
        (&source as _, Type::TEXT),
        (&said.call_id as _, Type::UUID),
    ];
    tx.execute_typed(SUPPRESS, &typed).await?;
    Ok(true)
}

/// Notes what the transcript of a call held, under the number's lock.
pub(in super::super) async fn note(
    tx: &Transaction<'_>,
    call_id: Uuid,
    number: &str,
    conversation_id: &str,
    heard: &Heard,
    now: Timestamp,
) -> Result<OptOut, StoreError> {
    let said = Said { call_id, number, source: Source::Transcript, because: &heard.rule };
    let fresh = suppress(tx, &said, now).await?;
    if fresh && !heard.sure {
        let sql = "insert into opt_out_reviews (call_id, number, conversation_id, rule, words, created_at)
                   select $1, $2, $3, $4, $5, $6
                   where not exists (select 1 from suppression_events where call_id = $1 and source = 'agent_tool')
                   on conflict do nothing";
        let typed = [
            (&call_id as _, Type::UUID),
            (&number as _, Type::TEXT),
            (&conversation_id as _, Type::TEXT),
            (&heard.rule as _, Type::TEXT),
            (&heard.words as _, Type::TEXT),
            (&now as _, Type::TIMESTAMPTZ),
        ];
        tx.execute_typed(sql, &typed).await?;
    }
    Ok(OptOut { sure: heard.sure, rule: heard.rule.clone(), fresh })
}

impl Store {
    /// Suppresses the number of the call that an agent speaks of, while it is on the line. The call is found by the
    /// conversation, which the vendor names itself, else by our id, else by the carrier's; `None` when there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn opt_out_in_call(&self, names: &[String], now: Timestamp) -> Result<Option<ToolCall>, StoreError> {
        let ids: Vec<Uuid> = names.iter().filter_map(|name| Uuid::parse_str(name).ok()).collect();
        let sql = "select id, to_number from calls
                   where conversation_id = any ($1) or id = any ($2) or carrier_sid = any ($1)
                   order by conversation_id = any ($1) desc nulls last, id = any ($2) desc limit 1";
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let typed = [(&names as _, Type::TEXT_ARRAY), (&ids as _, Type::UUID_ARRAY)];
        let Some(row) = tx.query_typed_opt(sql, &typed).await? else { return Ok(None) };
        let (call_id, number): (Uuid, String) = (row.get(0), row.get(1));
        lock_numbers(&tx, std::slice::from_ref(&number)).await?;
        let because = "asked in the call";
        let said = Said { call_id, number: &number, source: Source::AgentTool, because };
        let fresh = suppress(&tx, &said, now).await?;
        commit(tx).await?;
        Ok(Some(ToolCall { call_id, fresh }))
    }
}

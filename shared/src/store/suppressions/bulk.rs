//! Suppressions by their owner, one or many.

use jiff::Timestamp;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::{Source, Store, StoreError, commit};

/// Numbers in one transaction: few enough that a claim never waits long for its lock.
const CHUNK: usize = 5_000;

/// A number that is not to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// In E.164 form.
    pub number: String,
    /// Why.
    pub reason: String,
}

/// Locks the numbers in the order of their digits, so that two lists cannot wait for each other.
const LOCK: &str = "
insert into numbers (number) select number from unnest($1::text[]) as t (number) order by number
on conflict (number) do update set number = excluded.number";

const EVENTS: &str = "
insert into suppression_events (number, action, source, because, by_whom, at)
select w.number, 'added', $3, w.reason, $4, $5 from unnest($1::text[], $2::text[]) as w (number, reason)
where not exists (
    select 1 from suppression_events e
    where e.number = w.number and e.action = 'added' and e.source in ('owner', 'import')
        and e.id > coalesce((select max(id) from suppression_events r
            where r.number = w.number and r.action = 'removed'), 0))";

const MARK: &str = "
update numbers set suppressed_at = $4, suppressed_because = w.reason, suppressed_by = $3
from unnest($1::text[], $2::text[]) as w (number, reason)
where numbers.number = w.number and suppressed_at is null";

impl Store {
    /// Suppresses numbers; answers how many were called until now. Sent again it changes nothing.
    ///
    /// # Errors
    /// When the database does not answer. Some of a long list may be suppressed then.
    pub async fn suppress_all(
        &self,
        wanted: &[Wanted],
        source: Source,
        by_whom: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut sorted: Vec<&Wanted> = wanted.iter().collect();
        // Of a number that is named twice the first mention stays.
        sorted.sort_by(|a, b| a.number.cmp(&b.number));
        sorted.dedup_by(|a, b| a.number == b.number);
        let mut added = 0;
        let mut session = self.session().await?;
        for chunk in sorted.chunks(CHUNK) {
            let tx = session.begin().await?;
            added += suppress(&tx, chunk, source, by_whom, now).await?;
            commit(tx).await?;
        }
        Ok(added)
    }
}

async fn suppress(
    tx: &Transaction<'_>,
    wanted: &[&Wanted],
    source: Source,
    by_whom: &str,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let numbers: Vec<&str> = wanted.iter().map(|wanted| wanted.number.as_str()).collect();
    let reasons: Vec<&str> = wanted.iter().map(|wanted| wanted.reason.as_str()).collect();
    tx.execute_typed(LOCK, &[(&numbers, Type::TEXT_ARRAY)]).await?;
    let source = source.as_str();
    let typed = [
        (&numbers as _, Type::TEXT_ARRAY),
        (&reasons as _, Type::TEXT_ARRAY),
        (&source as _, Type::TEXT),
        (&by_whom as _, Type::TEXT),
        (&now as _, Type::TIMESTAMPTZ),
    ];
    tx.execute_typed(EVENTS, &typed).await?;
    let typed = [
        (&numbers as _, Type::TEXT_ARRAY),
        (&reasons as _, Type::TEXT_ARRAY),
        (&source as _, Type::TEXT),
        (&now as _, Type::TIMESTAMPTZ),
    ];
    Ok(tx.execute_typed(MARK, &typed).await?)
}

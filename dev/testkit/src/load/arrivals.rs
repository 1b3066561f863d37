//! Whether what was accepted is in PostgreSQL: a transcription as the conversation of its call, a status callback among
//! the events of its call.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use elevenwire::store::{Store, StoreError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::webhooks::{Kind, Webhook};
use super::{Report, stopped};

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

const TRANSCRIPTIONS: &str = "select call_id::uuid from conversations \
    where call_id = any (select id::text from unnest($1::uuid[]) id) and conversation_id = 'conv_load_' || replace(call_id, '-', '')";
const STATUSES: &str =
    "select distinct call_id from call_events where call_id = any ($1) and raw ->> 'CallStatus' = 'completed'";

/// Looks until everything is there, the time is over, or somebody asks for the end; then the report is complete.
pub(super) async fn wait(
    store: &Store,
    drain: Duration,
    accepted: Vec<Webhook>,
    report: &mut Report,
    stop: &mut watch::Receiver<bool>,
    say: &impl Fn(String),
) -> Result<(), StoreError> {
    let begun = Instant::now();
    let mut awaited: HashMap<Kind, Vec<Uuid>> = HashMap::new();
    for webhook in accepted {
        awaited.entry(webhook.kind).or_default().push(webhook.call.id);
    }
    loop {
        for (kind, ids) in &mut awaited {
            let found = found(store, *kind, ids).await?;
            ids.retain(|id| !found.contains(id));
        }
        report.missing = awaited.values().map(Vec::len).sum();
        report.draining = begun.elapsed();
        report.interrupted |= *stop.borrow();
        if report.missing == 0 || report.interrupted || begun.elapsed() >= drain {
            return Ok(());
        }
        say(format!("{:5.0} s  waiting for {} of {}", begun.elapsed().as_secs_f64(), report.missing, report.accepted));
        tokio::select! {
            () = sleep(LOOK) => {}
            () = stopped(stop) => {}
        }
    }
}

async fn found(store: &Store, kind: Kind, ids: &[Uuid]) -> Result<HashSet<Uuid>, StoreError> {
    let sql = match kind {
        Kind::Status => STATUSES,
        Kind::Transcription => TRANSCRIPTIONS,
    };
    let mut session = store.session().await?;
    let rows = session.client()?.query(sql, &[&ids]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

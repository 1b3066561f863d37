//! The dossier of a number: everything that is known of it, over all campaigns and single calls.

use serde_json::{Value, json};
use tokio_postgres::types::Type;

use super::{CallFilter, Slice};
use crate::store::{Store, StoreError};

/// Attempts, contacts, decisions and steps that a dossier shows; it says when there are more.
pub const DOSSIER_MOST: i64 = 500;

impl Store {
    /// The dossier: suppression with its history, hold, doubtful opt-outs, contacts with their consent, attempts with the
    /// digests of their recordings, and what the guard said by which rules.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn dossier(&self, number: &str) -> Result<Value, StoreError> {
        let mut dossier = self.known_of(number).await?;
        let (suppressed, history) = self.suppression(number).await?;
        dossier["suppression"] = json!({ "now": suppressed, "history": history });
        dossier["contacts"] = self.contacts_of_number(number, DOSSIER_MOST).await?.into();
        let filter = CallFilter { number: Some(number.to_owned()), ..CallFilter::default() };
        let attempts = self.calls(&filter, &Slice::first(DOSSIER_MOST)).await?;
        dossier["attempts"] = attempts.into_iter().map(|entry| entry.view).collect();
        let full = |list: &str| {
            dossier[list]
                .as_array()
                .is_some_and(|list| i64::try_from(list.len()).is_ok_and(|count| count >= DOSSIER_MOST))
        };
        let truncated: Vec<&str> =
            ["attempts", "contacts", "decisions"].into_iter().filter(|list| full(list)).collect();
        dossier["truncated"] = json!(truncated);
        Ok(dossier)
    }

    async fn known_of(&self, number: &str) -> Result<Value, StoreError> {
        let mut session = self.session().await?;
        let typed = [(&number as _, Type::TEXT), (&DOSSIER_MOST as _, Type::INT8)];
        Ok(session.client()?.query_typed_one(KNOWN, &typed).await?.get(0))
    }
}

const KNOWN: &str = "
select jsonb_build_object('number', $1,
    'known', exists (select 1 from numbers where number = $1) or exists (select 1 from contacts where number = $1),
    'hold', (select jsonb_build_object('until', hold_until, 'because', hold_because)
        from numbers where number = $1 and hold_until is not null),
    'reviews', (select coalesce(jsonb_agg(jsonb_build_object('call_id', call_id, 'rule', rule, 'words', words,
            'created_at', created_at, 'resolved_at', resolved_at, 'resolution', resolution, 'resolved_by', resolved_by,
            'resolved_because', resolved_because) order by created_at desc), '[]')
        from opt_out_reviews where number = $1),
    'decisions', (select coalesce(jsonb_agg(jsonb_build_object('at', decided_at, 'decision', decision,
            'because', coalesce(inputs->'answer'->'because', '[]'), 'until', inputs->'answer'->'until',
            'rules_version', rules_version, 'call_id', call_id, 'contact_id', contact_id)
            order by decided_at desc, id desc), '[]')
        from (select * from guard_decisions
            where call_id = any (array(select id from calls where to_number = $1))
                or contact_id = any (array(select id from contacts where number = $1))
            order by decided_at desc, id desc limit $2) g))";

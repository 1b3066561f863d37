//! Rows on their way into the staging table, by `COPY`, a batch a transaction.

use std::fmt::Write as _;

use bytes::Bytes;
use futures_util::SinkExt as _;
use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

use super::super::lease::bigint;
use super::super::{Store, StoreError, commit};
use super::Job;
use crate::contact::Contact;
use crate::contact::forecast::Outlook;
use crate::guard::{StateCode, TimeZoneName};

/// Bytes of a batch: what is held in memory.
const LARGEST: usize = 1024 * 1024;

/// Rows for one `COPY`.
#[derive(Debug, Default)]
pub struct Batch {
    text: String,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Staged {
    /// Bytes of the file.
    pub bytes_read: u64,
    /// Rows, good and bad.
    pub rows_read: u64,
    /// Bad rows.
    pub bad: u64,
}

impl Batch {
    /// Whether it is to be sent.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.text.len() >= LARGEST
    }

    /// Adds a person.
    pub fn push(&mut self, import: Uuid, contact: &Contact, outlook: Outlook) {
        let callee = &contact.callee;
        let consent = callee.consent.as_ref();
        let (due_at, until, because) = match outlook {
            Outlook::Open(from, until) => (Some(from), Some(until), None),
            Outlook::Never(rule) => (None, None, Some(rule)),
        };
        // Writing to a text cannot fail.
        let _ = write!(self.text, "{import}\t{}", contact.line);
        self.cell(Some(&callee.number));
        self.cell(callee.timezone.as_ref().map(TimeZoneName::as_str));
        self.cell(callee.state.as_ref().map(StateCode::as_str));
        self.cell(callee.postal_code.as_deref());
        self.cell(consent.map(|consent| consent.kind.as_str()));
        self.moment(consent.and_then(|consent| consent.at));
        self.cell(consent.and_then(|consent| consent.source.as_deref()));
        self.cell(Some(&serde_json::to_string(&contact.variables).unwrap_or_else(|_| "{}".to_owned())));
        self.moment(due_at);
        self.moment(until);
        self.cell(because);
        self.text.push('\n');
    }

    fn moment(&mut self, at: Option<Timestamp>) {
        self.cell(at.map(|at| at.to_string()).as_deref());
    }

    fn cell(&mut self, text: Option<&str>) {
        self.text.push('\t');
        let Some(text) = text else {
            self.text.push_str("\\N");
            return;
        };
        for c in text.chars() {
            match c {
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                c => self.text.push(c),
            }
        }
    }
}

const COPY: &str = "copy import_rows (import_id, line, number, timezone, state, postal_code, consent_type, consent_at,
    consent_source, variables, due_at, until, because) from stdin";

impl Store {
    /// Sends a batch and says how far the run has come; false when another run has taken the import over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stage(
        &self,
        job: &Job,
        batch: &mut Batch,
        staged: Staged,
        columns: Option<&Value>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "update imports set heartbeat_at = $3, updated_at = $3, bytes_read = $4, rows_read = $5, bad = $6,
                columns = $7
            where id = $1 and runs = $2 and state = 'running'";
        let [bytes_read, rows_read, bad] = [staged.bytes_read, staged.rows_read, staged.bad].map(bigint);
        let columns = columns.map(Json);
        let mut session = self.session().await?;
        let tx = session.begin().await?;
        let values = [
            (&job.id as _, Type::UUID),
            (&job.run as _, Type::INT4),
            (&now as _, Type::TIMESTAMPTZ),
            (&bytes_read as _, Type::INT8),
            (&rows_read as _, Type::INT8),
            (&bad as _, Type::INT8),
            (&columns as _, Type::JSONB),
        ];
        if tx.execute_typed(sql, &values).await? == 0 {
            return Ok(false);
        }
        let rows = std::mem::take(&mut batch.text);
        if !rows.is_empty() {
            let mut sink = Box::pin(tx.copy_in::<_, Bytes>(COPY).await?);
            sink.send(Bytes::from(rows)).await?;
            sink.as_mut().finish().await?;
        }
        commit(tx).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard;

    #[test]
    fn what_copy_reads_as_its_own_is_escaped() {
        let callee = guard::Contact { number: "+14155550123".into(), ..guard::Contact::default() };
        let mut variables = serde_json::Map::new();
        variables.insert("note".into(), "a\tb\\c\nd".into());
        let contact = Contact { line: 2, callee, variables };
        let mut batch = Batch::default();
        batch.push(Uuid::nil(), &contact, Outlook::Never("no_consent"));
        let id = Uuid::nil();
        let expected = format!(
            "{id}\t2\t+14155550123\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t{}\t\\N\t\\N\tno_consent\n",
            r#"{"note":"a\\tb\\\\c\\nd"}"#
        );
        assert_eq!(batch.text, expected);
    }
}

//! Whether the schedules are believed to be on, and whether there is work for them: see [`crate::schedules`].

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::{Store, StoreError};

/// Minutes without work after which the schedules are switched off. What has just ended is still told of: events, the last
/// minute's numbers, a webhook that comes late.
pub const QUIET_MINUTES: i32 = 10;

/// What somebody finds who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The schedules are believed to be on.
    pub awake: bool,
    /// There is work for them.
    pub work: bool,
}

impl Store {
    /// Notes that the schedules are to be on, where there is work and they are believed to be off. Answers whether it was
    /// this that noted it: then they are to be switched on.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn wakes(&self, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "update wakefulness set awake = true, busy_at = $1 where not awake and (select there_is from work)";
        Ok(self.session().await?.write(sql, &[(&now, Type::TIMESTAMPTZ)]).await? > 0)
    }

    /// Notes that they are off after all, so that whoever makes work next tries again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn not_woken(&self) -> Result<(), StoreError> {
        self.session().await?.write("update wakefulness set awake = false where awake", &[]).await?;
        Ok(())
    }

    /// Notes that they are to be off, where there was no work for [`QUIET_MINUTES`]; else when there was work. Answers
    /// whether they are to be off.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn falls_asleep(&self, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "update wakefulness
            set awake = awake and (there_is or busy_at > $1 - make_interval(mins => $2)),
                busy_at = case when there_is then $1 else busy_at end
            from work returning busy_at <= $1 - make_interval(mins => $2)";
        let mut session = self.session().await?;
        let row = session.write_returning(sql, &[(&now, Type::TIMESTAMPTZ), (&QUIET_MINUTES, Type::INT4)]).await?;
        Ok(row.is_some_and(|row| row.get(0)))
    }

    /// Looks again, after they were switched off: where there is work, or somebody has woken them meanwhile, they are to be
    /// on. Answers whether they are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stays_awake(&self, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "update wakefulness set awake = true, busy_at = $1 where awake or (select there_is from work)";
        Ok(self.session().await?.write(sql, &[(&now, Type::TIMESTAMPTZ)]).await? > 0)
    }

    /// Looks only.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn looks(&self) -> Result<Found, StoreError> {
        let mut session = self.session().await?;
        let row = session.client()?.query_typed_one("select awake, there_is from wakefulness, work", &[]).await?;
        Ok(Found { awake: row.get(0), work: row.get(1) })
    }
}

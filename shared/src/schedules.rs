//! Asleep when idle. The schedules that ask the database every few minutes are rules of EventBridge, and on only while
//! there is work (the view `work`), so that a serverless database can pause.
//!
//! Whoever may have made work calls [`Schedules::wake`] after its commit, a door [`Schedules::wake_after`] its answer. While
//! the schedules are on, that is one statement that changes nothing; AWS is asked only by whoever finds them off. The
//! trigger calls [`Schedules::rest`] every minute, and the hour's net [`Schedules::mend`].
//!
//! No work is left asleep by two that do this at once:
//!
//! * the waker (a) commits its work, (b) notes "awake" where "asleep" stands, and where it did so (c) switches on;
//! * the sleeper (1) notes "asleep" where it sees no work, (2) switches off, (3) looks again, and switches on where it finds
//!   work or "awake".
//!
//! If (3) sees the work, the sleeper switches on after its own (2). If not, (a) was committed after (3) had looked, and so
//! was (b). If (3) found "awake", the sleeper switches on. If not, "asleep" stood there at (3), (b) finds it or another's
//! "awake" that came still later, and either's (c) comes after (2). Several wakers and sleepers at once change nothing of
//! that: nobody leaves "awake" behind without switching on after every switching off that it knows of.
//!
//! What is left is whoever dies between two steps, and an AWS that refuses. The net finds that within the hour, mends it
//! and counts it.

use std::time::Duration;

use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::types::RuleState;
use jiff::Timestamp;

use crate::crash::{Effect, around};
use crate::retry::Failure;
use crate::store::Store;
use crate::telemetry::metrics;

/// The rules that are switched.
#[derive(Debug, Clone)]
pub struct Schedules {
    client: aws_sdk_eventbridge::Client,
    rules: Vec<String>,
}

/// EventBridge did not do it.
#[derive(Debug, thiserror::Error)]
#[error("EventBridge did not do it: {0}")]
pub struct Refused(String);

impl Refused {
    fn because(error: &impl ProvideErrorMetadata) -> Self {
        Self(error.code().unwrap_or("no answer").to_owned())
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::later(Duration::from_mins(1), refused.to_string())
    }
}

/// What the net found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mended {
    /// All was as it should be.
    Nothing,
    /// There was work and a schedule was off. It is on now.
    WasAsleep,
}

impl Schedules {
    /// Rules of the account's default bus, by name, separated by commas as `SCHEDULE_RULES` has them; the trigger's, which
    /// switches them all off, first.
    #[must_use]
    pub fn new(client: aws_sdk_eventbridge::Client, names: &str) -> Self {
        let rules = names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Self { client, rules }
    }

    /// Switches the schedules on, if there is work and they are off. To be called after whatever may have made work was
    /// committed. It does not fail: what was done is done, and the net finds what was not switched on.
    pub async fn wake(&self, store: &Store, now: Timestamp) {
        let woken = match store.wakes(now).await {
            Ok(false) => return,
            Ok(true) => self.switch_on().await.map_err(|refused| refused.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match woken {
            Ok(()) => tracing::info!("there is work: the schedules are on"),
            Err(error) => {
                tracing::error!(error, "there is work, and the schedules could not be switched on");
                if let Err(error) = store.not_woken().await {
                    tracing::error!(error = %error, "that could not be noted");
                }
            }
        }
    }

    /// [`wake`](Self::wake), after a request was answered with this HTTP status. Not for whoever was turned away (4xx; a 409
    /// may be the answer to what another request has made): asking would wake a database that sleeps, and so would anybody who
    /// has no token, as often as they like.
    pub async fn wake_after(&self, status: u16, store: &Store, now: Timestamp) {
        if status == 409 || !(400..500).contains(&status) {
            self.wake(store, now).await;
        }
    }

    /// Switches the schedules off, if there was no work for a while. Answers whether they are off.
    ///
    /// # Errors
    /// When the database or EventBridge does not answer. The trigger's own rule is the last to go: while it is on, the next
    /// minute does this again.
    pub async fn rest(&self, store: &Store, now: Timestamp) -> Result<bool, Failure> {
        self.wake(store, now).await;
        if !store.falls_asleep(now).await? {
            return Ok(false);
        }
        self.switch_off().await?;
        if store.stays_awake(now).await? {
            self.switch_on().await?;
            return Ok(false);
        }
        tracing::info!("there is no work: the schedules are off");
        Ok(true)
    }

    /// The net below both: where there is work and a schedule is off, it is switched on, and that is counted. It may count
    /// one that somebody is just switching on.
    ///
    /// # Errors
    /// When the database or EventBridge does not answer.
    pub async fn mend(&self, store: &Store, now: Timestamp) -> Result<Mended, Failure> {
        let found = store.looks().await?;
        let lost = found.work && !(found.awake && self.are_on().await?);
        metrics::add(metrics::WORK_WHILE_ASLEEP, u8::from(lost));
        if !lost {
            self.rest(store, now).await?;
            return Ok(Mended::Nothing);
        }
        tracing::error!(awake = found.awake, "there was work, and a schedule was off");
        store.stays_awake(now).await?;
        self.switch_on().await?;
        Ok(Mended::WasAsleep)
    }

    /// Whether each of them is on.
    ///
    /// # Errors
    /// When EventBridge does not answer.
    pub async fn are_on(&self) -> Result<bool, Refused> {
        for rule in &self.rules {
            let asked = self.client.describe_rule().name(rule).send().await;
            let answer = asked.map_err(|error| Refused::because(&error))?;
            if answer.state() == Some(&RuleState::Disabled) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn switch_on(&self) -> Result<(), Refused> {
        for rule in &self.rules {
            let asked = around(Effect::Switch, self.client.enable_rule().name(rule).send());
            asked.await.map_err(|error| Refused::because(&error))?;
        }
        Ok(())
    }

    async fn switch_off(&self) -> Result<(), Refused> {
        for rule in self.rules.iter().rev() {
            let asked = around(Effect::Switch, self.client.disable_rule().name(rule).send());
            asked.await.map_err(|error| Refused::because(&error))?;
        }
        Ok(())
    }
}

//! What the parts of a run share.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use elevenwire::store::{Store, StoreError};
use futures_util::future::join_all;
use rand::SeedableRng;
use rand::rngs::StdRng;
use testkit::World;
use testkit::lines::Line;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::campaigns::{self, Pause, Plan};
use crate::course::Settings;
use crate::injected::Counters;

/// A wish that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) to: String,
    pub(crate) agent: Agent,
}

/// Who is to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agent {
    /// SignalWire dials, and bridges to it.
    Bridged,
    /// The same, and it hangs up on machines.
    Watchful,
    /// `ElevenLabs` dials through the trunk.
    Trunk,
}

impl Agent {
    /// Our name for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bridged => "demo",
            Self::Watchful => "watchful",
            Self::Trunk => "trunk",
        }
    }
}

/// A run under way.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) world: World,
    pub(crate) settings: Settings,
    pub(crate) counters: Counters,
    /// Taken wishes by call id.
    pub(crate) wishes: Mutex<BTreeMap<Uuid, Wish>>,
    /// Whom the campaigns call.
    pub(crate) campaigns: Vec<Plan>,
    /// When which campaign stood still by its owner's word.
    pub(crate) pauses: Mutex<Vec<Pause>>,
    /// How many wishes are to be taken in all.
    pub(crate) wanted: AtomicUsize,
    /// Wishes that were sent and are not answered.
    pub(crate) on_the_way: AtomicUsize,
    /// What our own side saw that may not be.
    pub(crate) wrong: Mutex<Vec<String>>,
    /// Handlers at work.
    pub(crate) at_work: AtomicUsize,
    /// Messages that waited when they were last counted.
    pub(crate) waiting: AtomicU64,
    /// The pumps may end.
    pub(crate) over: AtomicBool,
    /// Minutes of the run's own time.
    pub(crate) minutes: AtomicU64,
    store: Store,
}

/// Chance of its own for a part of a run.
pub(crate) fn dice(settings: &Settings, part: u64) -> StdRng {
    StdRng::seed_from_u64(settings.seed.wrapping_mul(1_000_003).wrapping_add(part))
}

impl Run {
    pub(crate) fn new(world: World, settings: Settings) -> Self {
        let store = world.database.store();
        let wanted = AtomicUsize::new(settings.singles());
        let campaigns = campaigns::plan(&settings);
        Self {
            world,
            settings,
            counters: Counters::default(),
            wishes: Mutex::default(),
            campaigns,
            pauses: Mutex::default(),
            wanted,
            on_the_way: AtomicUsize::new(0),
            wrong: Mutex::default(),
            at_work: AtomicUsize::new(0),
            waiting: AtomicU64::new(0),
            over: AtomicBool::new(false),
            minutes: AtomicU64::new(0),
            store,
        }
    }

    /// Chance of its own for a part of the run.
    pub(crate) fn dice(&self, part: u64) -> StdRng {
        dice(&self.settings, part)
    }

    /// Rows of a query, asked again while PostgreSQL is away.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Row> {
        loop {
            match self.try_rows(sql).await {
                Ok(rows) => return rows,
                Err(StoreError::Down(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(error) => panic!("a query of this program's own fails: {error}"),
            }
        }
    }

    /// A statement of the run's own that writes, done again while PostgreSQL is away.
    pub(crate) async fn write(&self, sql: &str) {
        let write = async || self.store.session().await?.write(sql, &[]).await;
        loop {
            match write().await {
                Ok(_) => return,
                Err(StoreError::Down(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(error) => panic!("a statement of this program's own fails: {error}"),
            }
        }
    }

    async fn try_rows(&self, sql: &str) -> Result<Vec<Row>, StoreError> {
        let mut session = self.store.session().await?;
        Ok(session.client()?.query(sql, &[]).await?)
    }

    /// A number that a query answers.
    pub(crate) async fn number(&self, sql: &str) -> u64 {
        u64::try_from(self.rows(sql).await[0].get::<_, i64>(0)).unwrap_or(0)
    }

    /// Messages that wait for a worker now.
    pub(crate) async fn count_waiting(&self) -> u64 {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let ask = |line: Line| {
            let pair = self.world.pair(line);
            pair.sqs().get_queue_attributes().queue_url(&pair.url).attribute_names(name.clone()).send()
        };
        let mut waiting = 0;
        for answer in join_all(Line::ALL.map(ask)).await {
            let answer = answer.unwrap();
            let count = answer.attributes().and_then(|all| all.get(&name)).and_then(|text| text.parse::<u64>().ok());
            waiting += count.unwrap_or(0);
        }
        self.waiting.store(waiting, Ordering::Relaxed);
        waiting
    }

    pub(crate) fn taken(&self) -> usize {
        self.wishes.lock().unwrap().len()
    }
}

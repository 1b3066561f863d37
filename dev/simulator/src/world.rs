//! What all parts share: the state behind one lock, the HTTP client, the tasks that are under way.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};

use crate::{
    book::{Book, Delivery},
    clock,
    config::Config,
    dice::Dice,
    elevenlabs::{conversation::Conversation, webhook::Workspace},
    faults::{Faults, Kind, Occasion},
    signalwire::call::Call,
    switches::{Switch, Switches},
};

/// Everything that changes.
#[derive(Debug, Default)]
pub struct State {
    pub config: Arc<Config>,
    pub switches: Switches,
    pub faults: Faults,
    pub book: Book,
    /// Calls by sid, and their sids in the order of creation.
    pub calls: HashMap<String, Call>,
    pub call_order: Vec<String>,
    /// Sids that wait for their second.
    pub queue: VecDeque<String>,
    /// Conversations by id; ids in the order of their start.
    pub conversations: HashMap<String, Conversation>,
    pub conversation_order: Vec<String>,
    pub workspace: Workspace,
    /// Agent legs now connected.
    pub live_legs: usize,
    /// How often each number was dialled; part of every draw.
    pub dialled: BTreeMap<String, u32>,
}

/// The shared world.
#[derive(Debug)]
pub struct World {
    state: Mutex<State>,
    /// For callbacks and webhooks.
    pub http: reqwest::Client,
    /// Rings when a call joins the queue.
    pub bell: Notify,
    generation: watch::Sender<u64>,
    busy: AtomicUsize,
    quiet: Notify,
    ids: AtomicU64,
    born: i128,
}

/// Whose deliveries a webhook is booked under.
#[derive(Debug, Clone)]
pub enum Owner {
    Dial(String),
    Conversation(String),
}

impl World {
    /// A new world with its HTTP client (2 s to connect, 3 redirects, no proxy).
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(mut config: Config) -> Result<Self, reqwest::Error> {
        config.complete();
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .redirect(reqwest::redirect::Policy::limited(3))
            .no_proxy()
            .build()?;
        let workspace = Workspace::from_config(&config);
        let state = State { config: Arc::new(config), workspace, ..State::default() };
        Ok(Self {
            state: Mutex::new(state),
            http,
            bell: Notify::new(),
            generation: watch::Sender::new(0),
            busy: AtomicUsize::new(0),
            quiet: Notify::new(),
            ids: AtomicU64::new(0),
            born: clock::now().as_nanosecond(),
        })
    }

    /// The state, for a short while: never hold it across an await.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.state().config)
    }

    /// Whether a switch stands at a variant.
    #[must_use]
    pub fn is(&self, switch: Switch, variant: &str) -> bool {
        self.state().switches.is(switch, variant)
    }

    /// The variant at which a switch stands.
    #[must_use]
    pub fn at(&self, switch: Switch) -> &'static str {
        self.state().switches.get(switch)
    }

    /// Draws the faults of an occasion.
    #[must_use]
    pub fn faults(&self, place: &str, occasion: Occasion<'_>) -> Vec<Kind> {
        let mut state = self.state();
        let seed = state.config.seed;
        state.faults.draw(seed, place, occasion)
    }

    /// Chance for a purpose, from the seed alone.
    #[must_use]
    pub fn dice(&self, parts: &[&str]) -> Dice {
        Dice::new(self.config().seed, parts)
    }

    /// Dice for an id that no earlier run of the simulator can have given out.
    pub fn fresh(&self) -> Dice {
        let nth = self.ids.fetch_add(1, Ordering::Relaxed);
        Dice::new(self.config().seed, &["id", &self.born.to_string(), &nth.to_string()])
    }

    /// Waits `nominal` seconds of a call.
    pub async fn nap(&self, nominal: f64) {
        let scale = self.config().time_scale;
        tokio::time::sleep(clock::scaled(nominal, scale)).await;
    }

    /// Runs a task that counts as work under way and ends with the simulator or a reset.
    pub fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let busy = self.hold();
        let mut generation = self.generation.subscribe();
        tokio::spawn(async move {
            let _busy = busy;
            tokio::select! {
                () = task => {}
                _ = generation.changed() => {}
            }
        });
    }

    /// Runs a task that is no work by itself (the dialler), until the simulator stops or is reset.
    pub fn spawn_idle(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let mut generation = self.generation.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                () = task => {}
                _ = generation.changed() => {}
            }
        });
    }

    /// Ends every task.
    pub fn stop(&self) {
        self.generation.send_modify(|g| *g += 1);
    }

    /// Counts as work under way while the guard lives.
    #[must_use]
    pub fn hold(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::SeqCst);
        Busy(Arc::clone(self))
    }

    /// Tasks under way.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.busy.load(Ordering::SeqCst)
    }

    /// Waits until nothing is under way; false when `limit` passes first.
    pub async fn idle(&self, limit: Duration) -> bool {
        let waiting = async {
            loop {
                let quiet = self.quiet.notified();
                if self.busy() == 0 && self.state().queue.is_empty() {
                    return;
                }
                quiet.await;
            }
        };
        tokio::time::timeout(limit, waiting).await.is_ok()
    }

    /// Books a new delivery and returns its place in its owner's list.
    pub fn book_delivery(&self, owner: &Owner, event: &str) -> usize {
        let delivery =
            Delivery { event: event.to_owned(), attempts: 0, delivered: false, last_status: None, lost: None };
        let mut state = self.state();
        let list = match owner {
            Owner::Dial(sid) => state.book.dials.get_mut(sid).map(|d| &mut d.deliveries),
            Owner::Conversation(id) => state.book.conversations.get_mut(id).map(|c| &mut c.deliveries),
        };
        list.map_or(0, |list| {
            list.push(delivery);
            list.len() - 1
        })
    }

    /// Changes a booked delivery.
    pub fn delivery(&self, owner: &Owner, index: usize, change: impl FnOnce(&mut Delivery)) {
        let mut state = self.state();
        let list = match owner {
            Owner::Dial(sid) => state.book.dials.get_mut(sid).map(|d| &mut d.deliveries),
            Owner::Conversation(id) => state.book.conversations.get_mut(id).map(|c| &mut c.deliveries),
        };
        if let Some(delivery) = list.and_then(|list| list.get_mut(index)) {
            change(delivery);
        }
    }
}

/// Counts a task while it lives.
#[derive(Debug)]
pub struct Busy(Arc<World>);

impl Drop for Busy {
    fn drop(&mut self) {
        if self.0.busy.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.quiet.notify_waiters();
        }
    }
}

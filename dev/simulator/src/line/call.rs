//! The life of one SignalWire call, from its second in the queue to its last callback.

use std::sync::Arc;

use tokio::{sync::watch, time::Instant};

use super::{
    dialler,
    fate::Fate,
    ring::{self, Answer},
    session,
};
use crate::{
    clock,
    dice::Dice,
    signalwire::{
        call::{Detection, Order, Spec, Status},
        callbacks::{self, Party},
    },
    switches::{AMD_LOSES_COMPLETED, ANSWERED_BY, DECLINED_STATUS, EARLY_HANGUP},
    world::World,
};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    pub status: Status,
    pub sip: Option<u16>,
    pub by: Party,
}

/// Why the course of a call was broken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    Canceled,
    /// Hung up through the API.
    Completed,
    CalleeHungUp,
    Redirected {
        url: String,
        get: bool,
    },
}

/// A call under way.
#[derive(Debug)]
pub struct Driver {
    pub world: Arc<World>,
    pub sid: String,
    pub spec: Spec,
    pub fate: Fate,
    pub dice: Dice,
    orders: watch::Receiver<Order>,
    /// Nominal seconds since the answer.
    pub talked: f64,
}

/// Runs a call that left the queue.
pub async fn run(world: Arc<World>, sid: String) {
    let Some(mut driver) = Driver::new(&world, sid) else { return };
    let ending = driver.life().await;
    let duration = clock::whole_secs(driver.talked);
    dialler::finish(&world, &driver.sid, ending.status, ending.sip, duration);
    let by_machine = world.state().calls.get(&driver.sid).is_some_and(|c| c.answered_by.is_some());
    if by_machine && ending.by == Party::Caller && world.is(AMD_LOSES_COMPLETED, "yes") {
        return;
    }
    callbacks::announce(&world, &driver.sid, ending.status, Some(ending.by));
}

impl Driver {
    fn new(world: &Arc<World>, sid: String) -> Option<Self> {
        let mut state = world.state();
        let call = state.calls.get(&sid)?;
        let (spec, orders) = (call.spec.clone(), call.orders.subscribe());
        let nth = state.dialled.entry(spec.to.clone()).or_default();
        *nth += 1;
        let fate = Fate::of(&spec.to).at(u64::from(*nth));
        let nth = nth.to_string();
        let dice = Dice::new(state.config.seed, &["call", &spec.to, &nth]);
        drop(state);
        Some(Self { world: Arc::clone(world), sid, fate, spec, dice, orders, talked: 0.0 })
    }

    async fn life(&mut self) -> Ending {
        self.enter(Status::Initiated);
        let plan = ring::plan(&self.world, self.fate, self.spec.timeout, &mut self.dice);
        if let Err(ending) = self.until_answer(&plan).await {
            return ending;
        }
        let by = |status, by| Ending { status, sip: Some(plan.result.sip()), by };
        match plan.result {
            Answer::Picked => {}
            Answer::Busy => return by(Status::Busy, Party::Callee),
            Answer::RangOut => return by(Status::NoAnswer, Party::Caller),
            // How a 603 after ringing shows in `CallStatus` is not documented; at once it is `failed`.
            Answer::Declined(_) if plan.ringing.is_some() => return by(self.declined(), Party::Callee),
            Answer::Declined(_) | Answer::Failed(_) => return by(Status::Failed, Party::Callee),
        }
        self.enter(Status::InProgress);
        self.callee_may_leave();
        let found = self.detect().await;
        match found {
            Ok(answered_by) => session::run(self, answered_by).await,
            Err(stop) => Self::stopped(&stop),
        }
    }

    fn declined(&self) -> Status {
        match self.world.at(DECLINED_STATUS) {
            "failed" => Status::Failed,
            "no-answer" => Status::NoAnswer,
            _ => Status::Busy,
        }
    }

    async fn until_answer(&mut self, plan: &ring::Plan) -> Result<(), Ending> {
        let answered = self.ring(plan).await;
        // The clock of a call starts with its answer.
        self.talked = 0.0;
        answered.map_err(|_| Ending { status: Status::Canceled, sip: Some(487), by: Party::Caller })
    }

    async fn ring(&mut self, plan: &ring::Plan) -> Result<(), Stop> {
        self.wait(plan.setup).await?;
        if let Some(ringing) = plan.ringing {
            self.enter(Status::Ringing);
            self.wait(ringing).await?;
        }
        Ok(())
    }

    /// Moves the call on, in the resource, in the book and by callback.
    fn enter(&self, status: Status) {
        let now = clock::now();
        {
            let mut state = self.world.state();
            if let Some(call) = state.calls.get_mut(&self.sid) {
                call.status = status;
                call.updated = now;
                call.started = call.started.or(Some(now));
            }
            state.book.dial(&self.sid, |dial| {
                status.word().clone_into(&mut dial.status);
                match status {
                    Status::Initiated => dial.initiated_at = Some(now),
                    Status::Ringing => dial.rung_at = Some(now),
                    _ => dial.answered_at = Some(now),
                }
            });
        }
        callbacks::announce(&self.world, &self.sid, status, None);
    }

    /// Waits nominal seconds, unless an order comes first.
    pub async fn wait(&mut self, secs: f64) -> Result<(), Stop> {
        if let Some(stop) = self.pending() {
            return Err(stop);
        }
        let begun = Instant::now();
        let scale = self.world.config().time_scale;
        let world = Arc::clone(&self.world);
        tokio::select! {
            () = world.nap(secs) => {
                self.talked += secs;
                Ok(())
            }
            changed = self.orders.changed() => {
                self.talked += (begun.elapsed().as_secs_f64() * scale).min(secs);
                match (changed, self.pending()) {
                    (Ok(()), Some(stop)) => Err(stop),
                    _ => Err(Stop::Completed),
                }
            }
        }
    }

    /// Adds time that passed in real seconds, while a webhook was asked.
    pub fn spent(&mut self, real: std::time::Duration) {
        self.talked += real.as_secs_f64();
    }

    /// The order that has not been followed yet.
    pub fn pending(&mut self) -> Option<Stop> {
        let order = self.orders.borrow_and_update().clone();
        match order {
            Order::Go => None,
            Order::Cancel => Some(Stop::Canceled),
            Order::Complete => Some(Stop::Completed),
            Order::CalleeHangsUp => Some(Stop::CalleeHungUp),
            Order::Redirect { url, get } => {
                if let Some(call) = self.world.state().calls.get(&self.sid) {
                    call.orders.send_if_modified(|order| {
                        *order = Order::Go;
                        false
                    });
                }
                Some(Stop::Redirected { url, get })
            }
        }
    }

    /// The end that a stop means for an answered call.
    pub fn stopped(stop: &Stop) -> Ending {
        let by = if *stop == Stop::CalleeHungUp { Party::Callee } else { Party::Caller };
        Ending { status: Status::Completed, sip: Some(200), by }
    }

    /// Whether the callee of fate 58 leaves before the agent is on the line (else just after).
    pub fn leaves_early(&self) -> bool {
        self.fate == Fate::EarlyHangup
            && match self.world.at(EARLY_HANGUP) {
                "before_leg" => true,
                "seeded" => self.world.dice(&["early", &self.spec.to]).unit() < 0.5,
                _ => false,
            }
    }

    fn callee_may_leave(&self) {
        if !self.leaves_early() {
            return;
        }
        let (world, sid) = (Arc::clone(&self.world), self.sid.clone());
        self.world.spawn(async move {
            world.nap(0.4).await;
            if let Some(call) = world.state().calls.get(&sid) {
                call.orders.send_replace(Order::CalleeHangsUp);
            }
        });
    }

    /// Answering machine detection: before the voice request, or beside it.
    async fn detect(&mut self) -> Result<Option<String>, Stop> {
        if self.spec.detection == Detection::Off {
            return Ok(None);
        }
        let machine = matches!(self.fate, Fate::Voicemail);
        let secs = match (machine, self.spec.detection) {
            (true, Detection::MessageEnd) => self.dice.between(8.0, 14.0),
            (true, _) => self.dice.between(3.0, 5.0),
            _ => self.dice.between(2.0, 4.0),
        };
        let verdict = match (self.world.at(ANSWERED_BY), machine, self.spec.detection) {
            ("absent", ..) => None,
            ("unknown", ..) => Some("unknown"),
            _ if self.fate == Fate::Screened => Some("unknown"),
            (_, false, _) => Some("human"),
            ("twilio", true, Detection::MessageEnd) => Some("machine_end_beep"),
            ("twilio", true, _) => Some("machine_start"),
            _ => Some("machine"),
        };
        if self.spec.async_amd.is_none() {
            self.wait(secs).await?;
            note_detection(&self.world, &self.sid, verdict);
            return Ok(verdict.map(str::to_owned));
        }
        let (world, sid) = (Arc::clone(&self.world), self.sid.clone());
        self.world.spawn(async move {
            world.nap(secs).await;
            let live = world.state().calls.get(&sid).is_some_and(|c| !c.status.terminal());
            if live {
                note_detection(&world, &sid, verdict);
                callbacks::announce_detection(&world, &sid, verdict, clock::whole_secs(secs * 1000.0));
            }
        });
        Ok(None)
    }
}

/// The REST resource knows `human`, `machine` and null.
fn note_detection(world: &World, sid: &str, verdict: Option<&str>) {
    let rest = verdict.filter(|w| *w != "unknown").map(|w| if w == "human" { "human" } else { "machine" });
    let mut state = world.state();
    if let Some(call) = state.calls.get_mut(sid) {
        call.answered_by = rest.map(str::to_owned);
    }
    state.book.dial(sid, |dial| dial.answered_by = verdict.map(str::to_owned));
}

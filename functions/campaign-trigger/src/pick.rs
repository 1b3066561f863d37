//! Whose turn it is: room and slots are shared out fairly, and who is due becomes an attempt.

use std::collections::HashMap;
use std::time::Duration;

use elevenwire::queue::CallCommand;
use elevenwire::retry::Failure;
use elevenwire::store::agents::Agent;
use elevenwire::store::contacts::{Picked, Turn};
use elevenwire::store::turns::{Running, Space};
use jiff::Timestamp;

use crate::App;

/// Slots are given away this far ahead: twice the time between two ticks, so that none stays empty.
const HORIZON: Duration = Duration::from_secs(10);

/// Contacts whose attempt is over, in one go.
const GO_ON: i64 = 500;

/// Turns in one tick, of a batch each: with most contacts asleep in their zones, a tick ends.
const MOST_BATCHES: usize = 24;

/// In so many turns a campaign takes its quota.
const PARTS: usize = 4;

/// What a tick did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tick {
    /// Campaigns that run.
    pub running: usize,
    /// Contacts that went on.
    pub went_on: usize,
    /// New attempts.
    pub attempts: usize,
    /// Contacts put off by the guard.
    pub deferred: usize,
    /// Contacts that the guard will never let be called.
    pub blocked: usize,
}

/// Lets contacts go on whose attempt is over, and makes attempts of those that are due, as far as there is room on the
/// line and in the carrier's timetable. Safe to run twice at once.
///
/// # Errors
/// When the database does not answer; the next tick does it all again.
pub async fn tick(app: &App, now: Timestamp) -> Result<Tick, Failure> {
    let mut tick = Tick::default();
    loop {
        let moved = app.store.go_on(GO_ON, now).await?;
        tick.went_on += moved;
        if moved < usize::try_from(GO_ON).unwrap_or(usize::MAX) {
            break;
        }
    }
    let running = app.store.running(now).await?;
    tick.running = running.len();
    let due: Vec<&Running> = running.iter().filter(|running| running.due).collect();
    if due.is_empty() {
        return Ok(tick);
    }
    let space = app.store.space(now).await?;
    let agents = agents(app).await?;
    let resting = app.store.resting(now).await?;
    let quotas = quotas(app, &due, &agents, space, now);
    let ids: Vec<Vec<String>> = due
        .iter()
        .map(|running| {
            let agent = agents.get(&running.campaign.agent);
            agent.map_or_else(Vec::new, |agent| agent.usable_caller_ids(running.campaign.from.as_ref(), &resting))
        })
        .collect();
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for ((running, quota), caller_ids) in due.iter().zip(quotas).zip(&ids) {
        let Some(agent) = agents.get(&running.campaign.agent).filter(|_| quota > 0 && !caller_ids.is_empty()) else {
            continue;
        };
        let ring_timeout_secs = app.ring_timeout_secs;
        turns.push(Turn { campaign: &running.campaign, agent, caller_ids, quota, ring_timeout_secs });
    }
    take_turns(app, turns, &mut tick, now).await?;
    Ok(tick)
}

/// One campaign after the other takes a part of its quota, so that their slots come by turns and not one campaign's after
/// another's.
async fn take_turns(app: &App, mut turns: Vec<Turn<'_>>, tick: &mut Tick, now: Timestamp) -> Result<(), Failure> {
    let parts: Vec<usize> = turns.iter().map(|turn| turn.quota.div_ceil(PARTS)).collect();
    let mut left: Vec<usize> = turns.iter().map(|turn| turn.quota).collect();
    for _ in 0..MOST_BATCHES {
        for (at, turn) in turns.iter_mut().enumerate() {
            if left[at] == 0 {
                continue;
            }
            turn.quota = parts[at].min(left[at]);
            let picked = app.store.pick(turn, &app.dialling, &app.draw, now).await?;
            tick.attempts += picked.attempts.len();
            tick.deferred += picked.deferred;
            tick.blocked += picked.blocked;
            wake(app, &picked, now).await;
            left[at] = if picked.drained { 0 } else { left[at].saturating_sub(picked.attempts.len()) };
        }
        if left.iter().all(|left| *left == 0) {
            break;
        }
    }
    Ok(())
}

/// The agents by name.
pub(crate) async fn agents(app: &App) -> Result<HashMap<String, Agent>, Failure> {
    Ok(app.store.agents().await?.into_iter().map(|agent| (agent.name.clone(), agent)).collect())
}

/// How many attempts each campaign may make now. One after the other gets one more until nothing is left: whoever needs
/// little gets it, the rest is shared equally.
fn quotas(app: &App, due: &[&Running], agents: &HashMap<String, Agent>, space: Space, now: Timestamp) -> Vec<usize> {
    let whole = |number: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "bounded below")]
        let whole = number.clamp(0.0, 10_000.0) as i64;
        whole
    };
    let pace = app.dialling.pace;
    let ahead = pace.time(space.campaign_slot).duration_since(now).as_secs_f64().max(0.0);
    let slots = whole(pace.campaign_slots(HORIZON.as_secs_f64() - ahead).ceil());
    let mut left = slots.min(i64::from(app.dialling.concurrency) - space.under_way);
    let mut room: HashMap<&str, i64> = HashMap::new();
    let mut wants: Vec<i64> = Vec::new();
    for running in due {
        let campaign = &running.campaign;
        let limit = agents.get(&campaign.agent).and_then(|agent| agent.max_concurrent);
        room.insert(&campaign.agent, limit.map_or(i64::MAX, |limit| i64::from(limit) - running.agent_under_way));
        let paced = running.paced_until.map_or(0.0, |until| until.duration_since(now).as_secs_f64().max(0.0));
        let own = ((HORIZON.as_secs_f64() - paced) * campaign.settings.rate).ceil();
        wants.push(whole(own).min(i64::from(campaign.settings.max_concurrent) - running.under_way));
    }
    let mut quotas = vec![0; due.len()];
    let mut given = true;
    while left > 0 && given {
        given = false;
        for (at, running) in due.iter().enumerate() {
            let room = room.entry(&running.campaign.agent).or_default();
            if left > 0 && wants[at] > 0 && *room > 0 {
                quotas[at] += 1;
                wants[at] -= 1;
                *room -= 1;
                left -= 1;
                given = true;
            }
        }
    }
    quotas
}

/// A lost wake-up only delays an attempt: the row knows its time, and the sweep finds it.
async fn wake(app: &App, picked: &Picked, now: Timestamp) {
    for (call_id, connect, slot) in &picked.attempts {
        let mut delay = Duration::try_from(slot.duration_since(now)).unwrap_or_default();
        // Queues know whole seconds. At a slow rate place-call comes early and waits for the slot; at a fast one its few
        // instances would all be waiting, so it comes up to a second late.
        if app.dialling.pace.rate > 2.0 && delay.subsec_millis() > 300 {
            delay += Duration::from_secs(1);
        }
        if let Err(error) = app.queue(*connect).send_after(&CallCommand::Place { call_id: *call_id }, delay).await {
            tracing::warn!(call.id = %call_id, error = %error, "could not wake place-call; the sweep will");
        }
    }
}

//! SignalWire's queue: one call a second, in order, out of sight.

use std::sync::Arc;

use tokio::time::Instant;

use super::{call, fate::Fate};
use crate::{
    book::Dial,
    clock,
    signalwire::{
        call::{Call, Order, Spec, Status},
        callbacks,
    },
    world::World,
};

/// Takes a call into the queue; `None` when the backlog is full.
#[must_use]
pub fn accept(world: &World, spec: Spec) -> Option<Call> {
    let sid = world.fresh().uuid();
    let now = clock::now();
    let mut state = world.state();
    if state.queue.len() >= state.config.queue_limit {
        return None;
    }
    let call = Call::new(sid.clone(), spec, now);
    let dial = Dial {
        sid: sid.clone(),
        to: call.spec.to.clone(),
        from: call.spec.from.clone(),
        placed_by: "signalwire",
        fate: Fate::of(&call.spec.to).name(),
        requested_at: Some(now),
        status: "queued".into(),
        url: Some(call.spec.voice.url.clone()),
        ..Dial::default()
    };
    state.book.dials.insert(sid.clone(), dial);
    state.calls.insert(sid.clone(), call.clone());
    state.call_order.push(sid.clone());
    state.queue.push_back(sid);
    state.book.max_queue_depth = state.book.max_queue_depth.max(state.queue.len());
    drop(state);
    world.bell.notify_one();
    Some(call)
}

/// Cancels a call that has not been answered: in the queue it is over at once, else its own task ends it.
pub fn cancel(world: &Arc<World>, sid: &str) {
    let queued = {
        let mut state = world.state();
        let place = state.queue.iter().position(|queued| queued == sid);
        place.and_then(|index| state.queue.remove(index)).is_some()
    };
    if queued {
        finish(world, sid, Status::Canceled, None, 0);
        callbacks::announce(world, sid, Status::Canceled, Some(callbacks::Party::Caller));
    } else if let Some(call) = world.state().calls.get(sid) {
        call.orders.send_replace(Order::Cancel);
    }
}

/// Notes the end of a call in the resource and in the book.
pub fn finish(world: &World, sid: &str, status: Status, sip_code: Option<u16>, duration: u32) {
    let now = clock::now();
    let mut state = world.state();
    if let Some(call) = state.calls.get_mut(sid) {
        call.status = status;
        call.updated = now;
        call.ended = Some(now);
        call.sip_code = sip_code;
        call.duration = duration;
    }
    state.book.dial(sid, |dial| {
        status.word().clone_into(&mut dial.status);
        dial.ended_at = Some(now);
        dial.sip_code = sip_code;
        dial.duration = duration;
    });
}

/// Lets the queue out, call after call. The rate is real, whatever the time scale.
pub async fn run(world: Arc<World>) {
    let mut next = Instant::now();
    loop {
        if world.state().queue.is_empty() {
            world.bell.notified().await;
            next = next.max(Instant::now());
            continue;
        }
        tokio::time::sleep_until(next).await;
        // Held from before the queue is empty until the call's own task counts as work.
        let _busy = world.hold();
        let sid = world.state().queue.pop_front();
        if let Some(sid) = sid {
            next += crate::clock::scaled(1.0, world.config().calls_per_second);
            world.spawn(call::run(Arc::clone(&world), sid));
        }
    }
}

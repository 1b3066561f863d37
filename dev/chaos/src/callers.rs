//! Whoever wants calls placed: sends wishes through `POST /api/calls`, some twice, some for a number that is busy, and sends
//! again what got no clear answer, with the same key.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use testkit::world::TOKEN;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::injected::count;
use crate::numbers;
use crate::run::{Agent, Run, Wish};

/// Names that make a transcript worth comparing word for word.
const NAMES: [&str; 6] = ["Maria", "Chloé", "Zoë \"Zed\"", "O'Brien", "Łukasz", "美咲 🌸"];

/// Wishes on their way at once.
const SENDERS: usize = 4;

/// More waiting messages than this, and the senders hold back: the machine must keep up with the run's own time.
const TOO_MANY: u64 = 120;

/// Draws the wishes, in order.
#[derive(Debug)]
pub(crate) struct Drawer {
    dice: StdRng,
    next: u32,
    used: Vec<String>,
}

impl Drawer {
    pub(crate) fn new(run: &Run) -> Self {
        let used: Vec<String> = run.campaigns.iter().flat_map(|plan| plan.numbers.iter().take(10).cloned()).collect();
        // The first ones are the campaigns'.
        Self { dice: run.dice(1), next: u32::try_from(run.settings.contacts()).unwrap_or(0), used }
    }

    fn draw(&mut self) -> (Value, Wish, bool) {
        let dice = &mut self.dice;
        // One wish in fifteen is for a number that was called before: it may still be busy, or be called once more.
        let again = self.used.len() > 5 && dice.random_bool(0.07);
        let to = if again {
            let far = dice.random_range(1..=self.used.len().min(60));
            self.used[self.used.len() - far].clone()
        } else {
            let to = numbers::of(self.next, dice);
            self.next += 1;
            self.used.push(to.clone());
            to
        };
        let agent = match dice.random_range(0..100) {
            0..15 => Agent::Trunk,
            15..40 => Agent::Watchful,
            _ => Agent::Bridged,
        };
        // A trunk's answer comes with the callee's: a lost one is awaited for as long as it may ring.
        let rings = (agent == Agent::Trunk).then_some(15);
        let body = json!({
            "to": to,
            "agent": agent.name(),
            "timeout_secs": rings,
            "when": "next_window",
            "campaign": dice.random_bool(0.5).then_some("spring"),
            "variables": { "first_name": NAMES[dice.random_range(0..NAMES.len())], "order": format!("A-{}", self.next) },
        });
        (body, Wish { to, agent }, dice.random_bool(0.1))
    }
}

/// Sends wishes until as many were taken as are wanted.
pub(crate) async fn send_all(run: &Arc<Run>, drawer: &Arc<Mutex<Drawer>>) {
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (run, drawer) = (Arc::clone(run), Arc::clone(drawer));
        senders.spawn(async move {
            while run.taken() < run.wanted.load(Ordering::Relaxed) {
                if run.waiting.load(Ordering::Relaxed) > TOO_MANY || !reserve(&run) {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
                let (body, wish, twice) = drawer.lock().await.draw();
                send(&run, &body, wish, twice).await;
                run.on_the_way.fetch_sub(1, Ordering::SeqCst);
            }
        });
    }
    while senders.join_next().await.is_some() {}
}

/// Whether one more wish may be sent: no more shall be taken than are wanted.
fn reserve(run: &Run) -> bool {
    let sent = run.on_the_way.fetch_add(1, Ordering::SeqCst);
    let free = run.taken() + sent < run.wanted.load(Ordering::SeqCst);
    if !free {
        run.on_the_way.fetch_sub(1, Ordering::SeqCst);
    }
    free
}

async fn send(run: &Run, body: &Value, wish: Wish, twice: bool) {
    let key = Uuid::new_v4().to_string();
    let first = until_clear(run, body, &key);
    let answers = if twice {
        count(&run.counters.sent_twice);
        let (one, other) = tokio::join!(first, until_clear(run, body, &key));
        vec![one, other]
    } else {
        vec![first.await]
    };
    let ids: Vec<Uuid> = answers.iter().filter_map(|answer| answer.1["id"].as_str()?.parse().ok()).collect();
    let busy = answers.iter().filter(|(status, _)| *status == 409);
    // Who asked not to be called any more is not called.
    let no = answers.iter().filter(|(status, _)| *status == 422 && wish.to.ends_with("59")).count();
    // One of two may have found the number busy with an earlier call: never with the call of its own key.
    let with_itself = |said: &Value| ids.iter().any(|id| said["link"].to_string().contains(&id.to_string()));
    if ids.len() + busy.clone().count() + no < answers.len()
        || ids.iter().any(|id| *id != ids[0])
        || busy.clone().any(|(_, said)| with_itself(said))
    {
        run.wrong.lock().unwrap().push(format!("a wish for {} was answered {answers:?}", wish.to));
    }
    match ids.first() {
        Some(id) => drop(run.wishes.lock().unwrap().insert(*id, wish)),
        None if no > 0 => count(&run.counters.refused),
        None => count(&run.counters.busy),
    }
}

/// Sends a wish until it is answered clearly: 202, or 409 because its number is busy.
async fn until_clear(run: &Run, body: &Value, key: &str) -> (u16, Value) {
    let url = format!("{}/api/calls", run.world.url);
    loop {
        let asked = run.world.http.post(&url).bearer_auth(TOKEN).header("Idempotency-Key", key).json(body).send().await;
        if let Ok(answer) = asked {
            let status = answer.status().as_u16();
            let said = answer.json::<Value>().await.unwrap_or_default();
            let busy = said["detail"].as_str().is_some_and(|detail| detail.contains("number"));
            if status != 503 && (status != 409 || busy) {
                return (status, said);
            }
        }
        count(&run.counters.sent_again);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Somebody calls the agent's own number.
pub(crate) async fn call_in(run: &Run, nth: usize) {
    let from = format!("+1415556{nth:04}");
    let fate = ["01", "59", "58"][nth % 3];
    let body = json!({ "number": testkit::world::AGENT_NUMBER, "from": from, "fate": fate });
    let asked = run.world.http.post(format!("{}/control/inbound", run.world.vendors.url())).json(&body).send().await;
    asked.unwrap();
}

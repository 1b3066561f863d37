//! The control API under `/control`: settings, switches, faults, the book, and things to set off.

mod send;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, RawQuery, State},
    response::Response,
    routing::{get, post},
};
use serde_json::{Value, json};

use crate::{
    clock,
    elevenlabs::{
        self,
        agent::{self, Invite},
        webhook::Workspace,
    },
    faults::{Faults, Rule},
    line::fate::Fate,
    signalwire::{create::Form, cxml::Sip, errors::json_answer},
    switches::Switches,
    world::{self, World},
};

type Shared = State<Arc<World>>;

/// The routes.
pub fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/control/health", get(health))
        .route("/control/config", get(show_config).put(change_config).patch(change_config))
        .route("/control/switches", get(show_switches).put(change_switches).patch(change_switches))
        .route("/control/faults", get(show_faults).put(replace_faults).post(add_fault).delete(clear_faults))
        .route("/control/book", get(book))
        .route("/control/book/summary", get(summary))
        .route("/control/book/dials/{sid}", get(dial))
        .route("/control/book/conversations/{id}", get(conversation))
        .route("/control/conversations/{id}/audio", get(audio))
        .route("/control/wait_idle", get(wait_idle).post(wait_idle))
        .route("/control/reset", post(reset))
        .route("/control/inbound", post(inbound))
        .route("/control/send", post(send::send))
}

fn bad(message: impl Into<String>) -> Response {
    json_answer(400, &json!({ "error": message.into() }))
}

fn read(body: &[u8]) -> Result<Value, String> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body).map_err(|e| format!("not JSON: {e}"))
}

async fn health(State(world): Shared) -> Response {
    json_answer(200, &json!({ "ok": true, "busy": world.busy(), "seed": world.config().seed }))
}

async fn show_config(State(world): Shared) -> Response {
    json_answer(200, &json!(*world.config()))
}

/// Applies a change; `switches` and `faults` may come along.
///
/// # Errors
/// Says what is wrong; nothing is changed then.
pub fn configure(world: &World, patch: Value) -> Result<(), String> {
    let Value::Object(mut patch) = patch else { return Err("the configuration is a JSON object".into()) };
    let switches = patch.remove("switches").unwrap_or(Value::Null);
    let faults = patch.remove("faults").map(serde_json::from_value::<Vec<Rule>>).transpose();
    let faults = faults.map_err(|e| format!("`faults`: {e}"))?;
    let mut state = world.state();
    let next = state.config.patched(&Value::Object(patch))?;
    let mut turned = state.switches.clone();
    turned.apply(&switches, next.seed)?;
    state.switches = turned;
    state.workspace.follow(&next);
    state.config = Arc::new(next);
    if let Some(rules) = faults {
        state.faults.replace(rules);
    }
    Ok(())
}

async fn change_config(State(world): Shared, body: Bytes) -> Response {
    let done = read(&body).and_then(|patch| configure(&world, patch));
    match done {
        Ok(()) => show_config(State(world)).await,
        Err(error) => bad(error),
    }
}

async fn show_switches(State(world): Shared) -> Response {
    json_answer(200, &world.state().switches.view())
}

async fn change_switches(State(world): Shared, body: Bytes) -> Response {
    let done = read(&body).and_then(|wanted| configure(&world, json!({ "switches": wanted })));
    match done {
        Ok(()) => show_switches(State(world)).await,
        Err(error) => bad(error),
    }
}

async fn show_faults(State(world): Shared) -> Response {
    json_answer(200, &json!(world.state().faults.rules()))
}

async fn replace_faults(State(world): Shared, body: Bytes) -> Response {
    match serde_json::from_slice::<Vec<Rule>>(&body) {
        Ok(rules) => {
            world.state().faults.replace(rules);
            show_faults(State(world)).await
        }
        Err(error) => bad(format!("a list of rules is wanted: {error}")),
    }
}

async fn add_fault(State(world): Shared, body: Bytes) -> Response {
    match serde_json::from_slice::<Rule>(&body) {
        Ok(rule) => {
            world.state().faults.add(rule);
            show_faults(State(world)).await
        }
        Err(error) => bad(format!("a rule is wanted: {error}")),
    }
}

async fn clear_faults(State(world): Shared) -> Response {
    world.state().faults.replace(Vec::new());
    show_faults(State(world)).await
}

async fn book(State(world): Shared, RawQuery(query): RawQuery) -> Response {
    let form = Form::read(query.unwrap_or_default().as_bytes());
    let state = world.state();
    let mut view = json!(state.book);
    if let Some(to) = form.get("to") {
        retain(&mut view, "dials", |dial| dial["to"] == to);
        let sids: Vec<Value> =
            view["dials"].as_object().map(|d| d.keys().map(|k| json!(k)).collect()).unwrap_or_default();
        retain(&mut view, "conversations", |c| sids.contains(&c["dial_sid"]));
    }
    view["summary"] = state.book.summary();
    view["faults"] = json!(state.faults.rules());
    json_answer(200, &view)
}

fn retain(view: &mut Value, name: &str, keep: impl Fn(&Value) -> bool) {
    if let Some(map) = view.get_mut(name).and_then(Value::as_object_mut) {
        map.retain(|_, entry| keep(entry));
    }
}

async fn summary(State(world): Shared) -> Response {
    json_answer(200, &world.state().book.summary())
}

fn entry(found: Option<Value>) -> Response {
    found.map_or_else(|| json_answer(404, &json!({ "error": "not in the book" })), |value| json_answer(200, &value))
}

async fn dial(State(world): Shared, Path(sid): Path<String>) -> Response {
    entry(world.state().book.dials.get(&sid).map(|d| json!(d)))
}

async fn conversation(State(world): Shared, Path(id): Path<String>) -> Response {
    entry(world.state().book.conversations.get(&id).map(|c| json!(c)))
}

async fn audio(State(world): Shared, Path(id): Path<String>) -> Response {
    elevenlabs::audio(&world, &id).unwrap_or_else(|| entry(None))
}

async fn wait_idle(State(world): Shared, RawQuery(query): RawQuery) -> Response {
    let form = Form::read(query.unwrap_or_default().as_bytes());
    let millis = form.get("timeout_ms").and_then(|t| t.parse().ok()).unwrap_or(60_000);
    let idle = world.idle(Duration::from_millis(millis)).await;
    json_answer(if idle { 200 } else { 408 }, &json!({ "idle": idle, "busy": world.busy() }))
}

/// Ends all calls and empties the book. Settings stay; `{"all": true}` puts switches and faults back as well.
async fn reset(State(world): Shared, body: Bytes) -> Response {
    let all = read(&body).is_ok_and(|body| body["all"] == true);
    restart(&world, all);
    json_answer(200, &json!({ "ok": true }))
}

/// See [`reset`].
pub fn restart(world: &Arc<World>, all: bool) {
    world.stop();
    {
        let mut state = world.state();
        let fresh = world::State {
            config: Arc::clone(&state.config),
            switches: if all { Switches::default() } else { state.switches.clone() },
            faults: if all { Faults::default() } else { std::mem::take(&mut state.faults) },
            workspace: Workspace::from_config(&state.config),
            ..world::State::default()
        };
        *state = fresh;
    }
    world.spawn_idle(crate::line::dialler::run(Arc::clone(world)));
}

/// A call from outside straight to an agent: `{"number", "from", "headers"?, "fate"?}`.
async fn inbound(State(world): Shared, body: Bytes) -> Response {
    let wanted = match read(&body) {
        Ok(wanted) => wanted,
        Err(error) => return bad(error),
    };
    let text = |name: &str| wanted.get(name).and_then(Value::as_str).map(str::to_owned);
    let Some(user) = text("number").or_else(|| world.config().numbers.first().map(|n| n.number.clone())) else {
        return bad("`number` is an imported number");
    };
    let from = text("from").unwrap_or_else(|| "+15555550199".into());
    let headers = wanted.get("headers").and_then(Value::as_object);
    let headers =
        headers.map(|h| h.iter().map(|(n, v)| (n.clone(), v.as_str().unwrap_or_default().to_owned())).collect());
    let nth = {
        let mut state = world.state();
        state.book.inbound_calls += 1;
        state.book.inbound_calls.to_string()
    };
    let invite = Invite {
        sip: Sip { user, ..Sip::default() },
        dice: world.dice(&["inbound", &from, &nth]),
        fate: Fate::of(&text("fate").unwrap_or_else(|| from.clone())),
        callee: from.clone(),
        from,
        headers: headers.unwrap_or_default(),
        dial_sid: None,
    };
    let busy = world.hold();
    match agent::invite(&world, invite).await {
        Ok(accepted) => {
            let shared = Arc::clone(&world);
            let id = accepted.conversation_id.clone();
            world.spawn(async move {
                shared.nap(accepted.secs).await;
                agent::hang_up(&shared, &accepted.conversation_id, None, accepted.callee_leaves);
            });
            drop(busy);
            json_answer(202, &json!({ "conversation_id": id, "started_at": clock::now() }))
        }
        Err(refusal) => json_answer(409, &json!({ "error": "the agent refused", "sip": refusal.sip })),
    }
}

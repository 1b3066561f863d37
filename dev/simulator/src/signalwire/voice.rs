//! Fetching cXML: the voice URL, the action of a `<Dial>`, and the fallback when they fail. Never tried again.

use super::{
    call::Hook,
    callbacks,
    cxml::{self, Refused, Verb},
    request::{self, Params},
};
use crate::{
    faults::{Kind, Occasion},
    post::{self, NoAnswer},
    world::{Owner, World},
};

/// Fetches a document; on any error the call's fallback URL is asked once.
///
/// # Errors
/// The debugger code of the last failure.
pub async fn document(
    world: &World,
    sid: &str,
    event: &'static str,
    hook: &Hook,
    more: &Params,
) -> Result<Vec<Verb>, Refused> {
    let first = fetch(world, sid, event, hook, more).await;
    let Err(Refused(code)) = first else { return first };
    tracing::info!(call.sid = sid, event, code, "document refused");
    let fallback = world.state().calls.get(sid).and_then(|c| c.spec.fallback.clone());
    let Some(fallback) = fallback else { return first };
    let mut more = more.clone();
    more.push(("ErrorCode".into(), code.to_string()));
    more.push(("ErrorUrl".into(), hook.url.clone()));
    fetch(world, sid, "fallback", &fallback, &more).await
}

async fn fetch(
    world: &World,
    sid: &str,
    event: &'static str,
    hook: &Hook,
    more: &Params,
) -> Result<Vec<Verb>, Refused> {
    let (to, message) = {
        let state = world.state();
        let Some(call) = state.calls.get(sid) else { return Err(Refused(20_404)) };
        let mut params = callbacks::standard(&state.config.project_id, call, call.status.word());
        params.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        params.extend(more.iter().cloned());
        let message = request::signed(&state.config.signing_key, &state.switches, hook, &params, false);
        (call.spec.to.clone(), message)
    };
    let owner = Owner::Dial(sid.to_owned());
    let index = world.book_delivery(&owner, event);
    let faults = world.faults(event, Occasion { to: &to, call: sid, event, class: "" });
    for kind in &faults {
        match kind {
            Kind::DelayMs { ms } => tokio::time::sleep(std::time::Duration::from_millis(*ms)).await,
            Kind::Drop | Kind::RefuseConnection => {
                world.delivery(&owner, index, |d| d.lost = Some("fault"));
                return Err(Refused(11_200));
            }
            Kind::Double => {
                world.delivery(&owner, index, |d| d.attempts += 1);
                let _ = post::send(world, &message).await;
            }
            _ => {}
        }
    }
    world.delivery(&owner, index, |d| d.attempts += 1);
    let answer = post::send(world, &message).await;
    if faults.iter().any(|k| matches!(k, Kind::TakenButNoAnswer { .. } | Kind::HttpStatus { .. })) {
        world.delivery(&owner, index, |d| d.lost = Some("fault"));
        return Err(Refused(11_217));
    }
    let answer = match answer {
        Ok(answer) => answer,
        Err(NoAnswer::Connect | NoAnswer::Timeout | NoAnswer::Broken) => return Err(Refused(11_200)),
    };
    let read = if answer.ok() { cxml::read(&answer.content_type, &answer.body) } else { Err(Refused(11_217)) };
    world.delivery(&owner, index, |d| {
        d.last_status = Some(answer.status);
        d.delivered = read.is_ok();
    });
    read
}

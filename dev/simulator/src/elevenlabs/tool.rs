//! The agent's server tool for a callee who wants no more calls: an HTTP request with static headers, whose body holds the
//! variables that its owner chose. Ours are the two ids. Off unless the agent has it, or an address is configured.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use super::{catalog, conversation::Conversation};
use crate::{
    faults::{Kind, Occasion},
    post,
    script::Role,
    world::{Owner, World},
};

/// The vendor's default patience with a tool, in seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Uses the tool once the callee has said his last but one word, if the conversation is still going on then.
pub fn use_later(world: &Arc<World>, conversation: &Conversation) {
    if catalog::opt_out_tool(world, &conversation.agent_id).is_none() {
        return;
    }
    let said = conversation.plan.turns.iter().rfind(|turn| turn.role == Role::User);
    let at = said.map_or(0.0, |turn| turn.at + turn.secs);
    let (shared, conversation) = (Arc::clone(world), conversation.clone());
    world.spawn(async move {
        shared.nap(at).await;
        let goes_on = shared.state().conversations.get(&conversation.id).is_some_and(|now| now.status == "in-progress");
        if goes_on {
            send(&shared, &conversation).await;
        }
    });
}

async fn send(world: &World, conversation: &Conversation) {
    let Some(tool) = catalog::opt_out_tool(world, &conversation.agent_id) else { return };
    let owner = Owner::Conversation(conversation.id.clone());
    let index = world.book_delivery(&owner, "opt_out_tool");
    let occasion = Occasion { to: &conversation.callee, call: &conversation.id, event: "opt_out_tool", class: "" };
    for kind in &world.faults("opt_out_tool", occasion) {
        match kind {
            Kind::Drop | Kind::RefuseConnection => {
                world.delivery(&owner, index, |d| d.lost = Some("fault"));
                return;
            }
            Kind::DelayMs { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            _ => {}
        }
    }
    let call_id = conversation.spoken_with().get("call_id").cloned();
    let body = json!({ "conversation_id": conversation.id, "call_id": call_id, "reason": "asked for no more calls" });
    let request = world.http.post(&tool.url).header("content-type", "application/json").timeout(PATIENCE);
    let request = tool.headers.iter().fold(request, |r, (n, v)| r.header(n, v)).body(body.to_string());
    world.delivery(&owner, index, |d| d.attempts += 1);
    let answer = post::finish(request).await.ok();
    world.delivery(&owner, index, |d| {
        d.delivered = answer.as_ref().is_some_and(post::Answer::ok);
        d.last_status = answer.map(|a| a.status);
    });
}

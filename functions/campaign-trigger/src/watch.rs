//! What stops a campaign: its end, its breaker, caller ids that networks refuse.

use std::collections::{HashMap, HashSet};

use elevenwire::campaign::State;
use elevenwire::campaign::breaker::{ALL_REST, caller_id_rests, trips};
use elevenwire::retry::Failure;
use elevenwire::store::agents::Agent;
use elevenwire::store::campaigns::Moved;
use elevenwire::store::turns::Running;
use jiff::Timestamp;

use crate::App;
use crate::pick::agents;

/// Adds to the metrics how things stand; once a minute. Calls are not to wait for numbers: without an answer there are none.
pub async fn measure(app: &App, now: Timestamp) {
    if let Err(error) = app.store.take_pulse(now).await {
        tracing::warn!(error = %error, "how things stand could not be measured");
    }
}

/// Ends what is over, and pauses what harms; once a minute.
///
/// # Errors
/// When the database does not answer; the next minute does it all again.
pub async fn watch(app: &App, now: Timestamp) -> Result<(), Failure> {
    finish(app, now).await?;
    app.store.sum_up_tallies().await?;
    let running = app.store.running(now).await?;
    if running.is_empty() {
        return Ok(());
    }
    let agents = agents(app).await?;
    let resting = rest(app, &running, &agents, now).await?;
    for campaign in &running {
        let settings = &campaign.campaign.settings;
        let counts = app.store.breaker_counts(campaign.campaign.id, &settings.budget, now).await?;
        let agent = agents.get(&campaign.campaign.agent);
        if let Some((word, why)) = trips(&counts, &settings.budget) {
            pause(app, campaign, word, &why, now).await?;
        } else if agent
            .is_some_and(|agent| agent.usable_caller_ids(campaign.campaign.from.as_ref(), &resting).is_empty())
        {
            pause(app, campaign, "network_blocked", ALL_REST, now).await?;
        }
    }
    Ok(())
}

/// Ends the campaigns whose end has come, or that have nobody left.
///
/// # Errors
/// As [`watch`].
pub async fn finish(app: &App, now: Timestamp) -> Result<(), Failure> {
    for id in app.store.finish_campaigns(now).await? {
        tracing::info!(campaign.id = %id, "finished");
    }
    Ok(())
}

/// Lets caller ids rest that networks refuse; answers all that rest.
async fn rest(
    app: &App,
    running: &[Running],
    agents: &HashMap<String, Agent>,
    now: Timestamp,
) -> Result<Vec<String>, Failure> {
    let resting = app.store.resting(now).await?;
    let used: HashSet<String> = running
        .iter()
        .filter_map(|running| {
            Some(agents.get(&running.campaign.agent)?.usable_caller_ids(running.campaign.from.as_ref(), &resting))
        })
        .flatten()
        .collect();
    for caller_id in used {
        let (last, blocked) = app.store.refused_of(&caller_id).await?;
        if caller_id_rests(blocked, last) {
            let why = format!("networks refused {blocked} of its last {last} calls");
            if app.store.rest(&caller_id, &why, now).await? {
                tracing::error!(
                    alarm = "caller_id_rests",
                    blocked,
                    last,
                    "networks refuse a caller id: it rests for a day"
                );
            }
        }
    }
    Ok(app.store.resting(now).await?)
}

async fn pause(app: &App, running: &Running, word: &str, why: &str, now: Timestamp) -> Result<(), Failure> {
    let id = running.campaign.id;
    let because = format!("{word}: {why}");
    if let Moved::Done(_) = app.store.move_campaign(id, State::Paused, Some(&because), "breaker", now).await? {
        tracing::error!(campaign.id = %id, alarm = "campaign_paused", breaker.rule = word, "{why}");
    }
    Ok(())
}

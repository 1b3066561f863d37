//! Whether the agents' vendor still sends us its webhooks. It switches one off that failed too often, tells nobody but the
//! workspace's admins, and replays nothing.

use elevenwire::retry::Failure;

use crate::App;

/// Looks at the vendor's webhook objects; what is wrong is an alarm line in the log.
pub async fn look(app: &App) -> Result<(), Failure> {
    let url = format!("{}/api/webhooks/elevenlabs", app.public_base_url);
    let webhooks = app.elevenlabs.webhooks().await?;
    let Some(webhook) = webhooks.iter().find(|webhook| webhook.url.as_deref() == Some(url.as_str())) else {
        tracing::error!(
            alarm = "webhook",
            webhooks = webhooks.len(),
            "no webhook at ElevenLabs points to this deployment"
        );
        return Ok(());
    };
    if webhook.is_auto_disabled {
        tracing::error!(
            alarm = "webhook",
            "ElevenLabs switched its webhook off after too many failures; switch it on again in its settings"
        );
    } else if webhook.is_disabled {
        tracing::error!(alarm = "webhook", "the webhook at ElevenLabs is switched off");
    } else if let Some(code) = webhook.most_recent_failure_error_code {
        tracing::warn!(webhook.failure = code, "ElevenLabs reports a failure of its webhook");
    }
    if app.may_mend_webhook && !webhook.is_disabled && !webhook.is_auto_disabled {
        // Whether retries are on cannot be read back: it is set each time.
        app.elevenlabs.turn_retries_on(webhook).await?;
    }
    Ok(())
}

//! publish-events: the Lambda function of the schedule that runs every minute.

use std::time::Duration;

use elevenwire::config::Env;
use elevenwire::events::bus::Bus;
use elevenwire::events::endpoint::Poster;
use elevenwire::store::Store;
use elevenwire::telemetry::metrics::Watch;
use elevenwire::{aws, telemetry};
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use publish_events::{App, Config, publish};
use serde_json::{Value, json};

/// Until the next minute's run takes over.
const STAYS: Duration = Duration::from_secs(55);

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let watch = Watch::of_process(env!("CARGO_PKG_NAME"), Timestamp::now);
    let config = Config::from_env(Env::of_process())?;
    let bus = match config.bus_name {
        Some(name) => Some(Bus::new(aws_sdk_eventbridge::Client::new(&aws::config().await), name)),
        None => None,
    };
    let app = App {
        store: Store::new(config.database_url),
        poster: Poster::new(config.played)?,
        bus,
        draw: Box::new(rand::random),
        jitter: Box::new(rand::random),
        now: Box::new(Timestamp::now),
    };
    let (app, watch) = (&app, &watch);
    lambda_runtime::run(service_fn(|_: LambdaEvent<Value>| {
        watch.invocation(Box::pin(async move {
            let done = publish(app, STAYS).await?;
            if done.taken + done.refused > 0 {
                tracing::info!(taken = done.taken, refused = done.refused, given_up = done.given_up, "published");
            }
            Ok::<_, Error>(json!({ "taken": done.taken, "refused": done.refused, "given_up": done.given_up }))
        }))
    }))
    .await
}

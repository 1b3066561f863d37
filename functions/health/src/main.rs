//! health: the Lambda function behind `GET /api/health` and its schedule.

use std::time::Duration;

use elevenwire::blobs::Blobs;
use elevenwire::config::Env;
use elevenwire::http::{Trigger, gateway_json};
use elevenwire::queue::Queue;
use elevenwire::schedules::Schedules;
use elevenwire::store::Store;
use elevenwire::telemetry::metrics::{self, Watch};
use elevenwire::{aws, elevenlabs, http, signalwire, telemetry};
use health::{App, Config, Depth, answer, check};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

/// A check that takes longer than this counts as no answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let watch = Watch::of_process(env!("CARGO_PKG_NAME"), jiff::Timestamp::now);
    let config = Config::from_env(Env::of_process())?;
    let aws = aws::config().await;
    let sqs = aws_sdk_sqs::Client::new(&aws);
    let app = App {
        store: Store::new(config.database_url),
        tokens: config.tokens,
        blobs: Blobs::new(aws_sdk_s3::Client::new(&aws), config.bucket),
        carrier: signalwire::client::Client::new(config.space, config.project_id, config.carrier_token, PATIENCE)?,
        elevenlabs: elevenlabs::client::Client::new(
            http::client(PATIENCE)?,
            &config.elevenlabs_url,
            config.elevenlabs_key,
        )?,
        queues: config.queue_urls.into_iter().map(|(name, url)| (name, Queue::new(sqs.clone(), url))).collect(),
        addresses_limited: config.addresses_limited,
        schedules: Schedules::new(aws_sdk_eventbridge::Client::new(&aws), &config.schedule_rules),
        has_canary: config.has_canary,
    };
    let (app, watch) = (&app, &watch);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        watch.invocation(Box::pin(async move {
            let now = jiff::Timestamp::now();
            match Trigger::of(event.payload) {
                Trigger::Request(request) => {
                    let reply = answer(app, &request, now).await;
                    metrics::answered(reply.status);
                    Ok::<_, Error>(gateway_json(&reply))
                }
                Trigger::Other(_) => Ok(serde_json::to_value(check(app, Depth::LetSleep, now).await?)?),
            }
        }))
    }))
    .await
}

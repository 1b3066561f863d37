//! reconcile: the Lambda function of two schedules, every five minutes and daily.

use std::time::Duration;

use elevenwire::blobs::Blobs;
use elevenwire::config::Env;
use elevenwire::queue::Queue;
use elevenwire::store::Store;
use elevenwire::telemetry::metrics::Watch;
use elevenwire::{aws, elevenlabs, http, signalwire, telemetry};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use reconcile::{App, Budget, Config, Task, report, settle};
use serde_json::Value;

/// A vendor that takes longer than this is asked again in the next run.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is left of the function's 240 s for the work: the last thing begun may take its time.
const BUDGET: Duration = Duration::from_mins(3);

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let watch = Watch::of_process(env!("CARGO_PKG_NAME"), jiff::Timestamp::now);
    let config = Config::from_env(Env::of_process())?;
    let aws = aws::config().await;
    let sqs = aws_sdk_sqs::Client::new(&aws);
    let queue = |url: String| Queue::new(sqs.clone(), url);
    let app = App {
        store: Store::new(config.database_url),
        blobs: Blobs::new(aws_sdk_s3::Client::new(&aws), config.bucket),
        carrier: signalwire::client::Client::new(config.space, config.project_id, config.carrier_token, PATIENCE)?,
        elevenlabs: elevenlabs::client::Client::new(
            http::client(PATIENCE)?,
            &config.elevenlabs_url,
            config.elevenlabs_key,
        )?,
        calls: queue(config.calls_queue_url),
        transcriptions: queue(config.transcriptions_queue_url),
        recordings: queue(config.recordings_queue_url),
        imports: queue(config.imports_queue_url),
        exports: queue(config.exports_queue_url),
        public_base_url: config.public_base_url,
        may_mend_webhook: config.may_mend_webhook,
    };
    let (app, watch) = (&app, &watch);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        watch.invocation(Box::pin(async move {
            // A schedule's default event has no task of ours: it settles.
            let task = serde_json::from_value(event.payload).unwrap_or_default();
            let now = jiff::Timestamp::now();
            match task {
                Task::Settle => {
                    Ok::<_, Error>(serde_json::to_value(Box::pin(settle(app, now, Budget::of(BUDGET))).await?)?)
                }
                Task::Report { day } => Ok(Box::pin(report(app, day, now)).await?),
            }
        }))
    }))
    .await
}

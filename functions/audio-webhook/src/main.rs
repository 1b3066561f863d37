//! audio-webhook: the Lambda function behind the queue `recordings`.

use std::time::Duration;

use audio_webhook::{App, Config, bring_home};
use aws_lambda_events::sqs::SqsEvent;
use elevenwire::blobs::Blobs;
use elevenwire::config::Env;
use elevenwire::elevenlabs::client::Client;
use elevenwire::queue::{RecordingTask, Worker};
use elevenwire::store::Store;
use elevenwire::telemetry::metrics::Watch;
use elevenwire::{aws, http, telemetry};
use lambda_runtime::{Error, LambdaEvent, service_fn};

/// For a question; a recording may take as long as the function lives.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let watch = Watch::of_process(env!("CARGO_PKG_NAME"), jiff::Timestamp::now);
    let config = Config::from_env(Env::of_process())?;
    let aws = aws::config().await;
    let sqs = aws_sdk_sqs::Client::new(&aws);
    let worker = Worker::new(&sqs, config.queue_url, config.dead_letter_queue_url);
    let app = App {
        store: Store::new(config.database_url),
        blobs: Blobs::new(aws_sdk_s3::Client::new(&aws), config.bucket),
        elevenlabs: Client::new(http::client(PATIENCE)?, &config.api_url, config.api_key)?,
    };
    let (app, worker, watch) = (&app, &worker, &watch);
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let answer = worker.each(event.payload, |task: RecordingTask| bring_home(app, task, jiff::Timestamp::now()));
        Ok::<_, Error>(watch.invocation(Box::pin(answer)).await)
    }))
    .await
}

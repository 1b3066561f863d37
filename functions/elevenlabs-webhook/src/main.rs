//! elevenlabs-webhook: the Lambda function behind `POST /api/webhooks/elevenlabs`.

use elevenlabs_webhook::{App, Config, receive};
use elevenwire::blobs::Blobs;
use elevenwire::config::Env;
use elevenwire::elevenlabs::signature::Verifier;
use elevenwire::queue::Queue;
use elevenwire::telemetry::metrics::Watch;
use elevenwire::{aws, http, telemetry};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::start();
    let watch = Watch::of_process(env!("CARGO_PKG_NAME"), jiff::Timestamp::now);
    let config = Config::from_env(Env::of_process())?;
    let aws = aws::config().await;
    let sqs = aws_sdk_sqs::Client::new(&aws);
    let app = App {
        allowed: config.allowed,
        verifier: Verifier::new(config.secrets),
        blobs: Blobs::new(aws_sdk_s3::Client::new(&aws), config.bucket),
        transcriptions: Queue::new(sqs.clone(), config.transcriptions_queue_url),
        recordings: Queue::new(sqs.clone(), config.recordings_queue_url),
        call_events: Queue::new(sqs, config.call_events_queue_url),
    };
    let app = &app;
    http::serve(&watch, |request| async move { receive(app, &request, jiff::Timestamp::now()).await }).await
}

//! transcription-webhook: the Lambda function behind the queue `transcriptions`.

use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use elevenwire::blobs::Blobs;
use elevenwire::config::Env;
use elevenwire::elevenlabs::client::Client;
use elevenwire::queue::{ConversationArrived, Worker};
use elevenwire::schedules::Schedules;
use elevenwire::store::Store;
use elevenwire::telemetry::metrics::Watch;
use elevenwire::{aws, http, telemetry};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use transcription_webhook::{App, Config, store};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let watch = Watch::of_process(env!("CARGO_PKG_NAME"), jiff::Timestamp::now);
    let config = Config::from_env(Env::of_process())?;
    let aws = aws::config().await;
    let sqs = aws_sdk_sqs::Client::new(&aws);
    let schedules = Schedules::new(aws_sdk_eventbridge::Client::new(&aws), &config.schedule_rules);
    let worker = Worker::new(&sqs, config.queue_url, config.dead_letter_queue_url);
    let app = App {
        store: Store::new(config.database_url),
        blobs: Blobs::new(aws_sdk_s3::Client::new(&aws), config.bucket),
        elevenlabs: Client::new(http::client(Duration::from_secs(20))?, &config.api_url, config.api_key)?,
        opt_out: config.opt_out,
    };
    let (app, worker, schedules, watch) = (&app, &worker, &schedules, &watch);
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let answer = async {
            let handle =
                |arrived: ConversationArrived| async move { store(app, &arrived, jiff::Timestamp::now()).await };
            let done = worker.each(event.payload, handle).await;
            schedules.wake(&app.store, jiff::Timestamp::now()).await;
            done
        };
        Ok::<_, Error>(watch.invocation(Box::pin(answer)).await)
    }))
    .await
}

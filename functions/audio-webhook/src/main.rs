//! audio-webhook: the Lambda function behind the queue `recordings`.

use audio_webhook::{App, Config, store};
use aws_lambda_events::sqs::SqsEvent;
use elevenwire::blobs::Blobs;
use elevenwire::config::Env;
use elevenwire::queue::{Queue, RecordingArrived, Worker};
use elevenwire::store::Store;
use elevenwire::{aws, telemetry};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let config = Config::from_env(Env::of_process())?;
    let aws = aws::config().await;
    let sqs = aws_sdk_sqs::Client::new(&aws);
    let worker = Worker {
        queue: Queue::new(sqs.clone(), config.queue_url),
        dead_letters: Queue::new(sqs, config.dead_letter_queue_url),
    };
    let app =
        App { store: Store::new(config.database_url), blobs: Blobs::new(aws_sdk_s3::Client::new(&aws), config.bucket) };
    let (app, worker) = (&app, &worker);
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let answer = worker.each(event.payload, |arrived: RecordingArrived| async move {
            store(app, &arrived, jiff::Timestamp::now()).await
        });
        Ok::<_, Error>(answer.await)
    }))
    .await
}

//! import-contacts: the Lambda function behind the queue `imports`.

use aws_lambda_events::sqs::SqsEvent;
use elevenwire::blobs::Blobs;
use elevenwire::clock::deadline;
use elevenwire::config::Env;
use elevenwire::queue::{ImportTask, Worker};
use elevenwire::store::Store;
use elevenwire::telemetry::metrics::Watch;
use elevenwire::{aws, telemetry};
use import_contacts::{App, Clock, Config, import};
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let watch = Watch::of_process(env!("CARGO_PKG_NAME"), Timestamp::now);
    let config = Config::from_env(Env::of_process())?;
    let aws = aws::config().await;
    let sqs = aws_sdk_sqs::Client::new(&aws);
    let worker = Worker::new(&sqs, config.queue_url, config.dead_letter_queue_url);
    let app = App {
        store: Store::new(config.database_url).with_tariff(config.tariff),
        blobs: Blobs::new(aws_sdk_s3::Client::new(&aws), config.bucket),
        dialling: config.dialling,
    };
    let (app, worker, watch) = (&app, &worker, &watch);
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let clock = Clock { now: &Timestamp::now, ends_at: deadline(event.context.deadline) };
        let done = worker.each(event.payload, |task: ImportTask| Box::pin(import(app, task, clock)));
        Ok::<_, Error>(watch.invocation(Box::pin(done)).await)
    }))
    .await
}

//! place-trunk-call: the Lambda function behind the queue `trunk-calls`.

use aws_lambda_events::sqs::SqsEvent;
use elevenwire::config::Env;
use elevenwire::elevenlabs::outbound::{ANSWER_TAKES, Trunk};
use elevenwire::queue::{CallCommand, Worker};
use elevenwire::store::Store;
use elevenwire::telemetry::metrics::Watch;
use elevenwire::{aws, telemetry};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use place_trunk_call::{App, Config, carry_out};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let watch = Watch::of_process(env!("CARGO_PKG_NAME"), jiff::Timestamp::now);
    let config = Config::from_env(Env::of_process())?;
    let sqs = aws_sdk_sqs::Client::new(&aws::config().await);
    let worker = Worker::new(&sqs, config.queue_url, config.dead_letter_queue_url);
    let app = App {
        store: Store::new(config.database_url),
        trunk: Trunk::new(&config.elevenlabs_url, config.elevenlabs_key)?,
        answer_takes: ANSWER_TAKES,
        max_retries: config.max_retries,
        retry_delay: config.retry_delay,
        dialling: config.dialling,
    };
    let (app, worker, watch) = (&app, &worker, &watch);
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let answer = worker.each(event.payload, |command: CallCommand| {
            carry_out(app, command, jiff::Timestamp::now(), rand::random())
        });
        Ok::<_, Error>(watch.invocation(Box::pin(answer)).await)
    }))
    .await
}

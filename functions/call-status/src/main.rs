//! call-status: the Lambda function behind the queue `call-events`.

use aws_lambda_events::sqs::SqsEvent;
use call_status::{App, Config, take_in};
use elevenwire::config::Env;
use elevenwire::queue::{CallNews, Queue, Worker};
use elevenwire::schedules::Schedules;
use elevenwire::store::Store;
use elevenwire::telemetry::metrics::Watch;
use elevenwire::{aws, telemetry};
use lambda_runtime::{Error, LambdaEvent, service_fn};

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
    let app = App { store: Store::new(config.database_url), calls: Queue::new(sqs, config.calls_queue_url) };
    let (app, worker, schedules, watch) = (&app, &worker, &schedules, &watch);
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let answer = async {
            let done = worker.each(event.payload, |news: CallNews| take_in(app, news, jiff::Timestamp::now())).await;
            schedules.wake(&app.store, jiff::Timestamp::now()).await;
            done
        };
        Ok::<_, Error>(watch.invocation(Box::pin(answer)).await)
    }))
    .await
}

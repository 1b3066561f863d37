//! initiate-call: the Lambda function behind `POST /api/calls`.

use elevenwire::config::Env;
use elevenwire::queue::Queue;
use elevenwire::schedules::Schedules;
use elevenwire::store::Store;
use elevenwire::telemetry::metrics::Watch;
use elevenwire::{aws, http, telemetry};
use initiate_call::{App, Config, initiate};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::start();
    let watch = Watch::of_process(env!("CARGO_PKG_NAME"), jiff::Timestamp::now);
    let config = Config::from_env(Env::of_process())?;
    let aws = aws::config().await;
    let sqs = aws_sdk_sqs::Client::new(&aws);
    let schedules = Schedules::new(aws_sdk_eventbridge::Client::new(&aws), &config.schedule_rules);
    let app = App {
        store: Store::new(config.database_url).with_tariff(config.tariff),
        tokens: config.tokens,
        calls: Queue::new(sqs.clone(), config.calls_queue_url),
        trunk_calls: Queue::new(sqs, config.trunk_calls_queue_url),
        ring_timeout_secs: config.ring_timeout_secs,
        public_base_url: config.public_base_url,
        dialling: config.dialling,
    };
    let (app, schedules) = (&app, &schedules);
    http::serve(&watch, |request| async move {
        let reply = initiate(app, &request, jiff::Timestamp::now(), rand::random()).await;
        schedules.wake_after(reply.status, &app.store, jiff::Timestamp::now()).await;
        reply
    })
    .await
}

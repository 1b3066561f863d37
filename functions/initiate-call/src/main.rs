//! initiate-call: the Lambda function behind `POST /api/calls`, and of the canary's schedule.

use elevenwire::config::Env;
use elevenwire::http::{Trigger, gateway_json};
use elevenwire::queue::Queue;
use elevenwire::schedules::Schedules;
use elevenwire::store::Store;
use elevenwire::telemetry::metrics::Watch;
use elevenwire::{aws, http, telemetry};
use initiate_call::{App, Config, Ring, initiate, ring};
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let watch = Watch::of_process(env!("CARGO_PKG_NAME"), Timestamp::now);
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
    let (app, schedules, watch, canary) = (&app, &schedules, &watch, config.canary.as_ref());
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        watch.invocation(Box::pin(async move {
            match Trigger::of(event.payload) {
                Trigger::Request(request) => {
                    let reply = initiate(app, &request, Timestamp::now(), rand::random()).await;
                    schedules.wake_after(reply.status, &app.store, Timestamp::now()).await;
                    http::tell(&request.method, &request.request_id, &reply);
                    Ok(gateway_json(&reply))
                }
                Trigger::Other(input) => {
                    let wanted: Ring = serde_json::from_value(input)?;
                    let rung = ring(app, canary, &wanted, Timestamp::now(), rand::random()).await;
                    schedules.wake(&app.store, Timestamp::now()).await;
                    Ok::<_, Error>(serde_json::to_value(rung?)?)
                }
            }
        }))
    }))
    .await
}

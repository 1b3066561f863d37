//! campaign-trigger: the Lambda function of the schedule that runs every minute.

use campaign_trigger::{App, Config, sweep};
use elevenwire::config::Env;
use elevenwire::queue::Queue;
use elevenwire::store::Store;
use elevenwire::{aws, telemetry};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let config = Config::from_env(Env::of_process())?;
    let sqs = aws_sdk_sqs::Client::new(&aws::config().await);
    let app = App {
        store: Store::new(config.database_url),
        calls: Queue::new(sqs.clone(), config.calls_queue_url),
        trunk_calls: Queue::new(sqs, config.trunk_calls_queue_url),
    };
    let app = &app;
    lambda_runtime::run(service_fn(|_: LambdaEvent<Value>| async move {
        let woken = sweep(app, jiff::Timestamp::now()).await?;
        Ok::<_, Error>(json!({ "woken": woken }))
    }))
    .await
}

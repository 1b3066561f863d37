//! campaign-trigger: the Lambda function of the schedule that runs every minute while there is work, of the hour's net, and
//! of the owner's own schedules.

use std::time::Duration;

use campaign_trigger::{App, Config, Wanted, finish, measure, mend, obey, rest, sweep, tick, watch as watch_campaigns};
use elevenwire::config::Env;
use elevenwire::queue::Queue;
use elevenwire::schedules::{Mended, Schedules};
use elevenwire::store::Store;
use elevenwire::telemetry::metrics::Watch;
use elevenwire::{aws, telemetry};
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// While campaigns run, it goes on ticking until the next minute's run takes over.
const EVERY: Duration = Duration::from_secs(5);
const FOR: Duration = Duration::from_secs(55);

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let watch = Watch::of_process(env!("CARGO_PKG_NAME"), Timestamp::now);
    let config = Config::from_env(Env::of_process())?;
    let aws = aws::config().await;
    let sqs = aws_sdk_sqs::Client::new(&aws);
    let app = App {
        store: Store::new(config.database_url).with_tariff(config.tariff),
        calls: Queue::new(sqs.clone(), config.calls_queue_url),
        trunk_calls: Queue::new(sqs, config.trunk_calls_queue_url),
        dialling: config.dialling,
        schedules: Schedules::new(aws_sdk_eventbridge::Client::new(&aws), &config.schedule_rules),
        ring_timeout_secs: config.ring_timeout_secs,
        draw: Box::new(rand::random),
    };
    let (app, watch) = (&app, &watch);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        watch.invocation(Box::pin(async move {
            if event.payload.get("campaign_id").is_some() {
                let wanted: Wanted = serde_json::from_value(event.payload)?;
                obey(app, &wanted, Timestamp::now()).await?;
                app.schedules.wake(&app.store, Timestamp::now()).await;
                return Ok(json!({ "done": true }));
            }
            if event.payload["trigger"] == "net" {
                let mended = mend(app, Timestamp::now()).await?;
                return Ok(json!({ "mended": mended == Mended::WasAsleep }));
            }
            let begun = Instant::now();
            let (mut woken, mut attempts) = (0, 0);
            measure(app, Timestamp::now()).await;
            watch_campaigns(app, Timestamp::now()).await?;
            loop {
                woken += sweep(app, Timestamp::now()).await?;
                let done = tick(app, Timestamp::now()).await?;
                attempts += done.attempts;
                finish(app, Timestamp::now()).await?;
                if done.running == 0 || begun.elapsed() + EVERY > FOR {
                    break;
                }
                sleep(EVERY).await;
            }
            rest(app, Timestamp::now()).await;
            Ok::<_, Error>(json!({ "woken": woken, "attempts": attempts }))
        }))
    }))
    .await
}

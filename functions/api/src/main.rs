//! api: the Lambda function behind the rest of `/api`.

use api::{App, Config, router};
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use elevenwire::blobs::Blobs;
use elevenwire::config::Env;
use elevenwire::queue::Queue;
use elevenwire::schedules::Schedules;
use elevenwire::store::Store;
use elevenwire::telemetry::metrics::{self, Watch};
use elevenwire::{aws, telemetry};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::start();
    let watch = Watch::of_process(env!("CARGO_PKG_NAME"), jiff::Timestamp::now);
    let config = Config::from_env(Env::of_process())?;
    let aws = aws::config().await;
    let sqs = aws_sdk_sqs::Client::new(&aws);
    let queues = config.queue_urls.map(|(name, url)| (name, Queue::new(sqs.clone(), url)));
    let [(_, calls), _, _, _, _, (_, imports), (_, exports)] = queues.clone();
    let schedules = Schedules::new(aws_sdk_eventbridge::Client::new(&aws), &config.schedule_rules);
    let app = App {
        store: Store::new(config.database_url).with_tariff(config.tariff),
        tokens: config.tokens,
        calls,
        blobs: Blobs::new(aws_sdk_s3::Client::new(&aws), config.bucket),
        imports,
        exports,
        queues: queues.into(),
        dialling: config.dialling,
        ring_timeout_secs: config.ring_timeout_secs,
        draw: Box::new(rand::random),
        now: Box::new(jiff::Timestamp::now),
    };
    let store = app.store.clone();
    let measured = router(app).layer(from_fn(move |request: Request, next: Next| {
        let (watch, schedules, store) = (watch.clone(), schedules.clone(), store.clone());
        async move {
            let answer = async {
                let may_make_work = !request.method().is_safe();
                let response = next.run(request).await;
                let status = response.status().as_u16();
                if may_make_work {
                    schedules.wake_after(status, &store, jiff::Timestamp::now()).await;
                }
                metrics::answered(status);
                response
            };
            watch.invocation(answer).await
        }
    }));
    lambda_http::run(measured).await
}

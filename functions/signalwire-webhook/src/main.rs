//! signalwire-webhook: the Lambda function behind the carrier's four addresses.

use elevenwire::config::Env;
use elevenwire::queue::Queue;
use elevenwire::signalwire::signature::Verifier;
use elevenwire::telemetry::metrics::Watch;
use elevenwire::{aws, http, telemetry};
use signalwire_webhook::{App, Config, receive};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::start();
    let watch = Watch::of_process(env!("CARGO_PKG_NAME"), jiff::Timestamp::now);
    let config = Config::from_env(Env::of_process())?;
    let app = App {
        verifier: Verifier::new(config.signing_secrets, &config.public_base_url),
        public_base_url: config.public_base_url,
        call_events: Queue::new(aws_sdk_sqs::Client::new(&aws::config().await), config.call_events_queue_url),
        sip_host: config.sip_host,
    };
    let app = &app;
    http::serve(&watch, |request| async move { receive(app, &request, jiff::Timestamp::now()).await }).await
}

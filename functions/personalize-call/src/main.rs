//! personalize-call: the Lambda function behind `POST /api/webhooks/elevenlabs/initiation`
//! and `POST /api/tools/opt-out`.

use elevenwire::config::Env;
use elevenwire::store::Store;
use elevenwire::telemetry::metrics::Watch;
use elevenwire::{http, telemetry};
use personalize_call::{App, Config, answer};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::start();
    let watch = Watch::of_process(env!("CARGO_PKG_NAME"), jiff::Timestamp::now);
    let config = Config::from_env(Env::of_process())?;
    let app = App { store: Store::new(config.database_url), secrets: config.secrets };
    let app = &app;
    http::serve(&watch, |request| async move { answer(app, &request, jiff::Timestamp::now()).await }).await
}

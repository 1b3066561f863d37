//! api: the Lambda function behind the rest of `/api`.

use api::{App, Config, router};
use elevenwire::config::Env;
use elevenwire::store::Store;
use elevenwire::telemetry;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::start();
    let config = Config::from_env(Env::of_process())?;
    let store = Store::new(config.database_url);
    lambda_http::run(router(App { store, tokens: config.tokens, now: Box::new(jiff::Timestamp::now) })).await
}

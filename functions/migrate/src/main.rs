//! migrate: brings the schema up to date after a deploy. Invoked by hand (`make migrate`) and by the local stack.

use elevenwire::config::Env;
use elevenwire::store::{Store, migrations};
use elevenwire::telemetry;
use elevenwire::telemetry::metrics::Watch;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "main reads the clock")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let watch = Watch::of_process(env!("CARGO_PKG_NAME"), jiff::Timestamp::now);
    let mut env = Env::of_process();
    let url = env.secret("DATABASE_URL");
    let store = Store::new(env.finish(Some(url))?);
    let (store, watch) = (&store, &watch);
    lambda_runtime::run(service_fn(|_: LambdaEvent<Value>| {
        watch.invocation(Box::pin(async move {
            let applied = migrations::run(store).await?;
            tracing::info!(migrations.applied = applied.len(), "the schema is up to date");
            Ok::<_, Error>(json!({ "applied": applied, "version": migrations::newest() }))
        }))
    }))
    .await
}

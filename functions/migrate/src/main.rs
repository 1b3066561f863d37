//! migrate: brings the schema up to date after a deploy. Invoked by hand (`make migrate`) and by the local stack.

use elevenwire::config::Env;
use elevenwire::store::{Store, migrations};
use elevenwire::telemetry;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let mut env = Env::of_process();
    let url = env.secret("DATABASE_URL");
    let store = Store::new(env.finish(Some(url))?);
    let store = &store;
    lambda_runtime::run(service_fn(|_: LambdaEvent<Value>| async move {
        let applied = migrations::run(store).await?;
        tracing::info!(migrations.applied = applied.len(), "the schema is up to date");
        Ok::<_, Error>(json!({ "applied": applied, "version": migrations::newest() }))
    }))
    .await
}

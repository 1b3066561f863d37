//! `/console`: what people look at. Pages are made on the server and readable without JavaScript; they read through the same
//! functions as the JSON API, and change things through the same ones.
//!
//! Addresses in pages are relative, because the console may lie below a path (it does on the local stack).

mod agents;
mod assets;
mod call;
mod calls;
mod campaign;
mod campaigns;
mod charts;
mod dead_letters;
mod errors;
mod figures;
mod imports;
mod layout;
mod new_campaign;
mod numbers;
mod overview;
mod session;
mod stop;
mod suppressions;
mod system;
mod text;
mod transcript;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::App;

/// The routes.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/console", get(overview::page))
        .route("/console/", get(overview::page))
        .route("/console/assets/{file}", get(assets::file))
        .route("/console/{*rest}", get(errors::nothing_here))
        .merge(session::routes())
        .merge(stop::routes())
        .merge(calls::routes())
        .merge(call::routes())
        .merge(campaigns::routes())
        .merge(campaign::routes())
        .merge(new_campaign::routes())
        .merge(imports::routes())
        .merge(numbers::routes())
        .merge(suppressions::routes())
        .merge(agents::routes())
        .merge(system::routes())
        .merge(dead_letters::routes())
        .layer(axum::middleware::from_fn(errors::dress))
}

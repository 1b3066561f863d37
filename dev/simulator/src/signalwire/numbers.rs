//! Numbers that a space may call from: bought ones and verified ones (`/api/relay/rest/…`).

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use serde_json::{Value, json};

use super::{
    allowed,
    create::Form,
    errors::{ApiError, json_answer},
};
use crate::{dice::Dice, world::World};

type Shared = State<Arc<World>>;

/// Entries of a page, unless `page_size` says otherwise.
const PAGE: usize = 50;

/// The routes, behind Basic auth and the scope Numbers.
pub fn router(world: &Arc<World>) -> Router<Arc<World>> {
    Router::new()
        .route("/api/relay/rest/phone_numbers", get(phone_numbers))
        .route("/api/relay/rest/verified_caller_ids", get(verified_caller_ids))
        .layer(middleware::from_fn_with_state(Arc::clone(world), authenticate))
}

async fn authenticate(State(world): Shared, request: Request, next: Next) -> Response {
    let config = world.config();
    let may = config.token_scopes.iter().any(|scope| scope == "numbers");
    if !may || !allowed(request.headers(), &config.project_id, &config.api_token) {
        return ApiError { status: 401, code: 20_003, message: "Authentication failed".into() }.answer(&world, false);
    }
    next.run(request).await
}

async fn phone_numbers(State(world): Shared, RawQuery(query): RawQuery) -> Response {
    let view = |number: &String| {
        json!({ "id": id(number), "number": number, "name": number, "country_code": "US", "number_type": "longcode",
            "capabilities": ["voice", "sms", "mms", "fax"], "call_handler": null, "message_handler": null })
    };
    page("phone_numbers", &world.config().owned_numbers, query, view)
}

async fn verified_caller_ids(State(world): Shared, RawQuery(query): RawQuery) -> Response {
    let view = |number: &String| {
        json!({ "id": id(number), "type": "verified_caller_id", "name": number, "number": number, "extension": null,
            "verified": true, "verified_at": "2026-01-01T00:00:00Z", "status": "Verified" })
    };
    page("verified_caller_ids", &world.config().verified_numbers, query, view)
}

fn id(number: &str) -> String {
    Dice::new(0, &["number", number]).uuid()
}

fn page(name: &str, numbers: &[String], query: Option<String>, view: impl Fn(&String) -> Value) -> Response {
    let form = Form::read(query.unwrap_or_default().as_bytes());
    let count = |name: &str| form.get(name).and_then(|text| text.parse::<usize>().ok());
    let (size, nth) = (count("page_size").unwrap_or(PAGE).clamp(1, 1000), count("page_number").unwrap_or(0));
    let data: Vec<Value> = numbers.iter().skip(nth * size).take(size).map(view).collect();
    let link = |nth: usize| format!("/api/relay/rest/{name}?page_number={nth}&page_size={size}");
    let more = numbers.len() > (nth + 1) * size;
    let links = json!({ "self": link(nth), "first": link(0), "next": more.then(|| link(nth + 1)) });
    json_answer(200, &json!({ "links": links, "data": data }))
}

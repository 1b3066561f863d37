//! Signing in with a token, and staying so for some hours.
//!
//! A cookie holds a random secret; the table `console_sessions` has its digest and the token's. So neither the cookie nor the
//! table is a token, every instance knows every session, signing out ends it everywhere, and a token that is configured no
//! more has no session either. What forms carry is derived from the secret, and worth nothing without it.

use std::sync::Arc;

use axum::extract::{Form, OriginalUri, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, extract::RawQuery};
use elevenwire::auth::{Caller, Scope, digest};
use elevenwire::problem::Problem;
use elevenwire::store::StoreError;
use jiff::SignedDuration;
use maud::{Markup, html};

use super::errors::{Shown, see_other};
use super::visit::{Fields, Place, Visit, field};
use super::{layout, text};
use crate::App;

/// `__Host-`: only by TLS (or on this machine), only from this host, for all of it.
const COOKIE: &str = "__Host-elevenwire";
/// A working day.
const LASTS: SignedDuration = SignedDuration::from_hours(12);

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/console/sign-in", get(form).post(sign_in)).route("/console/sign-out", post(sign_out))
}

/// The session's secret, as the cookie has it.
fn secret(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// What forms carry.
fn csrf(secret: &str) -> String {
    hex::encode(digest(&format!("form of {secret}")))
}

/// Compares two secrets without telling how much of them is equal.
pub(super) fn same(one: &str, other: &str) -> bool {
    digest(one) == digest(other)
}

/// Who sends this cookie, and what their forms carry.
pub(super) async fn of(app: &App, headers: &HeaderMap) -> Result<Option<(Caller, String)>, StoreError> {
    let Some(secret) = secret(headers) else { return Ok(None) };
    let token = app.store.console_session(&digest(secret), (app.now)()).await?;
    let caller = token.and_then(|token| app.tokens.holder(&token));
    Ok(caller.map(|caller| (caller.clone(), csrf(secret))))
}

/// The address of the sign-in page that leads back to a page.
pub(super) fn sign_in_address(place: Place, path: &str, query: &str) -> String {
    let below = path.split_once("/console").map_or("", |(_, below)| below.trim_start_matches('/'));
    let next = if query.is_empty() { below.to_owned() } else { format!("{below}?{query}") };
    let next = text::query(&[("next", &next)]);
    format!("{}sign-in{}{next}", place.root(), if next.is_empty() { "" } else { "?" })
}

async fn form(uri: OriginalUri, RawQuery(query): RawQuery) -> Response {
    let query = text::pairs(query.as_deref().unwrap_or_default());
    let place = Place::of(uri.path());
    Html(page(place, field(&query, "next"), None).into_string()).into_response()
}

fn page(place: Place, next: &str, wrong: Option<&str>) -> Markup {
    let main = html! {
        h1 { "Sign in" }
        @if let Some(wrong) = wrong { p class="notice bad" role="alert" id="wrong" { (wrong) } }
        form method="post" action={ (place.root()) "sign-in" } class="stack narrow" {
            label for="token" { "Token" }
            input type="password" id="token" name="token" required autocomplete="current-password" autofocus
                aria-describedby=(if wrong.is_some() { "wrong hint" } else { "hint" });
            p class="hint" id="hint" { "One of the API's tokens. With the scope " code { "read" } " you can look, with " code { "call" }
                " also stop, pause and import, with " code { "admin" } " everything. You stay signed in for twelve hours." }
            input type="hidden" name="next" value=(next);
            button class="main" { "Sign in" }
        }
    };
    layout::bare(place, "Sign in", &main)
}

async fn sign_in(
    State(app): State<Arc<App>>,
    uri: OriginalUri,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Shown {
    let place = Place::of(uri.path());
    // Nobody is signed in by somebody else's page.
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(Problem::new(403, "Forbidden", "This form was sent by another site.").into());
    }
    let token = field(&fields, "token").trim();
    let next = field(&fields, "next");
    let Some(caller) = app.tokens.holder(&digest(token)) else {
        tracing::warn!("somebody tried to sign in to the console with an unknown token");
        let page = page(place, next, Some("This is not one of the tokens. A token is sent whole, without its name."));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page.into_string())).into_response());
    };
    let now = (app.now)();
    let drawn: Vec<u8> = (0..4).flat_map(|_| (app.draw)()).collect();
    let secret = hex::encode(drawn);
    let ends = now.checked_add(LASTS).unwrap_or(now);
    app.store.begin_console_session(&digest(&secret), &digest(token), now, ends).await?;
    tracing::info!(by = caller.name, "signed in to the console");
    // Relative, so that it cannot lead anywhere else.
    let address = if next.is_empty() { place.home().to_owned() } else { format!("{}{next}", place.root()) };
    Ok(with_cookie(see_other(&address), &format!("{secret}; Max-Age={}", LASTS.as_secs())))
}

async fn sign_out(State(app): State<Arc<App>>, visit: Visit, headers: HeaderMap, Form(fields): Form<Fields>) -> Shown {
    visit.check(Scope::Read, &fields)?;
    if let Some(secret) = secret(&headers) {
        app.store.end_console_session(&digest(secret)).await?;
    }
    Ok(with_cookie(see_other(&visit.to("sign-in")), "; Max-Age=0"))
}

fn with_cookie(mut response: Response, value: &str) -> Response {
    // Lax: a link to a call that a colleague sends opens signed in; no other site can send a form.
    let cookie = format!("{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("a=b; __Host-elevenwire=s; c=d"));
        assert_eq!(secret(&headers), Some("s"));
        headers.insert(header::COOKIE, HeaderValue::from_static("elevenwire=s"));
        assert_eq!(secret(&headers), None);
    }

    #[test]
    fn the_way_back_is_kept_and_stays_here() {
        let place = Place::of("/console/calls");
        assert_eq!(sign_in_address(place, "/console/calls", "state=ended"), "./sign-in?next=calls%3Fstate%3Dended");
        assert_eq!(sign_in_address(Place::of("/console"), "/console", ""), "console/sign-in");
    }
}

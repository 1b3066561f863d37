//! The console's own files, compiled in. The name has a digest of the content, so that browsers keep them for good.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::errors::{Refused, Shown};

/// A file.
pub(super) struct Asset {
    before: &'static str,
    after: &'static str,
    content_type: &'static str,
    content: &'static str,
    name: LazyLock<String>,
}

macro_rules! asset {
    ($before:literal, $after:literal, $content_type:literal) => {
        Asset {
            before: $before,
            after: $after,
            content_type: $content_type,
            content: include_str!(concat!("../../assets/", $before, $after)),
            name: LazyLock::new(|| {
                let content = include_str!(concat!("../../assets/", $before, $after));
                let digest = hex::encode(elevenwire::auth::digest(content));
                format!("{}-{}{}", $before, &digest[..12], $after)
            }),
        }
    };
}

pub(super) static CSS: Asset = asset!("console", ".css", "text/css; charset=utf-8");
pub(super) static JS: Asset = asset!("console", ".js", "text/javascript; charset=utf-8");
pub(super) static ICON: Asset = asset!("icon", ".svg", "image/svg+xml");

impl Asset {
    /// Its name in addresses.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Serves one. An older name leads to what is there now, which must not be kept under it.
pub(super) async fn file(Path(asked): Path<String>) -> Shown {
    let fits = |asset: &&&Asset| asked.starts_with(asset.before) && asked.ends_with(asset.after);
    let Some(asset) = [&CSS, &JS, &ICON].iter().find(fits).copied() else {
        return Err(Refused::from(elevenwire::problem::Problem::not_found("There is no such file.")));
    };
    let keep = if asked == *asset.name { "public, max-age=31536000, immutable" } else { "no-cache" };
    let response: Response =
        ([(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, keep)], asset.content).into_response();
    Ok(response)
}

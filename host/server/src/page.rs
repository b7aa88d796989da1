//! The demo page: files embedded in the program, with a policy that lets a browser load nothing else.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;

use super::Service;
use super::problem::Problem;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

macro_rules! assets {
    ($($name:literal: $kind:literal,)*) => {
        &[$(($name, $kind, include_bytes!(concat!("page/", $name)).as_slice())),*]
    };
}

/// Name, type and content.
const ASSETS: &[(&str, &str, &[u8])] = assets! {
    "actions.js": "text/javascript; charset=utf-8",
    "api.js": "text/javascript; charset=utf-8",
    "card.css": "text/css; charset=utf-8",
    "card.js": "text/javascript; charset=utf-8",
    "composer.js": "text/javascript; charset=utf-8",
    "dialog.css": "text/css; charset=utf-8",
    "dom.js": "text/javascript; charset=utf-8",
    "events.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "json.js": "text/javascript; charset=utf-8",
    "main.js": "text/javascript; charset=utf-8",
    "money.js": "text/javascript; charset=utf-8",
    "packets.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "payout.js": "text/javascript; charset=utf-8",
    "people.js": "text/javascript; charset=utf-8",
    "room.css": "text/css; charset=utf-8",
    "room.js": "text/javascript; charset=utf-8",
    "send.js": "text/javascript; charset=utf-8",
    "session.js": "text/javascript; charset=utf-8",
    "wallet.js": "text/javascript; charset=utf-8",
    "words.js": "text/javascript; charset=utf-8",
};

/// The page, where there is a demo; otherwise the way to the documentation.
pub(super) fn router(has_demo: bool) -> Router<Service> {
    if !has_demo {
        return Router::new().route("/", get(|| async { Redirect::temporary("/docs/") }));
    }
    Router::new().route("/", get(index)).route("/assets/{name}", get(asset))
}

async fn index() -> Response {
    file("text/html; charset=utf-8", include_bytes!("page/index.html"))
}

async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let found = ASSETS.iter().find(|(known, _, _)| *known == name);
    let (_, kind, content) = found.ok_or_else(|| Problem::not_found("there is no such file"))?;
    Ok(file(kind, content))
}

fn file(kind: &'static str, content: &'static [u8]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        // A new version of the program is a new page.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::OK, headers, content).into_response()
}

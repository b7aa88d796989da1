//! What callers send: bodies, paths and queries, with problems in place of axum's own words.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::Service;
use super::problem::{Kind, Problem};
use crate::domain::{Name, PacketId};

/// A body in JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Service> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        is_json(request.headers())?;
        let body = Bytes::from_request(request, service).await.map_err(unread)?;
        from_json(&body).map(Self)
    }
}

pub(super) fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(Kind::MEDIA_TYPE, "send JSON, with `Content-Type: application/json`"))
}

pub(super) fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // The reader's words name the field and the place, and nothing of the caller's secrets.
    serde_json::from_slice(body).map_err(|error| Problem::new(Kind::MALFORMED, error.to_string()))
}

pub(super) fn unread(rejection: BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(Kind::TOO_LARGE, "the body is larger than this path takes");
    }
    Problem::new(Kind::MALFORMED, "the body ended before its time")
}

/// What stands in a path.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Service> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, service).await;
        path.map(|path| Self(path.0)).map_err(|error| Problem::invalid(error.body_text()))
    }
}

/// What stands behind the question mark.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Service> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let query = axum::extract::Query::from_request_parts(parts, service).await;
        query.map(|query| Self(query.0)).map_err(|error| Problem::invalid(error.body_text()))
    }
}

/// Which part of a list, the latest first.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `next` of the page before.
    #[param(max_length = 128)]
    before: Option<String>,
}

/// Longest cursor, in bytes.
const MAX_CURSOR_BYTES: usize = 128;

/// What a list is cut into.
const BY_DEFAULT: u32 = 20;
const AT_MOST: u32 = 100;

impl Page {
    pub(super) fn limit(&self) -> Result<u32, Problem> {
        let limit = self.limit.unwrap_or(BY_DEFAULT);
        if (1..=AT_MOST).contains(&limit) {
            return Ok(limit);
        }
        Err(Problem::invalid(format!("limit must be 1 to {AT_MOST}")))
    }

    /// Where the page begins, as `read` understands it.
    pub(super) fn before<T>(&self, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        let Some(text) = &self.before else { return Ok(None) };
        let cursor = (text.len() <= MAX_CURSOR_BYTES).then(|| read(text)).flatten();
        cursor.map(Some).ok_or_else(|| Problem::invalid("before must be the `next` of a page"))
    }
}

/// A packet's id. What is none names no packet.
pub(super) fn packet(text: &str) -> Result<PacketId, Problem> {
    text.parse().map_err(|_| Problem::not_found("there is no such packet"))
}

pub(super) fn room(name: String) -> Result<Name, Problem> {
    Name::new(name).map_err(|error| Problem::invalid(format!("the name of a room {error}")))
}

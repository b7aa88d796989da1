//! Extractors for bodies, paths and queries, with problem documents in place of axum's rejections.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::Service;
use super::problem::{Kind, Problem};
use hongbao_domain::decode;
use hongbao_domain::{Name, PacketId, WithdrawalId};

/// A body in JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Service> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        is_json(request.headers())?;
        from_json(&body(request, service).await?).map(Self)
    }
}

/// The whole body, as it was meant to be read.
pub(super) async fn body(request: Request, service: &Service) -> Result<Bytes, Problem> {
    is_plain(request.headers())?;
    Bytes::from_request(request, service).await.map_err(unread)
}

/// The one header of this name. Of several that differ each reader would take another one.
pub(super) fn single<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h HeaderValue>, Problem> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.count()) {
        (found, 0) => Ok(found),
        (_, more) => {
            let count = more + 1;
            Err(Problem::new(Kind::MALFORMED, format!("the request has {count} headers {name}; send one")))
        }
    }
}

/// Bodies are not unpacked: what a few bytes unpack to is known too late.
fn is_plain(headers: &HeaderMap) -> Result<(), Problem> {
    let coding = single(headers, &header::CONTENT_ENCODING)?.map(HeaderValue::as_bytes).unwrap_or_default();
    if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") {
        return Ok(());
    }
    let why = "send the body as it is, without a Content-Encoding such as gzip";
    Err(Problem::new(Kind::CONTENT_ENCODING, why))
}

pub(super) fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = single(headers, &header::CONTENT_TYPE)?;
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let mut parts = kind.split(';').map(str::trim);
    if !parts.next().unwrap_or_default().eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(Kind::MEDIA_TYPE, "send JSON, with `Content-Type: application/json`"));
    }
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    // UTF-8 is what JSON is in, said or not (RFC 8259).
    if charset.is_none_or(|charset| ["utf-8", "utf8"].iter().any(|known| charset.eq_ignore_ascii_case(known)))
    {
        return Ok(());
    }
    Err(Problem::new(Kind::MEDIA_TYPE, "send JSON in UTF-8, and in no other charset"))
}

pub(super) fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if body.is_empty() {
        return Err(Problem::new(Kind::MALFORMED, "the body is empty; send a JSON object"));
    }
    decode::json(body).map_err(|error| Problem::new(Kind::MALFORMED, error.to_string()))
}

fn unread(rejection: BytesRejection) -> Problem {
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
    /// Of a list with further parameters.
    pub(super) const fn of(limit: Option<u32>, before: Option<String>) -> Self {
        Self { limit, before }
    }

    pub(super) fn limit(&self) -> Result<u32, Problem> {
        let limit = self.limit.unwrap_or(BY_DEFAULT);
        if (1..=AT_MOST).contains(&limit) {
            return Ok(limit);
        }
        Err(Problem::invalid(format!("limit must be 1 to {AT_MOST}")))
    }

    /// Where the page begins, as `read` understands it.
    pub(super) fn before<T>(&self, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        // A form that was left empty is sent as an empty text.
        let Some(text) = self.before.as_ref().filter(|text| !text.is_empty()) else { return Ok(None) };
        let cursor = (text.len() <= MAX_CURSOR_BYTES).then(|| read(text)).flatten();
        cursor.map(Some).ok_or_else(|| Problem::invalid("before must be the `next` of a page"))
    }
}

/// A packet's id. What is none names no packet.
pub(super) fn packet(text: &str) -> Result<PacketId, Problem> {
    text.parse().map_err(|_| Problem::not_found("there is no such packet"))
}

/// A withdrawal's id. What is none names no withdrawal.
pub(super) fn withdrawal(text: &str) -> Result<WithdrawalId, Problem> {
    text.parse().map_err(|_| Problem::not_found("there is no such withdrawal"))
}

pub(super) fn room(name: String) -> Result<Name, Problem> {
    Name::new(name).map_err(|error| Problem::invalid(format!("the name of a room {error}")))
}

//! Responses and their headers.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Something in JSON. A struct of texts, numbers and lists of these always has such a form.
pub(super) fn json(told: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(told).unwrap_or_default()
}

/// An answer whose body is JSON.
pub(super) fn answer(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// An answer to a question.
pub(super) struct Told<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Told<T> {
    fn into_response(self) -> Response {
        answer(StatusCode::OK, json(&self.0))
    }
}

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Items<T> {
    /// In the order of the list.
    pub(super) items: Vec<T>,
    /// `before` of the next page; absent where this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

impl<T> Items<T> {
    /// A page of at most `limit`, of which the last item's place is that of the next page.
    pub(super) fn page<S>(
        found: Vec<S>,
        limit: u32,
        place: impl FnOnce(&S) -> String,
        item: impl FnMut(S) -> T,
    ) -> Self {
        let is_full = found.len() >= limit as usize;
        let next = found.last().filter(|_| is_full).map(place);
        Self { items: found.into_iter().map(item).collect(), next }
    }
}

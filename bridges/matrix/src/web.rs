//! Requests over HTTP, and answers in JSON.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::fault::Fault;

/// Longer than Hongbao takes to find out that a store does not answer, and shorter than the minute after which a
/// homeserver gives up a transaction.
const LONGEST: Duration = Duration::from_secs(20);

/// What stands in a segment of a path as it is (RFC 3986).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A client that follows no redirects: an access token is for the server that was named.
pub(crate) fn client() -> Result<Client, reqwest::Error> {
    // A program that embeds this may have chosen one already, which is then used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
}

/// A name as a segment of a path.
pub(crate) fn segment(name: &str) -> String {
    utf8_percent_encode(name, PLAIN).to_string()
}

/// An answer, whatever its status is.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Null where the body is no JSON.
    pub(crate) body: Value,
}

/// Sends a request and reads the answer to its end.
///
/// # Errors
/// [`Fault::Passing`] where there is no answer.
pub(crate) async fn ask(request: RequestBuilder) -> Result<Answer, Fault> {
    let lost = |error: reqwest::Error| Fault::Passing(reason(&error));
    let response = request.timeout(LONGEST).send().await.map_err(lost)?;
    let status = response.status();
    let bytes = response.bytes().await.map_err(lost)?;
    Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default() })
}

/// The innermost cause, which says more than the outermost, without the URL.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "it did not answer in time".into() } else { cause.to_string() }
}

//! Errors as problem documents (RFC 9457), with codes that never change.
//!
//! The domain's errors know nothing of HTTP; here each gets its status. What is for the operator alone
//! goes to the log, and the caller is told the request's id.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::observe::{Code, RequestId};
use super::output::{answer, json};
use hongbao_domain::SettingsError;
use hongbao_runtime::{CallError, PluginError, TenantError};
use hongbao_store::StoreError;

/// A kind of problem: its code, its status, whether the same request can pass later, and what it is in
/// a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) code: &'static str,
    pub(super) status: StatusCode,
    pub(super) again: Again,
    pub(super) title: &'static str,
}

/// Whether the same request can pass when it is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// The reason passes by itself.
    Later,
    /// Once something else has changed: the wallet, the policy, a grant, the API key.
    Changed,
    /// The request itself has to change.
    Never,
}

impl Again {
    /// In the table of the documentation.
    const fn words(self) -> &'static str {
        match self {
            Self::Later => "passes later",
            Self::Changed => "passes after a change",
            Self::Never => "never passes",
        }
    }
}

macro_rules! kinds {
    ($($name:ident = $code:literal, $status:ident, $again:ident, $title:literal;)*) => {
        impl Kind {
            $(pub(super) const $name: Self = Self {
                code: $code,
                status: StatusCode::$status,
                again: Again::$again,
                title: $title,
            };)*

            /// All of them, for the documentation.
            pub(super) const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

kinds! {
    INVALID = "invalid-argument", BAD_REQUEST, Changed, "The request breaks a rule";
    MALFORMED = "malformed", BAD_REQUEST, Never, "The request cannot be read";
    KEY_MISSING = "idempotency-key-missing", BAD_REQUEST, Never, "This call needs an Idempotency-Key";
    UNAUTHENTICATED = "unauthenticated", UNAUTHORIZED, Changed, "No valid API key";
    FORBIDDEN = "forbidden", FORBIDDEN, Changed, "The API key may not do this";
    NOT_FOUND = "not-found", NOT_FOUND, Changed, "There is no such thing";
    METHOD = "method-not-allowed", METHOD_NOT_ALLOWED, Never, "This path takes other methods";
    IN_PROGRESS = "in-progress", CONFLICT, Later, "The same request is under way";
    CONFLICT = "conflict", CONFLICT, Changed, "Somebody else changed it meanwhile";
    TENANT_EXISTS = "tenant-exists", CONFLICT, Changed, "There is a tenant of this name";
    NO_FORMER = "no-former-plugin", CONFLICT, Changed, "There is no plugin to go back to";
    COMPLETED = "withdrawal-completed", CONFLICT, Never, "The withdrawal was completed before";
    CANCELLED = "withdrawal-cancelled", CONFLICT, Never, "The withdrawal was cancelled before";
    PLUGIN_IN_USE = "plugin-in-use", CONFLICT, Changed, "The plugin serves the tenant";
    CURSOR_GONE = "cursor-gone", GONE, Changed, "The ledger does not know this event";
    REPLAYING = "replay-in-progress", CONFLICT, Later, "A replay of this webhook is under way";
    TOO_LARGE = "too-large", PAYLOAD_TOO_LARGE, Never, "The body is too large";
    MEDIA_TYPE = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, Never, "The body is of another type";
    CONTENT_ENCODING = "unsupported-content-encoding", UNSUPPORTED_MEDIA_TYPE, Never, "The body is compressed";
    KEY_REUSED = "key-reused", UNPROCESSABLE_ENTITY, Never, "The Idempotency-Key belongs to another request";
    POOR = "insufficient-funds", UNPROCESSABLE_ENTITY, Changed, "The wallet holds less";
    REFUSED = "refused", UNPROCESSABLE_ENTITY, Changed, "The ledger refuses this";
    BAD_PLUGIN = "not-a-plugin", UNPROCESSABLE_ENTITY, Never, "This is no plugin for this host";
    NOT_GRANTED = "not-granted", UNPROCESSABLE_ENTITY, Changed, "The plugin asks for more than is granted";
    NO_MANIFEST = "no-manifest", UNPROCESSABLE_ENTITY, Changed, "The plugin does not say what it is";
    COSTLY_PLUGIN = "plugin-too-costly", UNPROCESSABLE_ENTITY, Changed, "The plugin takes too much to compile";
    BAD_ENDPOINT = "endpoint-refused", UNPROCESSABLE_ENTITY, Changed, "Nothing is sent to such an endpoint";
    FOREIGN_HOST = "foreign-host", MISDIRECTED_REQUEST, Changed, "The request is for another host";
    FOREIGN_ORIGIN = "foreign-origin", FORBIDDEN, Never, "The request comes from another site";
    RATE_LIMITED = "rate-limited", TOO_MANY_REQUESTS, Later, "Too many requests";
    QUOTA = "quota-reached", TOO_MANY_REQUESTS, Changed, "The tenant has as much as it may have";
    INTERNAL = "internal", INTERNAL_SERVER_ERROR, Later, "Something broke";
    PLUGIN_FAILED = "plugin-failed", BAD_GATEWAY, Later, "The tenant's plugin broke";
    BUSY = "busy", SERVICE_UNAVAILABLE, Later, "Too much is waiting";
    UNAVAILABLE = "unavailable", SERVICE_UNAVAILABLE, Later, "A store does not answer";
    PLUGIN_NOT_READY = "plugin-not-ready", SERVICE_UNAVAILABLE, Later, "The tenant's plugin is not ready here";
    SUSPENDED = "suspended", SERVICE_UNAVAILABLE, Later, "The tenant is suspended";
    CLOCK = "clock", SERVICE_UNAVAILABLE, Later, "The host's clock is wrong";
    TIMED_OUT = "timed-out", GATEWAY_TIMEOUT, Later, "The call took too long";
}

impl Kind {
    /// All of them as a table in Markdown.
    pub(super) fn table() -> String {
        let row = |kind: &Self| {
            let Self { code, status, again, title } = kind;
            format!("| `{code}` | {} | {title} | {} |\n", status.as_u16(), again.words())
        };
        let head = "| code | status | meaning | the same request again |\n|---|---|---|---|\n";
        Self::ALL.iter().map(row).fold(head.to_owned(), |table, row| table + &row)
    }
}

/// Why a request was not carried out.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    retry_after_ms: Option<u64>,
}

/// Retry after so long, where nobody knows better.
const A_MOMENT_MS: u64 = 1000;

impl Problem {
    pub(super) fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        let again = [
            Kind::BUSY,
            Kind::UNAVAILABLE,
            Kind::IN_PROGRESS,
            Kind::CLOCK,
            Kind::TIMED_OUT,
            Kind::PLUGIN_NOT_READY,
        ];
        let again = again.contains(&kind);
        Self { kind, detail: detail.into(), retry_after_ms: again.then_some(A_MOMENT_MS) }
    }

    pub(super) fn after(self, retry_after_ms: u64) -> Self {
        Self { retry_after_ms: Some(retry_after_ms), ..self }
    }

    pub(super) fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::INVALID, detail)
    }

    pub(super) fn not_found(what: &'static str) -> Self {
        Self::new(Kind::NOT_FOUND, what)
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// What is wrong is for the operator to see, and not for the caller.
    fn internal(why: &dyn std::fmt::Display) -> Self {
        // As a field: a plugin's words must not look like ours.
        let (request_id, why) = (RequestId::current(), why.to_string());
        tracing::error!(request_id = request_id.as_deref(), why, "something broke");
        Self::new(Kind::INTERNAL, "the operator finds the reason in the log, by the request's id")
    }
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "urn:hongbao:problem:insufficient-funds", "title": "The wallet holds less", "status": 422,
    "code": "insufficient-funds", "detail": "the wallet holds ¥0.12", "request_id": "0a1b2c3d4e5f6071",
}))]
pub(super) struct Document {
    /// `urn:hongbao:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// What it is in a few words, always the same for a code.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// For programs. Codes never change.
    code: &'static str,
    /// A sentence for people.
    detail: String,
    /// By which the operator finds the request in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

/// Of a problem document.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

impl Problem {
    fn document(&self) -> Vec<u8> {
        let Kind { code, status, title, .. } = self.kind;
        json(&Document {
            kind: format!("urn:hongbao:problem:{code}"),
            title,
            status: status.as_u16(),
            code,
            detail: self.detail.to_string(),
            request_id: RequestId::current(),
        })
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind.status;
        let mut answer = answer(status, self.document());
        answer.extensions_mut().insert(Code(self.kind.code));
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(ms) = self.retry_after_ms {
            // In whole seconds, and never 0: that would be an invitation to ask at once.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000).max(1)));
        }
        if self.kind == Kind::CONTENT_ENCODING {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        let said = error.to_string();
        match error {
            CallError::Busy | CallError::Overloaded => Self::new(Kind::BUSY, said),
            CallError::RateLimited { retry_after_ms } => {
                Self::new(Kind::RATE_LIMITED, said).after(retry_after_ms)
            }
            CallError::Suspended { retry_after_ms } => {
                let problem = Self::new(Kind::SUSPENDED, said);
                Self { retry_after_ms, ..problem }
            }
            CallError::Quota { .. } => Self::new(Kind::QUOTA, said),
            CallError::ClockOff { .. } => Self::new(Kind::CLOCK, said),
            CallError::Invalid(why) => Self::invalid(why.to_string()),
            CallError::TimedOut(_) => Self::new(Kind::TIMED_OUT, said),
            CallError::Unavailable => Self::new(Kind::UNAVAILABLE, said),
            CallError::Trapped { why, .. } => {
                tracing::error!(request_id = RequestId::current().as_deref(), why = &*why, "a plugin broke");
                Self::new(
                    Kind::PLUGIN_FAILED,
                    "the tenant's plugin broke; what was done stands in the ledger",
                )
            }
            CallError::Other(why) => Self::internal(&why),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overloaded(_) => Self::new(Kind::BUSY, "a store is overloaded; nothing was done"),
            // Once for each request would flood the log: the store's health says it once.
            StoreError::Unavailable(why) => {
                tracing::debug!(request_id = RequestId::current().as_deref(), "a store is away: {why}");
                Self::new(Kind::UNAVAILABLE, "a store does not answer")
            }
            StoreError::Refused(why) => Self::new(Kind::REFUSED, why),
            StoreError::Corrupt(why) => Self::internal(&why),
        }
    }
}

impl From<PluginError> for Problem {
    fn from(error: PluginError) -> Self {
        match error {
            PluginError::Stopping => Self::new(Kind::UNAVAILABLE, "the host is stopping"),
            PluginError::Busy => Self::new(Kind::BUSY, error.to_string()),
            PluginError::NoCompiler(_) | PluginError::OtherCompiler(_) => {
                tracing::error!(request_id = RequestId::current().as_deref(), "{error}");
                Self::new(Kind::UNAVAILABLE, "this host cannot compile plugins now; ask another, or later")
            }
            PluginError::TooMuchCode { .. } | PluginError::CompileTime(_) | PluginError::CompileMemory(_) => {
                Self::new(Kind::COSTLY_PLUGIN, format!("{error} ({})", error.code()))
            }
            error => Self::new(Kind::BAD_PLUGIN, format!("{error} ({})", error.code())),
        }
    }
}

impl From<SettingsError> for Problem {
    fn from(error: SettingsError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<TenantError> for Problem {
    fn from(error: TenantError) -> Self {
        let said = error.to_string();
        match error {
            TenantError::Exists(_) => Self::new(Kind::TENANT_EXISTS, said),
            TenantError::Invalid(_) => Self::invalid(said),
            TenantError::NoManifest(_) => Self::new(Kind::NO_MANIFEST, said),
            TenantError::NotGranted(_) => Self::new(Kind::NOT_GRANTED, said),
            TenantError::OtherManifest(_) => Self::new(Kind::BAD_PLUGIN, said),
            TenantError::NoFormer => Self::new(Kind::NO_FORMER, said),
            TenantError::OtherEngine => Self::internal(&said),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_words() {
        let mut codes: Vec<_> = Kind::ALL.iter().map(|kind| kind.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Kind::ALL.len());
        assert!(codes.iter().all(|code| hongbao_domain::is_word(code)));
    }

    #[test]
    fn what_passes_says_when_to_ask_again() {
        let header = |problem: Problem| {
            let answer = problem.into_response();
            answer.headers().get(header::RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header(CallError::Busy.into()).as_deref(), Some("1"));
        assert_eq!(header(CallError::Overloaded.into()).as_deref(), Some("1"));
        assert_eq!(header(StoreError::overloaded("full").into()).as_deref(), Some("1"));
        assert_eq!(header(CallError::Unavailable.into()).as_deref(), Some("1"));
        assert_eq!(header(CallError::ClockOff { ahead_ms: 600_000 }.into()).as_deref(), Some("1"));
        let limited = CallError::RateLimited { retry_after_ms: 2001 };
        assert_eq!(header(limited.into()).as_deref(), Some("3"));
        assert_eq!(header(CallError::Suspended { retry_after_ms: None }.into()), None);
        assert_eq!(header(Problem::not_found("no such packet")), None);
    }
}

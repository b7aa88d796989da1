//! The administration log: who did what, when, with which outcome. Refusals too.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::Service;
use super::access::{Caller, Slip};
use super::observe::{Code, RequestId};
use super::problem::{Kind, Problem};
use hongbao_domain::{ApiKey, TenantId};
use hongbao_store::AdminEntry;

/// What came of what was done.
const OK: &str = "ok";

/// In the log, where there were more refusals of a key than are written down: what they were called, and what came of
/// them there.
const MORE: &str = "refusals";
const LEFT_OUT: &str = "left-out";

/// Longest subject of an entry, in characters.
const MOST_CHARS: usize = 256;

/// An entry but for its time and its outcome.
struct Note {
    service: Service,
    by: Arc<ApiKey>,
    tenant: Option<TenantId>,
    action: String,
    subject: String,
}

impl Note {
    /// Of the refusals of one key only so many.
    async fn write(self, outcome: &'static str) {
        if outcome == OK || self.service.refusals().has_room(&self.by, Instant::now()) {
            self.put(outcome).await;
        }
    }

    /// What was done stands, also where the note could not be written: that is in the log then, with the same
    /// words.
    async fn put(self, outcome: &'static str) {
        let Self { service, by, tenant, action, subject } = self;
        let by = by.id;
        let (key, of) = (by, tenant.as_ref().map(TenantId::as_str));
        tracing::info!(%key, tenant = of, action, subject, outcome, "administration");
        let at_ms = service.host().now_ms();
        let (said, outcome) = (action.clone(), outcome.to_owned());
        let entry = AdminEntry { at_ms, by: Some(by), tenant, action, subject, outcome };
        if let Err(error) = service.registry().note(entry).await {
            tracing::error!(%key, action = said, "what an administrator did was not written down: {error}");
        }
    }
}

impl Service {
    /// Writes down how many refusals of each key were left out of the log.
    pub(super) async fn note_left_out(&self, is_end: bool) {
        for (by, count) in self.refusals().left_out(Instant::now(), is_end) {
            let subject = format!("{count} more");
            let (service, tenant) = (self.clone(), by.tenant.clone());
            Note { service, by, tenant, action: MORE.into(), subject }.put(LEFT_OUT).await;
        }
    }
}

/// Carries out what an administrator asks for, writes down what came of it, and hands that on. In a task of its
/// own: a caller who hangs up neither stops it half way nor keeps it out of the log.
pub(super) async fn noted<T: Send + 'static>(
    service: &Service,
    by: &Caller,
    tenant: Option<&TenantId>,
    action: &'static str,
    subject: &str,
    act: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    if let Some(slip) = &by.slip {
        slip.is_noted.store(true, Ordering::Release);
    }
    let note = Note {
        service: service.clone(),
        by: Arc::clone(&by.key),
        tenant: tenant.cloned(),
        action: action.into(),
        subject: escaped(subject),
    };
    let task = RequestId::carry(async move {
        // One that panics is written down as well.
        let done = tokio::spawn(RequestId::carry(act)).await.unwrap_or_else(|_| Err(lost()));
        note.write(done.as_ref().map_or_else(|problem| problem.kind().code, |_| OK)).await;
        done
    });
    tokio::spawn(task).await.unwrap_or_else(|_| Err(lost()))
}

fn lost() -> Problem {
    Problem::new(Kind::INTERNAL, "the request was lost; look what came of it")
}

/// Writes down what was refused before anybody set out to do it: a key without the scope, a body that cannot
/// be read. It stands in the log of whoever asked, and of no other tenant. Who has no valid key is nobody; who asks too
/// often would fill the log, and of all other refusals of a key there are so many and no more.
pub(super) async fn administration(
    State(service): State<Service>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(action) = action(&request) else { return next.run(request).await };
    let (slip, subject) = (Arc::new(Slip::default()), escaped(request.uri().path()));
    request.extensions_mut().insert(Arc::clone(&slip));
    let answer = next.run(request).await;
    if slip.is_noted.load(Ordering::Acquire) {
        return answer;
    }
    if let (Some(key), Some(Code(code))) = (slip.by.get(), answer.extensions().get())
        && *code != Kind::RATE_LIMITED.code
    {
        let (by, tenant) = (Arc::clone(key), key.tenant.clone());
        Note { service, by, tenant, action, subject }.write(code).await;
    }
    answer
}

/// What an administrative request is called in the log; None for one that changes nothing.
fn action(request: &Request) -> Option<String> {
    let method = request.method().as_str();
    if ["GET", "HEAD"].contains(&method) {
        return None;
    }
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let name = match (method, route) {
        ("POST", "/v1/tenants") => "tenant.create",
        ("PUT", "/v1/tenants/{tenant}/settings") => "tenant.configure",
        ("POST", "/v1/tenants/{tenant}/plugins") => "plugin.install",
        ("DELETE", "/v1/tenants/{tenant}/plugins/{digest}") => "plugin.remove",
        ("POST", "/v1/tenants/{tenant}/upgrade") => "tenant.upgrade",
        ("POST", "/v1/tenants/{tenant}/rollback") => "tenant.rollback",
        ("POST", "/v1/tenants/{tenant}/suspend") => "tenant.suspend",
        ("POST", "/v1/tenants/{tenant}/resume") => "tenant.resume",
        ("POST", "/v1/tenants/{tenant}/reconcile") => "books.reconcile",
        ("POST", "/v1/tenants/{tenant}/keys" | "/v1/keys") => "key.create",
        ("POST", "/v1/tenants/{tenant}/webhooks") => "webhook.create",
        ("PATCH", "/v1/tenants/{tenant}/webhooks/{webhook}") => "webhook.change",
        ("DELETE", "/v1/tenants/{tenant}/webhooks/{webhook}") => "webhook.remove",
        ("POST", "/v1/tenants/{tenant}/webhooks/{webhook}/rotate") => "webhook.rotate",
        ("POST", "/v1/tenants/{tenant}/webhooks/{webhook}/test") => "webhook.test",
        ("POST", "/v1/tenants/{tenant}/webhooks/{webhook}/replay") => "webhook.replay",
        ("DELETE", "/v1/tenants/{tenant}/keys/{key}" | "/v1/keys/{key}") => "key.revoke",
        // One that was forgotten here is in the log all the same.
        (method, route) => return Some(format!("{method} {route}")),
    };
    Some(name.into())
}

/// What a caller sent, as any store can keep it and any reader can show it: control characters, line ends and
/// marks that turn the text behind them are written as Rust escapes them.
fn escaped(text: &str) -> String {
    // The mark of an escape as well: what was sent is told from what is written for it.
    let is_special = |one: char| {
        one.is_control() || matches!(one, '\\' | '\u{2028}' | '\u{2029}') || hongbao_domain::turns(one)
    };
    let mut escaped = String::new();
    for one in text.chars().take(MOST_CHARS) {
        match is_special(one) {
            true => escaped.extend(one.escape_default()),
            false => escaped.push(one),
        }
    }
    escaped.chars().take(MOST_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_one_line_that_every_store_keeps() {
        let cases = [
            ("embedded", "embedded"),
            ("\0", "\\u{0}"),
            ("a\nINFO administration key=1", "a\\nINFO administration key=1"),
            ("till \u{202e}lla", "till \\u{202e}lla"),
            ("a\\nb \\u{202e}", "a\\\\nb \\\\u{202e}"),
            ("微信 \"x\" (member)", "微信 \"x\" (member)"),
        ];
        for (text, expected) in cases {
            assert_eq!(escaped(text), expected, "{text:?}");
        }
        assert_eq!(escaped(&"\0".repeat(1000)).chars().count(), MOST_CHARS);
    }
}

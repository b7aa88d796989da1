//! What administrators do is written down: who, when, what, and what came of it.

use super::Service;
use super::access::Caller;
use super::problem::Problem;
use crate::domain::TenantId;
use crate::store::AdminEntry;

/// Writes down what was done or refused, and hands it on. What was done stands, also where the note
/// could not be written: that is in the log then, with the same words.
pub(super) async fn noted<T>(
    service: &Service,
    by: &Caller,
    tenant: Option<&TenantId>,
    action: &'static str,
    subject: &str,
    done: Result<T, Problem>,
) -> Result<T, Problem> {
    const MOST_CHARS: usize = 256;
    let entry = AdminEntry {
        at_ms: service.host().now_ms(),
        by: Some(by.key.id),
        tenant: tenant.cloned(),
        action: action.into(),
        subject: subject.chars().take(MOST_CHARS).collect(),
        outcome: done.as_ref().map_or_else(|problem| problem.kind().code, |_| "ok").into(),
    };
    let (key, tenant) = (by.key.id, entry.tenant.as_ref().map(TenantId::as_str));
    tracing::info!(%key, tenant, action, subject = entry.subject, outcome = entry.outcome, "administration");
    if let Err(error) = service.registry().note(entry).await {
        tracing::error!(%key, action, "what an administrator did was not written down: {error}");
    }
    done
}

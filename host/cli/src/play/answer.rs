//! Answers to events, one JSON object per line.

use serde::Serialize;

use crate::view::{AuditView, DetailsView, ReconciliationView, RefundView};

/// What is printed for one event: the event's own names, then its outcome or its error.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) op: Option<String>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    #[serde(flatten)]
    pub(super) body: Body,
}

/// An outcome with what belongs to it, or an error. Events that cannot come out in several ways
/// have the outcome `ok`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Body {
    Plain {
        outcome: &'static str,
    },
    Balance {
        outcome: &'static str,
        balance: u64,
    },
    Sent {
        outcome: &'static str,
        packet: String,
    },
    Withdrawn {
        outcome: &'static str,
        withdrawal: String,
        balance: u64,
    },
    Ended {
        outcome: &'static str,
        withdrawal: String,
        amount: u64,
    },
    Share {
        outcome: &'static str,
        amount: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        sequence: Option<u32>,
    },
    Details {
        outcome: &'static str,
        #[serde(flatten)]
        details: Box<DetailsView>,
    },
    Together {
        outcome: &'static str,
        results: Vec<Answer>,
    },
    Advanced {
        outcome: &'static str,
        now_ms: u64,
        leases_ended: u64,
        expired: Vec<RefundView>,
        /// Packets that could not be refunded now.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        failed: Vec<UnrefundedView>,
    },
    Settled {
        outcome: &'static str,
        settled: usize,
        order: Vec<CreditView>,
    },
    Reconciled {
        outcome: &'static str,
        #[serde(flatten)]
        report: ReconciliationView,
    },
    Audited {
        outcome: &'static str,
        #[serde(flatten)]
        audit: Box<AuditView>,
    },
    Failed {
        error: ErrorView,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct UnrefundedView {
    pub(super) packet: String,
    pub(super) error: ErrorView,
}

#[derive(Debug, Serialize)]
pub(super) struct CreditView {
    pub(super) user: String,
    pub(super) amount: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct ErrorView {
    pub(super) code: &'static str,
    pub(super) message: String,
    /// Of a malformed line: its number in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<u64>,
}

impl Body {
    pub(super) fn failed(code: &'static str, message: impl Into<String>) -> Self {
        Self::Failed { error: ErrorView { code, message: message.into(), line: None } }
    }
}

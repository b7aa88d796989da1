//! Idempotency: requests with an `Idempotency-Key` are carried out once, however often they are sent.
//!
//! 1. The key, with a hash of everything that was sent, goes into the registry. Of several requests
//!    that are sent at once, one is carried out and the others are told that it is under way (409).
//! 2. It is carried out in a task of its own, so that a caller who hangs up changes nothing.
//! 3. A success is kept for 24 hours and told to whoever sends the same again; the same key with anything
//!    else is refused (422). A refusal leaves the key free, so that the same request sent again is carried
//!    out anew: a wallet is topped up, a policy is widened, a plugin is granted more. A refusal that can
//!    never pass is refused again for its own reason, so that keeping it would gain nothing; and a kept
//!    `key-reused` would take the key from the request that it belongs to.
//!
//! A process that dies between 1 and 3 leaves a request that is under way for ever; after a minute it
//! may be carried out again. That moves no money twice: packets, fundings and withdrawals are recorded in the ledger
//! under the same key, and there it holds for ever.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::Service;
use super::access::Caller;
use super::input::{body, from_json, is_json, single};
use super::observe::RequestId;
use super::output::{answer, json};
use super::problem::{Kind, Problem};
use hongbao_domain::{Name, TenantId};
use hongbao_store::{Answer, Begun, RequestKey};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Longest key, in bytes: with what is put before it, it must still be a name.
const MAX_KEY_BYTES: usize = 128;

/// A request with an `Idempotency-Key`.
pub(super) struct Once<B> {
    key: Name,
    fingerprint: [u8; 32],
    pub(super) body: B,
}

/// What was done: a status, what is told, and what is kept to be told again.
pub(super) struct Done {
    status: StatusCode,
    told: Vec<u8>,
    kept: Vec<u8>,
}

impl Done {
    pub(super) fn new(status: StatusCode, told: &impl Serialize) -> Self {
        let told = json(told);
        Self { status, kept: told.clone(), told }
    }

    /// Keeps less than it tells: what is shown once.
    pub(super) fn keeping(self, kept: &impl Serialize) -> Self {
        Self { kept: json(kept), ..self }
    }
}

impl<T: DeserializeOwned> FromRequest<Service> for Once<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        is_json(request.headers())?;
        let raw = Once::<Bytes>::from_request(request, service).await?;
        Ok(Self { key: raw.key, fingerprint: raw.fingerprint, body: from_json(&raw.body)? })
    }
}

impl FromRequest<Service> for Once<Raw> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        let raw = Once::<Bytes>::from_request(request, service).await?;
        Ok(Self { key: raw.key, fingerprint: raw.fingerprint, body: Raw(raw.body) })
    }
}

/// A body that is not JSON.
pub(super) struct Raw(pub(super) Bytes);

impl Once<Bytes> {
    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        let key = single(request.headers(), &KEY)?.ok_or_else(|| {
            Problem::new(
                Kind::KEY_MISSING,
                "send an Idempotency-Key that no other request has, such as a UUID",
            )
        })?;
        let key = key.to_str().ok().filter(|key| key.len() <= MAX_KEY_BYTES);
        let key = key.and_then(|key| Name::new(key).ok()).ok_or_else(|| {
            Problem::invalid(format!(
                "an Idempotency-Key is 1 to {MAX_KEY_BYTES} printable characters of ASCII, and not `.` or `..`"
            ))
        })?;
        let mut hash = Sha256::new();
        for part in [request.method().as_str(), request.uri().path()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let body = body(request, service).await?;
        hash.update(&body);
        Ok(Self { key, fingerprint: hash.finalize().into(), body })
    }
}

impl<B: Send + 'static> Once<B> {
    /// Carries it out, or tells what came of it before. `act` is given the body, and the key for the
    /// ledger.
    pub(super) async fn run<F>(
        self,
        service: &Service,
        caller: &Caller,
        tenant: Option<&TenantId>,
        act: impl FnOnce(B, Name) -> F + Send + 'static,
    ) -> Result<Response, Problem>
    where
        F: Future<Output = Result<Done, Problem>> + Send + 'static,
    {
        let Self { key, fingerprint, body } = self;
        // How old an answer is, and whether a request still runs, goes by the time.
        service.host().trust_clock()?;
        // Somebody who acts for one user alone chooses keys among their own: what is sent is in ASCII, so
        // nobody else can send such a key.
        let key = match &caller.key.user {
            Some(_) => Name::new(format!("{}·{key}", caller.key.id)).unwrap_or(key),
            None => key,
        };
        let request = RequestKey { tenant: tenant.cloned(), key: key.clone() };
        let (registry, now_ms) = (service.registry(), service.host().now_ms());
        let begun = registry.begin(&request, fingerprint, now_ms).await;
        service.health().note(&begun);
        match begun? {
            Begun::New => {}
            Begun::Answered(answer) => return Ok(replay(answer)),
            Begun::Running => {
                return Err(Problem::new(Kind::IN_PROGRESS, "the same request is under way; ask again"));
            }
            Begun::Other => {
                return Err(Problem::new(
                    Kind::KEY_REUSED,
                    "this Idempotency-Key was sent with another request",
                ));
            }
        }
        let service = service.clone();
        let task = RequestId::carry(async move {
            let done = act(body, key).await;
            let kept = done.as_ref().ok();
            let kept = kept.map(|done| Answer { status: done.status.as_u16(), body: done.kept.clone() });
            keep(&service, &request, fingerprint, now_ms, kept).await;
            done
        });
        let done = tokio::spawn(task).await;
        let done = done.map_err(|_| Problem::new(Kind::INTERNAL, "the request was lost; ask again"))??;
        Ok(answer(done.status, done.told))
    }
}

/// Keeps the answer of a success, or gives the request up. Should that fail, the answer is given all the same: what
/// was done is done, and asked again the ledger says so too.
async fn keep(
    service: &Service,
    request: &RequestKey,
    fingerprint: [u8; 32],
    begun_at_ms: u64,
    answer: Option<Answer>,
) {
    let registry = service.registry();
    let kept = match answer {
        Some(answer) => registry.answer(request, fingerprint, answer, service.host().now_ms()).await,
        None => registry.abandon(request, fingerprint, begun_at_ms).await,
    };
    service.health().note(&kept);
    if let Err(error) = kept {
        tracing::warn!(request_id = RequestId::current().as_deref(), "an answer was not kept: {error}");
    }
}

fn replay(kept: Answer) -> Response {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = answer(status, kept.body);
    answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    answer
}

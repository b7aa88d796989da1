//! The server: layers in front of all routes, TLS, and shutdown.

use std::any::Any;
use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config as SwaggerConfig, SwaggerUi};

use super::connections::{Gate, Listener, Peer, Tracking, descriptors};
use super::observe::observe;
use super::output::json;
use super::problem::{Kind, Problem};
use super::specification::complete;
use super::{Service, demo, page, routes};
use hongbao_domain::decode;
use hongbao_runtime::TenantsFile;
use hongbao_store::StoreError;

/// Most bytes of a request's head: more is no honest client of ours.
const HEAD_BYTES: usize = 16 << 10;

/// What Swagger UI needs: styles of its own making, and pictures within them.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/// While it ends, connections are looked at so often.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Where the specification is.
const SPECIFICATION: &str = "/openapi.json";

/// Certificate and key of a server, in PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those that lead to its root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why a service could not begin to serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on: {source}")]
    Listen {
        /// Which.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("{file} cannot be used for TLS: {source}")]
    Tls {
        /// Which.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// The records of keys and tenants cannot be read.
    #[error("the records of keys and tenants cannot be read: {0}; see that the ledger's server answers")]
    Records(#[source] StoreError),
    /// A tenant cannot be served.
    #[error("{detail}")]
    Tenants {
        /// The problem's code.
        code: &'static str,
        /// In words.
        detail: String,
    },
}

impl ServeError {
    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "cannot-listen",
            Self::Tls { .. } => "cannot-use-certificate",
            Self::Records(error) => error.code(),
            Self::Tenants { code, .. } => code,
        }
    }
}

impl From<Problem> for ServeError {
    fn from(problem: Problem) -> Self {
        Self::Tenants { code: problem.kind().code, detail: problem.detail().to_owned() }
    }
}

/// A service that is listening.
pub struct Listening {
    service: Service,
    address: SocketAddr,
    handle: Handle<Peer>,
    tls: Option<(TlsFiles, RustlsConfig)>,
    server: JoinHandle<io::Result<()>>,
    gate: Gate,
    looking_after: JoinHandle<()>,
    delivering: JoinHandle<()>,
}

impl Service {
    /// Every route with everything before it, to be served or to be called by a test.
    pub fn router(&self) -> Router {
        let settings = *self.settings();
        let (api, openapi) = routes::router(self).split_for_parts();
        let docs = Router::from(SwaggerUi::new("/docs").config(SwaggerConfig::from(SPECIFICATION)));
        let docs = docs.merge(specification(&complete(openapi))).layer(SetResponseHeaderLayer::overriding(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(DOCS_POLICY),
        ));
        let demo = if self.demo().is_some() { demo::router() } else { Router::new() };
        let sniff = (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let fresh = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let all = api
            .merge(demo)
            .merge(page::router(self.demo().is_some()))
            .merge(docs)
            .fallback(nowhere)
            .method_not_allowed_fallback(|| async {
                Problem::new(Kind::METHOD, "see /openapi.json for what each path takes")
            })
            .layer(DefaultBodyLimit::max(settings.body_bytes))
            .layer(from_fn_with_state(self.clone(), in_time));
        let all = match self.demo() {
            Some(_) => all.layer(from_fn_with_state(self.clone(), demo::own_names)),
            None => all,
        };
        all.layer(CatchPanicLayer::custom(panicked))
            .layer(SetResponseHeaderLayer::if_not_present(sniff.0, sniff.1))
            .layer(SetResponseHeaderLayer::if_not_present(fresh.0, fresh.1))
            .layer(from_fn_with_state(self.clone(), observe))
            .with_state(self.clone())
    }

    /// Serves the tenants of the registry and of a file, and begins to listen.
    ///
    /// # Errors
    /// When the address or the certificate cannot be used, or a tenant cannot be served.
    pub async fn listen(
        self,
        address: SocketAddr,
        tls: Option<TlsFiles>,
        file: &TenantsFile,
    ) -> Result<Listening, ServeError> {
        let cannot = |source| ServeError::Listen { address: address.to_string(), source };
        // Before anything is made: that somebody listens there already is found out first.
        let listener = TcpListener::bind(address).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let tls = match tls {
            Some(files) => Some((files.clone(), certificate(&files).await?)),
            None => None,
        };
        self.registry().check().await.map_err(ServeError::Records)?;
        self.open(file).await?;
        let handle = Handle::new();
        let router = self.router().into_make_service();
        let wanted = self.settings().connections;
        let limits = wanted.within(descriptors());
        if limits.all < wanted.all {
            tracing::warn!(
                "the limit on open files leaves room for {} connections of {}",
                limits.all,
                wanted.all
            );
        }
        let metrics = Arc::clone(self.metrics());
        let listener = Listener::new(listener, limits, Arc::clone(&metrics)).map_err(cannot)?;
        let gate = listener.gate();
        // After a failure it waits for a moment before it accepts again.
        let server = Server::<Peer>::from_listener(listener).handle(handle.clone());
        let mut server = server.accept_error_handler(move |peer, error| {
            metrics.not_accepted(peer.map(Peer::address), error);
        });
        bounded(server.http_builder());
        let server = match &tls {
            Some((_, config)) => {
                let handshake = RustlsAcceptor::new(config.clone()).handshake_timeout(limits.head);
                tokio::spawn(server.acceptor(handshake.acceptor(Tracking)).serve(router))
            }
            None => tokio::spawn(server.acceptor(Tracking).serve(router)),
        };
        let looking_after = tokio::spawn(self.clone().look_after());
        let delivering = tokio::spawn(self.clone().deliver_webhooks());
        Ok(Listening { service: self, address, handle, tls, server, gate, looking_after, delivering })
    }
}

impl Listening {
    /// Where it listens: the port is the real one where 0 was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads certificate and key again, for connections that begin from now on; false where there is no
    /// TLS, and so nothing to read.
    ///
    /// # Errors
    /// When they cannot be used. Then those from before go on.
    pub async fn reload_certificate(&self) -> Result<bool, ServeError> {
        let Some((files, config)) = &self.tls else { return Ok(false) };
        let (certificate, key) = pem_files(files).await?;
        files.fit(&certificate, &key)?;
        let read = config.reload_from_pem(certificate, key).await;
        read.map(|()| true).map_err(|source| unusable(&files.certificate, source))
    }

    /// Whether it serves still. It ends by itself only where the system gives no connections any more.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        !self.server.is_finished()
    }

    /// Says that it is not ready any more, waits so long for balancers to notice, then takes no more
    /// connections and lets requests under way finish. Who has none under way is not waited for.
    pub async fn stop(mut self, notice: Duration) {
        self.service.stop();
        tokio::time::sleep(notice).await;
        let patience = self.service.settings().request_time;
        self.handle.graceful_shutdown(Some(patience));
        // What it ended with was said in the log.
        while timeout(LOOK_EVERY, &mut self.server).await.is_err() {
            self.gate.close_quiet(Instant::now());
        }
        let _ = self.looking_after.await;
        let _ = self.delivering.await;
    }
}

async fn certificate(files: &TlsFiles) -> Result<RustlsConfig, ServeError> {
    // Somebody who embeds this may have chosen a provider already, which is then used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (certificate, key) = pem_files(files).await?;
    files.fit(&certificate, &key)?;
    RustlsConfig::from_pem(certificate, key).await.map_err(|source| unusable(&files.certificate, source))
}

fn unusable(file: &Path, source: impl Into<Box<dyn Error + Send + Sync>>) -> ServeError {
    ServeError::Tls { file: file.display().to_string(), source: io::Error::other(source) }
}

impl TlsFiles {
    /// Looks whether there is a certificate in the one and its key in the other: the words of what uses them
    /// name neither file.
    fn fit(&self, certificate: &[u8], key: &[u8]) -> Result<(), ServeError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| {
            unusable(
                &self.certificate,
                "it has no certificate in PEM form; tls_certificate names the wrong file",
            )
        })?;
        let secret = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
            unusable(&self.key, "it has no private key in PEM form without a passphrase, as tls_key needs it")
        })?;
        let ring = rustls::crypto::ring::default_provider();
        let provider = CryptoProvider::get_default().map_or(&ring, |chosen| &**chosen);
        match CertifiedKey::from_der(chain, secret, provider) {
            Err(rustls::Error::InconsistentKeys(_)) => {
                let why = format!("it is not the key of the certificate in {}", self.certificate.display());
                Err(unusable(&self.key, why))
            }
            Err(error) => {
                let why = format!("with the private key in {}: {error}", self.key.display());
                Err(unusable(&self.certificate, why))
            }
            Ok(_) => Ok(()),
        }
    }
}

/// Both files, or which of them cannot be read.
async fn pem_files(files: &TlsFiles) -> Result<(Vec<u8>, Vec<u8>), ServeError> {
    let read = |file: &Path| {
        decode::read_pem(file).map_err(|source| ServeError::Tls { file: file.display().to_string(), source })
    };
    let files = files.clone();
    let both = move || Ok((read(&files.certificate)?, read(&files.key)?));
    tokio::task::spawn_blocking(both)
        .await
        .unwrap_or_else(|lost| Err(ServeError::Tls { file: "PEM".into(), source: io::Error::other(lost) }))
}

/// Bounds on what a client may send before anything looks at it. How long it may take is the listener's business:
/// the time that hyper gives a head begins with the end of the answer before it, and so ends idle connections.
fn bounded(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>) {
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .max_header_list_size(HEAD_BYTES as u32);
}

/// Written once, and not for each stranger who asks.
fn specification(openapi: &OpenApi) -> Router<Service> {
    let (kind, body) = ([(header::CONTENT_TYPE, "application/json")], Bytes::from(json(openapi)));
    Router::new().route(SPECIFICATION, get(move || async move { (kind, body) }))
}

async fn nowhere() -> Problem {
    Problem::not_found("there is no such path; see /openapi.json")
}

/// These read all of a tenant's books, which takes what it takes: stores have a limit of their own.
const LONG: [&str; 2] = ["/v1/tenants/{tenant}/audit", "/v1/tenants/{tenant}/reconcile"];
const LONG_TIME: Duration = Duration::from_secs(600);

/// Bounds the time of a request, its body included. A stream of events has answered by then.
async fn in_time(State(service): State<Service>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let is_long = route.is_some_and(|route| LONG.contains(&route.as_str()));
    let limit = service.settings().request_time;
    let limit = if is_long { limit.max(LONG_TIME) } else { limit };
    match timeout(limit, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => {
            let why = format!("no answer within {} ms; ask again", limit.as_millis());
            Problem::new(Kind::TIMED_OUT, why).into_response()
        }
    }
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
    tracing::error!(words, "a request ended in a panic");
    Problem::new(Kind::INTERNAL, "the operator finds the reason in the log, by the request's id")
        .into_response()
}

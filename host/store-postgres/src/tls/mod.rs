//! TLS to PostgreSQL, by the parameters of libpq and in their sense.
//!
//! | `sslmode` | encrypted | the server's certificate |
//! |---|---|---|
//! | `disable` | no | |
//! | `prefer` (default) | if the server can | is checked as with `verify-ca` if `sslrootcert` is given, otherwise not at all |
//! | `require` | yes | the same |
//! | `verify-ca` | yes | is signed by an authority of `sslrootcert` |
//! | `verify-full` | yes | and is for the host of the URL |
//!
//! `sslrootcert` is a file, or `system` for the authorities that the system trusts; `verify-ca` and `verify-full`
//! use those as well where it is not given. `prefer` goes on without encryption only where the server says that it
//! has none, never after a handshake that failed. Files in a home directory are not looked for.

mod error;
mod verifier;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

pub use self::error::TlsError;
use self::verifier::Verifier;

/// What `sslmode` may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Mode {
    fn read(text: &str) -> Result<Self, TlsError> {
        Ok(match text {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return Err(TlsError::Mode(text.to_owned())),
        })
    }
}

/// How to encrypt connections.
pub(super) struct Tls {
    /// In the driver's words.
    pub(super) mode: SslMode,
    pub(super) connect: MakeRustlsConnect,
}

impl Tls {
    /// Reads the parameters, and the files that they name.
    pub(super) fn read(parameters: &BTreeMap<String, String>) -> Result<Self, TlsError> {
        let given = |name: &str| parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let roots = given("sslrootcert");
        let mode = match (given("sslmode"), roots) {
            (Some(mode), _) => Mode::read(mode)?,
            (None, Some("system")) => Mode::VerifyFull,
            (None, _) => Mode::Prefer,
        };
        if roots == Some("system") && mode != Mode::VerifyFull {
            return Err(TlsError::WeakMode);
        }
        let roots = match (mode, roots) {
            (Mode::Disable, _) | (Mode::Prefer | Mode::Require, None) => None,
            (_, Some(file)) if file != "system" => Some(certificates(Path::new(file))?),
            (Mode::VerifyCa | Mode::VerifyFull | Mode::Prefer | Mode::Require, _) => Some(system_roots()?),
        };
        let identity = match (given("sslcert"), given("sslkey")) {
            _ if mode == Mode::Disable => None,
            (Some(certificate), Some(key)) => Some((Path::new(certificate), Path::new(key))),
            (None, None) => None,
            (Some(_), None) => return Err(TlsError::Half { given: "sslcert", missing: "sslkey" }),
            (None, Some(_)) => return Err(TlsError::Half { given: "sslkey", missing: "sslcert" }),
        };
        let config = config(roots, mode == Mode::VerifyFull, identity)?;
        let mode = match mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        };
        Ok(Self { mode, connect: MakeRustlsConnect::new(config) })
    }
}

fn config(
    roots: Option<Vec<CertificateDer<'static>>>,
    checks_name: bool,
    identity: Option<(&Path, &Path)>,
) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new(&provider, roots, checks_name)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Handshake(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(|error| TlsError::identity(certificate, key, &error))?,
    };
    // For servers that speak TLS from the first byte (`sslnegotiation=direct`).
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(config)
}

/// A file's text, without the mark that some editors put before it.
fn text(file: &Path) -> Result<Vec<u8>, TlsError> {
    let text =
        fs::read(file).map_err(|source| TlsError::File { file: file.display().to_string(), source })?;
    Ok(text.strip_prefix(b"\xef\xbb\xbf").map_or(text.clone(), <[u8]>::to_vec))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = || TlsError::Pem { file: file.display().to_string(), what: "certificate" };
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text(file)?).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(wrong()),
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let wrong = |_| TlsError::Pem { file: file.display().to_string(), what: "unencrypted private key" };
    PrivateKeyDer::from_pem_slice(&text(file)?).map_err(wrong)
}

fn system_roots() -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() { Err(TlsError::NoSystemRoots) } else { Ok(found.certs) }
}

/// Authorities, of which those count that can be read: a system's list may have others.
fn store(roots: &[CertificateDer<'static>]) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().cloned());
    store
}

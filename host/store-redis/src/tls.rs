//! TLS to Redis: files and errors.
//!
//! Server certificates are verified, with the name or the address that is connected to: that of the URL,
//! or the one by which sentinels or a cluster announce a server. There is no way to leave that out, and no
//! falling back to a connection without TLS. Trusted are the system's root certificates, or those of a file
//! and no others.
//!
//! Files are read whenever a connection is made, so a client certificate may be renewed while serving. (A
//! cluster's client makes its connections by itself, with what was read when the first was made.)

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use redis::{ClientTlsConfig, TlsCertificates};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::fault::Fault;
use super::tls_fault::TlsFault;

/// The one command that may be sent before a login.
pub(super) const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

/// Which files a URL names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// Certificates to trust, instead of the system's.
    pub authorities: Option<PathBuf>,
    /// A certificate of ours with those that lead to its authority, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// What the files hold.
pub(super) struct Certificates {
    /// For the client.
    pub client: TlsCertificates,
    /// The same, to find out what is wrong.
    config: Arc<ClientConfig>,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn unusable(file: &Path, why: impl std::fmt::Display) -> Fault {
    Fault::Certificate(format!("{}: {why}", file.display()))
}

fn read(file: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(file).map_err(|error| unusable(file, format_args!("it cannot be read: {error}")))
}

fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(unusable(file, "it holds no certificate in PEM form")),
    }
}

impl Files {
    /// Reads them, and looks whether they fit together.
    pub(super) fn load(&self) -> Result<Certificates, Fault> {
        // The client takes whichever provider is the process's.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let system = system_roots()?;
        let (roots, root_cert) = match &self.authorities {
            Some(file) => {
                let pem = read(file)?;
                let mut roots = RootCertStore::empty();
                for certificate in certificates(file, &pem)? {
                    roots.add(certificate).map_err(|error| unusable(file, error))?;
                }
                (roots, Some(pem))
            }
            None if system.is_empty() => {
                let why = "this system has no root certificates: install ca-certificates, or name a file \
                           with the parameter cacert";
                return Err(Fault::Certificate(why.into()));
            }
            None => (system, None),
        };
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| Fault::Certificate(error.to_string()))?
            .with_root_certificates(roots);
        let Some((certificate, key)) = &self.identity else {
            let client = TlsCertificates { client_tls: None, root_cert };
            return Ok(Certificates { client, config: Arc::new(config.with_no_client_auth()) });
        };
        let (client_cert, client_key) = (read(certificate)?, read(key)?);
        let chain = certificates(certificate, &client_cert)?;
        let secret = PrivateKeyDer::from_pem_slice(&client_key)
            .map_err(|_| unusable(key, "it holds no private key in PEM form"))?;
        let pair = CertifiedKey::from_der(chain.clone(), secret.clone_key(), &provider());
        pair.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => unusable(
                key,
                format_args!("it is not the key of the certificate in {}", certificate.display()),
            ),
            error => unusable(key, error),
        })?;
        let config =
            config.with_client_auth_cert(chain, secret).map_err(|error| unusable(certificate, error))?;
        let client_tls = Some(ClientTlsConfig { client_cert, client_key });
        Ok(Certificates { client: TlsCertificates { client_tls, root_cert }, config: Arc::new(config) })
    }
}

/// The system's root certificates. The client reads them by itself at each connection, also where a file is
/// named, and takes none where one of them cannot be read: so that is told here, and once more clearly.
fn system_roots() -> Result<RootCertStore, Fault> {
    let found = rustls_native_certs::load_native_certs();
    if let Some(error) = found.errors.first() {
        return Err(Fault::Certificate(format!("the system's root certificates cannot be read: {error}")));
    }
    let mut roots = RootCertStore::empty();
    for certificate in found.certs {
        let bad =
            |error| Fault::Certificate(format!("one of the system's root certificates is damaged: {error}"));
        roots.add(certificate).map_err(bad)?;
    }
    Ok(roots)
}

impl Certificates {
    /// Connects once more, by hand, to find out what is wrong. None where nothing is, or nothing of TLS.
    pub(super) async fn look(&self, host: &str, port: u16, wait: Duration) -> Option<TlsFault> {
        let (config, host) = (Arc::clone(&self.config), host.to_owned());
        let has_identity = self.client.client_tls.is_some();
        // A handshake in which every error can be seen, on a thread where it may wait.
        let looked =
            tokio::task::spawn_blocking(move || shake_hands(&config, &host, port, wait)).await.ok()?;
        let error = looked.err()?;
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        inner.map(|error| TlsFault::of(error, has_identity))
    }
}

/// A handshake, a question and an answer: a certificate of ours may be refused only at the answer.
fn shake_hands(config: &Arc<ClientConfig>, host: &str, port: u16, wait: Duration) -> io::Result<()> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let address = (host, port).to_socket_addrs()?.next();
    let address = address.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let mut stream = TcpStream::connect_timeout(&address, wait)?;
    stream.set_read_timeout(Some(wait))?;
    stream.set_write_timeout(Some(wait))?;
    let mut connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    let mut tls = rustls::Stream::new(&mut connection, &mut stream);
    tls.write_all(PING)?;
    tls.read(&mut [0; 64]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            file
        };
        let said = |files: Files| files.load().err().expect("refused").to_string();
        let missing = folder.path().join("missing.pem");
        let text = said(Files { authorities: Some(missing), identity: None });
        assert!(text.contains("missing.pem: it cannot be read"), "{text}");
        let empty = file("empty.pem", "nothing of the kind");
        let text = said(Files { authorities: Some(empty.clone()), identity: None });
        assert!(text.contains("empty.pem: it holds no certificate"), "{text}");
        let text = said(Files { authorities: None, identity: Some((empty.clone(), empty)) });
        assert!(text.contains("empty.pem: it holds no certificate"), "{text}");
    }
}

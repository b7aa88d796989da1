//! What can be wrong with TLS, each with a code and a remedy.

use std::error::Error as StdError;
use std::io;
use std::path::Path;

use rustls::{AlertDescription, CertificateError, Error as RustlsError};

use super::verifier::is_about_name;

/// Why a connection cannot be encrypted as the ledger's URL wants it.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// `sslmode` says something else.
    #[error("sslmode `{0}` is none: it is disable, prefer, require, verify-ca or verify-full")]
    Mode(String),
    /// `sslrootcert=system` without a check of the name: everybody can have a certificate of such an authority.
    #[error("sslrootcert=system goes with sslmode=verify-full alone")]
    WeakMode,
    /// A certificate without its key, or the other way round.
    #[error("{given} is given without {missing}")]
    Half {
        /// The parameter that is there.
        given: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// A file is not there, or may not be read.
    #[error("the file {file} cannot be read: {source}")]
    File {
        /// Which.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A file has something else in it.
    #[error("the file {file} has no {what} in PEM format")]
    Pem {
        /// Which.
        file: String,
        /// What it should have.
        what: &'static str,
    },
    /// A client's key is not that of its certificate.
    #[error("the private key {key} does not fit the certificate {certificate}")]
    Key {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
    },
    /// A client's certificate or key is of a kind that cannot be used.
    #[error("the certificate {certificate} with the private key {key} cannot be used: {reason}")]
    Identity {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
        /// Why.
        reason: String,
    },
    /// No certificate of `sslrootcert` can be used as an authority.
    #[error("no certificate of sslrootcert can be used as an authority")]
    NoAuthority,
    /// The system trusts nobody.
    #[error(
        "the system has no list of trusted authorities: install one (ca-certificates), or name a file by sslrootcert"
    )]
    NoSystemRoots,
    /// The server speaks no TLS.
    #[error(
        "the server has no TLS, which sslmode demands: set ssl = on there, or sslmode=disable in the ledger's URL"
    )]
    NotOffered,
    /// Nobody who is trusted signed the server's certificate.
    #[error(
        "the server's certificate is signed by nobody who is trusted: name the authority that signed it by sslrootcert"
    )]
    UnknownIssuer,
    /// The server's certificate is not valid now.
    #[error(
        "the server's certificate has expired, or is not valid yet: renew it, or set this machine's clock right"
    )]
    Expired,
    /// The server's certificate is for others.
    #[error(
        "the server's certificate is not for the host of the ledger's URL: name the host as the certificate does \
         (as a subject alternative name), or use sslmode=verify-ca"
    )]
    Name,
    /// The server's certificate has another fault.
    #[error("the server's certificate cannot be accepted: {0}")]
    Certificate(String),
    /// The server wants another certificate of the client, or one at all.
    #[error(
        "the server does not accept the client's certificate ({0}): give one that it trusts by sslcert and sslkey"
    )]
    ClientCertificate(String),
    /// `channel_binding=require`, and the server did without.
    #[error(
        "the server did not bind the login to the connection, which channel_binding=require demands: it takes TLS and \
         a password that is kept as scram-sha-256"
    )]
    ChannelBinding,
    /// No agreement on how to encrypt.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
}

impl TlsError {
    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Mode(_) | Self::WeakMode | Self::Half { .. } => "ledger-url",
            Self::File { .. } => "ledger-tls-file",
            Self::Pem { .. } | Self::NoAuthority | Self::Identity { .. } => "ledger-tls-file-invalid",
            Self::Key { .. } => "ledger-tls-key",
            Self::NoSystemRoots => "ledger-tls-no-roots",
            Self::NotOffered => "ledger-tls-not-offered",
            Self::UnknownIssuer => "ledger-tls-unknown-issuer",
            Self::Expired => "ledger-tls-expired",
            Self::Name => "ledger-tls-name",
            Self::Certificate(_) => "ledger-tls-certificate",
            Self::ClientCertificate(_) => "ledger-tls-client-certificate",
            Self::ChannelBinding => "ledger-tls-channel-binding",
            Self::Handshake(_) => "ledger-tls-handshake",
        }
    }

    /// Whether it stays so until somebody changes a configuration. A certificate that has expired may be renewed
    /// where it is, and a handshake may fail since the server is just starting.
    #[must_use]
    pub const fn is_lasting(&self) -> bool {
        !matches!(self, Self::Expired | Self::Handshake(_))
    }

    pub(super) fn identity(certificate: &Path, key: &Path, error: &RustlsError) -> Self {
        let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
        match error {
            RustlsError::InconsistentKeys(_) => Self::Key { certificate, key },
            error => Self::Identity { certificate, key, reason: error.to_string() },
        }
    }

    /// What a failed connection has to do with TLS; None where it is something else.
    pub(in super::super) fn of(error: &tokio_postgres::Error) -> Option<Self> {
        if let Some(said) = error.as_db_error() {
            // The handshake is over when PostgreSQL looks whether there was a certificate, and whose.
            let about = said.message().contains("client certificate")
                || said.message().contains("certificate authentication failed");
            return about.then(|| Self::ClientCertificate(said.message().to_owned()));
        }
        let mut cause = error.source();
        while let Some(error) = cause {
            if let Some(found) = Self::known(error) {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }

    fn known(error: &(dyn StdError + 'static)) -> Option<Self> {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let inner = inner.and_then(|inner| inner.downcast_ref::<RustlsError>());
        if let Some(error) = inner.or_else(|| error.downcast_ref()) {
            return Some(Self::from(error));
        }
        match error.to_string().as_str() {
            "server does not support TLS" => Some(Self::NotOffered),
            "server did not use channel binding" => Some(Self::ChannelBinding),
            _ => None,
        }
    }
}

impl From<&RustlsError> for TlsError {
    fn from(error: &RustlsError) -> Self {
        use AlertDescription as Alert;
        match error {
            error if is_about_name(error) => Self::Name,
            RustlsError::InvalidCertificate(certificate) => match certificate {
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Self::Expired,
                CertificateError::UnknownIssuer => Self::UnknownIssuer,
                other => Self::Certificate(other.to_string()),
            },
            RustlsError::AlertReceived(
                alert @ (Alert::CertificateRequired
                | Alert::NoCertificate
                | Alert::UnknownCA
                | Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::AccessDenied),
            ) => Self::ClientCertificate(format!("{alert:?}")),
            other => Self::Handshake(other.to_string()),
        }
    }
}

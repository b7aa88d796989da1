//! What is wrong with TLS.

use rustls::{AlertDescription, CertificateError};

/// What is wrong with TLS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TlsFault {
    #[error("it speaks TLS alone, so the URL has to begin with rediss instead of redis")]
    Wanted,
    #[error("it speaks no TLS, so the URL has to begin with redis instead of rediss")]
    Unknown,
    #[error(
        "its certificate was issued by nobody who is trusted here; the parameter cacert names a file of certificates to trust"
    )]
    Issuer,
    #[error("its certificate has expired")]
    Expired,
    #[error("its certificate is not valid yet, or the clock here is wrong")]
    NotYetValid,
    #[error("its certificate is for another name than the one that was connected to")]
    Name,
    #[error("its certificate was revoked")]
    Revoked,
    #[error("its certificate is that of an authority, which no server can have: make one with CA:FALSE")]
    Authority,
    #[error("it demands a client certificate: the parameters cert and key name its files")]
    ClientCertificateMissing,
    #[error("it refuses the client certificate: {0}")]
    ClientCertificate(String),
    #[error("{0}")]
    Other(String),
}

impl TlsFault {
    /// Whether it can only be a mistake. Certificates expire by themselves, and are renewed at the server.
    pub(super) const fn is_mistake(&self) -> bool {
        !matches!(self, Self::Expired | Self::NotYetValid | Self::Other(_))
    }

    pub(super) fn of(error: &rustls::Error, has_identity: bool) -> Self {
        use CertificateError as Bad;
        match error {
            rustls::Error::InvalidCertificate(bad) => match bad {
                Bad::UnknownIssuer => Self::Issuer,
                Bad::Expired | Bad::ExpiredContext { .. } => Self::Expired,
                Bad::NotValidYet | Bad::NotValidYetContext { .. } => Self::NotYetValid,
                Bad::NotValidForName | Bad::NotValidForNameContext { .. } => Self::Name,
                Bad::Revoked => Self::Revoked,
                Bad::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => Self::Authority,
                other => Self::Other(format!("its certificate is refused: {other:?}")),
            },
            rustls::Error::InvalidMessage(_) => Self::Unknown,
            rustls::Error::AlertReceived(alert) => Self::by_alert(*alert, has_identity),
            other => Self::Other(other.to_string()),
        }
    }

    fn by_alert(alert: AlertDescription, has_identity: bool) -> Self {
        use AlertDescription as Alert;
        match alert {
            Alert::CertificateRequired => Self::ClientCertificateMissing,
            // How TLS 1.2 says it.
            Alert::HandshakeFailure if !has_identity => Self::ClientCertificateMissing,
            Alert::UnknownCA | Alert::BadCertificate | Alert::CertificateUnknown if has_identity => {
                Self::ClientCertificate("it was issued by nobody whom the server trusts".into())
            }
            Alert::CertificateExpired => Self::ClientCertificate("it has expired".into()),
            Alert::UnsupportedCertificate | Alert::CertificateRevoked => {
                Self::ClientCertificate(format!("{alert:?}"))
            }
            Alert::ProtocolVersion => Self::Other("it speaks an older TLS than 1.2".into()),
            alert => Self::Other(format!("it breaks off with {alert:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_by_its_kind() {
        let bad = |bad| TlsFault::of(&rustls::Error::InvalidCertificate(bad), false);
        assert_eq!(bad(CertificateError::UnknownIssuer), TlsFault::Issuer);
        assert_eq!(bad(CertificateError::Expired), TlsFault::Expired);
        assert_eq!(bad(CertificateError::NotValidForName), TlsFault::Name);
        let alert = |alert, has| TlsFault::of(&rustls::Error::AlertReceived(alert), has);
        assert_eq!(alert(AlertDescription::CertificateRequired, false), TlsFault::ClientCertificateMissing);
        assert_eq!(alert(AlertDescription::HandshakeFailure, false), TlsFault::ClientCertificateMissing);
        assert!(matches!(alert(AlertDescription::UnknownCA, true), TlsFault::ClientCertificate(_)));
        assert!(matches!(alert(AlertDescription::HandshakeFailure, true), TlsFault::Other(_)));
    }
}

//! Signatures of messages, by Standard Webhooks (<https://www.standardwebhooks.com>).
//!
//! The crate `standardwebhooks` is not used: it brings a second implementation of HMAC, a further version of base64 and
//! `time`, and reads the system's clock by itself, for what is three lines here. Its published vectors are the tests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use hongbao_domain::TenantId;
use hongbao_store::WebhookSecret;

const PREFIX: &str = "whsec_";
const VERSION: &str = "v1,";

/// Bytes that a secret may have, by the standard.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A new secret.
pub(super) fn new_secret() -> Result<WebhookSecret, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(WebhookSecret(bytes))
}

/// A secret as it is shown to its tenant.
pub(super) fn told(secret: &WebhookSecret) -> String {
    format!("{PREFIX}{}", STANDARD.encode(secret.0))
}

/// The name of an event as a message: the same for ever, for each endpoint and each time that it is sent, so that a
/// receiver finds out what it has seen.
pub(super) fn message_id(tenant: &TenantId, event: &str) -> String {
    let mut hash = Sha256::new();
    hash.update((tenant.as_str().len() as u64).to_be_bytes());
    hash.update(tenant.as_str());
    hash.update(event);
    format!("msg_{}", &crate::api_key::hex(&hash.finalize())[..32])
}

/// One signature, as it stands in the header.
fn signature(secret: &[u8], id: &str, timestamp_s: u64, body: &[u8]) -> String {
    // A key of any length is one.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap_or_else(|_| Hmac::new(&[0; 64].into()));
    mac.update(format!("{id}.{timestamp_s}.").as_bytes());
    mac.update(body);
    format!("{VERSION}{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The header of a message, with a signature by each secret that is in use.
pub(super) fn signatures<'s>(
    secrets: impl Iterator<Item = &'s WebhookSecret>,
    id: &str,
    timestamp_s: u64,
    body: &[u8],
) -> String {
    let all: Vec<_> = secrets.map(|secret| signature(&secret.0, id, timestamp_s, body)).collect();
    all.join(" ")
}

/// Why a message is not from whom it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The secret is none.
    #[error("a secret is whsec_ and 24 to 64 bytes in base64")]
    Secret,
    /// Nothing that was sent as a signature is one of this message.
    #[error("no signature is of this message with this secret")]
    Signature,
    /// It was signed long ago or will be.
    #[error("it was signed {0} s before or after now, of 300 at most")]
    Timestamp(u64),
}

/// How far the clocks of sender and receiver may be apart, in seconds, by the standard.
const TOLERANCE_S: u64 = 300;

/// What a receiver has of a message, to find out who sent it.
#[derive(Clone, Copy, Debug)]
pub struct Received<'r> {
    /// The header `webhook-id`.
    pub id: &'r str,
    /// The header `webhook-timestamp`, in seconds.
    pub timestamp_s: u64,
    /// The header `webhook-signature`.
    pub signatures: &'r str,
    /// The body, byte by byte as it came.
    pub body: &'r [u8],
}

impl Received<'_> {
    /// Whether this was sent by somebody with the secret, about now.
    ///
    /// # Errors
    /// See [`VerifyError`].
    pub fn verify(&self, secret: &str, now_s: u64) -> Result<(), VerifyError> {
        let secret = secret.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
        let secret = secret.filter(|bytes| SECRET_BYTES.contains(&bytes.len())).ok_or(VerifyError::Secret)?;
        let expected = signature(&secret, self.id, self.timestamp_s, self.body);
        let is_it =
            |sent: &str| bool::from(subtle::ConstantTimeEq::ct_eq(sent.as_bytes(), expected.as_bytes()));
        if !self.signatures.split(' ').any(is_it) {
            return Err(VerifyError::Signature);
        }
        match now_s.abs_diff(self.timestamp_s) {
            0..=TOLERANCE_S => Ok(()),
            apart => Err(VerifyError::Timestamp(apart)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Vec<u8> {
        STANDARD.decode(text).unwrap()
    }

    /// The vectors of the standard's text and of its reference libraries.
    #[test]
    fn messages_are_signed_as_the_standard_says() {
        let vectors = [
            (
                "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
        ];
        for (secret, id, timestamp_s, body, expected) in vectors {
            assert_eq!(signature(&key(secret), id, timestamp_s, body.as_bytes()), expected);
            let signatures = format!("v1,AAAA v1a,x {expected}");
            let received = Received { id, timestamp_s, signatures: &signatures, body: body.as_bytes() };
            let secret = format!("{PREFIX}{secret}");
            assert_eq!(received.verify(&secret, timestamp_s + 300), Ok(()));
            assert_eq!(received.verify(&secret, timestamp_s + 301), Err(VerifyError::Timestamp(301)));
            assert_eq!(received.verify(&secret, timestamp_s - 301), Err(VerifyError::Timestamp(301)));
            let other = Received { body: b"{}", ..received };
            assert_eq!(other.verify(&secret, timestamp_s), Err(VerifyError::Signature));
            let other = Received { id: "msg_x", ..received };
            assert_eq!(other.verify(&secret, timestamp_s), Err(VerifyError::Signature));
        }
    }

    #[test]
    fn each_secret_in_use_signs() {
        let (one, two) = (WebhookSecret([1; 32]), WebhookSecret([2; 32]));
        let header = signatures([&one, &two].into_iter(), "msg_1", 7, b"{}");
        for secret in [one, two] {
            let received = Received { id: "msg_1", timestamp_s: 7, signatures: &header, body: b"{}" };
            assert_eq!(received.verify(&told(&secret), 7), Ok(()));
        }
        let other = Received { id: "msg_1", timestamp_s: 7, signatures: &header, body: b"{}" };
        assert_eq!(other.verify(&told(&WebhookSecret([3; 32])), 7), Err(VerifyError::Signature));
        for text in ["", "whsec_", "whsec_AAAA", "whsec_!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert_eq!(other.verify(text, 7), Err(VerifyError::Secret), "{text}");
        }
    }

    #[test]
    fn an_event_has_one_id_as_a_message() {
        let tenant = |name: &str| TenantId::new(name).unwrap();
        let id = message_id(&tenant("a"), "17-a1-00000000");
        assert_eq!(id, message_id(&tenant("a"), "17-a1-00000000"));
        assert_eq!(id.len(), "msg_".len() + 32);
        let others = [message_id(&tenant("b"), "17-a1-00000000"), message_id(&tenant("a1"), "7-a1-00000000")];
        assert!(!others.contains(&id));
    }
}

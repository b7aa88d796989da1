//! API keys as text: generation and parsing.
//!
//! A key is `hb_`, its id, `_`, 256 random bits, `_`, and a seal of all that. The registry keeps the bits' SHA-256 alone,
//! so the key itself is shown once and can be read nowhere.
//!
//! The seal is a checksum under a secret of the registry. It opens nothing: it tells texts that were once made here from
//! all others without a look into the registry, so strangers cannot use up the looks that valid keys need.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use hongbao_domain::{ApiKey, KeyId, Name, Scopes, TenantId, UserId};
use hongbao_store::{Registry, StoreError};

const PREFIX: &str = "hb_";
/// Of a whole key. What is longer is not worth a checksum.
const LENGTH: usize = PREFIX.len() + 16 + 1 + 64 + 1 + 2 * SEAL_BYTES;
/// Bytes of a seal: nobody tries 2^128 over a network.
const SEAL_BYTES: usize = 16;

/// What a new key is for.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Whose it is; None for the operator's.
    pub tenant: Option<TenantId>,
    /// The only user whom it may act for.
    pub user: Option<UserId>,
    /// For people, to tell keys apart.
    pub label: Name,
    /// What it may be used for.
    pub scopes: Scopes,
    /// From when on it is refused; None for never.
    pub expires_at_ms: Option<u64>,
}

impl NewKey {
    /// Makes it: what is to be kept in the registry whose seal this is, and the text that is shown once.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn make(self, seal: &Seal, now_ms: u64) -> Result<(ApiKey, String), getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let secret = hex(&secret);
        let key = ApiKey {
            id: KeyId::new(getrandom::u64()?),
            tenant: self.tenant,
            user: self.user,
            label: self.label,
            scopes: self.scopes,
            hash: Sha256::digest(&secret).into(),
            created_at_ms: now_ms,
            expires_at_ms: self.expires_at_ms,
            revoked_at_ms: None,
        };
        let text = seal.put_on(&format!("{PREFIX}{}_{secret}", key.id));
        Ok((key, text))
    }
}

/// What a registry's keys are sealed with. Cheap to clone.
#[derive(Clone)]
pub struct Seal(Hmac<Sha256>);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// That of a registry; the first who asks makes it.
    ///
    /// # Errors
    /// When the registry does not answer, or the operating system gives no randomness.
    pub async fn of(registry: &dyn Registry) -> Result<Self, StoreError> {
        let mut proposed = [0; 32];
        getrandom::fill(&mut proposed).map_err(|error| StoreError::Unavailable(error.into()))?;
        let secret = registry.seal(proposed).await?;
        Ok(Self::from_secret(&secret))
    }

    fn from_secret(secret: &[u8; 32]) -> Self {
        // As long as HMAC's block, so that it is taken as it is.
        let mut block = [0; 64];
        let (beginning, _) = block.split_at_mut(secret.len());
        beginning.copy_from_slice(secret);
        Self(Hmac::new(&block.into()))
    }

    fn on(&self, text: &str) -> String {
        let mac: [u8; 32] = self.0.clone().chain_update(text).finalize().into_bytes().into();
        let (seal, _) = mac.split_at(SEAL_BYTES);
        hex(seal)
    }

    fn put_on(&self, text: &str) -> String {
        format!("{text}_{}", self.on(text))
    }

    /// The id and the hash of the secret of a key as it is sent; None where it was not made here.
    pub(super) fn read(&self, text: &str) -> Option<(KeyId, [u8; 32])> {
        let (sealed, seal) = text.rsplit_once('_').filter(|_| text.len() == LENGTH)?;
        // Looked at first: whatever else is in a text of strangers is not worth reading.
        if !bool::from(self.on(sealed).as_bytes().ct_eq(seal.as_bytes())) {
            return None;
        }
        let (id, secret) = sealed.strip_prefix(PREFIX)?.split_once('_')?;
        Some((id.parse().ok()?, Sha256::digest(secret).into()))
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hongbao_domain::Scope;
    use hongbao_store::memory::MemoryRegistry;

    fn new_key() -> NewKey {
        NewKey {
            tenant: None,
            user: None,
            label: Name::new("ci").unwrap(),
            scopes: [Scope::Operator].into_iter().collect(),
            expires_at_ms: None,
        }
    }

    #[test]
    fn a_key_is_kept_without_its_secret() {
        let (new, seal) = (new_key(), Seal::from_secret(&[7; 32]));
        let (key, text) = new.clone().make(&seal, 7).unwrap();
        let (other, other_text) = new.make(&seal, 7).unwrap();
        assert_ne!((key.id, &text), (other.id, &other_text));
        assert_eq!((text.len(), &text[..3]), (LENGTH, "hb_"));
        assert_eq!(seal.read(&text), Some((key.id, key.hash)));
        let secret = &text[20..84];
        assert!(!format!("{key:?}{seal:?}").contains(secret));
    }

    #[test]
    fn only_what_was_sealed_here_is_read() {
        let seal = Seal::from_secret(&[7; 32]);
        let (_, text) = new_key().make(&seal, 7).unwrap();
        assert_eq!(Seal::from_secret(&[8; 32]).read(&text), None, "it was made elsewhere");
        for at in 0..text.len() {
            let digit = if &text[at..=at] == "0" { "1" } else { "0" };
            let other = format!("{}{digit}{}", &text[..at], &text[at + 1..]);
            assert_eq!(seal.read(&other), None, "{other}");
        }
        let cut = (0..text.len()).map(|length| text[..length].to_owned());
        let strange = ["_", "hb_", "hb_1_2_3", "钥匙_钥匙_钥匙"].map(str::to_owned);
        let more = [format!("{text}0"), format!(" {text}"), text.to_uppercase()];
        for other in cut.chain(strange).chain(more) {
            assert_eq!(seal.read(&other), None, "{other}");
        }
        let (prefix, id, secret) = (&text[..3], &text[3..19], &text[20..84]);
        for sealed in [
            format!("HB_{id}_{secret}"),
            format!("{prefix}{}_{secret}", "G".repeat(16)),
            format!("{prefix}{id}{secret}_"),
            format!("{prefix}{id}-{secret}"),
        ] {
            assert_eq!(seal.read(&seal.put_on(&sealed)), None, "{sealed}");
        }
    }

    #[tokio::test]
    async fn a_registry_has_one_seal_for_ever() {
        let registry = MemoryRegistry::new();
        let (_, text) = new_key().make(&Seal::of(&registry).await.unwrap(), 7).unwrap();
        assert!(Seal::of(&registry).await.unwrap().read(&text).is_some());
        assert!(Seal::of(&MemoryRegistry::new()).await.unwrap().read(&text).is_none());
    }
}

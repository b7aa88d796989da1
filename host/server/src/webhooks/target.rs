//! Where an endpoint may be: rules of its URL and of the addresses behind its name.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::special;

/// Longest URL, in bytes.
const MAX_URL_BYTES: usize = 2048;

/// Looks up the addresses of a name.
#[async_trait]
pub trait Names: Send + Sync + 'static {
    /// All addresses of a host's name.
    ///
    /// # Errors
    /// When the name has none, or nobody can be asked.
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// As the operating system looks names up.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// What the operator allows, and who looks names up.
#[derive(Clone)]
pub(super) struct Rules {
    pub(super) allow_private_addresses: bool,
    pub(super) allow_http: bool,
    pub(super) names: Arc<dyn Names>,
}

/// Why nothing is sent somewhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// The URL breaks a rule.
    #[error("{0}")]
    Url(String),
    /// An address is not one of the internet's.
    #[error("the address {address} is {what}, and this service sends to no such address")]
    Address {
        /// Which.
        address: IpAddr,
        /// What it is.
        what: &'static str,
    },
    /// The name has no address.
    #[error("the name {0} has no address")]
    NoAddress(String),
}

impl Rules {
    /// Reads a URL, and looks at it as far as that needs nobody else.
    pub(super) fn url(&self, text: &str) -> Result<Url, Refused> {
        let wrong = |why: &str| Err(Refused::Url(why.to_owned()));
        if text.len() > MAX_URL_BYTES {
            return wrong("a URL has at most 2048 bytes");
        }
        if text.chars().any(|one| one.is_control() || one.is_whitespace()) {
            // The standard would take them out, and send to what nobody wrote.
            return wrong("a URL has no white space and no control characters");
        }
        let url = Url::parse(text).map_err(|error| Refused::Url(format!("this is no URL: {error}")))?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            "http" => return wrong("the URL must begin with https://; the operator may allow http as well"),
            _ => return wrong("the URL must begin with https://"),
        }
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') && has_user(text) {
            return wrong("a URL has no user and no password; messages are signed");
        }
        if url.fragment().is_some() {
            return wrong("a URL has no #fragment, which is never sent");
        }
        match (url.port_or_known_default(), url.scheme()) {
            (Some(443 | 1024..), _) | (Some(80), "http") => {}
            _ => return wrong("the port must be 443, or 1024 or above: those below are of other services"),
        }
        match literal(&url) {
            Some(address) => self.address(address).map(|()| url),
            None => Ok(url),
        }
    }

    fn address(&self, address: IpAddr) -> Result<(), Refused> {
        match special(address) {
            Some(what) if !self.allow_private_addresses => Err(Refused::Address { address, what }),
            _ => Ok(()),
        }
    }

    /// The addresses of a name. Where one of them is not allowed, the name is not: which one is connected to would be
    /// chance.
    pub(super) async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, Refused> {
        let found = self.names.addresses(name).await;
        let found = found.map_err(|_| Refused::NoAddress(name.to_owned()))?;
        if found.is_empty() {
            return Err(Refused::NoAddress(name.to_owned()));
        }
        found.iter().try_for_each(|address| self.address(*address))?;
        Ok(found)
    }
}

/// Whether there is a user in front of the host, also an empty one.
fn has_user(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split(['/', '?', '#', '\\']).next().is_some_and(|authority| authority.contains('@'))
}

/// The address that a URL names itself, in whichever way it is written: as the standard reads it.
fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

/// Looks up every name that the client connects to, each time that it connects: what a name led to when the endpoint was
/// made may be another address by now.
impl Resolve for Rules {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = self.clone();
        Box::pin(async move {
            let found = rules.look_up(name.as_str()).await?;
            let addresses: Addrs = Box::new(found.into_iter().map(|address| (address, 0).into()));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<IpAddr>);

    #[async_trait]
    impl Names for Fixed {
        async fn addresses(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
            Ok(self.0.clone())
        }
    }

    fn rules(addresses: &[&str]) -> Rules {
        let names = Fixed(addresses.iter().map(|text| text.parse().unwrap()).collect());
        Rules { allow_private_addresses: false, allow_http: false, names: Arc::new(names) }
    }

    #[test]
    fn a_url_is_one_of_a_public_service() {
        let strict = rules(&[]);
        for good in [
            "https://example.com",
            "https://example.com:443/a?b=c",
            "https://example.com:8443/a@b",
            "https://1.1.1.1/",
            "https://[2606:4700::1111]:1024/",
            "https://例え.jp/",
        ] {
            assert!(strict.url(good).is_ok(), "{good}: {:?}", strict.url(good));
        }
        for (bad, why) in [
            ("example.com", "no URL"),
            ("https://", "no URL"),
            ("ftp://example.com", "must begin with https"),
            ("http://example.com", "the operator may allow http"),
            ("https://user@example.com", "no user"),
            ("https://user:secret@example.com", "no user"),
            ("https://@example.com/", "no user"),
            ("https://:@example.com/", "no user"),
            ("https://example.com/#a", "#fragment"),
            ("https://example.com/a b", "no white space"),
            ("https://exam\nple.com/", "no white space"),
            ("https://example.com:22", "port"),
            ("https://example.com:80", "port"),
            ("https://example.com:0", "port"),
            ("https://127.0.0.1/", "loopback"),
            ("https://127.1/", "loopback"),
            ("https://2130706433/", "loopback"),
            ("https://0x7f.1/", "loopback"),
            ("https://0177.0.0.1/", "loopback"),
            ("https://127.0.0.1./", "loopback"),
            ("https://１２７.0.0.1/", "loopback"),
            ("https://[::1]/", "loopback"),
            ("https://[::ffff:7f00:1]/", "loopback"),
            ("https://169.254.169.254/latest/meta-data", "link-local"),
        ] {
            let refused = strict.url(bad).expect_err(bad).to_string();
            assert!(refused.contains(why), "{bad}: {refused}");
        }
        assert!(strict.url(&format!("https://example.com/{}", "a".repeat(2048))).is_err());
        let open = Rules { allow_private_addresses: true, allow_http: true, ..rules(&[]) };
        for good in ["http://127.0.0.1:8080", "http://localhost", "https://10.0.0.1"] {
            assert!(open.url(good).is_ok(), "{good}");
        }
        assert!(open.url("http://127.0.0.1:25").is_err());
    }

    #[tokio::test]
    async fn a_name_is_refused_for_any_of_its_addresses() {
        let found = rules(&["1.1.1.1", "2606:4700::1111"]).look_up("a").await;
        assert_eq!(found.unwrap().len(), 2);
        let refused = rules(&["1.1.1.1", "10.0.0.7"]).look_up("a").await.unwrap_err();
        assert_eq!(refused, Refused::Address { address: "10.0.0.7".parse().unwrap(), what: "private" });
        assert_eq!(rules(&[]).look_up("a").await, Err(Refused::NoAddress("a".into())));
        let open = Rules { allow_private_addresses: true, ..rules(&["10.0.0.7"]) };
        assert!(open.look_up("a").await.is_ok());
    }
}

//! Parsing of Redis URLs.
//!
//! The forms are those of the field: `redis://` as every client has it, `redis+sentinel://` and
//! `redis+cluster://` with the hosts separated by commas, each with `rediss` for TLS. What is not
//! understood is refused.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use redis::io::tcp::TcpSettings;
use redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion, RedisConnectionInfo,
    RedisResult,
};

use super::OpenError;
use super::tls::Files;

/// The port of a sentinel where none is given.
const SENTINEL_PORT: u16 = 26_379;

/// A URL that was understood. Has no `Debug`, since it knows passwords.
pub(super) struct Address {
    pub place: Place,
    /// What every key begins with.
    pub namespace: String,
}

/// Where the servers are, and how they are connected to.
pub(super) struct Place {
    pub servers: Servers,
    /// None where TLS is not wanted.
    pub tls: Option<Files>,
}

/// Where the servers are.
pub(super) enum Servers {
    Single(ConnectionInfo),
    Sentinel(Sentinels),
    Cluster(Vec<ConnectionInfo>),
}

/// A master that is found by asking sentinels.
pub(super) struct Sentinels {
    pub nodes: Vec<ConnectionInfo>,
    /// What they call the master.
    pub name: String,
    /// User, password and database, for whichever server is the master.
    pub master: RedisConnectionInfo,
}

/// The parts of a URL, still as text.
struct Parts<'a> {
    is_tls: bool,
    login: Option<&'a str>,
    hosts: Vec<&'a str>,
    path: Vec<&'a str>,
    namespace: Option<&'a str>,
    /// User and password for the sentinels, which may differ from the servers'.
    sentinel_login: (Option<&'a str>, Option<&'a str>),
    authorities: Option<&'a str>,
    certificate: Option<&'a str>,
    key: Option<&'a str>,
}

impl Address {
    /// # Errors
    /// [`OpenError::Url`], which says what is wrong and never what the password is.
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let (is_tls, kind) = match scheme.split_once('+').unwrap_or((scheme, "")) {
            ("redis", kind) => (false, kind),
            ("rediss", kind) => (true, kind),
            _ => return Err(unknown_scheme()),
        };
        let of_kind = match kind {
            "" if !scheme.contains('+') => Parts::single,
            "sentinel" => Parts::sentinel,
            "cluster" => Parts::cluster,
            _ => return Err(unknown_scheme()),
        };
        let parts = Parts::of(rest, is_tls)?;
        let (namespace, tls) = (parts.namespace()?, parts.tls()?);
        Ok(Self { place: Place { servers: of_kind(&parts)?, tls }, namespace })
    }

    /// A key that every attempt to connect writes to, to see that it may.
    pub(super) fn probe(&self) -> String {
        format!("{}:", self.namespace)
    }
}

fn unknown_scheme() -> OpenError {
    wrong(
        "it has to begin with redis://, redis+sentinel:// or redis+cluster://, or with rediss instead of \
         redis for TLS",
    )
}

impl Place {
    pub(super) const fn is_cluster(&self) -> bool {
        matches!(self.servers, Servers::Cluster(_))
    }

    /// The addresses, for messages.
    pub(super) fn name(&self) -> String {
        match &self.servers {
            Servers::Single(node) => node.addr().to_string(),
            Servers::Sentinel(Sentinels { nodes, name, .. }) => {
                format!("{name} (sentinels {})", names(nodes))
            }
            Servers::Cluster(nodes) => names(nodes),
        }
    }
}

fn names(nodes: &[ConnectionInfo]) -> String {
    let names: Vec<_> = nodes.iter().map(|node| node.addr().to_string()).collect();
    names.join(",")
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str, is_tls: bool) -> Result<Self, OpenError> {
        if rest.contains('#') {
            return Err(wrong("it has a part after #; a # in a password is written %23"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        let mut parts = Self {
            is_tls,
            login,
            hosts: hosts.split(',').collect(),
            path: path.split('/').filter(|part| !part.is_empty()).collect(),
            namespace: None,
            sentinel_login: (None, None),
            authorities: None,
            certificate: None,
            key: None,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "namespace" => parts.namespace = Some(value),
                "sentinel_username" => parts.sentinel_login.0 = Some(value),
                "sentinel_password" => parts.sentinel_login.1 = Some(value),
                "cacert" => parts.authorities = Some(value),
                "cert" => parts.certificate = Some(value),
                "key" => parts.key = Some(value),
                _ => return Err(wrong(&format!("it has no parameter named {name}"))),
            }
        }
        Ok(parts)
    }

    fn namespace(&self) -> Result<String, OpenError> {
        let name = self.namespace.unwrap_or("hongbao");
        // Neither braces, which mark the hash tag, nor what has a meaning in a pattern of SCAN.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        if name.is_empty() || name.len() > 128 || !name.bytes().all(is_plain) {
            return Err(wrong("a namespace has 1 to 128 letters, digits, _, -, . and :"));
        }
        Ok(name.to_owned())
    }

    /// The files of TLS, if it is wanted.
    fn tls(&self) -> Result<Option<Files>, OpenError> {
        let names = [self.authorities, self.certificate, self.key];
        if !self.is_tls {
            return match names {
                [None, None, None] => Ok(None),
                _ => Err(wrong("cacert, cert and key are for TLS, so it has to begin with rediss")),
            };
        }
        let [authorities, certificate, key] = names.map(|name| name.map(file).transpose());
        let identity = match (certificate?, key?) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(wrong("a client certificate is two files: cert and key")),
        };
        Ok(Some(Files { authorities: authorities?, identity }))
    }

    fn single(&self) -> Result<Servers, OpenError> {
        self.no_sentinel_login()?;
        let ([host], [] | [_]) = (self.hosts.as_slice(), self.path.as_slice()) else {
            return Err(wrong(
                "redis:// takes one host and one number of a database; several hosts are \
                 redis+sentinel:// or redis+cluster://",
            ));
        };
        self.node(self.login, host, self.path.first().copied()).map(Servers::Single)
    }

    fn sentinel(&self) -> Result<Servers, OpenError> {
        let ([name] | [name, _]) = self.path.as_slice() else {
            return Err(wrong("after the sentinels comes the name of the master, such as /mymaster"));
        };
        let login = match self.sentinel_login {
            (None, None) => None,
            (user, password) => Some([user.unwrap_or(""), ":", password.unwrap_or("")].concat()),
        };
        let sentinel = |host: &&str| {
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
            let host = if has_port { (*host).to_owned() } else { format!("{host}:{SENTINEL_PORT}") };
            self.node(login.as_deref(), &host, None)
        };
        let nodes = self.hosts.iter().map(sentinel).collect::<Result<_, _>>()?;
        let master = self.node(self.login, "localhost", self.path.get(1).copied())?;
        let master = master.redis_settings().clone();
        Ok(Servers::Sentinel(Sentinels { nodes, name: (*name).to_owned(), master }))
    }

    fn cluster(&self) -> Result<Servers, OpenError> {
        self.no_sentinel_login()?;
        if !self.path.is_empty() {
            return Err(wrong("a cluster has no databases, so nothing comes after its hosts"));
        }
        let nodes = self.hosts.iter().map(|host| self.node(self.login, host, None));
        nodes.collect::<Result<_, _>>().map(Servers::Cluster)
    }

    fn no_sentinel_login(&self) -> Result<(), OpenError> {
        match self.sentinel_login {
            (None, None) => Ok(()),
            _ => Err(wrong("sentinel_username and sentinel_password are for redis+sentinel://")),
        }
    }

    /// One server, through the client's own parser: it knows percent signs, IPv6 and the rest.
    fn node(
        &self,
        login: Option<&str>,
        host: &str,
        database: Option<&str>,
    ) -> Result<ConnectionInfo, OpenError> {
        let bad =
            |_| wrong("a host is written name:port, and what is special in a password is percent-encoded");
        if database.is_some_and(|database| database.parse::<u32>().is_err()) {
            return Err(wrong("after the host comes the number of a database, such as /0"));
        }
        let login = login.map(|login| [login, "@"].concat()).unwrap_or_default();
        let (database, scheme) = (database.unwrap_or("0"), if self.is_tls { "rediss" } else { "redis" });
        let info: ConnectionInfo = format!("{scheme}://{login}{host}/{database}").parse().map_err(bad)?;
        let settings = info.redis_settings().clone();
        let settings =
            settings.set_protocol(ProtocolVersion::RESP2).set_lib_name("hongbao", env!("CARGO_PKG_VERSION"));
        Ok(info.set_redis_settings(settings).set_tcp_settings(tcp()))
    }
}

/// A server that sentinels named.
pub(super) fn node_at(host: &str, port: u16, is_tls: bool) -> RedisResult<ConnectionInfo> {
    let host = host.to_owned();
    let address = match is_tls {
        true => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        false => ConnectionAddr::Tcp(host, port),
    };
    address.into_connection_info()
}

/// The path of a file, percent-encoded where it has characters that are special in a URL.
fn file(text: &str) -> Result<PathBuf, OpenError> {
    let path = percent_decode_str(text).decode_utf8();
    let path = path.map_err(|_| wrong("the path of a file is not UTF-8"))?;
    if path.is_empty() {
        return Err(wrong("cacert, cert and key are paths of files, and one of them is empty"));
    }
    Ok(PathBuf::from(path.as_ref()))
}

/// A command is small and waits for an answer: it must not be held back for more to come.
pub(super) fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

fn wrong(reason: &str) -> OpenError {
    OpenError::Url { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(url: &str) -> String {
        Address::parse(url).err().expect("refused").to_string()
    }

    #[test]
    fn one_server_has_a_login_a_database_and_a_namespace() {
        let address = Address::parse("redis://bob:p%40ss@cache:7000/3?namespace=shop:1").unwrap();
        let Servers::Single(node) = address.place.servers else { panic!("one server") };
        assert_eq!(node.addr().to_string(), "cache:7000");
        let settings = node.redis_settings();
        assert_eq!((settings.username(), settings.password(), settings.db()), (Some("bob"), Some("p@ss"), 3));
        assert_eq!(address.namespace, "shop:1");
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let address = Address::parse("redis://cache").unwrap();
        assert_eq!((address.place.name().as_str(), address.namespace.as_str()), ("cache:6379", "hongbao"));
        let address = Address::parse("redis+sentinel://a,[::1],b:1/main").unwrap();
        assert_eq!(address.place.name(), "main (sentinels a:26379,::1:26379,b:1)");
    }

    #[test]
    fn tls_is_for_every_kind_of_server_and_its_files_are_parameters() {
        let url = "rediss://cache?cacert=/etc/my%20roots.pem&cert=own.pem&key=own.key";
        let Place { servers: Servers::Single(node), tls } = Address::parse(url).unwrap().place else {
            panic!("one server")
        };
        assert!(matches!(node.addr(), ConnectionAddr::TcpTls { insecure: false, .. }));
        let files = Files {
            authorities: Some("/etc/my roots.pem".into()),
            identity: Some(("own.pem".into(), "own.key".into())),
        };
        assert_eq!(tls, Some(files));
        for url in ["rediss+sentinel://a,b/main", "rediss+cluster://a,b"] {
            let place = Address::parse(url).unwrap().place;
            assert_eq!(place.tls, Some(Files::default()), "{url}");
            let nodes = match place.servers {
                Servers::Sentinel(sentinels) => sentinels.nodes,
                Servers::Cluster(nodes) => nodes,
                Servers::Single(_) => panic!("several servers"),
            };
            assert!(nodes.iter().all(|node| matches!(node.addr(), ConnectionAddr::TcpTls { .. })));
        }
        assert_eq!(Address::parse("redis://cache").unwrap().place.tls, None);
    }

    #[test]
    fn sentinels_and_the_master_have_logins_of_their_own() {
        let url = "redis+sentinel://:secret@a:1,b:2/main/4?sentinel_password=other";
        let Servers::Sentinel(sentinels) = Address::parse(url).unwrap().place.servers else {
            panic!("sentinels")
        };
        assert_eq!(names(&sentinels.nodes), "a:1,b:2");
        assert_eq!(sentinels.name, "main");
        assert_eq!((sentinels.master.password(), sentinels.master.db()), (Some("secret"), 4));
        assert!(sentinels.nodes.iter().all(|node| node.redis_settings().password() == Some("other")));
    }

    #[test]
    fn a_cluster_has_several_hosts_and_one_login() {
        let url = "redis+cluster://bob:secret@a:1,b:2,c:3";
        let Servers::Cluster(nodes) = Address::parse(url).unwrap().place.servers else { panic!("a cluster") };
        assert_eq!(names(&nodes), "a:1,b:2,c:3");
        assert!(nodes.iter().all(|node| node.redis_settings().password() == Some("secret")));
    }

    #[test]
    fn what_is_not_understood_is_refused_and_no_password_is_told() {
        let cases = [
            ("redis+tls://:secret@cache", "has to begin with redis://"),
            ("redis+://:secret@cache", "has to begin with redis://"),
            ("redis://:secret@cache?cacert=/x", "has to begin with rediss"),
            ("rediss://:secret@cache?cert=/x", "two files"),
            ("rediss://:secret@cache?cert=/x&key=", "one of them is empty"),
            ("rediss://:secret@cache#insecure", "%23"),
            ("memcached://:secret@cache", "has to begin with redis://"),
            ("cache:6379", "has to begin with redis://"),
            ("redis://:secret@a:1,b:2", "several hosts"),
            ("redis://:secret@a/0/1", "one number of a database"),
            ("redis://:secret@a/first", "number of a database"),
            ("redis://:secret@a:port", "name:port"),
            ("redis://:secret@", "name:port"),
            ("redis://:sec#ret@a", "%23"),
            ("redis://:secret@a?timeout=1", "no parameter named timeout"),
            ("redis://:secret@a?namespace=a*", "a namespace has"),
            ("redis://:secret@a?namespace=", "a namespace has"),
            ("redis://:secret@a?sentinel_password=secret", "are for redis+sentinel://"),
            ("redis+sentinel://:secret@a", "the name of the master"),
            ("redis+sentinel://:secret@a/main/first", "number of a database"),
            ("redis+cluster://:secret@a/1", "a cluster has no databases"),
        ];
        for (url, expected) in cases {
            let said = reason(url);
            assert!(said.contains(expected), "{url}: {said}");
            assert!(!said.contains("secret") && !said.contains("sec#ret"), "{said}");
        }
    }
}

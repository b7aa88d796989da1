//! TLS: to one server, through sentinels, to a cluster; and everything that can be wrong with it.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use hongbao_host::store::Events as _;
use hongbao_host::store::redis::{OpenError, RedisEvents};
use hongbao_tests::servers::{Redis, RedisCluster, RedisSentinel, ServerTls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;

use super::*;

/// An authority and what it has issued, as files.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key.
#[derive(Clone)]
struct Issued {
    certificate: PathBuf,
    key: PathBuf,
}

fn params(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { folder: TempDir::new().unwrap(), issuer };
        fs::write(authority.file(), authority.issuer.pem()).unwrap();
        authority
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    fn issue(&self, name: &str, params: &CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |kind: &str, text: String| {
            let file = self.folder.path().join(format!("{name}.{kind}"));
            fs::write(&file, text).unwrap();
            file
        };
        Issued { certificate: file("pem", certificate.pem()), key: file("key", key.serialize_pem()) }
    }

    /// For a server of this machine.
    fn local(&self) -> Issued {
        self.issue("local", &params("local", &["127.0.0.1", "localhost"]))
    }
}

impl Issued {
    fn server(&self, authority: &Authority, wants_clients: bool) -> ServerTls {
        let (certificate, key) = (self.certificate.clone(), self.key.clone());
        ServerTls { certificate, key, authority: authority.file(), wants_clients }
    }
}

fn encoded(file: &Path) -> String {
    file.display().to_string().replace('%', "%25").replace(' ', "%20")
}

/// A URL that trusts this file.
fn trusting(url: &str, file: &Path) -> String {
    format!("{url}?cacert={}", encoded(file))
}

fn with_identity(url: &str, issued: &Issued) -> String {
    format!("{url}&cert={}&key={}", encoded(&issued.certificate), encoded(&issued.key))
}

/// The error's code and sentence. Where the process may start without its cache, a mistake is refused
/// as well; what time may mend is not.
async fn refused(url: &str, is_mistake: bool) -> (&'static str, String) {
    let error: OpenError = RedisCounter::connect(url).await.err().expect("refused");
    let joined = RedisCounter::join(url).await;
    match joined {
        Err(again) => {
            assert!(is_mistake, "{again}");
            assert_eq!((again.code(), again.to_string()), (error.code(), error.to_string()));
        }
        Ok(counter) => {
            assert!(!is_mistake, "{error}");
            assert_ne!(counter.health(), Some(Report::OK));
        }
    }
    (error.code(), error.to_string())
}

async fn serves(counter: &RedisCounter, number: u128) {
    let key = packet(number);
    healed("a server", async || counter.open(&key, opening(3), NOW).await).await;
    assert_eq!(take(counter, &key, "alice").await, Swapped::Won(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_a_certificate_of_a_trusted_authority() {
    let authority = Authority::new("ours");
    let server = Redis::start_with_tls(&authority.local().server(&authority, false), &[]);
    for url in [server.url(), server.url().replace("127.0.0.1", "localhost")] {
        let url = trusting(&url, &authority.file());
        let counter = connect(&url).await;
        serves(&counter, 1).await;
        counter.clear().await.unwrap();
        let events = RedisEvents::connect(&url).await.unwrap();
        let room = hongbao_host::domain::Name::new("room").unwrap();
        let room = hongbao_host::domain::RoomKey { tenant: TenantId::default(), room };
        let mut listener = events.listen(&room).await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), listener.changed()).await.unwrap().unwrap();
    }
    let url = trusting(&server.url(), &authority.file());
    let counter = connect(&url).await;
    serves(&counter, 1).await;
    server.restart();
    serves(&counter, 2).await;
    let (code, said) = refused(&server.url().replace("rediss:", "redis:"), true).await;
    assert!(code == "counter-tls" && said.contains("begin with rediss"), "{code}: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_certificate_is_not_accepted() {
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let expired = {
        let mut params = params("expired", &["127.0.0.1"]);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        ours.issue("expired", &params)
    };
    let future = {
        let mut params = params("future", &["127.0.0.1"]);
        params.not_before = date_time_ymd(2999, 1, 1);
        params.not_after = date_time_ymd(3000, 1, 1);
        ours.issue("future", &params)
    };
    let other_name = ours.issue("other", &params("other", &["elsewhere.example", "10.1.2.3"]));
    let itself = {
        let mut params = params("itself", &["127.0.0.1"]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ours.issue("itself", &params)
    };
    let cases = [
        (&others.local(), "issued by nobody who is trusted", true),
        (&expired, "has expired", false),
        (&future, "not valid yet", false),
        (&other_name, "for another name", true),
        (&itself, "is that of an authority", true),
    ];
    for (issued, expected, is_mistake) in cases {
        let server = Redis::start_with_tls(&issued.server(&ours, false), &[]);
        let (code, said) = refused(&trusting(&server.url(), &ours.file()), is_mistake).await;
        assert!(code == "counter-tls" && said.contains(expected), "{code}: {said}");
        let sentinels = format!("{}/main", server.url().replace("rediss:", "rediss+sentinel:"));
        let (code, said) = refused(&trusting(&sentinels, &ours.file()), is_mistake).await;
        assert!(code == "counter-tls" && said.contains(expected), "{code}: {said}");
        let cluster = server.url().replace("rediss:", "rediss+cluster:");
        let (code, said) = refused(&trusting(&cluster, &ours.file()), is_mistake).await;
        assert!(code == "counter-tls" && said.contains(expected), "{code}: {said}");
    }
    // The system's authorities are trusted where no file is named, and ours is none of them.
    let server = Redis::start_with_tls(&ours.local().server(&ours, false), &[]);
    let (code, said) = refused(&server.url(), true).await;
    assert!(said.contains("issued by nobody") || code == "counter-certificate", "{code}: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_speaks_no_tls() {
    let authority = Authority::new("ours");
    let server = Redis::start();
    let url = trusting(&server.url().replace("redis:", "rediss:"), &authority.file());
    let (code, said) = refused(&url, true).await;
    assert!(code == "counter-tls" && said.contains("speaks no TLS"), "{code}: {said}");
    server.kill();
    let (code, said) = refused(&url, false).await;
    assert_eq!(code, "counter-unreachable", "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_wants_a_client_certificate() {
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let server = Redis::start_with_tls(&ours.local().server(&ours, true), &[]);
    let url = trusting(&server.url(), &ours.file());
    let (code, said) = refused(&url, true).await;
    assert!(code == "counter-tls" && said.contains("demands a client certificate"), "{code}: {said}");
    let (code, said) = refused(&with_identity(&url, &others.local()), true).await;
    assert!(code == "counter-tls" && said.contains("refuses the client certificate"), "{code}: {said}");
    let client = ours.issue("client", &params("client", &[]));
    serves(&*connect(&with_identity(&url, &client)).await, 1).await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let ours = Authority::new("ours");
    // Nobody has to be there: the files are looked at first.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("rediss://:secret@{free}");
    let (one, other) = (ours.local(), ours.issue("other", &params("other", &[])));
    let text = ours.folder.path().join("no certificate.pem");
    fs::write(&text, "this is no PEM").unwrap();
    let missing = ours.folder.path().join("missing.pem");
    let trusted = trusting(&url, &ours.file());
    let mixed = Issued { certificate: one.certificate.clone(), key: other.key };
    let no_key = Issued { certificate: one.certificate.clone(), key: one.certificate.clone() };
    let cases = [
        (trusting(&url, &missing), "missing.pem: it cannot be read"),
        (trusting(&url, &text), "no certificate.pem: it holds no certificate"),
        (with_identity(&trusted, &Issued { certificate: text, ..one.clone() }), "it holds no certificate"),
        (with_identity(&trusted, &Issued { key: missing, ..one.clone() }), "missing.pem: it cannot be read"),
        (with_identity(&trusted, &mixed), "it is not the key of the certificate"),
        (with_identity(&trusted, &no_key), "it holds no private key"),
    ];
    for (url, expected) in cases {
        let (code, said) = refused(&url, true).await;
        assert!(code == "counter-certificate" && said.contains(expected), "{code}: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_sentinels_name_is_reached_by_tls_too() {
    let ours = Authority::new("ours");
    let servers = RedisSentinel::start_with_tls(&ours.local().server(&ours, false));
    let sentinels: Vec<_> = servers.sentinels().iter().map(|one| one.address().to_string()).collect();
    let url = format!("rediss+sentinel://{}/{}", sentinels.join(","), RedisSentinel::NAME);
    let counter = connect(&trusting(&url, &ours.file())).await;
    serves(&counter, 1).await;
    servers.kill_master();
    serves(&counter, 2).await;
    let plain = url.replace("rediss", "redis");
    let (code, said) = refused(&plain, true).await;
    assert!(code == "counter-tls" && said.contains("begin with rediss"), "{code}: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_reached_by_tls_at_every_node() {
    let ours = Authority::new("ours");
    let cluster = RedisCluster::start_with_tls(&ours.local().server(&ours, false));
    let nodes: Vec<_> = cluster.nodes().iter().map(|node| node.address().to_string()).collect();
    // The other nodes are found by the first.
    let url = trusting(&format!("rediss+cluster://{}", nodes[0]), &ours.file());
    let counter = connect(&url).await;
    for number in 0..12 {
        serves(&counter, number).await;
    }
    assert!(cluster.nodes().iter().all(|node| node.cli(&["dbsize"]) != "0"), "packets are on every node");
    counter.check().await.unwrap();
    let (code, said) = refused(&format!("redis+cluster://{}", nodes[0]), true).await;
    assert!(code == "counter-tls" && said.contains("begin with rediss"), "{code}: {said}");
}

//! TLS to PostgreSQL: each mode of libpq, and each thing that can be wrong, by a code and a sentence.

use std::fs;
use std::path::PathBuf;

use hongbao_host::domain::TenantId;
use hongbao_host::store::postgres::{PostgresLedger, Schema};
use hongbao_host::store::prelude::*;
use hongbao_tests::chat::{amount, user};
use hongbao_tests::servers::{Postgres, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

use super::books::fund;

/// An authority, and files of what it signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    folder: tempfile::TempDir,
}

/// A certificate and its key, in PEM.
struct Signed {
    certificate: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem, folder: tempfile::tempdir().unwrap() }
    }

    fn sign(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Signed {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Signed { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        fs::write(&file, text).unwrap();
        file
    }

    fn root(&self) -> String {
        format!("sslrootcert={}", self.file("root.crt", &self.pem).display())
    }
}

fn serve(signed: &Signed, authority: Option<&Authority>, rules: &str) -> Postgres {
    let files = TlsFiles {
        certificate: signed.certificate.clone(),
        key: signed.key.clone(),
        authority: authority.map(|authority| authority.pem.clone()),
    };
    Postgres::start_tls(&files, rules)
}

const ONLY_TLS: &str = "hostssl all all 127.0.0.1/32 trust\nhostnossl all all 127.0.0.1/32 reject\n";

/// A URL of this server by the name `localhost`, with parameters.
fn at(server: &Postgres, parameters: &str) -> String {
    // The address is said as well: where a name has two, the fault of the last one would be told.
    format!("postgres://postgres@localhost:{}/postgres?hostaddr=127.0.0.1&{parameters}", server.port())
}

async fn accepted(url: &str) -> PostgresLedger {
    if let Err(error) = PostgresLedger::migrate(url).await {
        panic!("{url}: {} {error}", error.code());
    }
    PostgresLedger::open(url).await.unwrap()
}

async fn refused(url: &str, code: &str, words: &str) {
    for refused in [PostgresLedger::open(url).await.err(), PostgresLedger::migrate(url).await.err()] {
        let refused = refused.unwrap_or_else(|| panic!("{url} was accepted"));
        let told = refused.to_string();
        assert_eq!(refused.code(), code, "{url}: {told}");
        assert!(told.contains(words) && !told.contains('\n') && !told.contains("secret"), "{url}: {told}");
    }
}

/// Whether sessions of this name are encrypted.
fn encrypted(server: &Postgres, name: &str) -> String {
    let sessions =
        "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name";
    server.psql("postgres", &format!("{sessions} = '{name}'"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mode_encrypts_as_far_as_it_says() {
    let authority = Authority::new("the authority");
    let server = serve(&authority.sign("localhost", |_| {}), None, "host all all 127.0.0.1/32 trust\n");
    let root = authority.root();
    let modes = [
        ("sslmode=disable".to_owned(), "f"),
        (String::new(), "t"),
        ("sslmode=prefer".to_owned(), "t"),
        ("sslmode=require".to_owned(), "t"),
        (format!("sslmode=prefer&{root}"), "t"),
        (format!("sslmode=require&{root}"), "t"),
        (format!("sslmode=verify-ca&{root}"), "t"),
        (format!("sslmode=verify-full&{root}"), "t"),
    ];
    for (number, (parameters, is_encrypted)) in modes.into_iter().enumerate() {
        let name = format!("mode_{number}");
        let ledger = accepted(&at(&server, &format!("application_name={name}&{parameters}"))).await;
        fund(&ledger, "alice", 1).await;
        assert_eq!(encrypted(&server, &name), is_encrypted, "{parameters}");
    }
    let keywords = format!(
        "host=localhost port={} user=postgres dbname=postgres sslmode=verify-full {}",
        server.port(),
        root.replace('=', " = '") + "'"
    );
    assert_eq!(
        accepted(&keywords).await.balance(&TenantId::default(), &user("alice")).await.unwrap(),
        amount(8)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_used_where_that_is_allowed_and_named_where_not() {
    let server = Postgres::start_with(&["-c", "fsync=off"]);
    assert_eq!(PostgresLedger::migrate(&at(&server, "")).await.unwrap(), Schema::Missing);
    PostgresLedger::open(&at(&server, "sslmode=prefer")).await.unwrap();
    for mode in ["require", "verify-ca", "verify-full"] {
        let root = Authority::new("the authority");
        refused(
            &at(&server, &format!("sslmode={mode}&{}", root.root())),
            "ledger-tls-not-offered",
            "has no TLS",
        )
        .await;
    }
    refused(
        &at(&server, "channel_binding=require&sslmode=prefer"),
        "ledger-tls-channel-binding",
        "channel_binding",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_servers_certificate_has_a_code() {
    let (authority, other) = (Authority::new("the authority"), Authority::new("another"));
    let root = authority.root();
    let expired = authority.sign("localhost", |params| params.not_after = date_time_ymd(2001, 1, 1));
    let early = authority.sign("localhost", |params| params.not_before = date_time_ymd(2099, 1, 1));
    let elsewhere = authority.sign("elsewhere.example", |_| {});
    let stranger = other.sign("localhost", |_| {});
    for (signed, code, by_authority_alone) in [
        (&expired, "ledger-tls-expired", false),
        (&early, "ledger-tls-expired", false),
        (&elsewhere, "ledger-tls-name", true),
        (&stranger, "ledger-tls-unknown-issuer", false),
    ] {
        let server = serve(signed, None, ONLY_TLS);
        refused(&at(&server, &format!("sslmode=verify-full&{root}")), code, "certificate").await;
        for mode in ["verify-ca", "require", "prefer"] {
            let url = at(&server, &format!("sslmode={mode}&{root}"));
            if by_authority_alone {
                accepted(&url).await;
            } else {
                refused(&url, code, "certificate").await;
            }
        }
        accepted(&at(&server, "sslmode=require")).await;
    }
    let server = serve(&authority.sign("localhost", |_| {}), None, ONLY_TLS);
    refused(&at(&server, "sslrootcert=system"), "ledger-tls-unknown-issuer", "sslrootcert").await;
    refused(&at(&server, "sslmode=verify-ca"), "ledger-tls-unknown-issuer", "sslrootcert").await;
    refused(&at(&server, "sslmode=disable"), "ledger-not-admitted", "no encryption").await;
    // An address is a name like others.
    let by_address = at(&server, &format!("sslmode=verify-full&{root}")).replace("localhost", "127.0.0.1");
    refused(&by_address, "ledger-tls-name", "certificate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_signed_itself_may_be_its_own_authority() {
    for is_authority in [false, true] {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        if is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().unwrap();
        let signed =
            Signed { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() };
        let server = serve(&signed, None, ONLY_TLS);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.crt");
        // With the mark that some editors put before a text.
        fs::write(&file, format!("\u{feff}{}", signed.certificate)).unwrap();
        accepted(&at(&server, &format!("sslmode=verify-full&sslrootcert={}", file.display()))).await;
        let by_address = at(&server, &format!("sslmode=verify-full&sslrootcert={}", file.display()));
        refused(&by_address.replace("localhost", "127.0.0.1"), "ledger-tls-name", "certificate").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_shows_its_certificate_where_the_server_wants_one() {
    let (authority, other) = (Authority::new("the authority"), Authority::new("another"));
    let rules = "hostssl all all 127.0.0.1/32 cert\n";
    let server = serve(&authority.sign("localhost", |_| {}), Some(&authority), rules);
    let root = authority.root();
    let identity = |by: &Authority, name: &str| {
        let signed = by.sign(name, |_| {});
        let (certificate, key) =
            (by.file("client.crt", &signed.certificate), by.file("client.key", &signed.key));
        format!("sslmode=verify-full&{root}&sslcert={}&sslkey={}", certificate.display(), key.display())
    };
    accepted(&at(&server, &identity(&authority, "postgres"))).await;
    let code = "ledger-tls-client-certificate";
    refused(&at(&server, &format!("sslmode=verify-full&{root}")), code, "sslcert").await;
    refused(&at(&server, &identity(&authority, "somebody")), code, "sslcert").await;
    // The server hangs up on a stranger, and may do so before its reason has arrived.
    let stranger = PostgresLedger::open(&at(&server, &identity(&other, "postgres"))).await.err();
    let told = stranger.map(|error| error.code()).unwrap_or_default();
    assert!([code, "ledger-unavailable"].contains(&told), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_bound_to_its_connection() {
    let authority = Authority::new("the authority");
    let server = serve(&authority.sign("localhost", |_| {}), None, "host all all 127.0.0.1/32 trust\n");
    server.require_password("secret");
    let url = |parameters: &str| at(&server, parameters).replace("postgres@", "postgres:secret@");
    accepted(&url("channel_binding=require&sslmode=require")).await;
    accepted(&url("channel_binding=disable&sslmode=require")).await;
    accepted(&url("sslmode=disable")).await;
    refused(&url("channel_binding=require&sslmode=disable"), "ledger-tls-channel-binding", "channel_binding")
        .await;
    refused(&url("channel_binding=sometimes"), "ledger-url", "channel_binding").await;
}

#[tokio::test]
async fn parameters_and_files_that_cannot_be_used_are_named_without_connecting() {
    let authority = Authority::new("the authority");
    let (one, two) = (authority.sign("postgres", |_| {}), authority.sign("postgres", |_| {}));
    let certificate = authority.file("one.crt", &one.certificate).display().to_string();
    let key = authority.file("two.key", &two.key).display().to_string();
    let nothing = authority.file("nothing.pem", "this is no certificate").display().to_string();
    for (parameters, code, words) in [
        ("sslmode=allow".to_owned(), "ledger-url", "verify-full"),
        ("sslmode=".to_owned() + "verify_full", "ledger-url", "verify-full"),
        ("sslmode=require&sslrootcert=system".into(), "ledger-url", "verify-full"),
        (format!("sslcert={certificate}"), "ledger-url", "sslkey"),
        (format!("sslkey={key}"), "ledger-url", "sslcert"),
        ("sslmode=require&sslmode=disable".into(), "ledger-url", "twice"),
        ("sslrootcert=/nowhere/root.crt".into(), "ledger-tls-file", "/nowhere/root.crt"),
        (format!("sslcert={certificate}&sslkey=/nowhere/it.key"), "ledger-tls-file", "/nowhere/it.key"),
        (format!("sslrootcert={nothing}"), "ledger-tls-file-invalid", "nothing.pem"),
        (format!("sslcert={nothing}&sslkey={key}"), "ledger-tls-file-invalid", "nothing.pem"),
        (format!("sslcert={certificate}&sslkey={nothing}"), "ledger-tls-file-invalid", "private key"),
        (format!("sslcert={certificate}&sslkey={key}"), "ledger-tls-key", "does not fit"),
    ] {
        refused(&format!("postgres://me:secret@localhost:1/books?{parameters}"), code, words).await;
    }
}

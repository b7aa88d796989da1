//! TLS by option, with certificates that are read again.

use std::fs;

use hongbao_host::server::{ServiceSettings, TlsFiles};
use reqwest::{Certificate, Client};
use tempfile::TempDir;

use crate::stage::{Stage, Stores};

/// A certificate for 127.0.0.1 that signs itself, written where the files say.
pub fn certificate(folder: &TempDir) -> (TlsFiles, String) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
    let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    let pem = made.cert.pem();
    fs::write(&files.certificate, &pem).unwrap();
    fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    (files, pem)
}

fn trusting(pem: &str) -> Client {
    let root = Certificate::from_pem(pem.as_bytes()).unwrap();
    Client::builder().tls_certs_only([root]).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_used_and_can_be_renewed() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = TempDir::new().unwrap();
    let (files, old) = certificate(&folder);
    let stage = Stage::with(Stores::default(), ServiceSettings::default(), Some(files)).await;
    let healthy = |client: Client| {
        let request = client.get(format!("{}/healthz", stage.url));
        async move { request.send().await.is_ok_and(|answer| answer.status().is_success()) }
    };
    assert!(healthy(trusting(&old)).await);
    let plain = stage.url.replace("https", "http");
    assert!(
        !stage
            .client
            .get(format!("{plain}/healthz"))
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
    );

    let (_, new) = certificate(&folder);
    assert!(!healthy(trusting(&new)).await, "not read again yet");
    stage.listening.reload_certificate().await.unwrap();
    assert!(healthy(trusting(&new)).await);

    // As an editor of Windows writes both.
    for name in ["cert.pem", "key.pem"] {
        let file = folder.path().join(name);
        let marked = format!("\u{feff}{}", fs::read_to_string(&file).unwrap().replace('\n', "\r\n"));
        fs::write(file, marked).unwrap();
    }
    stage.listening.reload_certificate().await.unwrap();
    assert!(healthy(trusting(&new)).await, "a byte-order mark is skipped");
    let key = fs::read(folder.path().join("key.pem")).unwrap();
    fs::write(folder.path().join("key.pem"), [b"\xff\xfe".as_slice(), &key].concat()).unwrap();
    let refused = stage.listening.reload_certificate().await.unwrap_err().to_string();
    assert!(refused.contains("key.pem") && refused.contains("UTF-16"), "{refused}");
    fs::write(folder.path().join("key.pem"), key).unwrap();

    fs::write(folder.path().join("cert.pem"), "rubbish").unwrap();
    let refused = stage.listening.reload_certificate().await.unwrap_err();
    assert_eq!(refused.code(), "cannot-use-certificate");
    assert!(
        refused.to_string().contains("cert.pem cannot be used for TLS: it has no certificate"),
        "{refused}"
    );
    fs::write(folder.path().join("key.pem"), "rubbish").unwrap();
    fs::write(folder.path().join("cert.pem"), &new).unwrap();
    let refused = stage.listening.reload_certificate().await.unwrap_err().to_string();
    assert!(refused.contains("key.pem cannot be used for TLS: it has no private key"), "{refused}");
    let other = TempDir::new().unwrap();
    fs::copy(certificate(&other).0.key, folder.path().join("key.pem")).unwrap();
    let refused = stage.listening.reload_certificate().await.unwrap_err().to_string();
    let is_told =
        refused.contains("key.pem cannot be used for TLS: it is not the key of the certificate in ");
    assert!(is_told && refused.ends_with("cert.pem"), "{refused}");
    assert!(healthy(trusting(&new)).await, "the former one stays");
    stage.stop().await;
}

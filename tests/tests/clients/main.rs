//! The specification as others read it: a validator, generators of clients, and a check that what a
//! service really answers is what it says there.
//!
//! `cargo xtask setup` installs the tools; nothing is downloaded here.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may stop anywhere"
)]

mod receivers;
mod service;
mod tools;

use std::fs;
use std::path::Path;

use service::Service;
use tempfile::TempDir;
use tools::{node, python, succeeds};

/// What stands beside this file.
fn own(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name).display().to_string()
}

/// The specification of a service, in a folder.
fn specification(service: &Service, folder: &TempDir) -> String {
    let file = folder.path().join("openapi.json");
    fs::write(&file, service.get("/openapi.json")).unwrap();
    file.display().to_string()
}

#[test]
fn the_specification_is_valid_openapi() {
    let (service, folder) = (Service::start(), TempDir::new().unwrap());
    let file = specification(&service, &folder);
    let told = succeeds(python("openapi-spec-validator").arg(&file));
    assert!(told.contains("OK"), "{told}");
    // The validator looks: without a description it says so.
    let broken =
        fs::read_to_string(&file).unwrap().replacen("\"description\":\"The packet that was sent\",", "", 1);
    fs::write(&file, broken).unwrap();
    assert!(!python("openapi-spec-validator").arg(&file).output().unwrap().status.success());
}

#[test]
fn answers_events_and_examples_are_what_their_schemas_say() {
    let service = Service::start();
    let told = succeeds(python("python").arg(own("answers.py")).args([&service.url, &service.operator]));
    assert!(told.contains("answers fit their schemas"), "{told}");
}

#[test]
fn a_generated_python_client_sends_grabs_opens_and_reads_a_statement() {
    let (service, folder) = (Service::start(), TempDir::new().unwrap());
    let file = specification(&service, &folder);
    let client = folder.path().join("client");
    let config = own("generator.yaml");
    let arguments = ["generate", "--fail-on-warning", "--meta", "none", "--config", &config, "--path", &file];
    // After generating it sorts the code by a tool that stands beside it.
    succeeds(
        python("openapi-python-client").args(arguments).arg("--output-path").arg(client.join("hongbao")),
    );
    let mut drive = python("python");
    drive.env("PYTHONPATH", &client).arg(own("drive.py")).args([&service.url, &service.operator]);
    let told = succeeds(&mut drive);
    assert!(told.contains("statement of alice adds up"), "{told}");
}

#[test]
fn generated_types_of_typescript_compile_under_strict() {
    let (service, folder) = (Service::start(), TempDir::new().unwrap());
    let file = specification(&service, &folder);
    let types = folder.path().join("hongbao.ts");
    succeeds(node("openapi-typescript").arg(&file).arg("--output").arg(&types));
    let compile = |sample: &str| {
        let sample_file = folder.path().join("sample.ts");
        fs::write(&sample_file, sample).unwrap();
        let options = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext"];
        node("tsc").args(options).args([&sample_file, &types]).output().unwrap()
    };
    let sample = fs::read_to_string(own("sample.ts")).unwrap();
    let output = compile(&sample);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    // The types mean something: an amount in quotation marks does not compile.
    let output = compile(&sample.replace("total: 1000", "total: \"1000\""));
    assert!(String::from_utf8_lossy(&output.stdout).contains("not assignable to type 'number'"));
}

#[test]
fn metrics_with_odd_names_of_tenants_are_read_by_prometheus() {
    let service = Service::start();
    let told = succeeds(python("python").arg(own("scrape.py")).args([&service.url, &service.operator]));
    assert!(told.contains("every tenant is there by its name"), "{told}");
}

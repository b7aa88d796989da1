//! Tools of others that read the specification as a platform's programmer does: validators and generators
//! of clients. The test suite `clients` runs them; only here are they downloaded.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::process::{self, Failure};

/// Everything below it may be deleted, and is made again.
const FOLDER: &str = "target/tools/clients";

/// From PyPI: what validates the specification, makes a client in Python and reads metrics.
const PYTHON: &[&str] = &[
    "openapi-spec-validator==0.9.0",
    "openapi-schema-validator==0.9.0",
    "openapi-python-client==0.29.1",
    "prometheus-client==0.26.0",
];

/// From npm: what makes types of TypeScript, and compiles them.
const NODE: &[&str] = &["openapi-typescript@7.13.0", "typescript@5.9.3"];

/// Checks the tools of the suite `clients`, in the versions that are named here. Installs them.
pub fn clients() -> Result<(), Failure> {
    let folder = process::root().join(FOLDER);
    install(&folder.join("python"), PYTHON, python)
        .ok_or_else(|| failure("Python 3.11 or later with its module venv", PYTHON))?;
    install(&folder.join("node"), NODE, node).ok_or_else(|| failure("Node.js 20 or later with npm", NODE))
}

fn python(place: &Path) -> bool {
    let pip = place.join("bin/pip");
    let (venv, quiet) = (["-m", "venv", "--clear"], ["install", "--quiet", "--disable-pip-version-check"]);
    run("python3", venv.map(OsStr::new).into_iter().chain([place.as_os_str()]))
        && run(pip, quiet.iter().chain(PYTHON))
}

fn node(place: &Path) -> bool {
    let options =
        ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", "--prefix"];
    let packages = NODE.iter().map(OsStr::new);
    run("npm", options.map(OsStr::new).into_iter().chain([place.as_os_str()]).chain(packages))
}

/// Whether these packages are there, or could be got. A stamp says which: other versions are got anew.
fn install(place: &Path, packages: &[&str], get: impl FnOnce(&Path) -> bool) -> Option<()> {
    let (stamp, wanted) = (place.join("installed"), packages.join("\n"));
    if fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
        return Some(());
    }
    // Standard output belongs to the task that follows.
    eprintln!("setup: Installing {} into {}.", packages.join(", "), place.display());
    fs::create_dir_all(place).ok()?;
    if get(place) { fs::write(stamp, wanted).ok() } else { None }
}

fn run(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> bool {
    let mut command = process::program(program.as_ref());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    process::run(command).is_ok()
}

fn failure(needed: &str, packages: &[&str]) -> Failure {
    Failure::unavailable(format!(
        "the test suite `clients` needs {}, which could not be installed; install {needed}",
        packages.join(", ")
    ))
}

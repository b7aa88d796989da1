//! Programs of others that test suites run: validators of the specification and generators of clients, and a Matrix
//! homeserver. Only here are they downloaded.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::process;

/// Packages of one registry, in versions that are named here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tools {
    /// From PyPI: what validates the specification, makes a client in Python and reads metrics.
    Python,
    /// From npm: what makes types of TypeScript, and compiles them.
    Node,
    /// From PyPI: a Matrix homeserver.
    Synapse,
}

impl Tools {
    const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Python => &[
                "openapi-spec-validator==0.9.0",
                "openapi-schema-validator==0.9.0",
                "openapi-python-client==0.29.1",
                "prometheus-client==0.26.0",
            ],
            Self::Node => &["openapi-typescript@7.13.0", "typescript@5.9.3"],
            Self::Synapse => &["matrix-synapse==1.163.2"],
        }
    }

    /// What has to be on this machine before.
    pub const fn needs(self) -> &'static str {
        match self {
            Self::Python | Self::Synapse => "Python 3.11 or later with its module venv",
            Self::Node => "Node.js 20 or later with npm",
        }
    }

    /// Everything below it may be deleted, and is made again.
    const fn folder(self) -> &'static str {
        match self {
            Self::Python => "target/tools/clients/python",
            Self::Node => "target/tools/clients/node",
            Self::Synapse => "target/tools/matrix/python",
        }
    }

    fn place(self) -> PathBuf {
        process::root().join(self.folder())
    }

    /// A stamp says which versions are there: others are got anew.
    pub fn are_there(self) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|there| there == self.packages().join("\n"))
    }

    fn stamp(self) -> PathBuf {
        self.place().join("installed")
    }

    /// The command that installs them, as a person would type it.
    pub fn command(self) -> String {
        let (packages, folder) = (self.packages().join(" "), self.folder());
        match self {
            Self::Python | Self::Synapse => {
                format!("python3 -m venv {folder} && {folder}/bin/pip install {packages}")
            }
            Self::Node => format!("npm install --prefix {folder} {packages}"),
        }
    }

    /// Whether they could be got.
    pub fn install(self) -> bool {
        let place = self.place();
        fs::create_dir_all(&place).is_ok()
            && match self {
                Self::Python | Self::Synapse => self.python(&place),
                Self::Node => self.node(&place),
            }
            && fs::write(self.stamp(), self.packages().join("\n")).is_ok()
    }

    fn python(self, place: &Path) -> bool {
        let pip = place.join("bin/pip");
        let (venv, quiet) =
            (["-m", "venv", "--clear"], ["install", "--quiet", "--disable-pip-version-check"]);
        run("python3", venv.map(OsStr::new).into_iter().chain([place.as_os_str()]))
            && run(pip, quiet.iter().chain(self.packages()))
    }

    fn node(self, place: &Path) -> bool {
        let options =
            ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", "--prefix"];
        let packages = self.packages().iter().map(OsStr::new);
        run("npm", options.map(OsStr::new).into_iter().chain([place.as_os_str()]).chain(packages))
    }
}

fn run(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> bool {
    let mut command = process::program(program.as_ref());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    process::run(command).is_ok()
}

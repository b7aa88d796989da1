//! Tiers of tests: what a tier runs, and what it needs on this machine beside Rust and a C compiler.

use std::ffi::OsString;

use crate::tools::Tools;

/// Debian's packages, with programs of theirs that the tests start.
pub type Packages = &'static [(&'static str, &'static [&'static str])];

/// A choice of test suites that need the same programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Everything that needs no other program.
    Fast,
    /// Suites that start Redis, PostgreSQL, PgBouncer and HAProxy.
    Servers,
    /// The suite that drives Chromium.
    Browser,
    /// The suite of clients that are made of the API's specification.
    Clients,
    /// The suite that starts a Matrix homeserver.
    Matrix,
}

impl Tier {
    pub const ALL: [Self; 5] = [Self::Fast, Self::Servers, Self::Browser, Self::Clients, Self::Matrix];

    /// Its name on the command line and in CONTRIBUTING.md.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Servers => "servers",
            Self::Browser => "browser",
            Self::Clients => "clients",
            Self::Matrix => "matrix",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }

    /// Debian's packages that its suites start programs of.
    pub const fn packages(self) -> Packages {
        match self {
            Self::Fast | Self::Clients | Self::Matrix => &[],
            Self::Servers => &[
                ("redis-server", &["redis-server", "redis-cli"]),
                ("postgresql", &["initdb", "postgres", "pg_basebackup", "psql"]),
                ("pgbouncer", &["pgbouncer"]),
                ("haproxy", &["haproxy"]),
            ],
            Self::Browser => &[("chromium", &["chromium"]), ("chromium-driver", &["chromedriver"])],
        }
    }

    /// Packages of Python and Node that its suites run.
    pub const fn tools(self) -> &'static [Tools] {
        match self {
            Self::Fast | Self::Servers | Self::Browser => &[],
            Self::Clients => &[Tools::Python, Tools::Node],
            Self::Matrix => &[Tools::Synapse],
        }
    }

    /// The feature of `hongbao-tests` that its suites require, and the suites with parts that do.
    const fn suites(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Fast => ("", &[]),
            Self::Servers => {
                ("hongbao-tests/servers", &["stores", "servers", "hosts", "chaos", "cli", "store_properties"])
            }
            Self::Browser => ("hongbao-tests/browser", &["browser"]),
            Self::Clients => ("hongbao-tests/clients", &["clients"]),
            Self::Matrix => ("hongbao-tests/matrix", &["matrix"]),
        }
    }
}

/// Arguments of cargo that compile the suites of all tiers.
pub fn every_feature() -> [OsString; 2] {
    ["--features".into(), features(&Tier::ALL).into()]
}

fn features(tiers: &[Tier]) -> String {
    let features = tiers.iter().map(|tier| tier.suites().0).filter(|feature| !feature.is_empty());
    features.collect::<Vec<_>>().join(",")
}

/// Arguments of `cargo test` for these tiers. Without a choice of targets it runs the tests of
/// libraries, binaries, `tests/` and documents. Always `--workspace`: a choice of one package has
/// other features than all of them together, and cargo would compile wasmtime a second time.
pub fn arguments(tiers: &[Tier]) -> Vec<OsString> {
    let mut arguments = vec!["test".into(), "--workspace".into()];
    let features = features(tiers);
    if !features.is_empty() {
        arguments.extend(["--features".into(), features.into()]);
    }
    if !tiers.contains(&Tier::Fast) {
        let suites = tiers.iter().flat_map(|tier| tier.suites().1);
        arguments.extend(suites.flat_map(|suite| ["--test".into(), suite.into()]));
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(tiers: &[Tier]) -> String {
        arguments(tiers).join(" ".as_ref()).into_string().unwrap()
    }

    #[test]
    fn all_tiers_are_one_run_of_everything() {
        let features =
            "hongbao-tests/servers,hongbao-tests/browser,hongbao-tests/clients,hongbao-tests/matrix";
        assert_eq!(line(&Tier::ALL), format!("test --workspace --features {features}"));
    }

    #[test]
    fn the_fast_tier_is_what_a_plain_cargo_test_runs() {
        assert_eq!(line(&[Tier::Fast]), "test --workspace");
        assert!(Tier::Fast.packages().is_empty());
    }

    #[test]
    fn another_tier_alone_runs_its_own_suites() {
        let browser = "test --workspace --features hongbao-tests/browser --test browser";
        assert_eq!(line(&[Tier::Browser]), browser);
    }

    #[test]
    fn every_suite_that_requires_a_feature_is_in_the_tier_of_that_feature() {
        let manifest = std::fs::read_to_string(crate::process::root().join("tests/Cargo.toml")).unwrap();
        let sections = manifest.split("\n[").filter(|section| section.starts_with("[test]]"));
        let suites = sections.filter(|section| section.contains("required-features"));
        let mut found = 0;
        for suite in suites {
            let quoted: Vec<_> = suite.split('"').collect();
            let (name, feature) = (quoted[1], format!("hongbao-tests/{}", quoted[3]));
            let tier = Tier::ALL.into_iter().find(|tier| tier.suites().0 == feature);
            assert!(tier.is_some_and(|tier| tier.suites().1.contains(&name)), "{name} needs {feature}");
            found += 1;
        }
        assert!(found >= 5, "{found} suites with a feature");
    }

    #[test]
    fn contributing_lists_every_tier() {
        let text = std::fs::read_to_string(crate::process::root().join("CONTRIBUTING.md")).unwrap();
        for tier in Tier::ALL {
            assert!(text.contains(&format!("| `{}` |", tier.name())), "{}", tier.name());
        }
    }
}

//! Where the servers' programs are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Where Debian keeps PostgreSQL's programs, by version. They come before `PATH`, where Debian has
/// a wrapper for some of them that is slow and looks for a cluster of its own.
const VERSIONS: &str = "/usr/lib/postgresql";

/// A program such as `redis-server`, `initdb` or `pgbouncer`, if it is installed.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = debian().into_iter().chain(env::split_paths(&path));
    // Debian keeps PgBouncer and HAProxy there, which is not on everybody's `PATH`.
    let directories = directories.chain([PathBuf::from("/usr/sbin")]);
    directories.map(|directory| directory.join(name)).find(|program| program.is_file())
}

/// A program that must be there.
///
/// # Panics
///
/// With a sentence that says what to do, if it is not.
#[must_use]
#[track_caller]
pub fn program(name: &str) -> PathBuf {
    find(name).unwrap_or_else(|| panic!("`{name}` is missing; `cargo xtask setup` installs it"))
}

/// The newest version first.
fn debian() -> Vec<PathBuf> {
    let versions = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let mut versions: Vec<u32> =
        versions.filter_map(|version| version.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable_by(|one, other| other.cmp(one));
    versions.iter().map(|version| Path::new(VERSIONS).join(version.to_string()).join("bin")).collect()
}

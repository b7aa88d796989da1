//! The log on standard error.
//!
//! What others say stands in fields and in quotation marks (`?name`), so that it is neither a line nor a field of ours.

use std::env;
use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;

const VARIABLE: &str = "HONGBAO_LOG";

/// Starts the log. A filter in the environment that cannot be used is said, and the default is used.
pub(crate) fn to_stderr(verbose: u8) {
    let by_default = if verbose == 0 { "info" } else { "info,hongbao_matrix=debug" };
    let asked = env::var(VARIABLE).ok().filter(|value| !value.trim().is_empty());
    let (filter, complaint) = match asked.map(|value| EnvFilter::builder().parse(value.trim())) {
        None => (EnvFilter::new(by_default), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(by_default), Some(error)),
    };
    // https://no-color.org
    let is_plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    // A program that embeds this may have a log already, which is then used.
    let _ = log.with_ansi(stderr().is_terminal() && !is_plain).try_init();
    if let Some(complaint) = complaint {
        tracing::warn!("{VARIABLE}: it is no filter: {complaint}; the default, {by_default}, is used");
    }
}

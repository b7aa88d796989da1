//! Errors of loading a plugin, each with a remedy.

use std::io;
use std::time::Duration;

use super::Digest;
use crate::imports::TABLES_FOR_EACH;

/// The version that this host speaks, for a sentence.
pub(super) const SPOKEN: &str = "hongbao:plugin@0.2.0";

/// Why a file is no plugin for this host.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// More than [`Plugin::MAX_BYTES`](super::Plugin::MAX_BYTES).
    #[error(
        "this is larger than 16 MiB, the most that a plugin may be; build it optimised, without debug symbols"
    )]
    TooLarge,
    /// Neither of the forms of WebAssembly.
    #[error("this is no WebAssembly; name a component, as `hongbao plugin pack` makes one")]
    NotWebAssembly,
    /// WebAssembly's text form, or something like it.
    #[error("this is WebAssembly as text; make it binary with `wasm-tools parse`")]
    Text,
    /// The file ends in the middle of a section.
    #[error("this WebAssembly is cut short; copy or build the file again")]
    Truncated,
    /// WebAssembly, but no component.
    #[error("this is a core module; make it a component with `hongbao plugin pack`")]
    CoreModule,
    /// The compiler does not take it.
    #[error("this is no WebAssembly that this host can run: {0}; build it again for wasm32-unknown-unknown")]
    Malformed(String),
    /// The compiler has a mistake that this component meets.
    #[error(
        "wasmtime cannot compile this component because of a mistake of its own; report it to its authors"
    )]
    CompilerFailed,
    /// It is larger or of another shape than the compiler is given to try.
    #[error(
        "the plugin has more than {most} {of}, the most that this host compiles; build it optimised for size (opt-level = \"s\", lto), or split it"
    )]
    TooMuchCode {
        /// Of what there is too much.
        of: &'static str,
        /// How much there may be.
        most: u64,
    },
    /// Compiling it was stopped at the end of its time.
    #[error(
        "compiling the plugin took longer than {} s, the most that this host gives to it; make it smaller, and its functions shorter",
        .0.as_secs_f64()
    )]
    CompileTime(Duration),
    /// Compiling it was stopped for want of memory.
    #[error(
        "compiling the plugin took more memory than the {0} bytes that this host gives to it; make it smaller, and its functions shorter"
    )]
    CompileMemory(u64),
    /// Too many plugins wait to be compiled, or the machine is too busy to compile one in time.
    #[error("this host is too busy to compile the plugin now; ask again later")]
    Busy,
    /// The process that compiles cannot be started or spoken with.
    #[error("this host cannot start its compiler: {0}; see that it may start processes")]
    NoCompiler(#[source] io::Error),
    /// What the compiling process made is not for this one.
    #[error("this host's compiler is of another version: {0}; start the host again")]
    OtherCompiler(String),
    /// It wants what this host does not give.
    #[error("the plugin imports {0}, which this host does not give; {hint}", hint = foreign_hint(.0))]
    ForeignImport(String),
    /// An instance of it would take more than one may.
    #[error(
        "the plugin has {memories} memories and {tables} tables, and may have {most} and {}; build it as one module",
        *.most * TABLES_FOR_EACH
    )]
    TooManyMemories {
        /// Linear memories of all its modules.
        memories: u32,
        /// Tables of all its modules.
        tables: u32,
        /// Memories that it may have on this host.
        most: usize,
    },
    /// It speaks a version of the contract that this host does not.
    #[error("the plugin speaks {0}, and this host speaks {SPOKEN}; build the plugin for that version")]
    ContractVersion(String),
    /// It lacks what every plugin gives.
    #[error("the plugin does not export {0}; build it for the world `core` or `plugin` of {SPOKEN}")]
    MissingExport(&'static str),
    /// Names fit, types do not.
    #[error("the plugin's interfaces are not those of {SPOKEN}: {0}; build it from that contract's files")]
    Mismatch(String),
    /// A file cannot be read.
    #[error("{file} cannot be read: {source}")]
    Unreadable {
        /// Its path.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A `plugin.toml` breaks its rules.
    #[error("{file}: {problem}")]
    Manifest {
        /// Its path.
        file: String,
        /// Which key, and what it must be.
        problem: String,
    },
    /// A component is not the one that its `plugin.toml` is about.
    #[error(
        "{file} has the sha256 {found}, and its plugin.toml says {expected}; put the right file there, or its digest"
    )]
    DigestMismatch {
        /// Path of the component.
        file: String,
        /// As `plugin.toml` says.
        expected: Digest,
        /// As it is.
        found: Digest,
    },
    /// The program is shutting down.
    #[error("the plugin was not loaded, since this host is stopping; load it again when it runs")]
    Stopping,
}

impl PluginError {
    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::NotWebAssembly | Self::Text | Self::Truncated | Self::CoreModule | Self::Malformed(_) => {
                "not-a-component"
            }
            Self::CompilerFailed => "compiler-failed",
            Self::TooMuchCode { .. } => "too-much-code",
            Self::CompileTime(_) => "compile-time",
            Self::CompileMemory(_) => "compile-memory",
            Self::Busy => "busy",
            Self::NoCompiler(_) | Self::OtherCompiler(_) => "no-compiler",
            Self::ForeignImport(_) => "foreign-import",
            Self::ContractVersion(_) => "contract-version",
            Self::MissingExport(_) => "missing-export",
            Self::Mismatch(_) => "contract-mismatch",
            Self::TooManyMemories { .. } => "too-many-memories",
            Self::Unreadable { .. } => "not-found",
            Self::Manifest { .. } => "invalid-manifest",
            Self::DigestMismatch { .. } => "digest-mismatch",
            Self::Stopping => "stopping",
        }
    }
}

impl PluginError {
    /// Whether the same plugin may be compiled later, with nothing changed.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Busy | Self::NoCompiler(_) | Self::OtherCompiler(_) | Self::Stopping)
    }
}

fn foreign_hint(name: &str) -> String {
    match name.starts_with("wasi:") || name.starts_with("wasi_") {
        true => "build it for wasm32-unknown-unknown, which needs no WASI".to_owned(),
        false => format!("a plugin imports interfaces of {SPOKEN} alone"),
    }
}

/// What a compiler says over many lines, on one that a terminal and a log can take. The words may
/// be the component's own.
pub(crate) fn one_line(text: &str) -> String {
    const MOST: usize = 400;
    let text: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", words.split_at(end).0),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_stays_on_its_line_whatever_it_quotes() {
        assert_eq!(one_line("a\n  b\t\u{1b}[31mc"), "a b [31mc");
        let long = one_line(&"字".repeat(1000));
        assert_eq!(long.chars().count(), 401);
    }
}

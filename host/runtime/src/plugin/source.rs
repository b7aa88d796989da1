//! Where a plugin's bytes are.

use std::borrow::Cow;
use std::path::PathBuf;

use super::directory::{self, PluginManifest};
use super::read::read_component;
use super::{Plugin, PluginError};

/// Where a plugin is.
#[derive(Clone, Debug)]
pub enum PluginSource {
    /// In this program.
    Embedded,
    /// In memory.
    Bytes(Vec<u8>),
    /// In a file of its own.
    File(PathBuf),
    /// In a directory with a `plugin.toml`.
    Directory(PathBuf),
}

/// What was found at a source: no more than bytes yet.
#[derive(Debug)]
pub struct PluginFile {
    /// Of the component, if it is one.
    pub bytes: Cow<'static, [u8]>,
    /// Of a plugin directory. The bytes have its digest then.
    pub manifest: Option<PluginManifest>,
}

impl PluginSource {
    /// A directory where there is one, and a file otherwise.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        if path.is_dir() { Self::Directory(path) } else { Self::File(path) }
    }

    /// Reads what is there, and blocks the thread for it. Nothing is parsed but `plugin.toml`.
    ///
    /// # Errors
    /// When it cannot be read or is too large, and when a directory breaks the rules of
    /// `plugin.toml` or holds another component than that one says.
    pub fn read(self) -> Result<PluginFile, PluginError> {
        let (bytes, manifest) = match self {
            Self::Embedded => (Cow::Borrowed(Plugin::EMBEDDED), None),
            Self::Bytes(bytes) => (Cow::Owned(bytes), None),
            Self::File(file) => (Cow::Owned(read_component(&file)?), None),
            Self::Directory(path) => {
                let (bytes, manifest) = directory::read(&path)?;
                (Cow::Owned(bytes), Some(manifest))
            }
        };
        Ok(PluginFile { bytes, manifest })
    }
}

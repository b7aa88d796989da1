//! The sources of a plugin's bytes.

use std::borrow::Cow;
use std::path::PathBuf;

use super::directory::{self, PluginManifest};
use super::read::read_component;
use super::{Plugin, PluginError};

/// The source of a plugin.
#[derive(Clone, Debug)]
pub enum PluginSource {
    /// The plugin that is embedded in this program.
    Embedded,
    /// A component in memory.
    Bytes(Vec<u8>),
    /// A component file.
    File(PathBuf),
    /// A directory with a `plugin.toml`.
    Directory(PathBuf),
}

/// The contents of a source, not parsed yet.
#[derive(Debug)]
pub struct PluginFile {
    /// The component, if it is one.
    pub bytes: Cow<'static, [u8]>,
    /// The manifest of a plugin directory. The bytes then have its digest.
    pub manifest: Option<PluginManifest>,
}

impl PluginSource {
    /// The directory at this path if there is one, otherwise the file.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        if path.is_dir() { Self::Directory(path) } else { Self::File(path) }
    }

    /// Reads the source, and blocks the thread meanwhile. Only `plugin.toml` is parsed.
    ///
    /// # Errors
    /// When it cannot be read or is too large, and when a directory breaks the rules of
    /// `plugin.toml` or contains another component than that names.
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

//! The sources of a plugin's bytes.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::{Plugin, PluginError, PluginManifest, directory};

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

pub(super) fn read_component(file: &Path) -> Result<Vec<u8>, PluginError> {
    let bytes = read_at_most(file, Plugin::MAX_BYTES).map_err(|source| unreadable(file, source))?;
    bytes.ok_or(PluginError::TooLarge)
}

/// None where there is more. The file's own word for its length is not asked: it may be a pipe.
pub(super) fn read_at_most(file: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

pub(super) fn unreadable(file: &Path, source: io::Error) -> PluginError {
    PluginError::Unreadable { file: file.display().to_string(), source }
}

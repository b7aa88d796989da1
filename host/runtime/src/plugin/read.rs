//! Files that are read within a bound on their size.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::{Plugin, PluginError};

/// The bytes of a component, as far as one may be long.
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

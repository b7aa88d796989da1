//! The code cache: compiled plugins in a directory.
//!
//! Loading machine code is trusting it: nothing checks it again. So the directory must be its
//! owner's alone, and each file says in its first 96 bytes what it is: a sha256 of all that
//! follows, the digest of the component, the engine that compiled it. Whatever is wrong with a
//! file costs a compilation and nothing else.

use std::fs::{self, Metadata};
use std::hash::{Hash as _, Hasher};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::plugin::Digest;
use hongbao_store::private;

#[cfg(test)]
mod tests;

/// A directory of compiled plugins. Any number of processes may share it.
#[derive(Debug)]
pub struct CodeCache {
    directory: PathBuf,
    owner: u32,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Why a directory cannot hold compiled code.
#[derive(Debug, thiserror::Error)]
pub enum CodeCacheError {
    /// It cannot be made, looked at or written to.
    #[error("the code cache {directory} cannot be used: {source}")]
    Unusable {
        /// Its path.
        directory: String,
        /// Why.
        source: io::Error,
    },
    /// Something else is there.
    #[error("the code cache {0} is no directory; name one, or a path where nothing is yet")]
    NotADirectory(String),
    /// A link, which somebody else may turn.
    #[error("the code cache {0} is a symbolic link; name the directory that it leads to")]
    Link(String),
    /// It is somebody else's.
    #[error("the code cache {0} belongs to another user; name a directory of this one")]
    NotOurs(String),
    /// Others could put code into it.
    #[error(
        "the code cache {0} can be written by other users; run `chmod 700` on it, and empty it if it was used"
    )]
    Shared(String),
    /// Others could put another directory in its place.
    #[error("the code cache {directory} can be replaced by other users: {above}")]
    Exposed {
        /// Its path.
        directory: String,
        /// Which directory lets them, and what to do.
        above: String,
    },
}

impl CodeCacheError {
    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "code-cache"
    }
}

impl CodeCache {
    /// Opens a directory, and makes it for its user alone where there is none.
    ///
    /// # Errors
    /// When it is no directory, a link, another user's, or one that others can write to, or put another one in
    /// the place of.
    pub fn open(directory: &Path) -> Result<Self, CodeCacheError> {
        let name = || directory.display().to_string();
        let unusable = |source| CodeCacheError::Unusable { directory: name(), source };
        // Without the slash at its end, with which a link would be followed.
        let path: PathBuf = directory.components().collect();
        match private::make_directory(&path) {
            Err(error) if fs::symlink_metadata(&path).is_err() => return Err(unusable(error)),
            // What is there instead is told below.
            _ => {}
        }
        let found = fs::symlink_metadata(&path).map_err(unusable)?;
        if found.is_symlink() {
            return Err(CodeCacheError::Link(name()));
        }
        if !found.is_dir() {
            return Err(CodeCacheError::NotADirectory(name()));
        }
        if is_open_to_others(&found) {
            return Err(CodeCacheError::Shared(name()));
        }
        // Whose we are, by a file of ours: the standard library does not say.
        let ours = NamedTempFile::new_in(&path).and_then(|probe| probe.as_file().metadata());
        let owner = ours.map_err(unusable)?.uid();
        if found.uid() != owner {
            return Err(CodeCacheError::NotOurs(name()));
        }
        if let Some(above) = private::exposed_above(&path).map_err(unusable)? {
            return Err(CodeCacheError::Exposed { directory: name(), above: above.to_string() });
        }
        let directory = path.canonicalize().map_err(unusable)?;
        let (hits, misses) = Default::default();
        Ok(Self { directory, owner, hits, misses })
    }

    /// Plugins that were found, since this cache was opened.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Plugins that were not found or could not be used, since this cache was opened.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// What this engine made of the component of this digest, if it is here and whole.
    pub(super) fn load(&self, engine: &Engine, digest: Digest) -> Option<Component> {
        let key = Key::new(engine, digest);
        let file = self.file(&key);
        let component = self.read(engine, &file, &key).unwrap_or_else(|reason| {
            let file = file.display();
            tracing::warn!("the compiled plugin {file} is not used, and compiled again: {reason}");
            None
        });
        let counter = if component.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        component
    }

    /// Keeps what an engine has compiled. That it cannot be kept is no failure.
    pub(super) fn store(&self, engine: &Engine, digest: Digest, component: &Component) {
        let key = Key::new(engine, digest);
        let file = self.file(&key);
        let code = component.serialize().map_err(|error| format!("{error:#}"));
        let written = code.and_then(|code| self.write(&file, &key, &code).map_err(|error| error.to_string()));
        if let Err(reason) = written {
            tracing::warn!("the compiled plugin {} cannot be kept: {reason}", file.display());
        }
    }

    fn file(&self, key: &Key) -> PathBuf {
        let Key { digest, engine } = key;
        self.directory.join(format!("{digest}-{engine}.bin"))
    }

    /// The component in a file; none where there is no file.
    fn read(&self, engine: &Engine, file: &Path, key: &Key) -> Result<Option<Component>, String> {
        let found = match fs::symlink_metadata(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(|error| error.to_string())?,
        };
        if !found.is_file() || found.uid() != self.owner || is_open_to_others(&found) {
            return Err("it is not a file that this user alone can write".into());
        }
        let content = fs::read(file).map_err(|error| error.to_string())?;
        let (checksum, rest) = content.split_first_chunk::<32>().ok_or("it is cut short")?;
        if Sha256::digest(rest).as_slice() != checksum {
            return Err("its checksum does not agree".into());
        }
        let code = rest.strip_prefix(key.header().as_slice());
        deserialize(engine, code.ok_or("it is another plugin's or another engine's")?).map(Some)
    }

    /// Under another name first: nobody ever sees half of a file.
    fn write(&self, file: &Path, key: &Key, code: &[u8]) -> io::Result<()> {
        let header = key.header();
        let checksum = Sha256::new().chain_update(header).chain_update(code).finalize();
        let mut temporary = NamedTempFile::new_in(&self.directory)?;
        for part in [checksum.as_slice(), &header, code] {
            temporary.write_all(part)?;
        }
        temporary.as_file().sync_all()?;
        if fs::symlink_metadata(file).is_ok_and(|found| found.is_dir()) {
            // A file takes the place of anything but a directory.
            fs::remove_dir(file)?;
        }
        temporary.persist(file)?;
        Ok(())
    }
}

/// What compiled code is kept by.
struct Key {
    digest: Digest,
    /// Of everything that decides what an engine makes of a component: wasmtime's version, its
    /// settings, the processor and its features.
    engine: Digest,
}

impl Key {
    fn new(engine: &Engine, digest: Digest) -> Self {
        let mut bytes = Bytes(Vec::new());
        engine.precompile_compatibility_hash().hash(&mut bytes);
        Self { digest, engine: Digest::of(&bytes.0) }
    }

    fn header(&self) -> [u8; 64] {
        let mut header = [0; 64];
        let (digest, engine) = header.split_at_mut(32);
        digest.copy_from_slice(self.digest.as_bytes());
        engine.copy_from_slice(self.engine.as_bytes());
        header
    }
}

/// Takes down what a hash is made of: that of the standard library may be another one tomorrow.
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

fn is_open_to_others(found: &Metadata) -> bool {
    found.mode() & 0o022 != 0
}

#[expect(unsafe_code, reason = "compiled code is loaded without compiling it")]
pub(super) fn deserialize(engine: &Engine, code: &[u8]) -> Result<Component, String> {
    // SAFETY: the bytes must be what `Component::serialize` or `Engine::precompile_component` gave.
    // They come from one of two places. Either from a file that only the user of this process can
    // write, in a directory that only this user can write; a tenant gives components, never files in
    // it. Against accidents, all of it has the checksum that was written with it, and it says to be of
    // this component and this engine. Or from the pipe of a child that is this very program, and that
    // was given the component and nothing else. The bytes that were checked are the bytes that are
    // loaded: they are in memory, and no longer in the file or the pipe.
    let loaded = unsafe { Component::deserialize(engine, code) };
    loaded.map_err(|error| format!("{error:#}"))
}

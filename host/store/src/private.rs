//! Files and directories that only their owner can access: the books say who has how much, and compiled code is run as it is.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// May others delete what is in a directory? With this bit, only what is their own.
const STICKY: u32 = 0o1000;
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const FOR_OTHERS: u32 = 0o077;

/// Makes a directory for its user alone, and those above it. One that is there stays as it is.
pub fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(true).create(path).map_err(|error| {
        // The system says of a file in its place that it exists, which is no news to whoever named it.
        let file = path.ancestors().find(|above| above.exists() && !above.is_dir());
        file.map_or(error, |file| {
            let why = format!("{} is a file and no directory; name another place", file.display());
            io::Error::new(io::ErrorKind::NotADirectory, why)
        })
    })
}

/// Makes an empty file for its user alone. One that is there is not even opened: where SQLite has it open in this
/// process, closing it here would let go of SQLite's locks.
pub fn make_file(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Takes from others what they may do with a file. One that is not there is nobody's.
pub fn close_to_others(path: &Path) -> io::Result<()> {
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    let mode = found.mode();
    if mode & FOR_OTHERS == 0 || !found.is_file() {
        return Ok(());
    }
    tracing::info!("{} was open to other users, and is its owner's alone now", path.display());
    fs::set_permissions(path, Permissions::from_mode(mode & 0o7700)).map_err(|error| {
        let path = path.display();
        io::Error::new(
            error.kind(),
            format!("{path} is open to other users, and that cannot be changed: {error}"),
        )
    })
}

/// A directory that lets others get at what is in another one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exposed {
    /// Others may put something into it.
    #[error("{} can be written by other users; run `chmod go-w` on it, or name a place elsewhere", .0.display())]
    Writable(PathBuf),
    /// Its owner may do anything.
    #[error("{} belongs to another user; name a place elsewhere, or start the program as that user", .0.display())]
    Foreign(PathBuf),
}

/// Whether others could put something else in the place of a directory, which is there: one of those above it is
/// theirs, or they may write to it. A group with the number of its user is that user's own.
pub fn exposed_above(directory: &Path) -> io::Result<Option<Exposed>> {
    exposed_above_to(directory, us())
}

/// Whose we are. That a directory is somebody's does not make it ours: root could open anybody's.
fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

const fn is_foreign(owner: u32, us: u32) -> bool {
    owner != 0 && owner != us
}

fn exposed_above_to(directory: &Path, us: u32) -> io::Result<Option<Exposed>> {
    let directory = directory.canonicalize()?;
    for above in directory.ancestors().skip(1) {
        let found = fs::metadata(above)?;
        if is_foreign(found.uid(), us) {
            return Ok(Some(Exposed::Foreign(above.to_owned())));
        }
        if is_writable(&found) && found.mode() & STICKY == 0 {
            return Ok(Some(Exposed::Writable(above.to_owned())));
        }
    }
    Ok(None)
}

/// The same of the directory itself: others could put files into it, or it is theirs.
pub fn exposed(directory: &Path) -> io::Result<Option<Exposed>> {
    exposed_to(directory, us())
}

fn exposed_to(directory: &Path, us: u32) -> io::Result<Option<Exposed>> {
    let found = fs::metadata(directory)?;
    if is_foreign(found.uid(), us) {
        return Ok(Some(Exposed::Foreign(directory.to_owned())));
    }
    match is_writable(&found) {
        true => Ok(Some(Exposed::Writable(directory.to_owned()))),
        false => exposed_above_to(directory, us),
    }
}

fn is_writable(found: &fs::Metadata) -> bool {
    let is_shared = found.gid() != found.uid() || found.uid() == 0;
    found.mode() & OTHERS_WRITE != 0 || (found.mode() & GROUP_WRITES != 0 && is_shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_made_is_its_users_alone_and_what_is_there_is_closed() {
        let home = tempfile::tempdir().unwrap();
        let (directory, file) = (home.path().join("a/b"), home.path().join("a/b/file"));
        make_directory(&directory).unwrap();
        make_file(&file).unwrap();
        assert_eq!([mode(&home.path().join("a")), mode(&directory), mode(&file)], [0o700, 0o700, 0o600]);
        fs::write(&file, "kept").unwrap();
        set(&file, 0o664);
        make_file(&file).unwrap();
        close_to_others(&file).unwrap();
        assert_eq!((mode(&file), fs::read_to_string(&file).unwrap().as_str()), (0o600, "kept"));
        set(&file, 0o444);
        close_to_others(&file).unwrap();
        assert_eq!(mode(&file), 0o400, "what its owner may not do stays so");
        close_to_others(&home.path().join("nothing")).unwrap();
    }

    #[test]
    fn whoever_may_write_above_a_directory_may_replace_it() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let directory = home.join("above/directory");
        make_directory(&directory).unwrap();
        assert_eq!(exposed(&directory).unwrap(), None, "a temporary directory is as good as any");
        for open in [0o777, 0o707, 0o702] {
            set(&home.join("above"), open);
            let why = exposed(&directory).unwrap().unwrap();
            assert_eq!(why, Exposed::Writable(home.join("above")), "{open:o}");
            assert!(why.to_string().contains("chmod go-w"), "{why}");
        }
        // In such a directory others delete only what is theirs.
        set(&home.join("above"), 0o1777);
        assert_eq!(exposed(&directory).unwrap(), None);
        set(&directory, 0o1777);
        assert_eq!(exposed(&directory).unwrap(), Some(Exposed::Writable(directory.clone())));
        assert_eq!(exposed_above(&directory).unwrap(), None);
    }

    #[test]
    fn a_directory_of_another_user_is_no_place_for_us_not_even_for_root() {
        const NOBODY: u32 = 65_534;
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().canonicalize().unwrap().join("directory");
        make_directory(&directory).unwrap();
        let theirs = match us() {
            0 => {
                std::os::unix::fs::chown(&directory, Some(NOBODY), None).unwrap();
                exposed(&directory).unwrap()
            }
            ours => exposed_to(&directory, ours + 1).unwrap(),
        };
        let why = theirs.unwrap();
        assert_eq!(why, Exposed::Foreign(directory));
        assert!(why.to_string().contains("belongs to another user"), "{why}");
    }
}

//! What is loaded, and what is not.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use wasmtime::{Config, OptLevel};

use super::*;

const NOTHING: &[u8] = b"\0asm\x0d\0\x01\0";

/// A cache with one component in it, and the file that it is in.
struct Kept {
    _directory: tempfile::TempDir,
    cache: CodeCache,
    engine: Engine,
    digest: Digest,
    file: PathBuf,
}

fn kept() -> Kept {
    let directory = tempfile::tempdir().unwrap();
    let cache = CodeCache::open(&directory.path().join("code")).unwrap();
    let (engine, digest) = (Engine::default(), Digest::of(NOTHING));
    assert!(cache.load(&engine, digest).is_none());
    let component = Component::from_binary(&engine, NOTHING).unwrap();
    cache.store(&engine, digest, &component);
    let file = cache.file(&Key::new(&engine, digest));
    Kept { _directory: directory, cache, engine, digest, file }
}

impl Kept {
    fn load(&self) -> Option<Component> {
        self.cache.load(&self.engine, self.digest)
    }

    /// After this has happened to the file, it is not used; a new one is.
    fn suffers(&self, deed: impl FnOnce(&Path)) {
        assert!(self.load().is_some());
        deed(&self.file);
        assert!(self.load().is_none(), "it is not used");
        let component = Component::from_binary(&self.engine, NOTHING).unwrap();
        self.cache.store(&self.engine, self.digest, &component);
        assert!(self.load().is_some(), "it is replaced");
        let files = fs::read_dir(&self.cache.directory).unwrap().count();
        assert_eq!(files, 1, "nothing is left beside it");
    }
}

#[test]
fn what_was_compiled_is_found_again_and_counted() {
    let kept = kept();
    assert!(kept.load().is_some());
    let cache = &kept.cache;
    assert_eq!((cache.hits(), cache.misses()), (1, 1));
    let later = CodeCache::open(&cache.directory).unwrap();
    assert!(later.load(&kept.engine, kept.digest).is_some());
    assert_eq!(fs::metadata(&cache.directory).unwrap().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(&kept.file).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_ends_too_early_is_replaced() {
    let length = fs::metadata(&kept().file).unwrap().len() as usize;
    for end in [0, 31, 32, 95, 96, length / 2, length - 1] {
        kept().suffers(|file| fs::write(file, &fs::read(file).unwrap()[..end]).unwrap());
    }
}

#[test]
fn one_wrong_bit_is_enough_to_be_replaced() {
    let length = fs::metadata(&kept().file).unwrap().len() as usize;
    for at in [0, 31, 32, 64, 96, length / 2, length - 1] {
        kept().suffers(|file| {
            let mut content = fs::read(file).unwrap();
            content[at] ^= 1;
            fs::write(file, content).unwrap();
        });
    }
}

#[test]
fn what_others_could_have_written_is_replaced() {
    for mode in [0o620, 0o602, 0o777] {
        kept().suffers(|file| fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap());
    }
}

#[test]
fn what_is_no_file_is_replaced() {
    kept().suffers(|file| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    });
    kept().suffers(|file| {
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        fs::copy(file, elsewhere.path()).unwrap();
        fs::remove_file(file).unwrap();
        symlink(elsewhere.path(), file).unwrap();
    });
}

#[test]
fn a_full_directory_in_the_place_of_a_file_is_left_alone() {
    let kept = kept();
    fs::remove_file(&kept.file).unwrap();
    fs::create_dir(&kept.file).unwrap();
    fs::write(kept.file.join("mine"), "").unwrap();
    assert!(kept.load().is_none());
    let component = Component::from_binary(&kept.engine, NOTHING).unwrap();
    kept.cache.store(&kept.engine, kept.digest, &component);
    assert!(kept.file.join("mine").exists());
}

#[test]
fn code_of_another_engine_is_never_loaded() {
    let kept = kept();
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::None);
    let other = Engine::new(&config).unwrap();
    assert!(kept.cache.load(&other, kept.digest).is_none());
    // Not even under the name that it would have.
    fs::copy(&kept.file, kept.cache.file(&Key::new(&other, kept.digest))).unwrap();
    assert!(kept.cache.load(&other, kept.digest).is_none());
    assert!(kept.load().is_some());
}

#[test]
fn code_of_another_component_is_never_loaded() {
    let kept = kept();
    let other = Digest::of(b"another component");
    fs::copy(&kept.file, kept.cache.file(&Key::new(&kept.engine, other))).unwrap();
    assert!(kept.cache.load(&kept.engine, other).is_none());
}

#[test]
fn a_checksum_that_agrees_makes_no_code_of_what_is_none() {
    let kept = kept();
    let key = Key::new(&kept.engine, kept.digest);
    kept.suffers(|file| {
        let rest = [&key.header()[..], b"no code"].concat();
        fs::write(file, [Sha256::digest(&rest).as_slice(), &rest].concat()).unwrap();
    });
}

fn refused(directory: &Path) -> String {
    let error = CodeCache::open(directory).unwrap_err();
    assert_eq!(error.code(), "code-cache");
    error.to_string().replace(&directory.display().to_string(), "HERE")
}

#[test]
fn a_directory_that_others_can_write_to_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for mode in [0o770, 0o707, 0o777, 0o1777, 0o720] {
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
        let expected = "the code cache HERE can be written by other users; run `chmod 700` on it, and empty \
                        it if it was used";
        assert_eq!(refused(directory.path()), expected, "{mode:o}");
    }
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(CodeCache::open(directory.path()).is_ok(), "others may look");
}

#[test]
fn a_directory_below_one_that_others_can_write_to_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().canonicalize().unwrap();
    let (above, directory) = (home.join("above"), home.join("above/between/code"));
    fs::create_dir(&above).unwrap();
    for (mode, is_refused) in [(0o777, true), (0o702, true), (0o755, false), (0o1777, false)] {
        fs::set_permissions(&above, fs::Permissions::from_mode(mode)).unwrap();
        if is_refused {
            let said = refused(&directory);
            let why = format!("{} can be written by other users; run `chmod go-w` on it", above.display());
            assert!(said.contains(&why) && said.contains("can be replaced by other users"), "{said}");
        } else {
            assert!(CodeCache::open(&directory).is_ok(), "{mode:o}");
        }
    }
}

#[test]
fn a_link_is_refused_with_and_without_a_slash() {
    let directory = tempfile::tempdir().unwrap();
    let (real, link) = (directory.path().join("real"), directory.path().join("link"));
    symlink(&real, &link).unwrap();
    let expected = "the code cache HERE is a symbolic link; name the directory that it leads to";
    assert_eq!(refused(&link), expected, "where it leads nowhere");
    fs::create_dir(&real).unwrap();
    assert_eq!(refused(&link), expected);
    assert_eq!(refused(&link.join("")), expected);
}

#[test]
fn a_file_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let expected = "the code cache HERE is no directory; name one, or a path where nothing is yet";
    assert_eq!(refused(file.path()), expected);
    assert!(refused(&file.path().join("below")).contains(" cannot be used: "));
}

#[test]
fn another_users_directory_is_refused() {
    // Only root can be given one to try, and only root can make a file in it.
    let directory = tempfile::tempdir().unwrap();
    if std::os::unix::fs::chown(directory.path(), Some(65_534), None).is_ok() {
        let expected = "the code cache HERE belongs to another user; name a directory of this one";
        assert_eq!(refused(directory.path()), expected);
    }
}

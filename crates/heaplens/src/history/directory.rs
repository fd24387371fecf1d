//! Where the history is kept: a directory with one file of each program, which is replaced as
//! a whole; its successor while that is written; what could not be read; and a lock.

use std::fmt::Display;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

/// Files that could not be read and are set aside, at the most: none is ever removed.
const SET_ASIDE: u32 = 4;
/// Longest part of a program's name in the name of its file.
const LONGEST_NAME: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Of its files, without what tells them apart.
    name: String,
    /// Held by the one process that keeps its history here.
    lock: Option<Flock<File>>,
}

impl Directory {
    /// A directory that need not be there, for a program of this name.
    pub(super) fn new(path: &Path, program: &str) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let plain = program.chars().map(|c| if is_plain(c) { c } else { '_' });
        let program: String = plain.take(LONGEST_NAME).collect();
        let program = Some(program).filter(|name| !name.is_empty());
        let program = program.unwrap_or_else(|| "program".to_owned());
        Directory {
            path: path.to_path_buf(),
            name: format!("{program}.heaplens-history"),
            lock: None,
        }
    }

    fn at(&self, end: &str) -> PathBuf {
        self.path.join(format!("{}{end}", self.name))
    }

    /// Whether it is this one.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        self.path == path
    }

    /// The file with the history.
    pub(super) fn file(&self) -> PathBuf {
        self.at("")
    }

    /// Makes this the process that keeps its history here: until it ends, in whatever way.
    pub(super) fn claim(&mut self) -> Result<(), String> {
        if self.lock.is_some() {
            return Ok(());
        }
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(&self.path);
        made.map_err(|error| fault("make the directory", &self.path, error))?;
        let path = self.at(".lock");
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(&path);
        let file = opened.map_err(|error| fault("open", &path, error))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => {
                self.lock = Some(lock);
                Ok(())
            }
            Err((_, Errno::EWOULDBLOCK)) => Err(format!(
                "another process keeps its history in {}: give each a directory of its own; this \
                 one's stays in memory until the other ends",
                self.file().display()
            )),
            Err((_, error)) => Err(fault("lock", &path, error)),
        }
    }

    /// What an earlier run of the program left, if it is not longer than `most` bytes. Of
    /// anything but a plain file the content is taken for empty.
    pub(super) fn read(&self, most: u64) -> Result<Option<Vec<u8>>, String> {
        let path = self.file();
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
            .open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // A link, or a socket.
            Err(_) if fs::symlink_metadata(&path).is_ok_and(|of| !of.is_file()) => {
                return Ok(Some(Vec::new()));
            }
            Err(error) => return Err(fault("read", &path, error)),
        };
        if !file.metadata().is_ok_and(|of| of.is_file()) {
            return Ok(Some(Vec::new()));
        }
        let mut bytes = Vec::new();
        let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
        match read {
            Ok(length) if length as u64 > most => Err(format!(
                "{} is longer than the {most} bytes that are read: raise history_bytes, or move \
                 it away",
                path.display()
            )),
            Ok(_) => Ok(Some(bytes)),
            Err(error) => Err(fault("read", &path, error)),
        }
    }

    /// Gives what could not be read another name, under which it stays.
    pub(super) fn set_aside(&self) -> Result<PathBuf, String> {
        let path = self.file();
        let mut names = (1..=SET_ASIDE).map(|number| self.at(&format!(".set-aside-{number}")));
        let free = names.find(|name| fs::symlink_metadata(name).is_err());
        let Some(name) = free else {
            return Err(format!(
                "{SET_ASIDE} files that could not be read lie in {} already: look at them and \
                 remove them",
                self.path.display()
            ));
        };
        let renamed = fs::rename(&path, &name);
        renamed.map_err(|error| fault("rename", &path, error))?;
        Ok(name)
    }

    /// Puts this in the place of what was there. Whatever happens meanwhile, the file has
    /// the old content or the new one.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), String> {
        let (path, new) = (self.file(), self.at(".new"));
        let written = written(&new, bytes).and_then(|()| fs::rename(&new, &path));
        if let Err(error) = written {
            // Its room may be what is missing.
            let _ = fs::remove_file(&new);
            return Err(fault("write", &path, error));
        }
        // That it has this name lasts when the directory is written too; not all file
        // systems know of that.
        let _ = File::open(&self.path).and_then(|directory| directory.sync_all());
        Ok(())
    }
}

fn written(new: &Path, bytes: &[u8]) -> io::Result<()> {
    // Of a process that was ended in the middle.
    match fs::remove_file(new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(new)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn fault(what: &str, path: &Path, error: impl Display) -> String {
    format!("cannot {what} {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    const MOST: u64 = 1 << 20;

    fn directory(path: &Path) -> Directory {
        let mut directory = Directory::new(path, "svc");
        directory.claim().unwrap();
        directory
    }

    fn names(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_written_is_read_and_nobody_else_can() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        let directory = directory(&path);
        assert_eq!(directory.read(MOST), Ok(None));
        for text in ["first", "second, longer", ""] {
            directory.write(text.as_bytes()).unwrap();
            assert_eq!(directory.read(MOST), Ok(Some(text.into())));
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&directory.file())), (0o700, 0o600));
        let expected = ["svc.heaplens-history", "svc.heaplens-history.lock"];
        assert_eq!(names(&path), expected);
    }

    #[test]
    fn one_process_has_it() {
        let root = tempfile::tempdir().unwrap();
        let first = directory(root.path());
        let mut second = Directory::new(root.path(), "svc");
        let said = second.claim().unwrap_err();
        assert!(
            said.starts_with("another process keeps its history in"),
            "{said}"
        );
        // Another program has a file of its own.
        Directory::new(root.path(), "other").claim().unwrap();
        drop(first);
        second.claim().unwrap();
        second.claim().unwrap();
    }

    #[test]
    fn a_crash_in_the_middle_leaves_what_was_there() {
        let root = tempfile::tempdir().unwrap();
        let directory = directory(root.path());
        directory.write(b"whole").unwrap();
        for cut in 0..7 {
            fs::write(directory.at(".new"), &b"another"[..cut]).unwrap();
            assert_eq!(directory.read(MOST), Ok(Some(b"whole".to_vec())));
        }
        directory.write(b"another").unwrap();
        assert_eq!(directory.read(MOST), Ok(Some(b"another".to_vec())));
        assert_eq!(names(root.path()).len(), 2, "{:?}", names(root.path()));
    }

    #[test]
    fn what_is_in_the_way_is_set_aside_and_never_removed() {
        let root = tempfile::tempdir().unwrap();
        let directory = directory(root.path());
        for number in 1..=SET_ASIDE {
            fs::write(directory.file(), number.to_string()).unwrap();
            let name = directory.set_aside().unwrap();
            assert_eq!(fs::read_to_string(name).unwrap(), number.to_string());
        }
        fs::write(directory.file(), "one more").unwrap();
        let said = directory.set_aside().unwrap_err();
        assert!(said.contains("look at them and remove them"), "{said}");
        assert_eq!(fs::read_to_string(directory.file()).unwrap(), "one more");
        let first = directory.at(".set-aside-1");
        assert_eq!(fs::read_to_string(first).unwrap(), "1");
    }

    #[test]
    fn what_is_no_plain_file_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        let directory = directory(root.path());
        let other = root.path().join("other");
        fs::write(&other, "theirs").unwrap();
        symlink(&other, directory.file()).unwrap();
        assert_eq!(directory.read(MOST), Ok(Some(Vec::new())));
        directory.set_aside().unwrap();
        fs::create_dir(directory.file()).unwrap();
        assert_eq!(directory.read(MOST), Ok(Some(Vec::new())));
        // Nor is it written through.
        assert!(directory.write(b"ours").is_err());
        directory.set_aside().unwrap();
        symlink(&other, directory.at(".new")).unwrap();
        directory.write(b"ours").unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "theirs");
        let said = directory.read(3).unwrap_err();
        assert!(said.contains("is longer than the 3 bytes"), "{said}");
    }

    #[test]
    fn names_of_programs_are_made_plain() {
        for (program, name) in [
            ("svc-1.2_x", "svc-1.2_x"),
            ("a b/../ö", "a_b_.._ö"),
            ("", "program"),
        ] {
            let name = name.replace('ö', "_");
            let directory = Directory::new(Path::new("/d"), program);
            let expected = format!("/d/{name}.heaplens-history");
            assert_eq!(directory.file(), Path::new(&expected));
        }
        let long = Directory::new(Path::new("/d"), &"x".repeat(300));
        assert!(long.file().file_name().unwrap().len() < 128);
    }

    #[test]
    fn what_cannot_be_is_said() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let mut directory = Directory::new(&file.join("below"), "svc");
        let said = directory.claim().unwrap_err();
        assert!(said.starts_with("cannot make the directory"), "{said}");
        // Not even root writes there.
        let mut directory = Directory::new(Path::new("/proc"), "svc");
        let said = directory.claim().unwrap_err();
        assert!(said.starts_with("cannot open /proc/svc"), "{said}");
    }
}

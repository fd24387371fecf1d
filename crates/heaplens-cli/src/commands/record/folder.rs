//! The folder of a recording: files by time, no more of them than wanted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use heaplens_profile::rfc3339;

use crate::fault::Fault;
use crate::saving::{self, UNFINISHED};

const PREFIX: &str = "heap-";
const ENDING: &str = ".pb.gz";

/// After so long nobody is still writing a file.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// A folder, and how much it may hold.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    max_files: usize,
    max_bytes: u64,
}

impl Folder {
    /// Makes the folder if it is not there, and takes away what was never finished.
    pub(super) fn open(path: &Path, max_files: usize, max_bytes: u64) -> Result<Self, Fault> {
        fs::create_dir_all(path).map_err(|error| {
            Fault::unwritable(format!(
                "cannot make the directory {}: {error}",
                path.display()
            ))
        })?;
        let folder = Folder {
            path: path.to_owned(),
            max_files,
            max_bytes,
        };
        folder.remove_unfinished();
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The text of a file of the folder, if it is there.
    pub(super) fn read(&self, name: &str) -> Result<Option<String>, Fault> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Fault::unreadable(format!(
                "cannot read {}: {error}",
                path.display()
            ))),
        }
    }

    /// Writes a file of the folder.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        let path = self.path.join(name);
        saving::save(&path, bytes)
            .map_err(|error| Fault::unwritable(format!("cannot write {}: {error}", path.display())))
    }

    /// Keeps a profile of this time, and removes old ones that are too many or take
    /// too much. Tells how many those were.
    pub(super) fn keep(&self, bytes: &[u8], time: SystemTime) -> Result<usize, Fault> {
        // 2026-11-23T09:10:00Z without what some file systems do not take.
        let time = rfc3339::format(time).replace([':', '-'], "");
        self.write(&format!("{PREFIX}{time}{ENDING}"), bytes)?;
        Ok(self.rotate())
    }

    /// How many profiles there are, and how many bytes they take.
    pub(super) fn size(&self) -> (usize, u64) {
        let files = self.files();
        (files.len(), files.iter().map(|(_, bytes)| bytes).sum())
    }

    /// Profiles and their sizes, oldest first.
    fn files(&self) -> Vec<(PathBuf, u64)> {
        let mut files: Vec<(PathBuf, u64)> = self
            .entries()
            .filter(|(name, _)| name.starts_with(PREFIX) && name.ends_with(ENDING))
            .map(|(name, of)| (self.path.join(name), of.len()))
            .collect();
        // Names have the time in them, so that they sort by it.
        files.sort();
        files
    }

    fn entries(&self) -> impl Iterator<Item = (String, fs::Metadata)> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        entries.filter_map(|entry| {
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some((entry.file_name().into_string().ok()?, metadata))
        })
    }

    fn rotate(&self) -> usize {
        let files = self.files();
        let mut count = files.len();
        let mut bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        let mut removed = 0;
        for (path, size) in files {
            // The newest one stays, whatever it takes.
            if count <= 1 || count <= self.max_files && bytes <= self.max_bytes {
                break;
            }
            // One that cannot be removed is tried again next time.
            removed += usize::from(fs::remove_file(path).is_ok());
            count -= 1;
            bytes -= size;
        }
        removed
    }

    fn remove_unfinished(&self) {
        let is_forgotten = |of: &fs::Metadata| {
            let age = of.modified().ok().and_then(|time| time.elapsed().ok());
            age.is_some_and(|age| age > FORGOTTEN)
        };
        for (name, metadata) in self.entries() {
            if name.starts_with(PREFIX) && name.ends_with(UNFINISHED) && is_forgotten(&metadata) {
                let _ = fs::remove_file(self.path.join(name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Folder) -> Vec<String> {
        let mut names: Vec<String> = folder.entries().map(|(name, _)| name).collect();
        names.sort();
        names
    }

    fn kept(folder: &Folder, seconds: u64, size: usize) -> usize {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        folder.keep(&vec![0; size], time).expect("kept")
    }

    #[test]
    fn the_oldest_go_by_count_and_by_bytes() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::open(temporary.path(), 3, 100).expect("there");
        fs::write(temporary.path().join("notes.txt"), "mine").expect("a file");
        assert_eq!([0, 60, 120].map(|at| kept(&folder, at, 10)), [0, 0, 0]);
        assert_eq!(kept(&folder, 180, 10), 1);
        assert_eq!(kept(&folder, 240, 85), 2);
        assert_eq!(folder.size(), (2, 95));
        assert_eq!(kept(&folder, 300, 500), 2);
        assert_eq!(names(&folder), ["heap-19700101T000500Z.pb.gz", "notes.txt"]);
    }

    #[test]
    fn what_was_never_finished_goes() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let file = temporary.path().join("heap-x.pb.gz.1.part");
        let old = fs::File::create(&file).expect("a file");
        old.set_modified(SystemTime::now() - FORGOTTEN * 2)
            .expect("a time");
        fs::write(temporary.path().join("heap-y.pb.gz.2.part"), "").expect("a file");
        let folder = Folder::open(temporary.path(), 3, 100).expect("there");
        assert_eq!(names(&folder), ["heap-y.pb.gz.2.part"]);
    }
}

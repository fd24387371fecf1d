//! Where the debug information of a stripped object lies: in a file of its own,
//! found as debuggers find it, by build id or by `.gnu_debuglink`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::Crc;

use crate::elf::{self, DebugLink};

/// The directory of a system's debug files.
pub(crate) const DEFAULT_DIRECTORY: &str = "/usr/lib/debug";

/// Longest file of which a checksum is made, in bytes: about a second's work.
const MAX_CHECKED: u64 = 1 << 30;

/// What is known of an object whose debug file is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// The name under which it was mapped: debug files may lie beside it.
    pub(crate) path: &'a Path,
    pub(crate) build_id: Option<&'a str>,
    pub(crate) link: Option<&'a DebugLink>,
}

/// The debug file of an object: the first that is proved to be of the same
/// build, under these directories or beside the object.
pub(crate) fn find(wanted: Wanted<'_>, directories: &[PathBuf]) -> Option<PathBuf> {
    by_build_id(wanted, directories).or_else(|| by_link(wanted, directories))
}

/// `DIRECTORY/.build-id/ab/cdef….debug`.
fn by_build_id(wanted: Wanted<'_>, directories: &[PathBuf]) -> Option<PathBuf> {
    let id = wanted.build_id?;
    let (first, rest) = id
        .split_at_checked(2)
        .filter(|(_, rest)| !rest.is_empty())?;
    directories
        .iter()
        .map(|directory| {
            let directory = directory.join(".build-id").join(first);
            directory.join(format!("{rest}.debug"))
        })
        .find(|file| elf::build_id(file).as_deref() == Some(id))
}

/// The file of the name that the object itself gives: beside it, in `.debug`
/// there, or in the same place under one of the directories.
fn by_link(wanted: Wanted<'_>, directories: &[PathBuf]) -> Option<PathBuf> {
    let link = wanted.link?;
    let folder = wanted.path.parent()?;
    // An absolute path would replace what it is joined to.
    let below = folder.strip_prefix("/").ok()?;
    [folder.to_path_buf(), folder.join(".debug")]
        .into_iter()
        .chain(directories.iter().map(|directory| directory.join(below)))
        .map(|folder| folder.join(&link.name))
        .find(|file| file != wanted.path && is_same_build(file, wanted.build_id, link))
}

/// By build ids where both have one, which is quick, or else by checksum.
fn is_same_build(file: &Path, build_id: Option<&str>, link: &DebugLink) -> bool {
    match (build_id, elf::build_id(file)) {
        (Some(wanted), Some(found)) => wanted == found,
        _ => checksum(file) == Some(link.checksum),
    }
}

fn checksum(path: &Path) -> Option<u32> {
    let mut file: File = elf::open_regular(path)?;
    if file.metadata().ok()?.len() > MAX_CHECKED {
        return None;
    }
    let mut crc = Crc::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).ok()? {
            0 => return Some(crc.sum()),
            length => crc.update(buffer.get(..length)?),
        }
    }
}

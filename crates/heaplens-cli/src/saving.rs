//! Files that are whole or not there: written beside their place, and renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::fault::Fault;
use crate::session::Session;

/// What the name of an unfinished file ends in.
pub(crate) const UNFINISHED: &str = ".part";

/// Writes a file, which replaces one of that name.
pub(crate) fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = unfinished(path)?;
    let written = write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // Nothing more can be done if that fails as well.
        let _ = fs::remove_file(&unfinished);
    }
    written?;
    sync_folder(path);
    Ok(())
}

fn unfinished(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is no name of a file"))?;
    let mut name = name.to_owned();
    // Of this process alone, should another one write the same file.
    name.push(format!(".{}{UNFINISHED}", std::process::id()));
    Ok(path.with_file_name(name))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

/// So that the name is there after a power failure, too. Some file systems do not
/// offer it.
fn sync_folder(path: &Path) {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
        let _ = folder.sync_all();
    }
}

/// Writes a result to a file, or to standard output where the path is `-`. Devices
/// and pipes are written to as they are.
pub(crate) fn output(session: &mut Session<'_>, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    if path == Path::new("-") {
        session.console.write(bytes)?;
        return Ok(());
    }
    let is_special = fs::metadata(path).is_ok_and(|of| !of.is_file());
    let written = if is_special {
        fs::write(path, bytes)
    } else {
        save(path, bytes)
    };
    written.map_err(|error| Fault::unwritable(format!("cannot write {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("heap.svg");
        for text in ["first", "second"] {
            save(&path, text.as_bytes()).expect("saved");
            assert_eq!(fs::read_to_string(&path).expect("there"), text);
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        assert!(save(&folder.path().join("missing/x"), b"").is_err());
        assert!(save(Path::new("/"), b"").is_err());
    }
}

//! The executable mappings of a process, as profiles list them.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::elf;

/// Most mappings of unloaded objects that [`Mappings::merge`] keeps, so that a
/// program that loads and unloads for ever does not make the list grow for ever.
pub const MAX_UNLOADED: usize = 1024;

/// One executable segment of an object in the address space.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// First address behind the mapping.
    pub limit: u64,
    /// Offset in the file of what lies at `start`, in bytes.
    pub offset: u64,
    /// Absolute file name without the kernel's ` (deleted)`, or a name in
    /// brackets such as `[vdso]`.
    pub path: String,
    /// The GNU build id in lower-case hexadecimal, if the object has one.
    pub build_id: Option<String>,
    /// Whether the file was removed or replaced after it was mapped.
    pub deleted: bool,
    /// Whether the mapping was still there when the list was last renewed.
    pub loaded: bool,
    /// Whether this is the program itself rather than a library.
    pub main: bool,
    /// What to open in order to read the object; `None` if nothing under its
    /// name is the same file.
    pub(crate) file: Option<PathBuf>,
    /// How many times [`Mappings::merge`] has found it gone.
    merges_gone: u32,
}

impl Mapping {
    /// A mapping that a profile tells of, of a process that may be gone.
    pub(crate) fn recorded(range: Range<u64>, offset: u64, path: String) -> Self {
        Mapping {
            start: range.start,
            limit: range.end,
            offset,
            path,
            build_id: None,
            deleted: false,
            loaded: true,
            main: false,
            file: None,
            merges_gone: 0,
        }
    }

    /// A mapping of a process that is gone, for addresses that were recorded there: names
    /// come from the file at `path`, if that still has this build id.
    pub fn of_the_past(
        range: Range<u64>,
        offset: u64,
        path: impl Into<String>,
        build_id: Option<String>,
    ) -> Self {
        let path = path.into();
        let file = PathBuf::from(&path);
        let is_same = build_id.is_some() && elf::build_id(&file) == build_id;
        Mapping {
            deleted: !is_same,
            loaded: false,
            file: is_same.then_some(file),
            build_id,
            ..Mapping::recorded(range, offset, path)
        }
    }

    /// Whether `address` lies inside.
    pub fn contains(&self, address: u64) -> bool {
        self.start <= address && address < self.limit
    }

    /// Whether `other` continues this mapping: same object, and file offsets
    /// that run on. What lies between them belongs to the same segment then.
    fn continued_by(&self, other: &Mapping) -> bool {
        self.path == other.path
            && self.deleted == other.deleted
            && self.limit <= other.start
            && other.offset.checked_sub(self.offset) == Some(other.start - self.start)
    }

    fn is_same(&self, other: &Mapping) -> bool {
        self.start == other.start
            && self.limit == other.limit
            && self.offset == other.offset
            && self.path == other.path
            && (self.build_id.is_none()
                || other.build_id.is_none()
                || self.build_id == other.build_id)
    }

    /// The parts that are left when others, sorted by address, take their
    /// places.
    fn without(self, others: &[Mapping]) -> Vec<Mapping> {
        let first = others.partition_point(|other| other.limit <= self.start);
        let mut parts = Vec::new();
        let mut rest = self;
        for other in others.iter().skip(first) {
            if other.start >= rest.limit {
                break;
            }
            if rest.start < other.start {
                let mut below = rest.clone();
                below.limit = other.start;
                parts.push(below);
            }
            let taken = other.limit - rest.start;
            if other.limit >= rest.limit {
                return parts;
            }
            rest.offset = rest.offset.saturating_add(taken);
            rest.start = other.limit;
        }
        parts.push(rest);
        parts
    }
}

/// The executable mappings of a process. No two of them overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mappings {
    /// Sorted by address.
    entries: Vec<Mapping>,
}

impl Mappings {
    /// Reads `/proc/self/maps`, and the build id of every mapped object from
    /// its file. Costs one small read of each object, some 30 µs apiece.
    ///
    /// # Errors
    ///
    /// If `/proc/self/maps` cannot be read (no `/proc` in a sandbox, say).
    /// Objects whose file cannot be read merely have no build id.
    pub fn of_current_process() -> io::Result<Mappings> {
        let maps = std::fs::read("/proc/self/maps")?;
        let exe = std::fs::read_link("/proc/self/exe").ok();
        let exe = exe.as_deref().map(|path| path.to_string_lossy());
        let mut mappings = Mappings::parse_with_main(
            &String::from_utf8_lossy(&maps),
            exe.as_deref().map(|path| split_deleted(path).0),
        );
        mappings.locate_files();
        mappings.read_build_ids();
        Ok(mappings)
    }

    /// Parses text in the format of `/proc/<pid>/maps`. Reads no file, so there
    /// are no build ids; lines that are not of that format are left out.
    ///
    /// The program itself is taken to be the first mapped file that is not
    /// named like a shared library.
    pub fn parse(maps: &str) -> Mappings {
        Mappings::parse_with_main(maps, None)
    }

    fn parse_with_main(maps: &str, main: Option<&str>) -> Mappings {
        let mut lines: Vec<MapsLine> = maps.lines().filter_map(MapsLine::parse).collect();
        lines.sort_by_key(|line| line.mapping.start);
        let mut entries = join_segments(lines);
        mark_main(&mut entries, main);
        Mappings { entries }
    }

    /// Takes over a newer list. Mappings that are gone stay listed, with
    /// [`Mapping::loaded`] false, since older samples may refer to them. Where
    /// another object now occupies the addresses of an older one the newer one
    /// wins: an address always belongs to one mapping at most.
    pub fn merge(&mut self, newer: Mappings) {
        let mut newer = newer.entries;
        for mapping in &mut newer {
            // A file that was removed meanwhile can no longer be asked.
            if mapping.deleted && mapping.build_id.is_none() {
                let known = self.find(mapping.start).filter(|old| old.is_same(mapping));
                mapping.build_id = known.and_then(|old| old.build_id.clone());
            }
        }
        let is_there = |mapping: &Mapping| {
            let at = newer.partition_point(|new| new.start < mapping.start);
            newer.get(at).is_some_and(|new| new.is_same(mapping))
        };
        let mut gone: Vec<Mapping> = std::mem::take(&mut self.entries)
            .into_iter()
            .filter(|mapping| !is_there(mapping))
            .flat_map(|mapping| mapping.without(&newer))
            .collect();
        for mapping in &mut gone {
            mapping.loaded = false;
            mapping.merges_gone = mapping.merges_gone.saturating_add(1);
        }
        gone.sort_by_key(|mapping| mapping.merges_gone);
        gone.truncate(MAX_UNLOADED);
        self.entries = newer;
        self.entries.append(&mut gone);
        self.entries.sort_by_key(|mapping| mapping.start);
    }

    /// Adds mappings that are not there any more, where their addresses are free.
    pub fn add_past<'a>(&mut self, past: impl IntoIterator<Item = &'a Mapping>) {
        for mapping in past {
            let at = self
                .entries
                .partition_point(|known| known.start < mapping.start);
            let before = at
                .checked_sub(1)
                .and_then(|before| self.entries.get(before));
            let is_free = before.is_none_or(|before| before.limit <= mapping.start)
                && self
                    .entries
                    .get(at)
                    .is_none_or(|next| mapping.limit <= next.start);
            if is_free && mapping.start < mapping.limit {
                self.entries.insert(at, mapping.clone());
            }
        }
    }

    /// The mapping that `address` lies in. Costs a binary search.
    pub fn find(&self, address: u64) -> Option<&Mapping> {
        self.index_of(address)
            .and_then(|index| self.entries.get(index))
    }

    /// Position of the mapping of `address` in [`Mappings::by_address`].
    pub(crate) fn index_of(&self, address: u64) -> Option<usize> {
        let behind = self
            .entries
            .partition_point(|mapping| mapping.start <= address);
        let index = behind.checked_sub(1)?;
        self.entries
            .get(index)
            .filter(|mapping| mapping.contains(address))
            .map(|_| index)
    }

    /// All mappings by ascending address.
    pub(crate) fn by_address(&self) -> &[Mapping] {
        &self.entries
    }

    /// All mappings: those of the program itself first, then by address.
    pub fn iter(&self) -> impl Iterator<Item = &Mapping> {
        let main = self.entries.iter().filter(|mapping| mapping.main);
        let others = self.entries.iter().filter(|mapping| !mapping.main);
        main.chain(others)
    }

    /// Decides which file to open for each mapping of this process.
    fn locate_files(&mut self) {
        for mapping in &mut self.entries {
            mapping.file = if mapping.main {
                Some(own_executable(Path::new(&mapping.path)))
            } else if mapping.deleted || !mapping.path.starts_with('/') {
                None
            } else {
                Some(PathBuf::from(&mapping.path))
            };
        }
    }

    fn read_build_ids(&mut self) {
        let mut last: Option<(PathBuf, Option<String>)> = None;
        for mapping in &mut self.entries {
            let Some(file) = &mapping.file else { continue };
            if last.as_ref().is_none_or(|(known, _)| known != file) {
                last = Some((file.clone(), elf::build_id(file)));
            }
            mapping.build_id = last.as_ref().and_then(|(_, id)| id.clone());
        }
    }
}

/// `/proc/self/exe` always leads to the program that runs, also when its file
/// was replaced; its name is better only because separate debug information
/// is looked for beside it.
fn own_executable(path: &Path) -> PathBuf {
    use std::os::unix::fs::MetadataExt;
    let link = Path::new("/proc/self/exe");
    let identity = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    match (identity(path), identity(link)) {
        (Some(named), Some(running)) if named == running => path.to_path_buf(),
        _ => link.to_path_buf(),
    }
}

/// One line of a maps file, executable or not.
struct MapsLine {
    mapping: Mapping,
    executable: bool,
    /// Anonymous memory: what huge pages that replace a part of a segment
    /// look like.
    anonymous: bool,
}

impl MapsLine {
    /// `start-limit perms offset dev inode   path`; the path may hold spaces.
    fn parse(line: &str) -> Option<MapsLine> {
        let (range, rest) = line.split_once(' ')?;
        let (start, limit) = range.split_once('-')?;
        let start = u64::from_str_radix(start, 16).ok()?;
        let limit = u64::from_str_radix(limit, 16).ok()?;
        let mut rest = rest;
        let mut field = || {
            let trimmed = rest.trim_start_matches(' ');
            let (field, behind) = trimmed.split_once(' ').unwrap_or((trimmed, ""));
            rest = behind;
            field
        };
        let permissions = field();
        let offset = u64::from_str_radix(field(), 16).ok()?;
        let (_device, inode) = (field(), field());
        let inode: u64 = inode.parse().ok()?;
        let (path, deleted) = split_deleted(rest.trim_start_matches(' '));
        if start >= limit {
            return None;
        }
        Some(MapsLine {
            executable: permissions.as_bytes().get(2) == Some(&b'x'),
            anonymous: is_anonymous(path, inode),
            mapping: Mapping {
                start,
                limit,
                offset,
                path: path.to_owned(),
                build_id: None,
                deleted,
                loaded: true,
                main: false,
                file: None,
                merges_gone: 0,
            },
        })
    }
}

/// Splits the kernel's mark for a file without a name off its former name.
fn split_deleted(path: &str) -> (&str, bool) {
    match path.strip_suffix(" (deleted)") {
        Some(path) => (path, true),
        None => (path, false),
    }
}

fn is_anonymous(path: &str, inode: u64) -> bool {
    path.is_empty()
        || path.starts_with("/anon_hugepage")
        || path.starts_with("//anon")
        || path.starts_with("[anon")
        || (inode == 0 && path == "[heap]")
}

/// Executable lines as segments: a segment that the kernel shows in pieces
/// (after `mprotect`, or because a part of it lies in anonymous huge pages) is
/// one again. Other anonymous code, of a JIT say, is left out.
fn join_segments(lines: Vec<MapsLine>) -> Vec<Mapping> {
    let mut segments: Vec<Mapping> = Vec::new();
    // End of the unbroken run of executable memory that starts with the last segment.
    let mut run_end = 0;
    for line in lines.into_iter().filter(|line| line.executable) {
        // The kernel's list has no overlaps; other text may have.
        if segments
            .last()
            .is_some_and(|last| line.mapping.start < last.limit)
        {
            continue;
        }
        let adjacent = line.mapping.start == run_end;
        if line.anonymous {
            if adjacent {
                run_end = line.mapping.limit;
            }
            continue;
        }
        // A fixed page of the kernel's, not of the program's.
        if line.mapping.path == "[vsyscall]" {
            continue;
        }
        run_end = line.mapping.limit;
        match segments.last_mut() {
            Some(last) if adjacent && last.continued_by(&line.mapping) => {
                last.limit = line.mapping.limit;
            }
            _ => segments.push(line.mapping),
        }
    }
    segments
}

fn mark_main(entries: &mut [Mapping], main: Option<&str>) {
    let named = |path: &str| entries.iter().any(|mapping| mapping.path == path);
    let main = match main {
        Some(path) if named(path) => Some(path.to_owned()),
        _ => guess_main(entries),
    };
    if let Some(main) = main {
        for mapping in entries {
            mapping.main = mapping.path == main;
        }
    }
}

fn guess_main(entries: &[Mapping]) -> Option<String> {
    let is_file = |mapping: &&Mapping| {
        mapping.path.starts_with('/')
            && !mapping.path.starts_with("/memfd:")
            && !mapping.path.starts_with("/dev/")
    };
    let is_library = |mapping: &&Mapping| {
        let name = mapping.path.rsplit('/').next().unwrap_or_default();
        name.split('.').skip(1).any(|part| part == "so")
    };
    let mut files = entries.iter().filter(is_file);
    files
        .clone()
        .find(|mapping| !is_library(mapping))
        .or_else(|| files.next())
        .map(|mapping| mapping.path.clone())
}

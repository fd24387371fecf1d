//! The memory that the kernel lets this process take: the tightest limit of its
//! control groups and of all above them.
//!
//! ```
//! use heaplens_alloc::cgroup;
//!
//! if let (Some(limit), Some(headroom)) = (cgroup::memory_limit(), cgroup::memory_headroom()) {
//!     assert!(headroom <= limit);
//! }
//! ```

use std::fs;
use std::path::{Path, PathBuf};

/// Numbers from here on mean "none": v1 writes the largest multiple of a page.
const UNLIMITED: u64 = 1 << 60;

/// The limit in bytes; `None` if there is none, or none that can be read. A few
/// reads of small files, some 50 µs. Allocates.
pub fn memory_limit() -> Option<u64> {
    let groups = groups_of(&text(GROUPS)?, &text(MOUNTS)?);
    tightest(&groups, read)
}

/// Bytes that the process and the others of its groups may still take before the
/// kernel kills one of them; `None` if there is no limit, or none that can be read. Of
/// what they take, files that were not used for long do not count: the kernel gives
/// those back first. As [`memory_limit`], some 100 µs.
pub fn memory_headroom() -> Option<u64> {
    let groups = groups_of(&text(GROUPS)?, &text(MOUNTS)?);
    least_headroom(&groups, read)
}

const GROUPS: &str = "/proc/self/cgroup";
const MOUNTS: &str = "/proc/self/mountinfo";

fn text(path: &str) -> Option<String> {
    read(Path::new(path))
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The groups of this process that may have limits, from the text of
/// `/proc/self/cgroup` and `/proc/self/mountinfo`.
fn groups_of(groups: &str, mounts: &str) -> Vec<(Version, PathBuf)> {
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
    groups
        .lines()
        .filter_map(Membership::parse)
        .flat_map(|member| {
            let mount = mounts.iter().find(|mount| mount.version == member.version);
            mount.map_or_else(Vec::new, |mount| mount.directories(&member.path))
        })
        .collect()
}

/// The tightest limit of some groups, with a way to read their files.
fn tightest(groups: &[(Version, PathBuf)], read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let limits = groups.iter();
    limits
        .filter_map(|(version, directory)| version.limit(directory, &read))
        .min()
}

/// What the group has left that has least left.
fn least_headroom(
    groups: &[(Version, PathBuf)],
    read: impl Fn(&Path) -> Option<String>,
) -> Option<u64> {
    let limited = groups.iter();
    limited
        .filter_map(|(version, directory)| {
            let limit = version.limit(directory, &read)?;
            let taken = version.taken(directory, &read)?;
            Some(limit.saturating_sub(taken))
        })
        .min()
}

/// The number that is all of a file.
fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// The number that follows this name on a line of its own.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    number(line.strip_prefix(' ')?)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

impl Version {
    /// The limit of a group, if it has one: `memory.max` says `max` for none.
    fn limit(self, group: &Path, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
        let file = match self {
            Version::V1 => "memory.limit_in_bytes",
            Version::V2 => "memory.max",
        };
        number(&read(&group.join(file))?).filter(|&limit| limit < UNLIMITED)
    }

    /// What a group takes, without files that were not used for long.
    fn taken(self, group: &Path, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
        let (file, idle) = match self {
            Version::V1 => ("memory.usage_in_bytes", "total_inactive_file"),
            Version::V2 => ("memory.current", "inactive_file"),
        };
        let taken = number(&read(&group.join(file))?)?;
        let details = read(&group.join("memory.stat")).unwrap_or_default();
        Some(taken.saturating_sub(field(&details, idle).unwrap_or(0)))
    }
}

/// One line of `/proc/self/cgroup` that tells of memory.
struct Membership {
    version: Version,
    path: PathBuf,
}

impl Membership {
    /// `hierarchy:controllers:path`; in v2 the controllers are empty.
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let version = if controllers.is_empty() {
            Version::V2
        } else if controllers.split(',').any(|name| name == "memory") {
            Version::V1
        } else {
            return None;
        };
        let path = PathBuf::from(path);
        Some(Membership { version, path })
    }
}

/// Where a hierarchy with memory limits is mounted.
struct Mount {
    version: Version,
    /// The group that is seen at `point`.
    root: PathBuf,
    point: PathBuf,
}

impl Mount {
    /// `id parent device root point options … - type source options`.
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, point) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let version = match (after.next()?, after.nth(1)?) {
            ("cgroup2", _) => Version::V2,
            ("cgroup", options) if options.split(',').any(|name| name == "memory") => Version::V1,
            _ => return None,
        };
        let (root, point) = (unescape(root).into(), unescape(point).into());
        Some(Mount {
            version,
            root,
            point,
        })
    }

    /// The directory of a group and those of all groups above it that can be
    /// seen from here. A group that lies elsewhere, as within a container whose
    /// namespace does not show its own, is taken to be the mount itself.
    fn directories(&self, group: &Path) -> Vec<(Version, PathBuf)> {
        let below = group.strip_prefix(&self.root).unwrap_or(Path::new(""));
        let is_inside = below
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        let below = if is_inside { below } else { Path::new("") };
        below
            .ancestors()
            .map(|part| (self.version, self.point.join(part)))
            .collect()
    }
}

/// Undoes the octal escapes of `mountinfo`: space, tab, newline and backslash.
fn unescape(text: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (escape, character)| {
        text.replace(escape, character)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
        32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
        35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    fn limit(groups: &str, mounts: &str, files: &[(&str, &str)]) -> Option<u64> {
        let files: HashMap<&str, &str> = files.iter().copied().collect();
        tightest(&groups_of(groups, mounts), |path| {
            let text = files.get(path.to_str().unwrap())?;
            Some(format!("{text}\n"))
        })
    }

    fn headroom(groups: &str, mounts: &str, files: &[(&str, &str)]) -> Option<u64> {
        let files: HashMap<&str, &str> = files.iter().copied().collect();
        least_headroom(&groups_of(groups, mounts), |path| {
            let text = files.get(path.to_str().unwrap())?;
            Some(format!("{text}\n"))
        })
    }

    #[test]
    fn headroom_is_that_of_the_group_that_has_least() {
        let files = [
            ("/sys/fs/cgroup/a/b/memory.max", "1000"),
            ("/sys/fs/cgroup/a/b/memory.current", "400"),
            (
                "/sys/fs/cgroup/a/b/memory.stat",
                "anon 300\ninactive_file 100\n",
            ),
            ("/sys/fs/cgroup/a/memory.max", "2000"),
            ("/sys/fs/cgroup/a/memory.current", "1900"),
            ("/sys/fs/cgroup/a/memory.stat", "inactive_file 20"),
            ("/sys/fs/cgroup/memory.max", "max"),
            ("/sys/fs/cgroup/memory.current", "99999"),
        ];
        assert_eq!(headroom("0::/a/b\n", V2, &files), Some(120));
        assert_eq!(headroom("0::/a/b\n", V2, &files[..3]), Some(700));
        assert_eq!(
            headroom("0::/a/b\n", V2, &files[..2]),
            Some(600),
            "no details"
        );
        assert_eq!(headroom("0::/a/b\n", V2, &files[..1]), None, "no usage");
        assert_eq!(headroom("0::/\n", V2, &files), None, "no limit");
        let full = [
            ("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "500"),
            ("/sys/fs/cgroup/memory/x/memory.usage_in_bytes", "700"),
            (
                "/sys/fs/cgroup/memory/x/memory.stat",
                "total_inactive_file 50",
            ),
        ];
        assert_eq!(headroom("4:memory:/x\n0::/\n", V1, &full), Some(0));
    }

    #[test]
    fn the_tightest_up_the_hierarchy() {
        let files = [
            ("/sys/fs/cgroup/a.slice/b.scope/memory.max", "max"),
            ("/sys/fs/cgroup/a.slice/memory.max", "1073741824"),
            ("/sys/fs/cgroup/memory.max", "2147483648"),
            ("/sys/fs/cgroup/other/memory.max", "1"),
        ];
        assert_eq!(limit("0::/a.slice/b.scope\n", V2, &files), Some(1 << 30));
        assert_eq!(limit("0::/\n", V2, &files), Some(2 << 30));
        assert_eq!(limit("0::/a.slice/b.scope\n", V2, &files[..1]), None);
        assert_eq!(limit("0::/a.slice/b.scope\n", V2, &[]), None);
    }

    #[test]
    fn the_first_version_beside_the_second() {
        let groups = "5:cpu,cpuacct:/x\n4:memory:/pod/container\n0::/\n";
        let files = [
            (
                "/sys/fs/cgroup/memory/pod/container/memory.limit_in_bytes",
                "536870912",
            ),
            (
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712",
            ),
        ];
        assert_eq!(limit(groups, V1, &files), Some(512 << 20));
        assert_eq!(limit(groups, V1, &files[1..]), None, "that number is none");
    }

    #[test]
    fn a_group_mounted_as_the_root() {
        let mounts = "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        let files = [
            ("/sys/fs/cgroup/memory.max", "4096"),
            ("/sys/fs/cgroup/in/memory.max", "2048"),
        ];
        assert_eq!(limit("0::/docker/abc\n", mounts, &files), Some(4096));
        assert_eq!(limit("0::/docker/abc/in\n", mounts, &files), Some(2048));
        for elsewhere in ["0::/docker/other\n", "0::/../../x\n", "0::/\n"] {
            assert_eq!(limit(elsewhere, mounts, &files), Some(4096), "{elsewhere}");
        }
    }

    #[test]
    fn odd_names_and_nonsense() {
        let mounts = "1 2 0:3 / /mnt/a\\040b rw shared:1 - cgroup2 cgroup2 rw\n";
        let files = [("/mnt/a b/x:y/memory.max", "77")];
        assert_eq!(limit("0::/x:y\n", mounts, &files), Some(77));
        for nonsense in ["", "\n", "0:", "::", "- - -\n", "0::"] {
            assert_eq!(limit(nonsense, mounts, &files), None, "{nonsense:?}");
            assert_eq!(limit("0::/x:y\n", nonsense, &files), None, "{nonsense:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "reads /proc")]
    fn that_of_this_process_can_be_read_or_is_none() {
        assert!(memory_limit().is_none_or(|limit| limit > 1 << 20));
        let (limit, headroom) = (memory_limit(), memory_headroom());
        assert!(headroom <= limit, "{headroom:?} of {limit:?}");
    }
}

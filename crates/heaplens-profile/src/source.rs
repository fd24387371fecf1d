//! Which crate and module a source file holds.
//!
//! A compile unit of rustc's is named `<root file>/@/<crate>.<hash>-cgu.<n>`, so
//! that the units of a binary tell which crate's sources lie below which
//! folder. For crates without a unit of their own (whose functions were all
//! inlined or generic) the usual layout of packages has to do.

use std::path::Path;

use crate::units;

/// Root source files of crates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceRoots {
    roots: Vec<Root>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Root {
    /// For example `/home/me/service/src/main.rs`.
    file: String,
    crate_name: String,
}

impl Root {
    /// The folder of the root file, with its slash.
    fn folder(&self) -> &str {
        self.file
            .rfind('/')
            .and_then(|slash| self.file.get(..=slash))
            .unwrap_or_default()
    }

    /// The path from this root's folder to `file`, if `file` may be a module
    /// below this root.
    fn relative<'a>(&self, file: &'a str) -> Option<&'a str> {
        let rest = file.strip_prefix(self.folder())?;
        // A package further down, not a module of this one.
        let other = rest.split('/').any(|part| part == "src");
        (!other).then_some(rest)
    }
}

impl SourceRoots {
    /// Reads the names of all compile units of the ELF file at `path`. Empty
    /// if there is none of Rust. Costs some 10 µs a unit.
    pub(crate) fn read(path: &Path) -> SourceRoots {
        let units = units::read(path).unwrap_or_default();
        let units = units.iter();
        let mut roots: Vec<Root> = units
            .filter_map(|unit| root(&unit.name, &unit.folder))
            .collect();
        roots.sort_unstable();
        roots.dedup();
        SourceRoots { roots }
    }

    #[cfg(test)]
    fn of_units(units: &[(&str, &str)]) -> SourceRoots {
        let roots = units.iter().filter_map(|(name, folder)| root(name, folder));
        SourceRoots {
            roots: roots.collect(),
        }
    }

    /// The path of the module that `file` holds, such as `alloc::vec`.
    pub(crate) fn module_of(&self, file: &str) -> Option<String> {
        let path = match self.crate_of(file) {
            Some((crate_name, modules)) => join(crate_name, &modules),
            None => usual_module_of(file)?,
        };
        let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
        path.chars().all(is_path).then_some(path)
    }

    /// The crate of `file`, and the modules between its root and `file`.
    fn crate_of<'a>(&'a self, file: &'a str) -> Option<(&'a str, Vec<&'a str>)> {
        if let Some(root) = self.roots.iter().find(|root| root.file == file) {
            return Some((&root.crate_name, Vec::new()));
        }
        let nearest = |root: &&Root| {
            // Beside each other lie a package's library and its program, which
            // uses the library as a rule.
            (root.folder().len(), root.file.ends_with("/lib.rs"))
        };
        let root = self
            .roots
            .iter()
            .filter(|root| root.relative(file).is_some())
            .max_by_key(nearest)?;
        let modules = root.relative(file)?.strip_suffix(".rs")?.split('/');
        Some((&root.crate_name, modules.collect()))
    }
}

/// The root that a compile unit of that name and folder tells of.
fn root(unit: &str, folder: &str) -> Option<Root> {
    let (file, codegen_unit) = unit.split_once("/@/")?;
    // Incremental builds have a hash alone there.
    let (crate_name, _) = codegen_unit.split_once('.')?;
    let file = if file.starts_with('/') {
        file.to_owned()
    } else {
        format!("{}/{file}", folder.trim_end_matches('/'))
    };
    Some(Root {
        file,
        crate_name: crate_name.to_owned(),
    })
}

/// Crate and module by the layout that cargo and rustc use.
fn usual_module_of(file: &str) -> Option<String> {
    let stem = file.strip_suffix(".rs")?;
    let parts: Vec<&str> = stem
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    let source = parts
        .iter()
        .rposition(|part| matches!(*part, "src" | "tests" | "examples" | "benches"));
    let (crate_name, modules) = match source {
        Some(at) if at > 0 && parts.get(at) == Some(&"src") => {
            (crate_of_package(parts.get(..at)?)?, parts.get(at + 1..)?)
        }
        // Each file there is the root of a crate of its own, or each folder.
        Some(at) => (*parts.get(at + 1)?, parts.get(at + 2..)?),
        None => (*parts.last()?, &[][..]),
    };
    Some(match modules {
        ["bin", name, rest @ ..] => join(name, rest),
        _ => join(crate_name, modules),
    })
}

fn join(crate_name: &str, modules: &[&str]) -> String {
    let mut path = crate_name.replace('-', "_");
    for (index, module) in modules.iter().enumerate() {
        let last = index + 1 == modules.len();
        let is_root = index == 0 && matches!(*module, "lib" | "main");
        if last && (is_root || *module == "mod") {
            break;
        }
        path.push_str("::");
        path.push_str(module);
    }
    path
}

/// The crate of the package that lies in these folders.
fn crate_of_package<'a>(folders: &[&'a str]) -> Option<&'a str> {
    match folders {
        // ~/.cargo/git/checkouts/<repository>-<hash>/<commit>
        [.., "checkouts", repository, _commit] => {
            Some(repository.rsplit_once('-').map_or(*repository, |(n, _)| n))
        }
        // ~/.cargo/registry/src/<index>/<name>-<version>, or just <name>
        [.., name] => Some(without_version(name)),
        [] => None,
    }
}

fn without_version(name: &str) -> &str {
    let is_version = |text: &str| {
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.len() < text.len() && rest.starts_with('.')
    };
    name.match_indices('-')
        .filter_map(|(at, _)| Some((name.get(..at)?, name.get(at + 1..)?)))
        .find(|(_, rest)| is_version(rest))
        .map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_layouts() {
        let registry = "/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
        for (file, module) in [
            ("/rustc/5980/library/alloc/src/vec/mod.rs", "alloc::vec"),
            ("/rustc/5980/library/alloc/src/alloc.rs", "alloc::alloc"),
            (
                "/rust/deps/hashbrown-0.16.1/src/raw/mod.rs",
                "hashbrown::raw",
            ),
            (
                &format!("{registry}/tokio-util-0.7.1/src/codec/mod.rs"),
                "tokio_util::codec",
            ),
            (
                &format!("{registry}/x86-64-0.1.0-rc.1/src/lib.rs"),
                "x86_64",
            ),
            (
                "/root/.cargo/git/checkouts/moka-9a1b/3f2c1d0/src/sync.rs",
                "moka::sync",
            ),
            ("/svc/src/main.rs", "svc"),
            ("/svc/src/main/inner.rs", "svc::main::inner"),
            ("/svc/src/bin/worker.rs", "worker"),
            ("/svc/tests/http.rs", "http"),
            ("/tmp/a.rs", "a"),
        ] {
            assert_eq!(
                SourceRoots::default().module_of(file).as_deref(),
                Some(module),
                "{file}"
            );
        }
    }

    #[test]
    fn files_without_a_module() {
        for file in [
            "",
            "/svc/src/a b.rs",
            "/svc/target/out/proto.c",
            "/",
            "src",
            ".rs",
        ] {
            assert_eq!(SourceRoots::default().module_of(file), None, "{file}");
        }
    }

    #[test]
    fn units_tell_the_crate() {
        let roots = SourceRoots::of_units(&[
            ("src/main.rs/@/leaky_service.1f-cgu.0", "/home/me/checkout"),
            ("src/lib.rs/@/leaky.2e-cgu.1", "/home/me/checkout/"),
            (
                "/home/me/checkout/plugins/x/lib.rs/@/x_plugin.3d-cgu.1",
                "/",
            ),
            ("tool.c", "/home/me/checkout"),
            (
                "src/main.rs/@/f41tnosg2yozrglckwlrihher",
                "/home/me/checkout",
            ),
        ]);
        for (file, module) in [
            ("/home/me/checkout/src/main.rs", "leaky_service"),
            ("/home/me/checkout/src/lib.rs", "leaky"),
            ("/home/me/checkout/src/cache/mod.rs", "leaky::cache"),
            (
                "/home/me/checkout/plugins/x/deep/er.rs",
                "x_plugin::deep::er",
            ),
            // No unit of its own: not a module of the package above it.
            ("/home/me/checkout/src/vendor/dep/src/a.rs", "dep::a"),
        ] {
            assert_eq!(roots.module_of(file).as_deref(), Some(module), "{file}");
        }
    }

    #[test]
    fn this_binary_names_its_own_crate() {
        let roots = SourceRoots::read(Path::new("/proc/self/exe"));
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/source.rs");
        let module = roots.module_of(&own.to_string_lossy());
        assert_eq!(module.as_deref(), Some("heaplens_profile::source"));
        assert!(
            roots.roots.iter().any(|root| root.crate_name == "std"),
            "{roots:?}"
        );
    }
}

//! One object file, opened for looking addresses up.

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use addr2line::{Loader, gimli};

use crate::debug_file::{self, Wanted};
use crate::elf::Layout;
use crate::model::Function;
use crate::names;
use crate::source::SourceRoots;
use crate::symbol_table::SymbolTable;

/// An object file with its symbols and debug information.
pub(crate) struct Image {
    layout: Layout,
    /// The file itself, and what tells its functions and lines, if that is
    /// another file.
    own: Part,
    debug: Option<Part>,
    /// Read when the first function without a path turns up.
    roots: OnceCell<SourceRoots>,
}

/// Most bytes of compressed sections that are unpacked, all of one file: they
/// stay in memory while the file is open. Beyond that there are no lines.
const MAX_UNPACKED: u64 = 64 << 20;

/// A file that is read through.
struct Part {
    path: PathBuf,
    tables: Tables,
}

enum Tables {
    /// Symbols and debug information.
    Both(Box<Loader>),
    Symbols(SymbolTable),
}

impl Part {
    fn open(path: &Path, compressed: u64) -> Option<Part> {
        let tables = if compressed > MAX_UNPACKED {
            Tables::Symbols(guarded(|| SymbolTable::read(path))?)
        } else {
            Tables::Both(guarded(|| Loader::new(path).ok()).map(Box::new)?)
        };
        Some(Part {
            path: path.to_path_buf(),
            tables,
        })
    }

    fn symbol(&self, address: u64) -> Option<Symbol> {
        let (name, start) = match &self.tables {
            Tables::Both(loader) => {
                let symbol = loader.find_symbol_info(address)?;
                (symbol.name().to_owned(), symbol.address())
            }
            Tables::Symbols(table) => table.find(address)?,
        };
        // Debug files have versions in their names: `name@@VERSION`.
        let name = name.split('@').next().unwrap_or_default().to_owned();
        Some(Symbol { name, start })
    }
}

/// What an object was mapped as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapped<'a> {
    /// Its name at that time.
    pub(crate) name: &'a Path,
    pub(crate) build_id: Option<&'a str>,
}

/// An entry of the symbol table.
#[derive(Debug)]
pub(crate) struct Symbol {
    pub(crate) name: String,
    /// Address as the file's own tables count.
    pub(crate) start: u64,
}

/// What the debug information says of one function at an address.
#[derive(Debug, Default)]
pub(crate) struct DebugFrame {
    name: Option<String>,
    is_rust: bool,
    file: Option<String>,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Image {
    /// Opens the file at `path`, which must have the build id that was mapped,
    /// if any. Where the file was stripped, its debug file is opened too, which
    /// is looked for under `directories` and beside the name that was mapped.
    pub(crate) fn open(path: &Path, mapped: Mapped<'_>, directories: &[PathBuf]) -> Option<Image> {
        let layout = Layout::read(path)?;
        if mapped.build_id.is_some() && layout.build_id.as_deref() != mapped.build_id {
            return None;
        }
        let own = Part::open(path, layout.compressed)?;
        let debug = if layout.has_debug_information {
            None
        } else {
            let wanted = Wanted {
                path: mapped.name,
                build_id: layout.build_id.as_deref(),
                link: layout.debug_link.as_ref(),
            };
            debug_file::find(wanted, directories).and_then(|file| {
                let compressed = Layout::read(&file)?.compressed;
                Part::open(&file, compressed)
            })
        };
        Some(Image {
            layout,
            own,
            debug,
            roots: OnceCell::new(),
        })
    }

    /// The address, as the file's own tables count, of a place in the file.
    pub(crate) fn address_of(&self, file_offset: u64) -> Option<u64> {
        self.layout.address_of(file_offset)
    }

    /// The symbol that `address` lies in.
    pub(crate) fn symbol(&self, address: u64) -> Option<Symbol> {
        // The names under which a stripped file exports a function come before
        // the many that it has inside.
        [Some(&self.own), self.debug.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|part| guarded(|| part.symbol(address)))
    }

    /// The functions at `address` as the debug information has them, innermost
    /// first; empty without debug information.
    pub(crate) fn debug_frames(&self, address: u64) -> Vec<DebugFrame> {
        let part = self.debug.as_ref().unwrap_or(&self.own);
        let Tables::Both(loader) = &part.tables else {
            return Vec::new();
        };
        guarded(|| {
            let mut found = Vec::new();
            let mut frames = loader.find_frames(address).ok()?;
            while let Ok(Some(frame)) = frames.next() {
                found.push(DebugFrame::new(frame));
            }
            Some(found)
        })
        .unwrap_or_default()
    }

    /// The function of `frame`, with the best name there is. `symbol` is that
    /// of the physical function, given only if `frame` is the physical one.
    ///
    /// Linkage names are best: they hold the whole path. Without them (in
    /// `line-tables-only` debug information) the symbol table has them for
    /// physical functions; for inlined ones the source file must help.
    pub(crate) fn function(&self, frame: DebugFrame, symbol: Option<&Symbol>) -> Option<Function> {
        let file = frame.file.unwrap_or_default();
        let debug_name = frame.name.filter(|name| !name.is_empty());
        let linkage = debug_name
            .as_deref()
            .filter(|name| names::is_mangled(name))
            .or(symbol.map(|symbol| symbol.name.as_str()));
        if let Some(linkage) = linkage {
            return Some(linked(linkage, debug_name.as_deref(), file));
        }
        let bare = debug_name?;
        if !frame.is_rust {
            return Some(Function {
                system_name: bare.clone(),
                name: bare,
                file,
            });
        }
        Some(Function {
            name: names::qualify(&bare, &file, self.roots()),
            // A bare name is no linkage name, and viewers would cut the
            // generics off a name that equals it.
            system_name: String::new(),
            file,
        })
    }

    fn roots(&self) -> &SourceRoots {
        let part = self.debug.as_ref().unwrap_or(&self.own);
        self.roots
            .get_or_init(|| guarded(|| Some(SourceRoots::read(&part.path))).unwrap_or_default())
    }
}

impl DebugFrame {
    fn new<R: gimli::Reader>(frame: addr2line::Frame<'_, R>) -> Self {
        let mut found = DebugFrame::default();
        if let Some(function) = frame.function {
            found.is_rust = function.language == Some(gimli::DW_LANG_Rust);
            found.name = function.raw_name().ok().map(std::borrow::Cow::into_owned);
        }
        if let Some(location) = frame.location {
            found.file = location.file.map(str::to_owned);
            found.line = location.line.unwrap_or(0);
            found.column = location.column.unwrap_or(0);
        }
        found
    }
}

/// A function known by its symbol alone.
pub(crate) fn function_of_symbol(symbol: &Symbol) -> Function {
    linked(&symbol.name, None, String::new())
}

fn linked(linkage: &str, debug_name: Option<&str>, file: String) -> Function {
    // C compilers append `.part.0`, `.constprop.0` and the like to parts and
    // variants of a function.
    let variant_of = |name: &&str| {
        linkage
            .strip_prefix(*name)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    let name = match debug_name.filter(variant_of) {
        Some(name) => name.to_owned(),
        None => names::demangle(linkage).into_owned(),
    };
    Function {
        name,
        system_name: linkage.to_owned(),
        file,
    }
}

/// Runs a parser over a file that may be anything. The parsers are made not to
/// panic; should one do so all the same, the file merely gives no answer.
fn guarded<T>(parse: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(parse)).ok().flatten()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    /// A small library with symbols and debug information.
    fn library(folder: &Path) -> Vec<u8> {
        let source = folder.join("foo.c");
        let text = "static inline int a(int x) { return x / 3; }\nint b(int x) { return a(x); }\n";
        fs::write(&source, text).expect("a temporary file");
        let library = folder.join("libfoo.so");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-g", "-O1", "-nostdlib", "-o"])
            .args([&library, &source])
            .status()
            .expect("cc runs: install a C compiler");
        assert!(status.success());
        fs::read(library).expect("the library")
    }

    fn open(path: &Path, build_id: Option<&str>) -> Option<Image> {
        let mapped = Mapped {
            name: path,
            build_id,
        };
        Image::open(path, mapped, &[])
    }

    /// Asks for everything there is at some addresses.
    fn use_all(path: &Path) -> usize {
        let Some(image) = open(path, None) else {
            return 0;
        };
        let _ = image.roots().module_of("/src/lib.rs");
        let offsets = (0..0x4000).step_by(64).chain([u64::MAX, u64::MAX / 2]);
        offsets
            .filter_map(|offset| image.address_of(offset))
            .map(|address| {
                let symbol = image.symbol(address);
                let frames = image.debug_frames(address);
                frames
                    .into_iter()
                    .filter_map(|frame| image.function(frame, symbol.as_ref()))
                    .count()
            })
            .sum()
    }

    /// A generator of the xorshift family: the same numbers in every run.
    fn random(state: &mut u64) -> usize {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 16) as usize
    }

    #[test]
    fn damaged_files_do_no_harm() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let whole = library(folder.path());
        let path = folder.path().join("damaged.so");
        fs::write(&path, &whole).expect("a temporary file");
        assert!(use_all(&path) > 0, "the whole file has names");

        let mut state = 0x9e37_79b9_7f4a_7c15;
        for round in 0..400 {
            let mut bytes = whole.clone();
            if round % 4 == 0 {
                bytes.truncate(random(&mut state) % whole.len());
            } else {
                for _ in 0..=random(&mut state) % 40 {
                    // Mostly the headers: they steer all the rest.
                    let limit = if round % 2 == 0 { whole.len() } else { 0x400 };
                    bytes[random(&mut state) % limit] = random(&mut state) as u8;
                }
            }
            fs::write(&path, &bytes).expect("a temporary file");
            use_all(&path);
        }
    }

    #[test]
    fn compressed_sections_are_known_before_they_are_unpacked() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        library(folder.path());
        let plain = folder.path().join("libfoo.so");
        let packed = folder.path().join("packed.so");
        let status = Command::new("objcopy")
            .arg("--compress-debug-sections=zlib")
            .args([&plain, &packed])
            .status()
            .expect("objcopy runs: install binutils");
        assert!(status.success());
        let layout = |path: &Path| Layout::read(path).expect("an ELF file");
        assert_eq!(layout(&plain).compressed, 0);
        let compressed = layout(&packed).compressed;
        let size = fs::metadata(&plain).expect("it is there").len();
        assert!(compressed > 0 && compressed < size, "{compressed}");

        // The same names with and without what is unpacked, but no lines.
        let whole = Part::open(&packed, compressed).expect("an ELF file");
        let symbols = Part::open(&packed, MAX_UNPACKED + 1).expect("an ELF file");
        assert!(matches!(symbols.tables, Tables::Symbols(_)));
        let name = |part: &Part, address| part.symbol(address).map(|of| (of.name, of.start));
        let (_, start) = (0..0x4000)
            .find_map(|address| name(&whole, address).filter(|(name, _)| name == "b"))
            .expect("a function of this name");
        assert_eq!(name(&symbols, start), Some(("b".to_owned(), start)));
        assert_eq!(name(&symbols, start + 3), name(&whole, start + 3));
        assert_eq!(name(&symbols, start - 1), None);
        let image = |own| Image {
            layout: layout(&packed),
            own,
            debug: None,
            roots: OnceCell::new(),
        };
        assert!(!image(whole).debug_frames(start).is_empty());
        assert!(image(symbols).debug_frames(start).is_empty());
    }

    #[test]
    fn files_of_other_kinds_are_not_opened() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = folder.path().join("text");
        fs::write(&text, "no ELF file").expect("a temporary file");
        for path in [
            text.as_path(),
            folder.path(),
            Path::new("/dev/zero"),
            Path::new("/proc/self/maps"),
            Path::new("/no/such/file"),
            Path::new(""),
        ] {
            assert!(open(path, None).is_none(), "{}", path.display());
        }
    }

    #[test]
    fn a_file_with_another_build_id_is_not_used() {
        let exe = Path::new("/proc/self/exe");
        let build_id = crate::elf::build_id(exe);
        assert!(build_id.is_some());
        assert!(open(exe, build_id.as_deref()).is_some());
        assert!(open(exe, Some("00")).is_none());
    }

    fn debug_frame(name: &str, is_rust: bool, file: &str) -> DebugFrame {
        DebugFrame {
            name: Some(name.to_owned()),
            is_rust,
            file: Some(file.to_owned()),
            line: 1,
            column: 1,
        }
    }

    #[test]
    fn the_best_name_wins() {
        let image = open(Path::new("/proc/self/exe"), None).expect("this program");
        let vec = "/rustc/5980/library/alloc/src/vec/mod.rs";
        let mangled = "_ZN5alloc3vec16Vec$LT$T$C$A$GT$4push17ha90a85fc3fa5d415E";
        for (frame, symbol, name, system_name) in [
            // Debug information with linkage names.
            (
                debug_frame(mangled, true, vec),
                None,
                "alloc::vec::Vec<T,A>::push",
                mangled,
            ),
            (
                debug_frame(mangled, true, vec),
                Some("folded_onto_another"),
                "alloc::vec::Vec<T,A>::push",
                mangled,
            ),
            // Without: the symbol knows more, if there is one.
            (
                debug_frame("push<u8, A>", true, vec),
                Some(mangled),
                "alloc::vec::Vec<T,A>::push",
                mangled,
            ),
            (
                debug_frame("push<u8, A>", true, vec),
                None,
                "alloc::vec::push<u8, A>",
                "",
            ),
            (
                debug_frame("push<u8, A>", true, ""),
                None,
                "push<u8, A>",
                "",
            ),
            // C.
            (
                debug_frame("inner", false, "/src/a.c"),
                None,
                "inner",
                "inner",
            ),
            (
                debug_frame("f", false, "a.c"),
                Some("f.part.0"),
                "f",
                "f.part.0",
            ),
            (
                debug_frame("f", false, "a.c"),
                Some("alias"),
                "alias",
                "alias",
            ),
            (DebugFrame::default(), Some("_start"), "_start", "_start"),
        ] {
            let symbol = symbol.map(|name| Symbol {
                name: name.to_owned(),
                start: 0,
            });
            let text = format!("{frame:?} {symbol:?}");
            let function = image.function(frame, symbol.as_ref()).expect("a name");
            assert_eq!(
                (&*function.name, &*function.system_name),
                (name, system_name),
                "{text}"
            );
        }
        assert_eq!(image.function(DebugFrame::default(), None), None);
    }
}

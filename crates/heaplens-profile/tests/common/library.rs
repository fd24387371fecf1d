//! A shared library made for a test, and loaded into it.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object, ObjectSymbol};

/// Text symbols of an ELF file by address: an address may have several names.
pub(crate) fn dynamic_symbols(path: &str) -> HashMap<u64, HashSet<String>> {
    let data = std::fs::read(path).expect("the library");
    let object = object::File::parse(&*data).expect("an ELF file");
    let mut symbols: HashMap<u64, HashSet<String>> = HashMap::new();
    for symbol in object.dynamic_symbols() {
        let is_code = symbol.kind() == object::SymbolKind::Text && symbol.is_definition();
        if is_code && symbol.size() > 2 {
            let name = symbol.name().expect("a name").to_owned();
            symbols.entry(symbol.address()).or_default().insert(name);
        }
    }
    symbols
}

/// Where the kernel put the start of the file. Told by its code: symbolizers of
/// other tests may have mapped the file as well, but not for execution.
pub(crate) fn load_address(path: &str) -> u64 {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
    let is_code = |line: &&str| line.ends_with(path) && line.contains(" r-xp ");
    let line = maps.lines().find(is_code).expect("mapped");
    let (start, rest) = line.split_once('-').expect("a range");
    let offset = rest.split(' ').nth(2).expect("an offset");
    let number = |text| u64::from_str_radix(text, 16).expect("hexadecimal");
    // Addresses in these files are offsets, up to the end of the code.
    number(start) - number(offset)
}

const LIBRARY: &str = r"
static __attribute__((always_inline)) inline int within(int x) { return x * 3 + 1; }
static __attribute__((noinline)) int hidden(int x) { volatile int y = within(x); return y; }
int exported(int x) { return hidden(x) - 1; }
";

pub(crate) fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| {
        panic!("{command:?} does not run ({error}): install a C compiler and binutils")
    });
    assert!(status.success(), "{command:?}: {status}");
}

pub(crate) fn library(folder: &Path, name: &str, options: &[&str]) -> PathBuf {
    library_of(LIBRARY, folder, name, options)
}

/// The library of this source, which becomes `foo.c`.
pub(crate) fn library_of(text: &str, folder: &Path, name: &str, options: &[&str]) -> PathBuf {
    let source = folder.join("foo.c");
    std::fs::write(&source, text).expect("a temporary file");
    let library = folder.join(name);
    run(Command::new("cc")
        .args(["-shared", "-fPIC", "-O1"])
        .args(options)
        .arg("-o")
        .arg(&library)
        .arg(&source));
    library
}

/// Runs the test `name` of this binary again with `library` loaded into it.
pub(crate) fn again_with(library: &Path, name: &str) {
    run(Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", name, "--nocapture"])
        .env("LD_PRELOAD", library)
        .env(LOADED, library));
}

const LOADED: &str = "HEAPLENS_TEST_LOADED_LIBRARY";

pub(crate) fn loaded_library() -> Option<String> {
    std::env::var(LOADED).ok()
}

pub(crate) fn exported(library: &str) -> u64 {
    let symbols = dynamic_symbols(library);
    let address = symbols
        .iter()
        .find(|(_, names)| names.contains("exported"))
        .map(|(address, _)| *address)
        .expect("the library exports it");
    load_address(library) + address
}

/// The build id of an ELF file in hexadecimal.
pub(crate) fn build_id(path: &Path) -> Option<String> {
    let data = std::fs::read(path).expect("the library");
    let object = object::File::parse(&*data).expect("an ELF file");
    let id = object.build_id().expect("readable notes")?;
    let digit = |of: u8| char::from_digit(of.into(), 16).expect("four bits");
    let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 15)];
    Some(id.iter().flat_map(digits).collect())
}

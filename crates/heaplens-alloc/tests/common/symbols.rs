//! Functions of this test program by address, from its own symbol table.

use std::sync::OnceLock;

use object::{Object, ObjectSymbol, SymbolKind};

struct Function {
    address: u64,
    size: u64,
    name: String,
}

/// The name of the function that holds the return address `frame`, as linked
/// (mangled); `None` outside the program itself.
pub(crate) fn name_of(frame: u64) -> Option<&'static str> {
    static TABLE: OnceLock<(u64, Vec<Function>)> = OnceLock::new();
    let (bias, functions) = TABLE.get_or_init(load);
    let address = frame.wrapping_sub(1).wrapping_sub(*bias);
    let index = functions.partition_point(|function| function.address <= address);
    let function = functions.get(index.checked_sub(1)?)?;
    (address - function.address < function.size).then_some(function.name.as_str())
}

/// Whether one of the frames lies in a function whose mangled name has `part`.
pub(crate) fn passes_through(frames: &[u64], part: &str) -> bool {
    frames
        .iter()
        .any(|frame| name_of(*frame).is_some_and(|name| name.contains(part)))
}

fn load() -> (u64, Vec<Function>) {
    let file = std::fs::read("/proc/self/exe").expect("our own program");
    let file = object::File::parse(&*file).expect("an ELF file");
    let mut functions: Vec<Function> = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .map(|symbol| Function {
            address: symbol.address(),
            size: symbol.size(),
            name: symbol.name().unwrap_or_default().to_owned(),
        })
        .collect();
    functions.sort_by_key(|function| function.address);
    // SAFETY: getauxval reads the auxiliary vector.
    let entry = unsafe { libc::getauxval(libc::AT_ENTRY) };
    (entry.wrapping_sub(file.entry()), functions)
}

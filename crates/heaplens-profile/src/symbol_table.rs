//! The symbol table of an object, without its debug information: for objects
//! whose debug information takes too much memory to read.

use std::fs::File;
use std::path::Path;

use object::{Object, ObjectSymbol, ObjectSymbolTable, ReadCache, SymbolIndex, SymbolKind};

use crate::elf;

/// Where a function lies, by the file's own addresses.
#[derive(Clone, Copy, Debug)]
struct Place {
    address: u64,
    /// 0 = not stated: up to the next one.
    size: u64,
    index: SymbolIndex,
}

/// A symbol table: some 50 bytes a symbol, and the names that were asked for.
#[derive(Debug)]
pub(crate) struct SymbolTable {
    cache: ReadCache<File>,
    /// Sorted by address.
    places: Vec<Place>,
}

impl SymbolTable {
    /// Reads the functions of the ELF file at `path`. `None` if it is no such file.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let cache = ReadCache::new(elf::open_regular(path)?);
        let object = object::File::parse(&cache).ok()?;
        // A stripped file has the names that it exports.
        let mut places: Vec<Place> = object
            .symbols()
            .chain(object.dynamic_symbols().filter(|_| !has_symbols(&object)))
            .filter(|of| of.kind() == SymbolKind::Text && of.is_definition())
            .map(|of| Place {
                address: of.address(),
                size: of.size(),
                index: of.index(),
            })
            .collect();
        places.sort_by_key(|of| (of.address, of.size));
        Some(SymbolTable { cache, places })
    }

    /// Name and start of the function that `address` lies in.
    pub(crate) fn find(&self, address: u64) -> Option<(String, u64)> {
        let after = self.places.partition_point(|of| of.address <= address);
        let place = self.places.get(after.checked_sub(1)?)?;
        if place.size > 0 && address - place.address >= place.size {
            return None;
        }
        // What this reads was read before.
        let object = object::File::parse(&self.cache).ok()?;
        let symbol = if has_symbols(&object) {
            object.symbol_by_index(place.index).ok()?
        } else {
            object
                .dynamic_symbol_table()?
                .symbol_by_index(place.index)
                .ok()?
        };
        Some((symbol.name().ok()?.to_owned(), place.address))
    }
}

fn has_symbols<'a>(object: &impl Object<'a>) -> bool {
    object.symbol_table().is_some()
}

//! Names of functions: demangling, and paths for names that come without one.

use std::borrow::Cow;

use crate::source::SourceRoots;

/// Whether `symbol` is a mangled name of Rust or C++.
pub(crate) fn is_mangled(symbol: &str) -> bool {
    symbol.starts_with("_R") || symbol.starts_with("_Z") || symbol.starts_with("__ZN")
}

/// The name that people read: a Rust symbol demangled, without its hash and
/// with its generics. Others are left alone; C++ is demangled by the tools.
pub(crate) fn demangle(symbol: &str) -> Cow<'_, str> {
    match rustc_demangle::try_demangle(symbol) {
        Ok(name) => {
            // The alternate form leaves out the hash.
            let name = format!("{name:#}");
            if name.is_empty() {
                Cow::Borrowed(symbol)
            } else {
                Cow::Owned(name)
            }
        }
        Err(_) => Cow::Borrowed(symbol),
    }
}

/// Puts a path before a bare Rust name such as `push<u8, alloc::alloc::Global>`.
///
/// With `debuginfo=line-tables-only` the compiler keeps of inlined functions
/// nothing but that bare name and the source file. The file tells crate and
/// module: `…/library/alloc/src/vec/mod.rs` is `alloc::vec`. Inline modules and
/// the type of an `impl` cannot be known this way and are missing.
pub(crate) fn qualify(bare: &str, file: &str, roots: &SourceRoots) -> String {
    // Made by the compiler, not in any module of the file they are ascribed to.
    if ["__rust_", "__rdl_", "__rg_"]
        .iter()
        .any(|prefix| bare.starts_with(prefix))
    {
        return bare.to_owned();
    }
    match roots.module_of(file) {
        Some(module) => format!("{module}::{bare}"),
        None => bare.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_go_and_generics_stay() {
        for (symbol, name) in [
            (
                "_ZN4core3ptr46drop_in_place$LT$alloc..vec..Vec$LT$u8$GT$$GT$17h0c2e2d67cdfecac2E",
                "core::ptr::drop_in_place<alloc::vec::Vec<u8>>",
            ),
            (
                "_RNvXs4_NtCslNYArtu3iFV_5alloc6stringNtB5_6StringNtNtCsgEmfK2I1SDS_4core5clone5Clone5clone",
                "<alloc::string::String as core::clone::Clone>::clone",
            ),
            (
                "_RINvMNtCslNYArtu3iFV_5alloc5sliceSh9to_vec_inNtNtB5_5alloc6GlobalEB5_",
                "<[u8]>::to_vec_in::<alloc::alloc::Global>",
            ),
            ("_ZN3foo3bar17h0123456789abcdefE.llvm.42", "foo::bar"),
        ] {
            assert_eq!(demangle(symbol), name);
            assert!(is_mangled(symbol));
        }
    }

    #[test]
    fn other_languages_are_left_alone() {
        for symbol in [
            "malloc",
            "_ZN3foo3barEv",
            "_ZNSt6vectorIiE9push_backEOi",
            "_start",
            "",
        ] {
            assert_eq!(demangle(symbol), symbol);
        }
    }

    #[test]
    fn hostile_symbols_do_no_harm() {
        for symbol in [
            "_R",
            "_ZN",
            "_ZN99999999999999999999aE",
            "_RNvB_",
            "_RINvC1aNtB_E",
        ] {
            let _ = demangle(symbol);
        }
        let deep = format!("_R{}", "I".repeat(100_000));
        let _ = demangle(&deep);
    }

    #[test]
    fn bare_names_get_the_module_of_their_file() {
        let roots = SourceRoots::default();
        let file = "/rustc/59807616e1/library/alloc/src/vec/mod.rs";
        assert_eq!(qualify("push<u8>", file, &roots), "alloc::vec::push<u8>");
        assert_eq!(qualify("push<u8>", "", &roots), "push<u8>");
        assert_eq!(
            qualify("__rust_alloc", "/svc/src/main.rs", &roots),
            "__rust_alloc"
        );
    }
}

//! Which frames belong to the allocator itself.
//!
//! Untrimmed, every sample of a heap profile would be flat in the allocator.
//! As Go does, the frames at the leaf end that are no more than the way into
//! the allocator are left out, up to the first other one. Containers stay:
//! `RawVec::grow` or `HashMap::reserve` says what was allocated.

/// What the compiler puts between `alloc::alloc` and the global allocator;
/// v0 symbols show these in a crate named `__rustc`.
const SHIMS: [&str; 4] = ["__rust_alloc", "__rust_realloc", "__rg_", "__rdl_"];

/// The standard library's ways into the allocator, and ourselves.
const PATHS: [&str; 5] = [
    "alloc::alloc::",
    "std::alloc::",
    "core::alloc::global::GlobalAlloc::",
    "heaplens_alloc::",
    "__rustc::",
];

/// What a function has to do with the allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// An entry point of a global allocator: whatever it calls is part of the
    /// allocator.
    EntryPoint,
    /// A way into the allocator, or a part of it.
    Allocator,
    /// A function of `core` or `std`: the allocator's where the allocator
    /// calls it.
    Helper,
    /// Anything else.
    Other,
}

impl Role {
    /// The role of a function of this demangled name.
    pub fn of(name: &str) -> Role {
        let path = name.trim_start_matches('<');
        if is_entry_point(name) {
            Role::EntryPoint
        } else if PATHS.iter().any(|prefix| path.starts_with(prefix))
            || name.starts_with("__rust_no_alloc_shim")
        {
            Role::Allocator
        } else if path.starts_with("core::") || path.starts_with("std::") {
            Role::Helper
        } else {
            Role::Other
        }
    }
}

fn is_entry_point(name: &str) -> bool {
    let shim = name.strip_prefix("__rustc::").unwrap_or(name);
    SHIMS.iter().any(|prefix| shim.starts_with(prefix))
        || name.contains(" as core::alloc::global::GlobalAlloc>::")
        || name.starts_with("core::alloc::global::GlobalAlloc::")
}

/// How many of these functions, innermost first, are the allocator's at the
/// leaf end. Helpers count where they were inlined into one of the
/// allocator's own functions.
pub fn leaf_prefix(roles: impl IntoIterator<Item = Role>) -> usize {
    let mut prefix = 0;
    for (index, role) in roles.into_iter().enumerate() {
        match role {
            Role::EntryPoint | Role::Allocator => prefix = index + 1,
            Role::Helper => {}
            Role::Other => break,
        }
    }
    prefix
}

/// How many of these functions, innermost first, are the allocator's because
/// an entry point among them calls them, and what follows it; `None` if there
/// is no entry point.
pub fn entry_prefix(roles: &[Role]) -> Option<usize> {
    let last = roles.iter().rposition(|role| *role == Role::EntryPoint)?;
    let rest = roles.get(last + 1..).unwrap_or_default();
    Some(last + 1 + leaf_prefix(rest.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_into_the_allocator() {
        for name in [
            "__rust_alloc",
            "__rust_alloc_zeroed",
            "__rust_realloc",
            "__rustc::__rust_alloc",
            "__rustc::__rdl_alloc_zeroed",
            "__rdl_alloc",
            "__rg_realloc",
            "<heaplens_alloc::global::Alloc<A> as core::alloc::global::GlobalAlloc>::alloc",
            "<svc::Wrapper as core::alloc::global::GlobalAlloc>::realloc",
            "core::alloc::global::GlobalAlloc::alloc_zeroed",
        ] {
            assert_eq!(Role::of(name), Role::EntryPoint, "{name}");
        }
        for name in [
            "alloc::alloc::alloc",
            "alloc::alloc::exchange_malloc",
            "alloc::alloc::alloc_impl_runtime",
            "<alloc::alloc::Global>::alloc_impl",
            "<alloc::alloc::Global as core::alloc::Allocator>::allocate",
            "std::alloc::System",
            "heaplens_alloc::record::slow_path",
            "<heaplens_alloc::Alloc>::sampled",
        ] {
            assert_eq!(Role::of(name), Role::Allocator, "{name}");
        }
    }

    #[test]
    fn what_says_what_was_allocated_stays() {
        for name in [
            "alloc::raw_vec::finish_grow",
            "alloc::raw_vec::RawVec<T,A>::grow_one",
            "<alloc::vec::Vec<u8> as core::clone::Clone>::clone",
            "alloc::vec::Vec<T,alloc::alloc::Global>::push",
            "alloc::boxed::Box<T>::new",
            "hashbrown::raw::alloc::do_alloc<alloc::alloc::Global>",
            "svc::alloc::alloc::make",
            "my_heaplens_alloc::f",
            "heaplens_allocations::f",
            "malloc",
            "main",
            "std::sys::backtrace::__rust_begin_short_backtrace",
            "",
        ] {
            let role = Role::of(name);
            assert!(matches!(role, Role::Other | Role::Helper), "{name}");
        }
    }

    #[test]
    fn prefixes() {
        let user = "svc::handle";
        for (names, leaf, entry) in [
            (&[][..], 0, None),
            (&[user], 0, None),
            (
                &["alloc::alloc::alloc", user, "alloc::alloc::alloc"],
                1,
                None,
            ),
            (&["core::ptr::read", user], 0, None),
            (
                &["core::ptr::read", "heaplens_alloc::record", user],
                2,
                None,
            ),
            (&["framehop::step", "__rust_alloc", user], 0, Some(2)),
            (
                &[
                    "x::y",
                    "__rg_alloc",
                    "__rust_alloc",
                    "alloc::alloc::alloc",
                    "core::a",
                    user,
                ],
                0,
                Some(4),
            ),
            (&["__rustc::__rust_alloc"], 1, Some(1)),
        ] {
            let roles: Vec<Role> = names.iter().map(|name| Role::of(name)).collect();
            assert_eq!(leaf_prefix(roles.iter().copied()), leaf, "{names:?}");
            assert_eq!(entry_prefix(&roles), entry, "{names:?}");
        }
    }
}

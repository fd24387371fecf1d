//! Reading words of memory of which the language knows nothing.

/// The word at an address, by an instruction that the compiler does not see
/// through: whatever lies there, the result is some number. It reads memory, so
/// that what the program wrote before is there; it writes none, and leaves stack
/// and flags alone.
///
/// # Safety
/// The address is that of a whole aligned word that is mapped and readable.
#[inline(always)]
pub(crate) unsafe fn read(address: *const usize) -> usize {
    let word: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: by the caller's promise the address can be read.
    unsafe {
        std::arch::asm!(
            "mov {word}, qword ptr [{address}]",
            address = in(reg) address,
            word = lateout(reg) word,
            options(nostack, preserves_flags, readonly),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: by the caller's promise the address can be read.
    unsafe {
        std::arch::asm!(
            "ldr {word}, [{address}]",
            address = in(reg) address,
            word = lateout(reg) word,
            options(nostack, preserves_flags, readonly),
        );
    }
    word
}

/// The word at an address and the one behind it, read as [`read`] does.
///
/// # Safety
/// As for [`read`], of both.
#[inline(always)]
pub(crate) unsafe fn read_two(address: *const usize) -> (usize, usize) {
    let (first, second): (usize, usize);
    #[cfg(target_arch = "x86_64")]
    // SAFETY: by the caller's promise both can be read.
    unsafe {
        std::arch::asm!(
            "mov {first}, qword ptr [{address}]",
            "mov {second}, qword ptr [{address} + 8]",
            address = in(reg) address,
            first = out(reg) first,
            second = lateout(reg) second,
            options(nostack, preserves_flags, readonly),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: by the caller's promise both can be read.
    unsafe {
        std::arch::asm!(
            "ldp {first}, {second}, [{address}]",
            address = in(reg) address,
            first = lateout(reg) first,
            second = lateout(reg) second,
            options(nostack, preserves_flags, readonly),
        );
    }
    (first, second)
}

//! Where a walk starts: the registers of the calling function.

use super::rule::Frame;

/// Instruction pointer, stack pointer, frame pointer and, where the
/// architecture has one, link register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers {
    pub(crate) ip: u64,
    pub(crate) sp: u64,
    pub(crate) fp: u64,
    pub(crate) lr: u64,
}

impl Registers {
    /// The innermost frame of a walk.
    pub(crate) fn frame(self) -> Frame {
        Frame {
            address: self.ip,
            sp: self.sp,
            fp: self.fp,
            link: self.lr,
            is_innermost: true,
        }
    }

    /// Those of the function that this is inlined into.
    #[inline(always)]
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn here() -> Self {
        let (ip, sp, fp): (u64, u64, u64);
        // SAFETY: reads three registers, changes nothing.
        unsafe {
            std::arch::asm!(
                "lea {ip}, [rip]",
                "mov {sp}, rsp",
                "mov {fp}, rbp",
                ip = out(reg) ip,
                sp = out(reg) sp,
                fp = out(reg) fp,
                options(nomem, nostack, preserves_flags),
            );
        }
        Registers { ip, sp, fp, lr: 0 }
    }

    /// Those of the function that this is inlined into.
    #[inline(always)]
    #[cfg(target_arch = "aarch64")]
    pub(crate) fn here() -> Self {
        let (ip, sp, fp, lr): (u64, u64, u64, u64);
        // SAFETY: reads four registers, changes nothing.
        unsafe {
            std::arch::asm!(
                "adr {ip}, .",
                "mov {sp}, sp",
                "mov {fp}, x29",
                "mov {lr}, x30",
                ip = out(reg) ip,
                sp = out(reg) sp,
                fp = out(reg) fp,
                lr = out(reg) lr,
                options(nomem, nostack, preserves_flags),
            );
        }
        Registers { ip, sp, fp, lr }
    }
}

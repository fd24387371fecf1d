//! The filter that keeps a child to itself.
//!
//! Allowed is what works on the child's own memory, threads' bookkeeping, and clocks.
//! What ordinary destructors do besides, such as closing a file, fails with `EPERM`:
//! most ignore it, so that the drop goes on and the count stays complete. Everything
//! else ends the child (see [`calls`]). `mmap` gives private memory only, `mprotect`
//! makes nothing writable, so that shared memory cannot be had back (see
//! [`super::shared`]), and no thread of another process is woken.

mod calls;

use libc::{c_long, sock_filter};

use calls::{ADVICE, ALLOWED, REFUSED};

use crate::os;

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;

/// Numbers from here on are those of x32, another ABI of the same architecture. On
/// aarch64 there are none.
const FOREIGN_NUMBERS: u32 = 0x4000_0000;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
/// glibc takes this from a wake-up for one of its own races, and aborts at any other.
const NO_WAKE: u32 = libc::SECCOMP_RET_ERRNO | libc::EFAULT as u32;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const ANY_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// Offsets in `struct seccomp_data`; arguments by their lower halves, which is all
/// that the kernel looks at where descriptors, flags and process ids are concerned.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

/// In place of what is known in the child only.
const THE_PIPE: u32 = u32::MAX;
const THE_CHILD: u32 = u32::MAX - 1;

/// Operations: the frame, the two lists, and `mmap`, `mprotect`, `madvise`, `futex` and the
/// three of [`conditional`] that are judged alike.
const LEN: usize =
    7 + 2 * (ALLOWED.len() + calls::refused()) + (6 + 5 + 10 + 3 * 5) + (3 + 2 * ADVICE.len());

/// The filter, but for the two values.
static PROGRAM: [sock_filter; LEN] = program();

const fn op(code: u16, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// An array that is written from its start.
struct Program {
    ops: [sock_filter; LEN],
    len: usize,
}

impl Program {
    const fn push(&mut self, op: sock_filter) {
        self.ops[self.len] = op;
        self.len += 1;
    }

    /// Returns `result` if the word that was loaded is `value`.
    const fn when(&mut self, value: u32, result: u32) {
        self.push(jump(EQUAL, value, 0, 1));
        self.push(op(RETURN, result));
    }

    /// Goes on with the next `ops` operations, which return, for one system call.
    const fn case(&mut self, number: c_long, ops: u8) {
        self.push(jump(EQUAL, number as u32, 0, ops));
    }
}

const fn program() -> [sock_filter; LEN] {
    let mut program = Program {
        ops: [op(RETURN, KILL); LEN],
        len: 0,
    };
    program.push(op(LOAD, ARCHITECTURE));
    program.push(jump(EQUAL, ARCH, 1, 0));
    program.push(op(RETURN, KILL));
    program.push(op(LOAD, NUMBER));
    program.push(jump(AT_LEAST, FOREIGN_NUMBERS, 0, 1));
    program.push(op(RETURN, KILL));
    let mut index = 0;
    while index < ALLOWED.len() {
        program.when(ALLOWED[index] as u32, ALLOW);
        index += 1;
    }
    conditional(&mut program);
    let mut group = 0;
    while group < REFUSED.len() {
        index = 0;
        while index < REFUSED[group].len() {
            program.when(REFUSED[group][index] as u32, REFUSE);
            index += 1;
        }
        group += 1;
    }
    program.push(op(RETURN, KILL));
    assert!(program.len == LEN);
    program.ops
}

/// System calls that depend on an argument.
const fn conditional(program: &mut Program) {
    // Private anonymous memory only.
    let flags = libc::MAP_ANONYMOUS as u32;
    program.case(libc::SYS_mmap, 5);
    program.push(op(LOAD, argument(3)));
    program.push(jump(ANY_BIT, libc::MAP_SHARED as u32, 1, 0));
    program.push(jump(ANY_BIT, flags, 1, 0));
    program.push(op(RETURN, REFUSE));
    program.push(op(RETURN, ALLOW));

    // Nothing becomes writable or executable.
    program.case(libc::SYS_mprotect, 4);
    program.push(op(LOAD, argument(2)));
    program.push(jump(
        ANY_BIT,
        (libc::PROT_WRITE | libc::PROT_EXEC) as u32,
        0,
        1,
    ));
    program.push(op(RETURN, REFUSE));
    program.push(op(RETURN, ALLOW));

    program.case(libc::SYS_madvise, 2 + 2 * ADVICE.len() as u8);
    program.push(op(LOAD, argument(2)));
    let mut index = 0;
    while index < ADVICE.len() {
        program.when(ADVICE[index] as u32, ALLOW);
        index += 1;
    }
    program.push(op(RETURN, REFUSE));

    // Of what others may share only waits. glibc aborts if it may not wait.
    program.case(libc::SYS_futex, 9);
    program.push(op(LOAD, argument(1)));
    program.push(jump(ANY_BIT, libc::FUTEX_PRIVATE_FLAG as u32, 0, 1));
    program.push(op(RETURN, ALLOW));
    program.push(op(AND, libc::FUTEX_CMD_MASK as u32));
    program.when(libc::FUTEX_WAIT as u32, ALLOW);
    program.when(libc::FUTEX_WAIT_BITSET as u32, ALLOW);
    program.push(op(RETURN, NO_WAKE));

    // `write` to the pipe; signals to itself, which is how it aborts.
    let own: [(c_long, u32); 3] = [
        (libc::SYS_write, THE_PIPE),
        (libc::SYS_tgkill, THE_CHILD),
        (libc::SYS_tkill, THE_CHILD),
    ];
    index = 0;
    while index < own.len() {
        program.case(own[index].0, 4);
        program.push(op(LOAD, argument(0)));
        program.when(own[index].1, ALLOW);
        program.push(op(RETURN, REFUSE));
        index += 1;
    }
}

/// The filter for a child that may write to `pipe` alone.
fn filter(pipe: i32, child: i32) -> [sock_filter; LEN] {
    let mut filter = PROGRAM;
    for op in &mut filter {
        match (op.code, op.k) {
            (EQUAL, THE_PIPE) => op.k = pipe as u32,
            (EQUAL, THE_CHILD) => op.k = child as u32,
            _ => {}
        }
    }
    filter
}

/// Installs the filter in this process, for good. `Err` with the cause.
pub(super) fn install(pipe: i32) -> Result<(), i32> {
    // SAFETY: gives a number.
    let mut filter = filter(pipe, unsafe { libc::getpid() });
    let program = libc::sock_fprog {
        len: LEN as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program is valid for reading its length; the kernel copies it.
    unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            ) != 0
        {
            return Err(os::errno());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIPE: i32 = 77;
    const CHILD: i32 = 1234;

    /// What the kernel makes of the filter: an interpreter of the few operations that
    /// it uses, after the description of classic BPF.
    fn verdict(number: i64, arch: u32, arguments: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend((number as u32).to_ne_bytes());
        data.extend(arch.to_ne_bytes());
        data.extend(0u64.to_ne_bytes());
        data.extend(arguments.iter().flat_map(|word| word.to_ne_bytes()));
        let filter = filter(PIPE, CHILD);
        let (mut at, mut loaded) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = filter[at];
            at += 1;
            let holds = match code {
                0x20 => {
                    let word = &data[k as usize..k as usize + 4];
                    loaded = u32::from_ne_bytes(word.try_into().expect("four bytes"));
                    continue;
                }
                0x15 => loaded == k,
                0x35 => loaded >= k,
                0x45 => loaded & k != 0,
                0x54 => {
                    loaded &= k;
                    continue;
                }
                0x06 => return k,
                other => panic!("{other:#x}"),
            };
            at += usize::from(if holds { jt } else { jf });
        }
    }

    fn ours(number: i64, arguments: [u64; 6]) -> u32 {
        verdict(number, ARCH, arguments)
    }

    fn with(index: usize, value: i32) -> [u64; 6] {
        let mut arguments = [0x5a5a_5a5a_0000_0000; 6];
        arguments[index] |= u64::from(value as u32);
        arguments
    }

    #[test]
    fn other_architectures_and_numbers_end_the_child() {
        let i386 = 0x4000_0003;
        for number in 0..600 {
            assert_eq!(verdict(number, i386, [0; 6]), KILL);
            assert_eq!(ours(number | 0x4000_0000, [0; 6]), KILL);
        }
        assert_eq!(ours(-1, [0; 6]), KILL);
    }

    /// Every number that the kernel may know: what is in no list ends the child.
    #[test]
    fn all_else_ends_the_child() {
        let judged = [
            libc::SYS_mmap,
            libc::SYS_mprotect,
            libc::SYS_madvise,
            libc::SYS_futex,
            libc::SYS_write,
            libc::SYS_tgkill,
            libc::SYS_tkill,
        ];
        for number in 0..1000 {
            let is_refused = REFUSED.iter().any(|group| group.contains(&number));
            let expected = match (ALLOWED.contains(&number), is_refused) {
                (true, false) => ALLOW,
                (false, true) => REFUSE,
                (false, false) => KILL,
                (true, true) => panic!("{number} is in both lists"),
            };
            if judged.contains(&number) {
                assert_eq!(expected, KILL, "{number} is in a list");
                continue;
            }
            for word in [0, 1, u64::MAX] {
                assert_eq!(ours(number, [word; 6]), expected, "{number}");
            }
        }
        for number in [
            libc::SYS_ptrace,
            libc::SYS_process_vm_writev,
            libc::SYS_pidfd_getfd,
            libc::SYS_userfaultfd,
            libc::SYS_bpf,
            libc::SYS_mount,
            libc::SYS_setns,
            libc::SYS_reboot,
        ] {
            assert_eq!(ours(number, [0; 6]), KILL, "{number}");
        }
    }

    #[test]
    fn nobody_else_is_woken() {
        let clock = libc::FUTEX_CLOCK_REALTIME;
        for command in 0..=20 {
            let waits = [libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET].contains(&command);
            let expected = if waits { ALLOW } else { NO_WAKE };
            for flags in [0, clock] {
                assert_eq!(ours(libc::SYS_futex, with(1, command | flags)), expected);
                let private = command | flags | libc::FUTEX_PRIVATE_FLAG;
                assert_eq!(ours(libc::SYS_futex, with(1, private)), ALLOW);
            }
        }
    }

    proptest! {
        #[test]
        fn arguments_are_judged(value in prop_oneof![any::<i32>(), 0..256i32]) {
            let shared = value & libc::MAP_SHARED != 0;
            let anonymous = value & libc::MAP_ANONYMOUS != 0;
            let expected = if anonymous && !shared { ALLOW } else { REFUSE };
            prop_assert_eq!(ours(libc::SYS_mmap, with(3, value)), expected);

            let read_only = value & (libc::PROT_WRITE | libc::PROT_EXEC) == 0;
            let expected = if read_only { ALLOW } else { REFUSE };
            prop_assert_eq!(ours(libc::SYS_mprotect, with(2, value)), expected);

            let expected = if ADVICE.contains(&value) { ALLOW } else { REFUSE };
            prop_assert_eq!(ours(libc::SYS_madvise, with(2, value)), expected);
        }

        #[test]
        fn only_the_pipe_and_itself(value in prop_oneof![any::<i32>(), Just(PIPE), Just(CHILD)]) {
            let expected = if value == PIPE { ALLOW } else { REFUSE };
            prop_assert_eq!(ours(libc::SYS_write, with(0, value)), expected);
            let expected = if value == CHILD { ALLOW } else { REFUSE };
            prop_assert_eq!(ours(libc::SYS_tgkill, with(0, value)), expected);
            prop_assert_eq!(ours(libc::SYS_tkill, with(0, value)), expected);
        }
    }

    #[test]
    fn holes_in_files_and_poisoned_pages_are_refused() {
        for advice in [libc::MADV_REMOVE, libc::MADV_HWPOISON, libc::MADV_MERGEABLE] {
            assert_eq!(ours(libc::SYS_madvise, with(2, advice)), REFUSE);
        }
    }
}

//! What-if drops in programs of all kinds: that reap children themselves, handle
//! signals, have hooks and filters of their own, or ask when they should not.

mod common;

use std::panic;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use common::alone;
use common::hostile::{BYTES, Shared, assert_no_children, attempt, defuse, hostile, succeeds};
use common::truth::Truth;
use common::what_if::{ask, limits};
use heaplens_alloc::retained::{Retained, RetainedError, start};
use heaplens_alloc::{Alloc, allow_what_if};

#[global_allocator]
static ALLOC: Truth<Alloc<std::alloc::System>> = Truth(Alloc::with(std::alloc::System));

/// The program's hook is not run, and is there afterwards.
#[test]
fn the_panic_hook_stays() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let _turn = alone();
    let before = panic::take_hook();
    panic::set_hook(Box::new(|_| {
        CALLS.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_secs(3600));
    }));
    let value = hostile(|| panic!("in a destructor"));
    let answer = attempt(&*value, limits());
    panic::set_hook(before);
    assert!(answer.expect("figures").is_lower_bound);
    assert_eq!(CALLS.load(Ordering::Relaxed), 0);
    defuse(value);
}

#[test]
fn one_at_a_time_and_only_if_allowed() {
    let _turn = alone();
    allow_what_if(false);
    let refused = heaplens_alloc::retained(&7).expect_err("not allowed");
    assert_eq!(refused, RetainedError::NotAllowed);
    allow_what_if(true);
    let value = vec![1u8; 100];
    let first = start(&value, limits()).expect("a child");
    assert_eq!(
        start(&value, limits()).expect_err("one at a time"),
        RetainedError::Busy
    );
    // The value is free once the fork is over, and another thread may wait.
    drop(value);
    let finished = std::thread::spawn(|| first.finish())
        .join()
        .expect("no panic");
    assert_eq!(finished.expect("an answer").bytes, 100);
    // Given up half-way.
    let value = hostile(|| std::thread::sleep(Duration::from_secs(3600)));
    let given_up = start(&*value, limits()).expect("a child");
    drop(given_up);
    defuse(value);
    assert_no_children();
    assert_eq!(ask(&[Box::new(1u8)]).blocks, 1);
    // A child has no children of its own.
    succeeds(|| {
        let nested = heaplens_alloc::retained(&7).expect_err("one at a time");
        assert_eq!(nested, RetainedError::Busy);
    });
}

/// A destructor that runs because of a panic may not ask.
#[test]
fn not_while_panicking() {
    struct Asks(mpsc::Sender<RetainedError>);
    impl Drop for Asks {
        fn drop(&mut self) {
            let refused = heaplens_alloc::retained(&1).expect_err("it is panicking");
            self.0.send(refused).expect("it is received");
        }
    }
    let _turn = alone();
    allow_what_if(true);
    let (send, receive) = mpsc::channel();
    let asks = Asks(send);
    let result = panic::catch_unwind(panic::AssertUnwindSafe(move || {
        let _asks = asks;
        panic::resume_unwind(Box::new(()));
    }));
    assert!(result.is_err());
    assert_eq!(receive.recv(), Ok(RetainedError::Panicking));
}

/// A program that ignores SIGCHLD, or reaps all children itself, has its answers: only
/// how a child without one ended is not known.
#[test]
fn programs_that_reap_children_themselves() {
    let _turn = alone();
    // SAFETY: a disposition that is put back.
    let before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    let value = hostile(|| {});
    let answer = attempt(&*value, limits());
    let exits = hostile(|| std::process::exit(3));
    let lost = attempt(&*exits, limits());
    // SAFETY: as it was.
    unsafe { libc::signal(libc::SIGCHLD, before) };
    assert_eq!(answer.expect("an answer").bytes, BYTES as u64);
    assert_eq!(lost.expect_err("no answer"), RetainedError::Lost);
    defuse(value);
    defuse(exits);
}

/// Handlers of the program do not run in a child: they would write to its pipes.
#[test]
fn handlers_are_not_run() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    extern "C" fn handler(_: libc::c_int) {
        RUNS.fetch_add(1, Ordering::Relaxed);
    }
    let _turn = alone();
    let shared = Shared::new(4096);
    for signal in [libc::SIGUSR1, libc::SIGABRT] {
        // SAFETY: a handler that does what a handler may, and is put back.
        let before = unsafe { libc::signal(signal, handler as *const () as usize) };
        let value = hostile(|| {
            // SAFETY: to itself.
            unsafe { libc::raise(signal) };
            assert_eq!(RUNS.load(Ordering::Relaxed), 0);
            shared.word().store(1, Ordering::Relaxed);
        });
        let answer = attempt(&*value, limits());
        // SAFETY: as it was.
        unsafe { libc::signal(signal, before) };
        defuse(value);
        let crashed = RetainedError::Crashed { signal };
        match signal {
            libc::SIGABRT => assert_eq!(answer.expect_err("it aborts"), crashed),
            _ => assert!(!answer.expect("an answer").is_lower_bound),
        }
    }
}

/// A handler that reaps whatever child there is takes no answer away, and a subreaper
/// gets no orphans.
#[test]
fn handlers_that_reap_and_subreapers() {
    extern "C" fn reap(_: libc::c_int) {
        // SAFETY: what a handler may do.
        while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
    }
    let _turn = alone();
    // SAFETY: a handler that may be one, and is taken off again.
    let before = unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        libc::signal(libc::SIGCHLD, reap as *const () as usize)
    };
    let value = hostile(|| {});
    let answers: Vec<_> = (0..20).map(|_| attempt(&*value, limits())).collect();
    // SAFETY: as it was.
    unsafe {
        libc::signal(libc::SIGCHLD, before);
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    }
    defuse(value);
    for answer in answers {
        assert_eq!(answer.expect("an answer").bytes, BYTES as u64);
    }
}

/// Asks on a thread of its own that has a seccomp filter: a system call fails with
/// EPERM there, if its first argument is this one.
fn with_filter(call: libc::c_long, first: Option<u32>) -> Result<Retained, RetainedError> {
    let op = |code, k, jf| libc::sock_filter { code, jt: 0, jf, k };
    let refuse = op(0x06, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32, 0);
    let allow = op(0x06, libc::SECCOMP_RET_ALLOW, 0);
    let number = op(0x20, 0, 0);
    let mut program = match first {
        None => vec![number, op(0x15, call as u32, 1), refuse, allow],
        Some(first) => vec![
            number,
            op(0x15, call as u32, 3),
            op(0x20, 16, 0),
            op(0x15, first, 1),
            refuse,
            allow,
        ],
    };
    let ask = move || {
        let filter = libc::sock_fprog {
            len: program.len() as u16,
            filter: program.as_mut_ptr(),
        };
        // SAFETY: a valid program, which the kernel copies; it is this thread's alone.
        unsafe {
            assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
            let how = libc::SECCOMP_MODE_FILTER;
            assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, how, &raw const filter), 0);
        }
        let value = vec![0u8; 1000];
        start(&value, limits()).and_then(heaplens_alloc::retained::Measurement::finish)
    };
    std::thread::spawn(ask).join().expect("no panic")
}

/// A program that is closed in itself gets an answer, or hears what is in the way.
#[test]
fn programs_with_a_filter_of_their_own() {
    let _turn = alone();
    allow_what_if(true);
    let errno = libc::EPERM;
    let answer = with_filter(libc::SYS_ptrace, None);
    assert_eq!(answer.expect("nothing is in the way").bytes, 1000);
    let refused = with_filter(libc::SYS_prctl, Some(libc::PR_SET_SECCOMP as u32));
    let step = "to install a seccomp filter";
    let expected = RetainedError::NotClosedIn { step, errno };
    assert_eq!(refused.expect_err("no filter"), expected);
    let refused = with_filter(libc::SYS_pidfd_open, None).expect_err("no descriptor");
    assert!(
        matches!(refused, RetainedError::Unsupported { .. }),
        "{refused}"
    );
    let refused = with_filter(libc::SYS_socketpair, None).expect_err("no pipe");
    let call = "socketpair";
    assert_eq!(refused, RetainedError::System { call, errno });
    assert_no_children();
    assert_eq!(ask(&vec![0u8; 10]).bytes, 10);
}

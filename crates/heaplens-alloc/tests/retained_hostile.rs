//! What-if drops of values whose destructors do what they should not: each has its
//! outcome, and neither this process nor anything outside of it notices.

mod common;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::mem::ManuallyDrop;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use common::alone;
use common::truth::{Truth, held};
use common::what_if::{ask, limits};
use heaplens_alloc::retained::{Limits, Retained, RetainedError, start};
use heaplens_alloc::{Alloc, allow_what_if};

#[global_allocator]
static ALLOC: Truth<Alloc<std::alloc::System>> = Truth(Alloc::with(std::alloc::System));

/// Runs `f` when it is dropped, and owns some bytes.
struct Hostile<F: FnMut()> {
    f: Option<F>,
    _bytes: Vec<u8>,
}

const BYTES: usize = 12_345;

impl<F: FnMut()> Drop for Hostile<F> {
    fn drop(&mut self) {
        if let Some(f) = &mut self.f {
            f();
        }
    }
}

/// A hostile value that is not dropped by itself: not when a test fails either.
fn hostile<F: FnMut()>(f: F) -> ManuallyDrop<Hostile<F>> {
    ManuallyDrop::new(Hostile {
        f: Some(f),
        _bytes: vec![7; BYTES],
    })
}

/// Makes a value harmless and drops it.
fn defuse<F: FnMut()>(value: ManuallyDrop<Hostile<F>>) {
    ManuallyDrop::into_inner(value).f = None;
}

/// Hostile values as what they are.
fn contents<F: FnMut()>(values: &[ManuallyDrop<Hostile<F>>]) -> &[Hostile<F>] {
    // SAFETY: the wrapper has the layout of what it wraps.
    unsafe { &*(std::ptr::from_ref(values) as *const [Hostile<F>]) }
}

/// Descriptors of this process.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("descriptors").count()
}

/// Asks, and fails if anything is left behind.
fn attempt<T: ?Sized>(value: &T, limits: Limits) -> Result<Retained, RetainedError> {
    allow_what_if(true);
    let before = (descriptors(), held());
    let result = start(value, limits).and_then(heaplens_alloc::retained::Measurement::finish);
    assert_eq!(descriptors(), before.0);
    if result.is_err() {
        assert_eq!(held(), before.1);
    }
    assert_no_children();
    result
}

fn assert_no_children() {
    // SAFETY: waits for nothing.
    let waited = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
    let error = std::io::Error::last_os_error();
    assert_eq!((waited, error.raw_os_error()), (-1, Some(libc::ECHILD)));
}

/// What a hostile value fails with. The value is not dropped for real.
fn failure<F: FnMut()>(f: F, limits: Limits) -> RetainedError {
    let value = hostile(f);
    let failure = attempt(&*value, limits).expect_err("it cannot end well");
    defuse(value);
    assert!(failure.to_string().len() > 20);
    // The next one is not harmed.
    assert_eq!(ask(&vec![0u8; 10]).bytes, 10);
    failure
}

/// A hostile value that is dropped completely all the same. It may check in its
/// destructor what it sees: a panic there would show.
fn succeeds<F: FnMut()>(f: F) {
    let value = hostile(f);
    let answer = attempt(&*value, limits()).unwrap_or_else(|error| panic!("{error}"));
    assert!(!answer.is_lower_bound, "a check in the destructor failed");
    assert_eq!((answer.bytes, answer.blocks), (BYTES as u64, 1));
    defuse(value);
}

fn soon() -> Limits {
    limits().with_time(Duration::from_millis(300))
}

const TIMED_OUT: RetainedError = RetainedError::TimedOut {
    limit: Duration::from_millis(300),
};

fn last_error() -> Option<i32> {
    std::io::Error::last_os_error().raw_os_error()
}

/// A path that no other test has.
fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("heaplens-{name}-{}", std::process::id()))
}

#[test]
fn panics_give_a_lower_bound() {
    let _turn = alone();
    let value = [hostile(|| panic!("in a destructor"))];
    let answer = attempt(contents(&value), limits()).expect("figures all the same");
    assert!(answer.is_lower_bound);
    assert!(
        answer.bytes >= BYTES as u64,
        "unwinding drops fields: {answer:?}"
    );
    value.into_iter().for_each(defuse);

    // A panic in a destructor while another one unwinds aborts.
    let value = [(); 3].map(|()| hostile(|| panic!("again")));
    let answer = attempt(contents(&value), limits()).expect("figures all the same");
    assert!(answer.is_lower_bound && answer.bytes < 3 * BYTES as u64);
    value.into_iter().for_each(defuse);

    // One that the destructor catches itself is nobody else's business.
    succeeds(|| {
        let caught = panic::catch_unwind(|| panic::panic_any(7u8));
        assert!(caught.is_err());
    });
}

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
fn printing_prints_nothing() {
    let _turn = alone();
    succeeds(|| {
        for descriptor in [1, 2] {
            // SAFETY: a string and its length.
            let count = unsafe { libc::write(descriptor, c"HOSTILE\n".as_ptr().cast(), 8) };
            assert_eq!((count, last_error()), (-1, Some(libc::EPERM)));
        }
        assert!(writeln!(std::io::stderr(), "HOSTILE").is_err());
    });
}

#[test]
fn sleeping_and_spinning_are_given_up() {
    let _turn = alone();
    let sleep = || std::thread::sleep(Duration::from_secs(3600));
    assert_eq!(failure(sleep, soon()), TIMED_OUT);
    let spin = || {
        loop {
            std::hint::spin_loop();
        }
    };
    assert_eq!(failure(spin, soon()), TIMED_OUT);
    // Waiting for less is fine.
    succeeds(|| std::thread::sleep(Duration::from_millis(1)));
}

#[test]
fn locks() {
    let _turn = alone();
    let mutex = Arc::new(Mutex::new(5));
    let inside = Arc::clone(&mutex);
    succeeds(move || *inside.lock().expect("not poisoned") += 1);
    assert_eq!(*mutex.lock().expect("not poisoned"), 5);

    let (locked, is_locked) = mpsc::channel();
    let (unlock, may_unlock) = mpsc::channel::<()>();
    let holder = std::thread::spawn({
        let mutex = Arc::clone(&mutex);
        move || {
            let guard = mutex.lock().expect("not poisoned");
            locked.send(()).expect("it is received");
            may_unlock.recv().expect("it is sent");
            drop(guard);
        }
    });
    is_locked.recv().expect("it is locked");
    let inside = Arc::clone(&mutex);
    let stuck = failure(move || *inside.lock().expect("not poisoned") += 1, soon());
    assert_eq!(stuck, TIMED_OUT);
    unlock.send(()).expect("it waits");
    holder.join().expect("no panic");
    assert_eq!(*mutex.lock().expect("not poisoned"), 5);
}

#[test]
fn threads_can_neither_be_made_nor_waited_for() {
    let _turn = alone();
    succeeds(|| {
        let spawned = std::thread::Builder::new().spawn(|| {});
        assert_eq!(
            spawned.expect_err("no thread").kind(),
            ErrorKind::PermissionDenied
        );
    });
    let (end, may_end) = mpsc::channel::<()>();
    let (answer, answers) = mpsc::channel::<()>();
    let other = std::thread::spawn(move || (may_end.recv().is_ok(), answer));
    // libc knows that the thread is not there, and has nothing to give.
    let mut other = Some(other);
    let value = hostile(|| drop(other.take().map(std::thread::JoinHandle::join)));
    let joined = attempt(&*value, limits()).expect("figures all the same");
    assert!(joined.is_lower_bound);
    defuse(value);
    // What waits for anything else waits for ever.
    assert_eq!(
        failure(|| assert!(answers.recv().is_err()), soon()),
        TIMED_OUT
    );
    end.send(()).expect("it waits");
    let joined = other.take().expect("it is there").join();
    assert!(joined.expect("no panic").0);
}

#[test]
fn files_keep_their_bytes() {
    let _turn = alone();
    let path = path("file");
    fs::write(&path, "before").expect("a file");
    let file = fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("the file");
    let mut buffered = std::io::BufWriter::new(file);
    buffered
        .write_all(b"not yet written")
        .expect("it fits the buffer");
    let answer = attempt(&buffered, limits()).expect("an answer");
    assert_eq!(
        (answer.bytes, answer.blocks),
        (buffered.capacity() as u64, 1)
    );
    assert_eq!(fs::read(&path).expect("the file"), b"before");

    let doomed = &path;
    succeeds(|| {
        assert!(fs::remove_file(doomed).is_err());
        assert!(fs::write(doomed, "after").is_err());
        assert!(fs::rename(doomed, doomed.with_extension("moved")).is_err());
        assert!(fs::File::open(doomed).is_err());
    });
    let file = fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("the file");
    let descriptor = file.as_raw_fd();
    succeeds(move || {
        // SAFETY: takes numbers.
        unsafe {
            assert_eq!(libc::ftruncate(descriptor, 0), -1);
            assert_eq!(libc::lseek(descriptor, 3, libc::SEEK_SET), -1);
            assert_eq!(libc::close(descriptor), -1);
            assert_eq!(libc::close_range(3, u32::MAX, 0), -1);
        }
    });
    drop(file);
    assert_eq!(fs::read(&path).expect("the file"), b"before");
    drop(buffered);
    assert_eq!(fs::read(&path).expect("the file"), b"beforenot yet written");
    fs::remove_file(&path).expect("it was not removed");
}

#[test]
fn peers_receive_nothing() {
    let _turn = alone();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut tcp = TcpStream::connect(address).expect("a connection");
    let (mut tcp_peer, _) = listener.accept().expect("a connection");
    let (mut unix, mut unix_peer) = UnixStream::pair().expect("a pair");
    tcp_peer.set_nonblocking(true).expect("a flag");
    unix_peer.set_nonblocking(true).expect("a flag");
    succeeds(|| {
        assert!(tcp.write_all(b"HOSTILE").is_err());
        assert!(unix.write_all(b"HOSTILE").is_err());
        assert!(tcp.shutdown(std::net::Shutdown::Both).is_err());
        assert!(unix.shutdown(std::net::Shutdown::Both).is_err());
        assert!(TcpStream::connect(address).is_err());
        assert!(tcp.read(&mut [0; 8]).is_err());
    });
    assert_eq!(ask(&(tcp.try_clone(), unix.try_clone())).bytes, 0);
    let mut bytes = [0; 8];
    let blocked = |result: std::io::Result<usize>| result.expect_err("nothing").kind();
    assert_eq!(blocked(tcp_peer.read(&mut bytes)), ErrorKind::WouldBlock);
    assert_eq!(blocked(unix_peer.read(&mut bytes)), ErrorKind::WouldBlock);
    // Both still carry data.
    tcp.write_all(b"ab").expect("it is open");
    unix.write_all(b"cd").expect("it is open");
    tcp_peer.set_nonblocking(false).expect("a flag");
    assert_eq!(tcp_peer.read(&mut bytes).expect("data"), 2);
    assert_eq!(unix_peer.read(&mut bytes).expect("data"), 2);
    assert_eq!(
        listener
            .set_nonblocking(true)
            .map(|()| listener.accept().is_err())
            .ok(),
        Some(true)
    );
}

#[test]
fn signals_reach_nobody() {
    let _turn = alone();
    // SAFETY: gives numbers.
    let (parent, group) = unsafe { (libc::getpid(), libc::getpgrp()) };
    succeeds(move || {
        // SAFETY: takes numbers.
        unsafe {
            for target in [parent, -group, 0, -1] {
                assert_eq!(libc::kill(target, libc::SIGKILL), -1, "{target}");
            }
            assert_eq!(
                libc::syscall(libc::SYS_tgkill, parent, parent, libc::SIGTERM),
                -1
            );
            // To itself, blocked.
            assert_eq!(libc::raise(libc::SIGTERM), 0);
        }
    });
}

#[test]
fn there_is_no_other_process() {
    let _turn = alone();
    succeeds(|| {
        // SAFETY: the child of a fork that succeeds ends.
        unsafe {
            let forked = libc::fork();
            if forked == 0 {
                libc::_exit(0);
            }
            assert_eq!((forked, last_error()), (-1, Some(libc::EPERM)));
            let name = c"/bin/true".as_ptr();
            assert_eq!(libc::execv(name, [name, std::ptr::null()].as_ptr()), -1);
        }
        assert!(Command::new("/bin/true").spawn().is_err());
    });
}

#[test]
fn ends_are_told_apart() {
    let _turn = alone();
    let failure = |f: fn()| failure(f, limits());
    let crashed = |signal| RetainedError::Crashed { signal };
    assert_eq!(
        failure(|| std::process::exit(3)),
        RetainedError::Exited { status: 3 }
    );
    let at_once = || {
        // SAFETY: ends the process.
        unsafe { libc::_exit(9) }
    };
    assert_eq!(failure(at_once), RetainedError::Exited { status: 9 });
    assert_eq!(failure(|| std::process::abort()), crashed(libc::SIGABRT));
    assert_eq!(
        failure(|| {
            // SAFETY: it is not, and ends the child.
            unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) };
        }),
        crashed(libc::SIGSEGV)
    );
    assert_eq!(
        failure(|| {
            // SAFETY: takes numbers; the filter ends the child.
            unsafe { libc::syscall(libc::SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0) };
        }),
        crashed(libc::SIGSYS)
    );
    assert_eq!(
        failure(|| {
            std::hint::black_box(recurse(u64::MAX));
        }),
        RetainedError::StackOverflow
    );
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 64]);
    if depth == 0 {
        0
    } else {
        recurse(depth - 1) + room[7]
    }
}

/// A mapping that is shared with whoever has it, too.
struct Shared {
    start: *mut libc::c_void,
    len: usize,
}

impl Shared {
    fn new(len: usize) -> Self {
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a mapping of its own.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, access, kind, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED);
        Shared { start, len }
    }

    fn word(&self) -> &AtomicU64 {
        // SAFETY: aligned, and lives as long as the mapping.
        unsafe { &*self.start.cast() }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.word().fetch_add(1, Ordering::Relaxed);
        // SAFETY: nothing refers to it any more.
        unsafe { libc::munmap(self.start, self.len) };
    }
}

#[test]
fn shared_memory_is_out_of_reach() {
    let _turn = alone();
    let small = Shared::new(64 << 10);
    small.word().store(41, Ordering::Relaxed);
    succeeds(|| {
        assert_eq!(small.word().swap(7, Ordering::Relaxed), 41, "a copy");
        // SAFETY: makes nothing writable, or nothing at all.
        unsafe {
            let write = libc::PROT_READ | libc::PROT_WRITE;
            assert_eq!(libc::mprotect(small.start, small.len, write), -1);
            let kind = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
            let mapped = libc::mmap(std::ptr::null_mut(), 4096, write, kind, -1, 0);
            assert_eq!(mapped, libc::MAP_FAILED);
            assert_eq!(libc::madvise(small.start, small.len, libc::MADV_REMOVE), -1);
        }
    });
    assert_eq!(small.word().load(Ordering::Relaxed), 41);
    let both = (String::from("abc"), small);
    assert_eq!(ask(&both).bytes, 3);
    assert_eq!(both.1.word().load(Ordering::Relaxed), 41);

    // Too large to copy: the child may not go near it.
    let large = Shared::new(32 << 20);
    let value = hostile(|| large.word().store(7, Ordering::Relaxed));
    let crashed = RetainedError::Crashed {
        signal: libc::SIGSEGV,
    };
    assert_eq!(attempt(&*value, limits()).expect_err("no access"), crashed);
    defuse(value);
    assert_eq!(large.word().load(Ordering::Relaxed), 0);
    assert_eq!(ask(&vec![0u8; 99]).bytes, 99, "others do not mind");
}

#[test]
fn memory_is_bounded() {
    let _turn = alone();
    let limit = 32 << 20;
    let mut large = vec![1u8; 300 << 20];
    let writes = || {
        large.fill(2);
        loop {
            std::hint::spin_loop();
        }
    };
    let small = limits().with_memory(limit);
    assert_eq!(
        failure(writes, small),
        RetainedError::TooMuchMemory { limit }
    );
    assert!(large.iter().all(|byte| *byte == 1));
    // What it allocates comes to an end too; then the allocator's caller aborts.
    let allocates = || std::mem::forget(std::hint::black_box(vec![1u8; 40 << 20]));
    let crashed = RetainedError::Crashed {
        signal: libc::SIGABRT,
    };
    assert_eq!(failure(allocates, small), crashed);
}

#[test]
fn a_broken_answer_is_refused() {
    let _turn = alone();
    let writes = || {
        for descriptor in 3..200 {
            // SAFETY: eight bytes.
            unsafe { libc::write(descriptor, [255u8; 8].as_ptr().cast(), 8) };
        }
    };
    assert_eq!(failure(writes, limits()), RetainedError::Garbled);
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

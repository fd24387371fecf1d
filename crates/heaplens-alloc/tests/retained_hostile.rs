//! What-if drops of values whose destructors do what they should not: each has its
//! outcome, and neither this process nor anything outside of it notices.

mod common;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use common::alone;
use common::hostile::{
    BYTES, Shared, TIMED_OUT, attempt, contents, defuse, failure, hostile, last_error, path, soon,
    succeeds,
};
use common::truth::Truth;
use common::what_if::{ask, limits};
use heaplens_alloc::Alloc;
use heaplens_alloc::retained::RetainedError;

#[global_allocator]
static ALLOC: Truth<Alloc<std::alloc::System>> = Truth(Alloc::with(std::alloc::System));

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

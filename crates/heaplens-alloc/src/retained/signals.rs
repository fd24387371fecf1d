//! Signals around the fork: none reaches a handler of the program in the child.

use std::mem::{self, MaybeUninit};
use std::ptr;

use super::child;
use super::wire::Ended;

/// While it lives, signals to this thread wait. So a child starts without any.
pub(super) struct Blocked(libc::sigset_t);

impl Blocked {
    pub(super) fn new() -> Self {
        let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: both sets are valid for writing; zero is an empty set.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &all(), before.as_mut_ptr());
            Blocked(before.assume_init())
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set is what `new` found.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

fn all() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the set is valid for writing, and initialised by that.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// By these a child ends, as the kernel has it end.
const DEADLY: [libc::c_int; 6] = [
    libc::SIGALRM,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGXCPU,
];

/// Of these it tells before it ends.
const TOLD: [libc::c_int; 3] = [libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS];

/// Bytes of the stack on which a child tells that its own is used up.
pub(super) const STACK: usize = 64 << 10;

/// In the child, where all signals are blocked: takes the program's handlers off those
/// that destructors can raise, and lets them come. The others stay blocked.
///
/// # Safety
/// `stack` is [`STACK`] bytes that nothing else uses, for good.
pub(super) unsafe fn take_over(stack: *mut u8) {
    let stack = libc::stack_t {
        ss_sp: stack.cast(),
        ss_flags: 0,
        ss_size: STACK,
    };
    let mut let_in = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: everything is valid for what it is used for; the handler is a function
    // of the right type. None of these calls can fail with these signals.
    unsafe {
        libc::sigaltstack(&raw const stack, ptr::null_mut());
        libc::sigemptyset(let_in.as_mut_ptr());
        for signal in DEADLY.into_iter().chain(TOLD) {
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = libc::SIG_DFL;
            if TOLD.contains(&signal) {
                action.sa_sigaction = handler as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                action.sa_mask = all();
            }
            libc::sigaction(signal, &raw const action, ptr::null_mut());
            libc::sigaddset(let_in.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(libc::SIG_UNBLOCK, let_in.as_ptr(), ptr::null_mut());
    }
}

/// Tells the parent, and ends the child.
extern "C" fn handler(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands both over to a handler with SA_SIGINFO; this process is
    // the child.
    unsafe {
        let ended = if signal == libc::SIGSEGV && is_overflow(info, context.cast()) {
            Ended::StackOverflow
        } else if signal == libc::SIGABRT && child::has_panicked() {
            // A panic while another one unwinds, or in a program that has no unwinding.
            Ended::Panicked
        } else {
            Ended::Crashed(signal)
        };
        child::end(ended)
    }
}

/// So far from the stack pointer an access is one to the stack.
const REACH: usize = 64 << 10;

/// # Safety
/// `info` and `context` are those of a handler for SIGSEGV.
unsafe fn is_overflow(info: *mut libc::siginfo_t, context: *const libc::ucontext_t) -> bool {
    // SAFETY: by the caller's promise.
    let (address, pointer) = unsafe { ((*info).si_addr().addr(), stack_pointer(context)) };
    address.abs_diff(pointer) < REACH
}

/// # Safety
/// `context` is that of a signal handler.
unsafe fn stack_pointer(context: *const libc::ucontext_t) -> usize {
    // SAFETY: by the caller's promise.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        let pointer = (*context).uc_mcontext.gregs[libc::REG_RSP as usize];
        #[cfg(target_arch = "aarch64")]
        let pointer = (*context).uc_mcontext.sp;
        pointer as usize
    }
}

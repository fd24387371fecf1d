//! The service's own count against an allocator that counts: equal to the byte.
//!
//! The allocator is why this file, unlike the service, has unsafe code: a
//! `GlobalAlloc` cannot be had without. It counts by thread, so that tests may
//! run side by side: each drives its case on its own thread alone.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use leaky_service::cases::{Background, CaseName, Mode, Retained};
use leaky_service::service::Service;
use leaky_service::traffic;
use tower::ServiceExt;

/// Of the timer that registers callbacks, and between two requests.
const TICK: Duration = Duration::from_millis(25);

thread_local! {
    /// Requested bytes allocated less those freed on this thread.
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOC: Counting = Counting;

fn add(bytes: isize) {
    LIVE.with(|live| live.set(live.get() + bytes));
}

fn live() -> isize {
    LIVE.with(Cell::get)
}

// SAFETY: every method hands its arguments to `System` unchanged and returns
// what that returned; the counter is const-initialised, has no destructor and
// so neither allocates nor fails at the end of a thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        // SAFETY: the caller's contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size as isize - layout.size() as isize);
        // SAFETY: the caller's contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// One case, driven without sockets on a clock that stands still.
struct Driven {
    case: CaseName,
    service: Arc<Service>,
    router: Router,
    background: Vec<Background>,
    next: u64,
}

impl Driven {
    fn new(case: CaseName, mode: Mode) -> Self {
        let service = Service::new(&[case], mode, TICK);
        Self {
            case,
            router: service.router(),
            background: service.background(),
            service,
            next: 0,
        }
    }

    /// Requests with all their timers in between.
    async fn drive(&mut self, requests: u64) {
        for _ in 0..requests {
            let request = traffic::request("http://service", self.case, self.next);
            self.next += 1;
            let request = request.expect("a request").map(axum::body::Body::new);
            let response = self.router.clone().oneshot(request).await;
            assert!(response.expect("an answer").status().is_success());
            self.pass(TICK).await;
        }
    }

    /// Lets time pass and the timers fire.
    async fn pass(&mut self, time: Duration) {
        match self.background.first_mut() {
            Some(background) => {
                let ended = tokio::time::timeout(time, background).await;
                assert!(ended.is_err(), "a timer does not end by itself");
            }
            None => tokio::time::advance(time).await,
        }
    }

    fn retained(&self) -> Retained {
        let stats = self.service.stats();
        stats
            .cases
            .get(self.case.as_str())
            .expect("the case")
            .retained
    }
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(work);
}

fn check(case: CaseName, mode: Mode) {
    block_on(async {
        // What is made once in a process or a thread is made here.
        Driven::new(case, mode).drive(400).await;

        let mut driven = Driven::new(case, mode);
        // The first poll sets a timer up.
        driven.pass(Duration::ZERO).await;
        let base = live() - driven.retained().bytes as isize;
        for requests in [1, 1, 1, 5, 20, 100, 500, 2500] {
            driven.drive(requests).await;
            let counted = driven.retained();
            assert_eq!(
                live() - base,
                counted.bytes as isize,
                "{case} {mode:?} after {} requests: {counted:?}",
                driven.next
            );
        }
        if mode == Mode::Leaking {
            let each = driven.retained().bytes / driven.next as usize;
            assert!((300..6_000).contains(&each), "{each} bytes a request");
        }
    });
}

macro_rules! exact {
    ($($name:ident: $case:ident $mode:ident;)*) => {$(
        #[test]
        fn $name() {
            check(CaseName::$case, Mode::$mode);
        }
    )*};
}

exact! {
    sessions_leaking: Sessions Leaking;
    sessions_fixed: Sessions Fixed;
    metrics_leaking: Metrics Leaking;
    metrics_fixed: Metrics Fixed;
    closures_leaking: Closures Leaking;
    closures_fixed: Closures Fixed;
    field_leaking: Field Leaking;
    field_fixed: Field Fixed;
    callbacks_leaking: Callbacks Leaking;
    callbacks_fixed: Callbacks Fixed;
}

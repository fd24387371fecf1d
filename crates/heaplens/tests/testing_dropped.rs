//! Values that are gone, and values that something keeps.

mod common;

use std::rc::Rc;
use std::sync::{Arc, Weak, mpsc};
use std::time::Duration;

use common::panics::message_of;
use heaplens::TrackedHashMap;
use heaplens::testing::{HeapWatch, assert_dropped_within};

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

const LONG: Duration = Duration::from_secs(60);

struct Session;

#[test]
fn what_is_gone_is_not_waited_for() {
    assert_dropped_within(&Weak::<Session>::new(), Duration::ZERO);
    let gone = Arc::downgrade(&Arc::new(Session));
    assert_dropped_within(&gone, Duration::ZERO);
    let gone = Rc::downgrade(&Rc::new(Session));
    assert_dropped_within(&gone, Duration::ZERO);
    let unsized_value: Arc<str> = Arc::from("text");
    let weak = Arc::downgrade(&unsized_value);
    drop(unsized_value);
    assert_dropped_within(&weak, Duration::ZERO);
}

/// The other thread drops it only when this one already waits, or a little before;
/// either way it is gone in the end.
#[test]
fn what_another_thread_drops_is_waited_for() {
    for _ in 0..50 {
        let session: Arc<dyn Send + Sync> = Arc::new(Session);
        let weak = Arc::downgrade(&session);
        let (send, receive) = mpsc::channel::<()>();
        let worker = std::thread::spawn(move || {
            receive.recv().expect("sends");
            std::thread::yield_now();
            drop(session);
        });
        send.send(()).expect("waits");
        assert_dropped_within(&weak, LONG);
        worker.join().expect("no panic");
    }
}

#[test]
fn what_is_kept_fails_with_its_type_and_count() {
    let session = Arc::new(Session);
    let (weak, other) = (Arc::downgrade(&session), Arc::clone(&session));
    let message = message_of(|| assert_dropped_within(&weak, Duration::from_millis(3)));
    assert!(
        message.contains("testing_dropped::Session is still alive"),
        "{message}"
    );
    // How long it waited: no less, and on a busy machine more.
    let waited = message.split_once(": 2 strong references after ");
    let waited = waited.and_then(|(_, rest)| rest.split_whitespace().next());
    let waited = waited.and_then(|word| word.strip_suffix('s'));
    let millis = match waited.map(|word| (word.strip_suffix('m'), word)) {
        Some((Some(millis), _)) => millis.parse::<f64>().ok(),
        Some((None, seconds)) => seconds.parse::<f64>().ok().map(|of| 1e3 * of),
        None => None,
    };
    assert!(millis.is_some_and(|of| of >= 3.0), "{message}");
    assert!(!message.contains("held by"), "{message}");
    drop((session, other));
    assert_dropped_within(&weak, Duration::ZERO);
}

#[test]
fn an_rc_is_not_waited_for() {
    let session = Rc::new(Session);
    let weak = Rc::downgrade(&session);
    // Sixty seconds would be noticed.
    let message = message_of(|| assert_dropped_within(&weak, LONG));
    assert!(
        message.contains("1 strong reference, and no other thread"),
        "{message}"
    );
}

/// Whatever the alignment and size: the map that holds it is named.
#[test]
fn the_tracked_map_that_holds_it_is_named() {
    #[repr(align(64))]
    struct Wide([u8; 100]);

    let watch = HeapWatch::start();
    let mut small = TrackedHashMap::named("small sessions");
    let mut wide = TrackedHashMap::named("wide sessions");
    let mut text = TrackedHashMap::named("text sessions");
    let (a, b, c) = (
        Arc::new(7u64),
        Arc::new(Wide([1; 100])),
        Arc::<str>::from("text"),
    );
    let weak = (Arc::downgrade(&a), Arc::downgrade(&b), Arc::downgrade(&c));
    assert_eq!(b.0[99], 1);
    small.insert(1, a);
    wide.insert(1, b);
    text.insert(1, c);
    let messages = [
        message_of(|| assert_dropped_within(&weak.0, Duration::ZERO)),
        message_of(|| assert_dropped_within(&weak.1, Duration::ZERO)),
        message_of(|| assert_dropped_within(&weak.2, Duration::ZERO)),
    ];
    for (message, name) in messages.iter().zip(["small", "wide", "text"]) {
        let end = format!("; it is held by map={name} sessions");
        assert!(message.ends_with(&end), "{message}");
    }
    drop((small, wide, text, watch));
    assert_dropped_within(&weak.0, Duration::ZERO);
}

//! What ordinary programs do with their allocator: collections, strings,
//! shared and boxed values, threads.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc;

use heaplens_alloc::{Snapshot, Tally};

use super::symbols;

/// A function that captures its environment, as a callback does.
pub(crate) type Callback = Box<dyn Fn(usize) -> String + Send>;

/// What [`build`] makes, of all kinds.
pub(crate) struct Estate {
    names: HashMap<u64, String>,
    tree: BTreeMap<String, Vec<u32>>,
    queue: VecDeque<Arc<[u8]>>,
    callbacks: Vec<Callback>,
}

/// Builds collections of `count` entries each.
#[inline(never)]
pub(crate) fn build(count: usize) -> Estate {
    let mut estate = Estate {
        names: HashMap::new(),
        tree: BTreeMap::new(),
        queue: VecDeque::new(),
        callbacks: Vec::new(),
    };
    for number in 0..count {
        estate
            .names
            .insert(number as u64, format!("name of {number}"));
        let list = (0..number as u32 % 50).collect();
        estate.tree.insert(number.to_string(), list);
        estate
            .queue
            .push_back(Arc::from(vec![number as u8; number % 300]));
        let prefix = "x".repeat(number % 20);
        estate
            .callbacks
            .push(Box::new(move |more| format!("{prefix}{number}{more}")));
    }
    estate
}

/// Fails unless everything reads as it was written.
pub(crate) fn check(estate: &Estate, count: usize) {
    for number in 0..count {
        assert_eq!(estate.names[&(number as u64)], format!("name of {number}"));
        let list = &estate.tree[&number.to_string()];
        assert!(list.iter().copied().eq(0..number as u32 % 50));
        let bytes = &estate.queue[number];
        assert!(bytes.len() == number % 300 && bytes.iter().all(|b| *b == number as u8));
        let said = estate.callbacks[number](7);
        assert_eq!(said, format!("{}{number}7", "x".repeat(number % 20)));
    }
}

/// Builds estates on four threads and checks and drops them on this one.
pub(crate) fn exercise() {
    const COUNT: usize = 2000;
    let (send, receive) = mpsc::channel();
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let send = send.clone();
            std::thread::spawn(move || send.send(build(COUNT)).expect("the test waits"))
        })
        .collect();
    drop(send);
    let mut estates = 0;
    for mut estate in receive {
        check(&estate, COUNT);
        estate.callbacks.shrink_to_fit();
        estate.queue.extend(build(10).queue);
        estates += 1;
    }
    assert_eq!(estates, 4);
    for worker in workers {
        worker.join().expect("no panic");
    }
}

/// In use through a function whose mangled name has `part`.
pub(crate) fn inuse_through(snapshot: &Snapshot, part: &str) -> Tally {
    let mut sum = Tally::default();
    for site in &snapshot.sites {
        if symbols::passes_through(&snapshot.stacks[site.stack].frames, part) {
            sum.add(&site.inuse);
        }
    }
    sum
}

/// Holds a vector whose stack has this function in it.
#[inline(never)]
pub(crate) fn marked_site(len: usize) -> Vec<u8> {
    let mut kept = Vec::with_capacity(len);
    kept.push(std::hint::black_box(1));
    kept
}

/// Stacks of what is held through [`marked_site`]: each must show who called
/// it, up to the start of the thread.
pub(crate) fn assert_stacks_are_whole(snapshot: &Snapshot, caller: &str) {
    let mut seen = 0;
    for site in &snapshot.sites {
        let frames = &snapshot.stacks[site.stack].frames;
        if site.inuse.samples == 0 || !symbols::passes_through(frames, "marked_site") {
            continue;
        }
        seen += 1;
        let names: Vec<_> = frames
            .iter()
            .map(|frame| symbols::name_of(*frame))
            .collect();
        let place = |part: &str| {
            names
                .iter()
                .position(|name| name.is_some_and(|name| name.contains(part)))
                .unwrap_or_else(|| panic!("no {part} in {names:?}"))
        };
        let (site, caller, start) = (place("marked_site"), place(caller), place("thread_start"));
        assert!(site < caller && caller < start, "{names:?}");
        // libc's own start of a thread is below Rust's.
        assert!(
            start + 1 < names.len() && names[start + 1].is_none(),
            "{names:?}"
        );
    }
    assert!(seen > 0, "nothing is held through the marked function");
}

//! Labels of futures: across await, spawn, work stealing, panics and cancellation.
//! Every allocation through this allocator is sampled, and figures are exact.

mod common;

use std::alloc::System;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::thread::ThreadId;

use common::blocks::{Block, layout, obtain, release, release_all};
use common::estimate::Meter;
use common::labels::{Set, by_labels, exactly, in_force, set};
use common::{alone, assert_nothing_is_in_use};
use heaplens_alloc::{Alloc, LabelExt, Labelled, Labels, label};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

static ALLOC: Alloc<System> = Alloc::with(System).sample_interval(1);

const STEPS: usize = 60;

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(4).build().expect("a runtime")
}

/// What one task did.
#[derive(Debug)]
struct Done {
    blocks: Vec<Block>,
    threads: HashSet<ThreadId>,
}

/// Allocates `STEPS` blocks of `size` under the labels it was given, half of them a
/// scope further in, and lets other tasks have its thread in between.
async fn work(task: usize, size: usize) -> Done {
    let outer = set(&[("task", &task.to_string())]);
    let inner = set(&[("task", &task.to_string()), ("part", "inner")]);
    let mut done = Done {
        blocks: Vec::new(),
        threads: HashSet::new(),
    };
    for step in 0..STEPS {
        if step % 2 == 0 {
            done.blocks.push(obtain(&ALLOC, layout(size), false));
        } else {
            let part = async {
                yield_now().await;
                assert_eq!(in_force(), inner);
                let _sync = label("step", "sync").enter();
                let block = {
                    let _again = label("step", "gone").enter();
                    let _over = label("part", "sync").enter();
                    obtain(&ALLOC, layout(size), false)
                };
                release(&ALLOC, block);
                block.layout
            };
            let layout = part.labelled(label("part", "inner")).await;
            let part = async { obtain(&ALLOC, layout, false) };
            done.blocks
                .push(part.labelled(label("part", "inner")).await);
        }
        yield_now().await;
        assert_eq!(in_force(), outer);
        done.threads.insert(std::thread::current().id());
    }
    done
}

/// Runs labelled tasks and those without side by side; returns on how many threads
/// each was.
fn run_tasks(runtime: &Runtime) -> Vec<usize> {
    const TASKS: usize = 32;
    let size = |task: usize| 16 + 8 * task;
    let meter = Meter::start();
    let done: Vec<Done> = runtime.block_on(async {
        let plain: Vec<_> = (0..TASKS)
            .map(|_| {
                tokio::spawn(async {
                    for _ in 0..STEPS {
                        assert_eq!(in_force(), Set::new());
                        yield_now().await;
                    }
                })
            })
            .collect();
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let future = async move {
                    // A task of the task: its labels are handed on.
                    let handed = work(task, size(task)).labelled(Labels::current());
                    tokio::spawn(handed).await.expect("no panic")
                };
                tokio::spawn(future.labelled(label("task", &task.to_string())))
            })
            .collect();
        let mut done = Vec::new();
        for task in tasks {
            done.push(task.await.expect("no panic"));
        }
        for task in plain {
            task.await.expect("no panic");
        }
        done
    });
    let seen = by_labels(&meter.stop());
    assert_eq!(seen.len(), 3 * TASKS, "{:?}", seen.keys());
    for task in 0..TASKS {
        let name = task.to_string();
        let half = exactly(STEPS / 2, STEPS / 2 * size(task));
        let of = |more: &[(&str, &str)]| {
            let pairs: Vec<_> = more.iter().copied().chain([("task", &*name)]).collect();
            seen[&set(&pairs)]
        };
        assert_eq!(of(&[]), (half, half));
        assert_eq!(of(&[("part", "inner")]), (half, half));
        let gone = of(&[("part", "sync"), ("step", "gone")]);
        assert_eq!(gone, (half, exactly(0, 0)));
    }
    let threads = done.iter().map(|of| of.threads.len()).collect();
    release_all(&ALLOC, done.into_iter().flat_map(|of| of.blocks));
    assert_nothing_is_in_use();
    threads
}

/// Until the runtime has moved tasks from one thread to another.
#[test]
fn every_task_has_its_own_labels_on_every_thread() {
    let _turn = alone();
    let runtime = runtime();
    for round in 0..100 {
        let threads = run_tasks(&runtime);
        if round > 3 && threads.iter().any(|&of| of > 1) {
            return;
        }
    }
    panic!("no task was moved in a hundred rounds");
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// One future, polled on one thread after the other, under other labels each time.
#[test]
fn a_future_takes_its_labels_to_any_thread() {
    let _turn = alone();
    let meter = Meter::start();
    let blocks = Mutex::new(Vec::new());
    let future = async {
        for _ in 0..40 {
            let block = obtain(&ALLOC, layout(32), false);
            blocks.lock().expect("no panic").push(block);
            yield_now().await;
        }
    };
    let mut future = Box::pin(future.labelled(label("task", "moving").and("where", "in")));
    for turn in 0..=40 {
        let polled = std::thread::scope(|scope| {
            let poll = || {
                let outer = label("worker", ["a", "b"][turn % 2]).and("where", "out");
                let _scope = outer.enter();
                let polled = poll_once(future.as_mut());
                assert_eq!(Labels::current(), outer);
                polled
            };
            scope.spawn(poll).join().expect("no panic")
        });
        assert_eq!(polled.is_ready(), turn == 40);
    }
    let seen = by_labels(&meter.stop());
    for worker in ["a", "b"] {
        let labels = [("task", "moving"), ("where", "in"), ("worker", worker)];
        assert_eq!(seen[&set(&labels)].0, exactly(20, 640));
    }
    assert_eq!(seen.len(), 2);
    drop(future);
    release_all(&ALLOC, blocks.into_inner().expect("no panic"));
    assert_nothing_is_in_use();
}

/// Allocates when it is dropped, and may panic then.
struct Late {
    blocks: &'static Mutex<Vec<Block>>,
    panics: bool,
}

impl Drop for Late {
    fn drop(&mut self) {
        let block = obtain(&ALLOC, layout(56), false);
        self.blocks.lock().expect("no panic").push(block);
        assert!(!self.panics, "as was asked for");
    }
}

/// A future that waits for ever and holds `late`.
async fn pending(late: Late) {
    let _late = late;
    std::future::pending::<()>().await;
}

static DROPPED: Mutex<Vec<Block>> = Mutex::new(Vec::new());

/// What a future does while it is dropped is under its labels: before the first
/// poll, in the middle, and when that panics.
#[test]
fn dropping_is_under_the_labels() {
    let _turn = alone();
    for (name, polls, panics) in [
        ("unpolled", 0, false),
        ("polled", 2, false),
        ("panics", 1, true),
    ] {
        let meter = Meter::start();
        let late = Late {
            blocks: &DROPPED,
            panics,
        };
        let mut future = Box::pin(pending(late).labelled(label("drop", name)));
        for _ in 0..polls {
            assert!(poll_once(future.as_mut()).is_pending());
        }
        let _outer = label("outer", "yes").enter();
        let before = Labels::current();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(future)));
        assert_eq!(dropped.is_err(), panics);
        assert_eq!(Labels::current(), before);
        let seen = by_labels(&meter.stop());
        let labels = set(&[("drop", name), ("outer", "yes")]);
        assert_eq!(seen[&labels].0, exactly(1, 56), "{name}");
        let blocks = std::mem::take(&mut *DROPPED.lock().expect("no panic"));
        release_all(&ALLOC, blocks);
        assert_nothing_is_in_use();
    }
}

/// A poll that panics leaves its thread as it was.
#[test]
fn a_poll_that_panics_restores_the_labels() {
    let _turn = alone();
    let _outer = label("outer", "yes").enter();
    let before = Labels::current();
    let future = async {
        yield_now().await;
        let _deeper = label("deeper", "still").enter();
        panic!("as was asked for");
    };
    let mut future = pin!(future.labelled(label("task", "doomed")));
    assert!(poll_once(future.as_mut()).is_pending());
    let polled = catch_unwind(AssertUnwindSafe(|| {
        poll_once::<Labelled<_>>(future.as_mut())
    }));
    assert!(polled.is_err());
    assert_eq!(Labels::current(), before);
}

/// The same on a runtime, whose threads go on with other tasks.
#[test]
fn a_task_that_panics_leaves_no_labels_behind() {
    let _turn = alone();
    let runtime = runtime();
    runtime.block_on(async {
        for task in 0..64 {
            let future = async move {
                yield_now().await;
                assert!(task % 2 == 0, "as was asked for");
            };
            let doomed = tokio::spawn(future.labelled(label("task", "doomed")));
            let plain = tokio::spawn(async { Labels::current().is_empty() });
            assert_eq!(doomed.await.is_ok(), task % 2 == 0);
            assert!(plain.await.expect("no panic"));
        }
    });
}

/// Aborted tasks are dropped by whatever thread: under their labels all the same.
#[test]
fn aborted_tasks_are_dropped_under_their_labels() {
    const TASKS: usize = 50;
    let _turn = alone();
    let meter = Meter::start();
    let runtime = runtime();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let late = Late {
                    blocks: &DROPPED,
                    panics: false,
                };
                tokio::spawn(pending(late).labelled(label("task", "aborted")))
            })
            .collect();
        yield_now().await;
        for task in tasks {
            task.abort();
            assert!(task.await.expect_err("it waits for ever").is_cancelled());
        }
    });
    drop(runtime);
    let seen = by_labels(&meter.stop());
    let labels = set(&[("task", "aborted")]);
    assert_eq!(seen[&labels].0, exactly(TASKS, TASKS * 56));
    let blocks = std::mem::take(&mut *DROPPED.lock().expect("no panic"));
    release_all(&ALLOC, blocks);
    assert_nothing_is_in_use();
}

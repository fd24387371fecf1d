//! Fields of real spans as labels: nested, on other threads, in futures.
#![allow(
    clippy::float_cmp,
    reason = "at interval 1 estimates are whole numbers"
)]

use std::collections::BTreeMap;

use heaplens::{Alloc, LabelLayer, Labels, label};
use tokio::task::JoinHandle;
use tracing::{Dispatch, Instrument, Span, dispatcher, field::Empty, info_span};
use tracing_subscriber::layer::SubscriberExt;

#[global_allocator]
static ALLOC: Alloc<std::alloc::System> = Alloc::with(std::alloc::System).sample_interval(1);

fn subscriber() -> Dispatch {
    Dispatch::new(tracing_subscriber::registry().with(LabelLayer::new(["tenant", "route"])))
}

fn in_force() -> Vec<(&'static str, &'static str)> {
    Labels::current().iter().collect()
}

#[test]
fn chosen_fields_are_labels_while_the_span_is_entered() {
    dispatcher::with_default(&subscriber(), || {
        let outer = info_span!("request", tenant = "acme", id = 17, route = %"/upload");
        let entered = outer.enter();
        assert_eq!(in_force(), [("route", "/upload"), ("tenant", "acme")]);
        info_span!("inner", other = 1, route = 7).in_scope(|| {
            assert_eq!(in_force(), [("route", "7"), ("tenant", "acme")]);
            let _scope = label("route", "own").and("step", "one").enter();
            info_span!("innermost", tenant = ?Some(1)).in_scope(|| {
                // The span's own are those it inherited.
                let all = [("route", "7"), ("step", "one"), ("tenant", "Some(1)")];
                assert_eq!(in_force(), all);
            });
            let all = [("route", "own"), ("step", "one"), ("tenant", "acme")];
            assert_eq!(in_force(), all);
        });
        drop(entered);
        assert_eq!(in_force(), []);
        // Entered again.
        outer.in_scope(|| assert_eq!(in_force().len(), 2));
    });
    assert_eq!(in_force(), []);
}

#[test]
fn spans_may_be_left_in_any_order() {
    dispatcher::with_default(&subscriber(), || {
        let spans = [
            info_span!(parent: None, "a", tenant = "a"),
            info_span!(parent: None, "b", route = "b"),
            info_span!(parent: None, "c", tenant = "c"),
        ];
        let mut entered: Vec<_> = spans.iter().map(|span| Some(span.enter())).collect();
        assert_eq!(in_force(), [("route", "b"), ("tenant", "c")]);
        entered[0] = None;
        assert_eq!(in_force(), [("route", "b"), ("tenant", "c")]);
        entered[2] = None;
        assert_eq!(in_force(), [("route", "b")]);
        entered[1] = None;
        assert_eq!(in_force(), []);
    });
}

#[test]
fn fields_recorded_later_count_at_once() {
    dispatcher::with_default(&subscriber(), || {
        let span = info_span!("request", tenant = Empty, route = "/");
        let _entered = span.enter();
        let inner = info_span!("inner", route = "/inner").entered();
        assert_eq!(in_force(), [("route", "/inner")]);
        span.record("tenant", "acme");
        assert_eq!(in_force(), [("route", "/inner"), ("tenant", "acme")]);
        span.record("tenant", "umbrella");
        assert_eq!(in_force(), [("route", "/inner"), ("tenant", "umbrella")]);
        drop(inner);
        assert_eq!(in_force(), [("route", "/"), ("tenant", "umbrella")]);
        // One that has none yet.
        let late = info_span!(parent: None, "late", tenant = Empty);
        late.in_scope(|| {
            late.record("tenant", 5);
            assert_eq!(in_force(), [("route", "/"), ("tenant", "5")]);
        });
    });
    assert_eq!(in_force(), []);
}

#[test]
fn a_child_has_the_labels_of_its_parent_on_any_thread() {
    let dispatch = subscriber();
    dispatcher::with_default(&dispatch, || {
        let parent = info_span!("request", tenant = "acme");
        let child = info_span!(parent: &parent, "part", route = "/part");
        let seen = std::thread::scope(|scope| {
            let work = || {
                dispatcher::with_default(&dispatch, || {
                    let inside = child.in_scope(in_force);
                    (inside, in_force())
                })
            };
            scope.spawn(work).join().expect("no panic")
        });
        assert_eq!(seen.0, [("route", "/part"), ("tenant", "acme")]);
        assert_eq!(seen.1, []);
    });
}

#[test]
fn what_is_too_long_is_refused() {
    dispatcher::with_default(&subscriber(), || {
        let (fits, long) = ("x".repeat(128), "x".repeat(129));
        info_span!("a", tenant = %fits).in_scope(|| assert_eq!(in_force().len(), 1));
        info_span!("b", tenant = %long, route = ?long).in_scope(|| assert_eq!(in_force(), []));
    });
}

/// Allocates for the tenant of the span that it runs in, a step at a time.
async fn work(size: usize) -> Vec<Vec<u8>> {
    let mut kept = Vec::new();
    for step in 0..50 {
        let part = async { vec![0u8; size] };
        kept.push(part.instrument(info_span!("part", route = "/part")).await);
        if step % 3 == 0 {
            tokio::task::yield_now().await;
        }
    }
    kept
}

/// Instrumented tasks on a runtime of four threads: what each keeps is found under
/// its own tenant, to the byte.
#[test]
fn instrumented_tasks_have_their_own_labels() {
    const TASKS: usize = 20;
    // Sizes that nothing else has.
    let size = |task: usize| 100_000 + 1000 * task;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .on_thread_start(|| {
            // For the whole life of the thread.
            std::mem::forget(dispatcher::set_default(&subscriber_of_threads()));
        })
        .build()
        .expect("a runtime");
    let kept = dispatcher::with_default(&subscriber_of_threads(), || {
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let span = info_span!(parent: None, "task", tenant = task);
                runtime.spawn(work(size(task)).instrument(span))
            })
            .collect();
        let wait = |task: JoinHandle<Vec<Vec<u8>>>| runtime.block_on(task).expect("no panic");
        tasks.into_iter().map(wait).collect::<Vec<_>>()
    });
    let snapshot = heaplens::snapshot();
    let mut bytes: BTreeMap<Vec<(String, String)>, f64> = BTreeMap::new();
    for site in snapshot
        .sites
        .iter()
        .filter(|site| site.size_class >= 100_000)
    {
        let labels = snapshot.labels[site.labels].clone();
        *bytes.entry(labels).or_default() += site.inuse.bytes;
    }
    for task in 0..TASKS {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let labels = vec![pair("route", "/part"), pair("tenant", &task.to_string())];
        assert_eq!(bytes.get(&labels), Some(&(50.0 * size(task) as f64)));
    }
    assert_eq!(kept.len(), TASKS);
    assert!(Span::current().is_none());
}

fn subscriber_of_threads() -> Dispatch {
    static SHARED: std::sync::OnceLock<Dispatch> = std::sync::OnceLock::new();
    SHARED.get_or_init(subscriber).clone()
}

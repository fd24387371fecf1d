//! `/debug/heap/lifetimes`: how long blocks lived, with every block sampled.

mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use common::pprof::{comments, decode, text, under};
use common::{agent, get};
use heaplens::profile::proto::ValueType;

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new()
    .sample_interval(1)
    .max_overhead_ppm(0);

#[inline(never)]
fn freed_at_once() {
    for _ in 0..100 {
        drop(black_box(vec![1u8; 1000]));
    }
}

#[inline(never)]
fn kept_for_longer() -> Vec<Vec<u8>> {
    (0..50).map(|_| black_box(vec![2u8; 3000])).collect()
}

/// Columns of the profile.
const FREED: usize = 1;
const ALIVE: usize = 3;

/// One test: the figures are the process's.
#[test]
fn each_block_is_of_some_age() {
    let (agent, address) = agent();
    freed_at_once();
    let kept = kept_for_longer();
    let begun = Instant::now();
    let whole = decode(&get(address, "/debug/heap/lifetimes").body);
    let name = |of: &ValueType| (text(&whole, of.r#type), text(&whole, of.unit));
    let names: Vec<(&str, &str)> = whole.sample_type.iter().map(name).collect();
    assert_eq!(
        names,
        [
            ("freed_objects", "count"),
            ("freed_space", "bytes"),
            ("alive_objects", "count"),
            ("alive_space", "bytes"),
        ]
    );
    assert_eq!(whole.duration_nanos, 0);
    assert_eq!(text(&whole, whole.default_sample_type), "");
    assert!(comments(&whole).contains("lifetimes: freed_*"));
    assert_eq!(under(&whole, "freed_at_once", FREED), 100_000);
    assert_eq!(under(&whole, "freed_at_once", ALIVE), 0);
    let and_their_vec = 50 * i64::try_from(size_of::<Vec<u8>>()).unwrap();
    assert_eq!(
        under(&whole, "kept_for_longer", ALIVE),
        150_000 + and_their_vec
    );

    let of_age = |path: &str, age: &str| {
        let age = age.replace(' ', "%20").replace('<', "%3C");
        decode(&get(address, &format!("{path}?label=age:{age}")).body)
    };
    // Each is of some age, and of one.
    let ages = [
        "< 1 ms", "< 10 ms", "< 100 ms", "< 1 s", "< 10 s", "< 100 s", "< 1000 s",
    ];
    let sum: i64 = ages
        .iter()
        .map(|age| {
            under(
                &of_age("/debug/heap/lifetimes", age),
                "freed_at_once",
                FREED,
            )
        })
        .sum();
    assert_eq!(sum, 100_000);
    // Some may be interrupted between their malloc and their free.
    let young = under(
        &of_age("/debug/heap/lifetimes", "< 1 ms"),
        "freed_at_once",
        FREED,
    );
    assert!(
        young > 50_000,
        "{young} bytes were freed within a millisecond"
    );
    while begun.elapsed() < Duration::from_millis(10) {
        std::hint::spin_loop();
    }
    drop(kept);
    let after = of_age("/debug/heap/lifetimes", "< 1 ms");
    assert_eq!(
        under(&after, "kept_for_longer", FREED),
        0,
        "they lived longer"
    );
    let whole = decode(&get(address, "/debug/heap/lifetimes").body);
    assert_eq!(under(&whole, "kept_for_longer", ALIVE), 0);
    assert!(under(&whole, "kept_for_longer", FREED) >= 150_000);

    for (query, kind) in [
        ("format=json", "application/json"),
        (
            "format=folded&type=alive_space",
            "text/plain; charset=utf-8",
        ),
        ("format=svg", "image/svg+xml"),
    ] {
        let answer = get(address, &format!("/debug/heap/lifetimes?{query}"));
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        let found = answer.header("content-type").unwrap_or_default();
        assert!(found.starts_with(kind), "{query}: {found}");
    }
    assert_eq!(
        get(address, "/debug/heap/lifetimes?format=text").status,
        400
    );
    drop(agent);
}

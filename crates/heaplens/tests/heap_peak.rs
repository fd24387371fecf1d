//! `/debug/heap/peak`: what was alive when the heap was fullest.

mod common;

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use common::pprof::{comments, decode, under};
use common::{PATIENCE, agent, get};
use heaplens::profile::proto::Profile;

/// Samples at its interval however slow the machine is: large blocks are certain, and exact.
#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new().max_overhead_ppm(0);

#[inline(never)]
fn swell() -> Vec<u8> {
    black_box(vec![1; 64 << 20])
}

#[inline(never)]
fn swell_more() -> Vec<u8> {
    black_box(vec![2; 256 << 20])
}

fn nanos() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_nanos()).unwrap()
}

/// The peak, once it holds so many bytes of a function.
fn peak_with(address: SocketAddr, function: &str, bytes: i64) -> Profile {
    let begun = Instant::now();
    loop {
        let answer = get(address, "/debug/heap/peak");
        if answer.status == 200 {
            let disposition = answer.header("content-disposition");
            assert_eq!(disposition, Some("attachment; filename=\"peak\""));
            let profile = decode(&answer.body);
            if under(&profile, function, 3) >= bytes {
                return profile;
            }
        } else {
            assert_eq!(answer.status, 404, "{answer:?}");
            assert!(answer.text().contains("no peak is kept yet"), "{answer:?}");
        }
        assert!(begun.elapsed() < PATIENCE, "{function}");
    }
}

/// One test: the peak is the process's, and goes up only.
#[test]
fn it_is_kept_after_all_was_given_back() {
    let begun = nanos();
    let (first, address) = agent();
    let (second, other) = agent();
    let swollen = swell();
    let peak = peak_with(address, "swell", 64 << 20);
    assert!(peak.time_nanos >= begun && peak.time_nanos <= nanos());
    assert_eq!(peak.duration_nanos, 0);
    drop(swollen);
    let now = decode(&get(address, "/debug/pprof/heap").body);
    assert_eq!(under(&now, "swell", 3), 0);
    let kept = peak_with(address, "swell", 64 << 20);
    assert_eq!(kept.time_nanos, peak.time_nanos, "the moment of the peak");
    let said = comments(&kept);
    assert!(said.contains("the most seen since"), "{said}");
    // In use is what there is: what was freed before is not in it.
    assert_eq!(under(&kept, "swell", 1), under(&kept, "swell", 3));

    // Less than before, and so nothing new.
    drop(black_box(vec![3u8; 32 << 20]));
    let text = get(other, "/debug/heap/peak?format=text");
    assert!(
        text.text().contains("swell"),
        "the other agent knows it too"
    );
    assert!(text.text().starts_with("heap profile: "));

    // The agent that watched is gone; the other one goes on.
    drop(first);
    let swollen = swell_more();
    let peak = peak_with(other, "swell_more", 256 << 20);
    assert!(peak.time_nanos > kept.time_nanos);
    drop((swollen, second));
}

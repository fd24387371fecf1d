//! The leaking forms grow with every request, the repaired ones stay bounded.

mod driven;

use axum::http::StatusCode;
use leaky_service::cases::{CaseName, Mode, Retained, fixed_bound};

use driven::{Driven, PER_REQUEST, block_on};

/// Entries after each tenth of many requests.
async fn tenths(case: CaseName, mode: Mode, requests: u64) -> Vec<Retained> {
    let mut driven = Driven::new(case, mode);
    let mut seen = Vec::new();
    for _ in 0..10 {
        for _ in 0..requests / 10 {
            assert!(driven.request().await.is_success());
            driven.pass(PER_REQUEST).await;
        }
        seen.push(driven.retained());
    }
    seen
}

#[test]
fn the_leaking_forms_grow_linearly() {
    block_on(async {
        for case in CaseName::ALL {
            let seen = tenths(case, Mode::Leaking, 5_000).await;
            let entries: Vec<i64> = seen.iter().map(|r| r.entries as i64).collect();
            let step = entries[0];
            assert!(step >= 350, "{case}: {entries:?}");
            for (tenth, &now) in (1..).zip(&entries) {
                assert!(
                    (now - tenth * step).abs() <= 2 * tenth,
                    "{case}: {entries:?}"
                );
            }
            let per_entry = seen[9].bytes / seen[9].entries;
            assert!(per_entry >= 500, "{case}: {per_entry} bytes an entry");
        }
    });
}

#[test]
fn the_repaired_forms_stay_bounded() {
    block_on(async {
        for case in CaseName::ALL {
            let seen = tenths(case, Mode::Fixed, 10_000).await;
            let half = seen[4];
            for now in &seen {
                assert!(now.entries <= fixed_bound(case), "{case}: {seen:?}");
            }
            for now in &seen[5..] {
                assert!(now.bytes <= half.bytes.max(1 << 16) * 2, "{case}: {seen:?}");
            }
        }
    });
}

/// No timer runs and no time passes: capacity alone must hold.
#[test]
fn the_bounds_hold_without_the_clock() {
    block_on(async {
        for case in CaseName::ALL {
            let mut driven = Driven::new(case, Mode::Fixed);
            let mut refused = 0;
            for _ in 0..fixed_bound(case) * 3 / 2 + 100 {
                let status = driven.request().await;
                refused += usize::from(status == StatusCode::SERVICE_UNAVAILABLE);
                assert!(driven.retained().entries <= fixed_bound(case), "{case}");
            }
            let must_refuse = case == CaseName::Closures;
            assert_eq!(refused > 0, must_refuse, "{case}: {refused} refused");
        }
    });
}

//! The leaking forms grow with every request, the repaired ones stay bounded.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use leaky_service::cases::{Background, CaseName, Mode, Retained, fixed_bound};
use leaky_service::service::Service;
use leaky_service::traffic;
use tower::ServiceExt;

/// Of virtual time: that of the default rate, with all cases running.
const PER_REQUEST: Duration = Duration::from_millis(25);

struct Driven {
    case: CaseName,
    service: Arc<Service>,
    router: Router,
    background: Vec<Background>,
    next: u64,
}

impl Driven {
    fn new(case: CaseName, mode: Mode) -> Self {
        let service = Service::new(&[case], mode, PER_REQUEST);
        Self {
            case,
            router: service.router(),
            background: service.background(),
            service,
            next: 0,
        }
    }

    async fn request(&mut self) -> StatusCode {
        let request = traffic::request("http://service", self.case, self.next);
        self.next += 1;
        let request = request.expect("a request").map(axum::body::Body::new);
        let response = self.router.clone().oneshot(request).await;
        response.expect("an answer").status()
    }

    async fn pass(&mut self, time: Duration) {
        for background in &mut self.background {
            let ended = tokio::time::timeout(time, background).await;
            assert!(ended.is_err(), "a timer does not end by itself");
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

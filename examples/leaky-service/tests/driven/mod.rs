//! One case of the service, driven request by request on a virtual clock.
#![allow(dead_code, reason = "each test uses some of it")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use leaky_service::cases::{Background, CaseName, Mode, Retained};
use leaky_service::service::Service;
use leaky_service::traffic;
use tower::ServiceExt;

/// Of virtual time: that of the default rate, with all cases running.
pub(crate) const PER_REQUEST: Duration = Duration::from_millis(25);

/// One case and who drives it.
pub(crate) struct Driven {
    case: CaseName,
    service: Arc<Service>,
    router: Router,
    background: Option<Background>,
    next: u64,
}

impl Driven {
    /// A service with one case, without sockets.
    pub(crate) fn new(case: CaseName, mode: Mode) -> Self {
        let service = Service::new(&[case], mode, PER_REQUEST);
        Self {
            case,
            router: service.router(),
            // One case has one timer at the most.
            background: service.background().pop(),
            service,
            next: 0,
        }
    }

    /// The next request of the case.
    pub(crate) async fn request(&mut self) -> StatusCode {
        let request = traffic::request("http://service", self.case, self.next);
        self.next += 1;
        let request = request.expect("a request").map(axum::body::Body::new);
        let response = self.router.clone().oneshot(request).await;
        response.expect("an answer").status()
    }

    /// How many requests it has had.
    pub(crate) fn requests(&self) -> u64 {
        self.next
    }

    /// Lets time pass and the timer fire.
    pub(crate) async fn pass(&mut self, time: Duration) {
        match &mut self.background {
            Some(background) => {
                let ended = tokio::time::timeout(time, background).await;
                assert!(ended.is_err(), "a timer does not end by itself");
            }
            None => tokio::time::advance(time).await,
        }
    }

    /// Goes over to the other form, as `POST /repair` and `POST /break` do.
    pub(crate) fn switch(&self, to: Mode) {
        let switched = self.service.switch(Some(self.case), to);
        switched.expect("the case runs");
    }

    /// What it holds by its own count.
    pub(crate) fn retained(&self) -> Retained {
        let stats = self.service.stats();
        stats
            .cases
            .get(self.case.as_str())
            .expect("the case")
            .retained
    }
}

/// Runs on a clock that goes on only where everything waits for it.
pub(crate) fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(work);
}

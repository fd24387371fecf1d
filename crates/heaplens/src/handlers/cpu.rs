//! `/debug/pprof/profile`: a CPU profile, if the program was built with the feature
//! `cpu-profile`.

#[cfg(feature = "cpu-profile")]
pub(crate) use sampled::{serve, time};
#[cfg(not(feature = "cpu-profile"))]
pub(crate) use without::{serve, time};

#[cfg(not(feature = "cpu-profile"))]
mod without {
    use std::sync::Arc;
    use std::time::Duration;

    use hyper::StatusCode;

    use crate::respond::{self, Reply};
    use crate::state::App;

    /// 501, and what to do.
    pub(crate) async fn serve(_app: &Arc<App>, _query: Option<&str>) -> Reply {
        respond::error(StatusCode::NOT_IMPLEMENTED, NO_PROFILES)
    }

    /// How long a request may take: no longer than others.
    pub(crate) fn time(_query: Option<&str>) -> Duration {
        Duration::ZERO
    }

    const NO_PROFILES: &str = "CPU profiles are not taken here: build the program with the feature \
         cpu-profile of the crate heaplens, or try perf or samply; the heap is at /debug/pprof/heap";
}

#[cfg(feature = "cpu-profile")]
mod sampled {
    use std::sync::Arc;
    use std::time::Duration;

    use hyper::StatusCode;
    use tokio::sync::Semaphore;

    use crate::cpu::{self, Profiler, StartError};
    use crate::params;
    use crate::respond::{self, Reply};
    use crate::state::App;
    use crate::work::Failure;

    /// Held while a profile is taken: the timer and the signal are the process's.
    static TURN: Semaphore = Semaphore::const_new(1);

    /// Answers after the seconds asked for. A client that leaves earlier ends it.
    pub(crate) async fn serve(app: &Arc<App>, query: Option<&str>) -> Reply {
        let seconds = match params::cpu_seconds(query) {
            Ok(seconds) => seconds,
            Err(fault) => return fault.reply(),
        };
        let Ok(_turn) = TURN.try_acquire() else {
            return respond::error(StatusCode::INTERNAL_SERVER_ERROR, BUSY);
        };
        match take(app, Duration::from_secs(seconds)).await {
            Ok(bytes) => respond::file("profile", bytes),
            Err(failure) => failure.reply(),
        }
    }

    async fn take(app: &Arc<App>, length: Duration) -> Result<Vec<u8>, Failure> {
        let started = app.costly.run(Profiler::start).await?;
        let profiler = started.map_err(|error| match error {
            // Another user of the same crate in this program.
            StartError::Busy => Failure::Failed(BUSY.to_owned()),
            StartError::Other(reason) => {
                Failure::Failed(format!("Could not enable CPU profiling: {reason}"))
            }
        })?;
        // Dropped on the way, it stops.
        tokio::time::sleep(length).await;
        let finish = move || cpu::finish(profiler).map_err(Failure::Failed);
        app.costly.run_admitted(finish).await?
    }

    /// How much longer than others a request may take.
    pub(crate) fn time(query: Option<&str>) -> Duration {
        Duration::from_secs(params::cpu_seconds(query).unwrap_or(0))
    }

    const BUSY: &str = "Could not enable CPU profiling: cpu profiling already in use";
}

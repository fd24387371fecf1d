//! The five cases as repaired. None of them declares its bound, so that it is the growth that
//! is judged: leaky-service declares what it has.

use crate::load::{Load, Traffic, after};
use crate::program::Program;
use crate::random::Random;

use super::ticks;

/// A time to live and a capacity.
pub(super) fn sessions(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let (ttl, logs_out) = (random.between(300.0, 3600.0), random.between(0.1, 0.7));
    let mean = random.between(300.0, 2700.0);
    Program::new(random, move |now, world, random| {
        let logins = traffic.arrivals(now, random);
        world.insert(logins, random, |random| {
            let leaves = if random.chance(logs_out) {
                random.exponential(mean)
            } else {
                ttl
            };
            after(now, leaves.min(ttl))
        });
    })
}

/// A cache for one window of time, which ends with it.
pub(super) fn field(load: Load, random: &mut Random) -> Program {
    let per_second = random.between(1.0, 20.0);
    let traffic = Traffic::at(per_second, load, random);
    let window = ticks(random, 600.0, 7200.0);
    Program::new(random, move |now, world, random| {
        if now % window == 0 {
            world.clear();
        }
        let requests = traffic.arrivals(now, random);
        world.insert(requests, random, |_| crate::world::NEVER);
    })
}

/// Counters by route, of which there are some thousand; those unused for a time are dropped.
pub(super) fn metrics(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let routes = random.between(1000.0, 20_000.0);
    let idle = random.between(1800.0, 7200.0);
    Program::new(random, move |now, world, random| {
        let free = (1.0 - world.entries() as f64 / routes).max(0.0);
        let new = traffic.arrivals(now, random) as f64 * free;
        let new = random.poisson(new);
        world.insert(new, random, |random| after(now, random.exponential(idle)));
    })
}

/// Removed when they are done, after some attempts.
pub(super) fn closures(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let (fails, wait) = (random.between(0.01, 0.3), random.between(10.0, 600.0));
    Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random);
        world.insert(requests, random, |random| {
            let mut time = random.exponential(2.0);
            for attempt in 0..5 {
                if !random.chance(fails) {
                    break;
                }
                time += wait * f64::from(1 << attempt);
            }
            after(now, time)
        });
    })
}

/// Taken back by the owner's guard, whose owners live for different times.
pub(super) fn callbacks(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let period = ticks(random, 60.0, 1800.0).max(1);
    let mean = random.between(600.0, 3600.0);
    let mut waiting = 0;
    Program::new(random, move |now, world, random| {
        waiting += traffic.arrivals(now, random);
        if now % period == 0 {
            world.insert(waiting, random, |random| {
                after(now, random.exponential(mean))
            });
            waiting = 0;
        }
    })
}

//! Programs that grow and do not leak.

use crate::load::{Load, Traffic, after};
use crate::program::Program;
use crate::random::Random;
use crate::world::{DAY, NEVER, TICK, World};

use super::ticks;

/// Entries that live for exactly so long.
pub(super) fn ttl_cache(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let ttl = random.between(300.0, 3600.0);
    Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random);
        world.insert(requests, random, |_| after(now, ttl));
    })
}

/// Entries that live for any time.
pub(super) fn sessions(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let mean = random.between(300.0, 2700.0);
    Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random);
        world.insert(requests, random, |random| {
            after(now, random.exponential(mean))
        });
    })
}

/// Lifetimes from seconds to hours.
pub(super) fn jobs(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let (median, spread) = (random.between(60.0, 1200.0), random.between(0.8, 1.5));
    Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random);
        world.insert(requests, random, |random| {
            after(now, median * (spread * random.normal()).exp())
        });
    })
}

/// So many keys exist, and each comes up sooner or later.
pub(super) fn warm_up(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let keys = random.between(20_000.0, 420_000.0);
    Program::new(random, move |now, world, random| {
        let unseen = (1.0 - world.entries() as f64 / keys).max(0.0);
        let new = traffic.arrivals(now, random) as f64 * unseen;
        let new = random.poisson(new);
        world.insert(new, random, |_| NEVER);
    })
}

/// As many entries as ever, whose values fill up to their bound.
pub(super) fn values_fill(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let (users, message) = (
        random.between(1000.0, 20_000.0) as u64,
        random.between(50.0, 400.0),
    );
    let most = users as f64 * random.between(1000.0, 5000.0);
    let mut kept = 0.0;
    Program::new(random, move |now, world, random| {
        if now < 20 {
            world.insert(users / 20, random, |_| NEVER);
        }
        let messages = traffic.arrivals(now, random) as f64;
        let added = messages * message * (1.0 - kept / most).max(0.0);
        kept += added;
        world.grow_values(added);
    })
}

fn lru(load: Load, random: &mut Random) -> (Program, u64) {
    let traffic = Traffic::draw(load, random);
    let capacity = random.between(0.05, 0.95) * 6.0 * 3600.0 * traffic.per_second();
    let capacity = capacity as u64;
    let program = Program::new(random, move |now, world: &mut World, random| {
        let misses = traffic.arrivals(now, random);
        world.insert(misses, random, |_| NEVER);
        world.evict_down_to(capacity);
    });
    (program, capacity)
}

/// A cache that says how large it gets.
pub(super) fn lru_declared(load: Load, random: &mut Random) -> Program {
    let (program, capacity) = lru(load, random);
    program.bounded(capacity)
}

/// A cache that does not.
pub(super) fn lru_undeclared(load: Load, random: &mut Random) -> Program {
    lru(load, random).0
}

/// Built up for half an hour to three hours, then cleared.
pub(super) fn batch(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let period = ticks(random, 1800.0, 10_800.0);
    Program::new(random, move |now, world, random| {
        if now % period == 0 {
            world.clear();
        }
        let requests = traffic.arrivals(now, random);
        world.insert(requests, random, |_| NEVER);
    })
}

/// Four times as much traffic from some time on.
pub(super) fn traffic_step(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let mean = random.between(300.0, 2700.0);
    let at = (random.between(0.0, 0.7) * DAY as f64) as usize;
    Program::new(random, move |now, world, random| {
        let times = if now >= at { 4 } else { 1 };
        let requests = times * traffic.arrivals(now, random);
        world.insert(requests, random, |random| {
            after(now, random.exponential(mean))
        });
    })
}

/// Much comes and goes at once.
pub(super) fn noisy(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let mean = random.between(30.0, 300.0);
    Program::new(random, move |now, world, random| {
        let times = random.between(0.2, 1.8);
        let requests = traffic.arrivals(now, random) as f64 * times;
        world.insert(requests as u64, random, |random| {
            after(now, random.exponential(mean))
        });
    })
}

/// Written to memory until it is compacted into a fraction, which is dropped once a while.
pub(super) fn compaction(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let period = ticks(random, 1200.0, 7200.0);
    let levels = 2 + (random.unit() * 4.0) as usize;
    let kept = random.between(0.02, 0.1);
    Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random);
        let flush = (now / period + 1) * period;
        let merge = (now / (period * levels) + 1) * period * levels;
        world.insert(requests, random, |random| {
            if random.chance(kept) { merge } else { flush }
        });
    })
}

/// Loaded twice, the second time a larger one; a TTL map beside it.
pub(super) fn reload(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let ttl = random.between(60.0, 600.0);
    let sizes = [0, 1].map(|_| random.between(2000.0, 60_000.0) as u64);
    let at = [0.0, 0.4].map(|from| (random.between(from, from + 0.4) * DAY as f64) as usize);
    Program::new(random, move |now, world, random| {
        for (at, size) in at.iter().zip(sizes) {
            if now == *at {
                world.insert(size, random, |_| NEVER);
            }
        }
        let requests = traffic.arrivals(now, random);
        world.insert(requests, random, |_| after(now, ttl));
    })
}

/// One import that takes an hour or two, among sessions.
pub(super) fn big_load(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let mean = random.between(60.0, 600.0);
    let from = (random.between(0.0, 0.8) * DAY as f64) as usize;
    let to = from + ticks(random, 900.0, 7200.0);
    let each = random.between(50.0, 600.0) as u64;
    Program::new(random, move |now, world, random| {
        if (from..to).contains(&now) {
            world.insert(each, random, |_| NEVER);
        }
        let requests = traffic.arrivals(now, random);
        world.insert(requests, random, |random| {
            after(now, random.exponential(mean))
        });
    })
}

/// Maps that go with their request: a dozen entries each, all at once.
pub(super) fn short_lived(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let (size, mean) = (random.between(5.0, 50.0) as u64, random.between(1.0, 120.0));
    Program::new(random, move |now, world, random| {
        for _ in 0..traffic.arrivals(now, random) / 16 {
            let goes = after(now, random.exponential(mean));
            world.insert(size, random, |_| goes);
        }
    })
}

/// More comes in the day than is done; the night makes up for it.
pub(super) fn backlog(_load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(Load::Daily, random);
    let done = traffic.per_second() * random.between(1.02, 1.3);
    Program::new(random, move |now, world, random| {
        let jobs = traffic.arrivals(now, random);
        world.insert(jobs, random, |_| NEVER);
        let done = random.poisson(done * TICK);
        let left = world.entries().saturating_sub(done);
        world.evict_down_to(left);
    })
}

/// An entry goes when it has not been read for a time; reads come by chance.
pub(super) fn expires_unread(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let (idle, between) = (random.between(300.0, 1800.0), random.between(200.0, 1200.0));
    Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random) / 4;
        world.insert(requests, random, |random| {
            let mut time = idle;
            for _ in 0..12 {
                let read = random.exponential(between);
                if read > idle {
                    break;
                }
                time += read;
            }
            after(now, time)
        });
    })
}

/// A time to live of minutes, and a sweep once an hour.
pub(super) fn hourly_sweep(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let ttl = random.between(300.0, 3600.0);
    let hour = (3600.0 / TICK) as usize;
    Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random);
        let goes = after(now, ttl).div_ceil(hour) * hour;
        world.insert(requests, random, |_| goes);
    })
}

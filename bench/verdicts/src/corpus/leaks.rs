//! Programs that leak.

use crate::load::{Load, Traffic, after};
use crate::program::Program;
use crate::random::Random;
use crate::world::{DAY, NEVER, TICK};

use super::ticks;

/// A session a login; some log out, the rest stays for good.
pub(super) fn sessions(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let (stored, logs_out) = (random.between(0.1, 0.5), random.between(0.1, 0.7));
    let mean = random.between(300.0, 2700.0);
    Program::new(random, move |now, world, random| {
        let logins = traffic.arrivals(now, random) as f64 * stored;
        world.insert(logins as u64, random, |random| {
            if random.chance(logs_out) {
                after(now, random.exponential(mean))
            } else {
                NEVER
            }
        });
    })
}

/// A key that holds the time of day: every request makes an entry.
pub(super) fn field(load: Load, random: &mut Random) -> Program {
    let per_second = random.between(1.0, 20.0);
    let traffic = Traffic::at(per_second, load, random);
    Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random);
        world.insert(requests, random, |_| NEVER);
    })
}

/// Entries live for some minutes, but an error path forgets to remove some.
pub(super) fn error_path(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let forgotten = random.between(0.02, 0.15);
    let mean = random.between(300.0, 2700.0);
    Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random);
        world.insert(requests, random, |random| {
            if random.chance(forgotten) {
                NEVER
            } else {
                after(now, random.exponential(mean))
            }
        });
    })
}

/// Few entries, and none ever goes.
pub(super) fn slow(load: Load, random: &mut Random) -> Program {
    let per_second = random.between(0.05, 0.45);
    let traffic = Traffic::at(per_second, load, random);
    Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random);
        world.insert(requests, random, |_| NEVER);
    })
}

/// As many entries as ever, each of which keeps the messages of its user.
pub(super) fn values(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let (users, message) = (
        random.between(1000.0, 50_000.0) as u64,
        random.between(50.0, 400.0),
    );
    Program::new(random, move |now, world, random| {
        if now < 20 {
            world.insert(users / 20, random, |_| NEVER);
        }
        let messages = traffic.arrivals(now, random) as f64;
        world.grow_values(messages * message);
    })
}

/// A counter for each user; some of the requests are from new ones.
pub(super) fn metrics(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let new = random.between(0.05, 0.75);
    Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random) as f64 * new;
        let users = random.poisson(requests);
        world.insert(users, random, |_| NEVER);
    })
}

/// Closures that are taken back within ten minutes, if at all.
pub(super) fn closures(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let taken_back = random.between(0.0, 0.8);
    Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random) as f64 * 0.2;
        world.insert(requests as u64, random, |random| {
            if random.chance(taken_back) {
                after(now, random.between(0.0, 600.0))
            } else {
                NEVER
            }
        });
    })
}

/// A timer registers as many callbacks as there was traffic; some are taken back.
pub(super) fn callbacks(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let period = ticks(random, 60.0, 1800.0).max(1);
    let (registered, taken_back) = (random.between(0.05, 0.3), random.between(0.0, 0.7));
    let mut waiting = 0.0;
    Program::new(random, move |now, world, random| {
        waiting += traffic.arrivals(now, random) as f64 * registered;
        if now % period == 0 {
            world.insert(waiting as u64, random, |random| {
                if random.chance(taken_back) {
                    after(now, random.exponential(600.0))
                } else {
                    NEVER
                }
            });
            waiting = 0.0;
        }
    })
}

/// Requests take from seconds to hours; those that are cancelled leave their entry.
pub(super) fn cancelled(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let left = random.between(0.02, 0.15);
    let median = random.between(60.0, 1200.0);
    Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random);
        world.insert(requests, random, |random| {
            if random.chance(left) {
                NEVER
            } else {
                after(now, median * random.normal().exp())
            }
        });
    })
}

/// Keys made of words: ever fewer of them are new, by a power of how many there were.
pub(super) fn heaps(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let exponent = random.between(0.5, 0.75);
    let (mut seen, mut distinct) = (0.0_f64, 0.0);
    Program::new(random, move |now, world, random| {
        seen += traffic.arrivals(now, random) as f64;
        let new = (12.0 * seen.powf(exponent) - distinct).max(0.0);
        distinct += new;
        let new = random.poisson(new);
        world.insert(new, random, |_| NEVER);
    })
}

/// Sound for some hours, until a release that forgets some.
pub(super) fn release(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let ttl = random.between(300.0, 3600.0);
    let forgotten = random.between(0.05, 0.6);
    let from = (random.between(0.1, 0.5) * DAY as f64) as usize;
    let program = Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random);
        world.insert(requests, random, |random| {
            if now >= from && random.chance(forgotten) {
                NEVER
            } else {
                now + (ttl / TICK) as usize
            }
        });
    });
    Program {
        leaks_from: from,
        ..program
    }
}

/// A sweep that leaves out a part of the map, such as one shard of it.
pub(super) fn sweep(load: Load, random: &mut Random) -> Program {
    let ttl = random.between(300.0, 3600.0);
    sweep_at(ttl, load, random)
}

pub(super) fn sweep_at(ttl: f64, load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let missed = random.between(0.03, 0.4);
    let period = ticks(random, 900.0, 7200.0);
    Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random);
        let goes = after(now, ttl).div_ceil(period) * period;
        world.insert(requests, random, |random| {
            if random.chance(missed) { NEVER } else { goes }
        });
    })
}

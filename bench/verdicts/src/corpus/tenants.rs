//! Tenants that bring many entries at once.

use crate::load::{Load, Traffic, after};
use crate::program::Program;
use crate::random::Random;
use crate::world::NEVER;

/// What they brought stays when they leave.
pub(super) fn stay(load: Load, random: &mut Random) -> Program {
    tenants(load, random, |_, _| NEVER)
}

/// They leave with all that they brought, after hours.
pub(super) fn leave(load: Load, random: &mut Random) -> Program {
    let mean = random.between(900.0, 7200.0);
    tenants(load, random, move |now, random| {
        after(now, random.exponential(mean))
    })
}

fn tenants(
    load: Load,
    random: &mut Random,
    leaves: impl Fn(usize, &mut Random) -> usize + 'static,
) -> Program {
    let an_hour = random.between(10.0, 200.0);
    let traffic = Traffic::at(an_hour / 3600.0, load, random);
    let largest = random.between(100.0, 1000.0);
    Program::new(random, move |now, world, random| {
        for _ in 0..traffic.arrivals(now, random) {
            let entries = random.between(0.1 * largest, largest) as u64;
            let goes = leaves(now, random);
            world.insert(entries, random, |_| goes);
        }
    })
}

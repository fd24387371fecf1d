//! Connections of which many break off at once, and come back.

use crate::load::{Load, Traffic, after};
use crate::program::Program;
use crate::random::Random;
use crate::world::{NEVER, World};

use super::ticks;

/// Some of those that broke off are forgotten: the size rises by a step each time.
pub(super) fn forgotten(load: Load, random: &mut Random) -> Program {
    let left = random.between(0.05, 0.5);
    storms(
        load,
        random,
        move |next, random| {
            if random.chance(left) { NEVER } else { next }
        },
    )
}

/// Those that broke off are noticed within half an hour, while they are back already.
pub(super) fn noticed(load: Load, random: &mut Random) -> Program {
    let within = random.between(60.0, 1800.0);
    storms(load, random, move |next, random| {
        after(next, random.between(0.0, within))
    })
}

/// `goes` draws for a connection that breaks off at that tick when its entry goes.
fn storms(
    load: Load,
    random: &mut Random,
    goes: impl Fn(usize, &mut Random) -> usize + 'static,
) -> Program {
    let traffic = Traffic::draw(load, random);
    let mean = random.between(600.0, 3600.0);
    let period = ticks(random, 3600.0, 14_400.0);
    let broken = random.between(0.2, 0.8);
    Program::new(random, move |now, world: &mut World, random| {
        let next = (now / period + 1) * period;
        let mut connections = traffic.arrivals(now, random);
        if now > 0 && now % period == 0 {
            connections += (world.entries() as f64 * broken) as u64;
        }
        world.insert(connections, random, |random| {
            let ends = after(now, random.exponential(mean));
            if ends > next && random.chance(broken) {
                goes(next, random)
            } else {
                ends
            }
        });
    })
}

//! Programs that declare a bound or a time to live, that keep it or do not; and the same without
//! the declaration.

use std::time::Duration;

use crate::load::{Load, Traffic, after};
use crate::program::Program;
use crate::random::Random;
use crate::world::{NEVER, TICK};

use super::leaks;

/// What the service is for: it keeps all of it, and says how much there may be.
pub(super) fn growth(load: Load, random: &mut Random) -> Program {
    let per_second = random.between(0.5, 10.0);
    let slack = random.between(1.1, 2.0);
    grows_for_good(per_second, load, random).bounded((86_400.0 * per_second * slack) as u64)
}

/// The same, and it does not say so.
pub(super) fn growth_untold(load: Load, random: &mut Random) -> Program {
    Program {
        max_entries: None,
        ..growth(load, random)
    }
}

/// A capacity that was declared, and that nothing keeps.
pub(super) fn bound_broken(_load: Load, random: &mut Random) -> Program {
    let per_second = random.between(0.5, 20.0);
    let reached_after = random.between(1800.0, 8.0 * 3600.0);
    // At the same rate all day, so that it is known when the bound is reached.
    let program = grows_for_good(per_second, Load::Steady, random);
    Program {
        leaks_from: (reached_after / TICK) as usize,
        ..program.bounded((reached_after * per_second) as u64)
    }
}

fn grows_for_good(per_second: f64, load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::at(per_second, load, random);
    Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random);
        world.insert(requests, random, |_| NEVER);
    })
}

/// A time to live of half a day.
pub(super) fn long_ttl(load: Load, random: &mut Random) -> Program {
    let traffic = Traffic::draw(load, random);
    let ttl = 12.0 * 3600.0;
    let program = Program::new(random, move |now, world, random| {
        let requests = traffic.arrivals(now, random);
        world.insert(requests, random, |_| after(now, ttl));
    });
    Program {
        expected_ttl: Some(Duration::from_secs_f64(ttl)),
        ..program
    }
}

/// The same, which nobody tells.
pub(super) fn long_ttl_untold(load: Load, random: &mut Random) -> Program {
    Program {
        expected_ttl: None,
        ..long_ttl(load, random)
    }
}

/// A time to live that was declared, and a sweep that leaves some.
pub(super) fn ttl_broken(load: Load, random: &mut Random) -> Program {
    let ttl = random.between(300.0, 3600.0);
    let program = leaks::sweep_at(ttl, load, random);
    Program {
        expected_ttl: Some(Duration::from_secs_f64(ttl)),
        ..program
    }
}

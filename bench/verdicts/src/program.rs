//! What a simulated program does.

use std::time::Duration;

use crate::load::Load;
use crate::random::Random;
use crate::world::World;

/// What a program does in one tick.
pub(crate) type Step = Box<dyn FnMut(usize, &mut World, &mut Random)>;

/// A program with one map, made by chance from a scenario.
pub(crate) struct Program {
    /// Bytes of an entry beside its slot in the table.
    pub(crate) bytes: f64,
    /// What it declares as bound.
    pub(crate) max_entries: Option<u64>,
    /// What it declares as time to live.
    pub(crate) expected_ttl: Option<Duration>,
    /// The tick from which on it leaks, if it does.
    pub(crate) leaks_from: usize,
    /// What it does.
    pub(crate) step: Step,
}

impl Program {
    /// One that declares nothing, with entries of 200 to 1,000 bytes.
    pub(crate) fn new(
        random: &mut Random,
        step: impl FnMut(usize, &mut World, &mut Random) + 'static,
    ) -> Self {
        Program {
            bytes: random.between(200.0, 1000.0),
            max_entries: None,
            expected_ttl: None,
            leaks_from: 0,
            step: Box::new(step),
        }
    }

    /// With a declared bound.
    pub(crate) fn bounded(self, entries: u64) -> Self {
        Program {
            max_entries: Some(entries),
            ..self
        }
    }
}

/// What is true of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    /// It leaks.
    Leak,
    /// It does not.
    Sound,
    /// It does not, by a bound that is reached so late, and that nobody declares, that until
    /// then it looks like a leak. Reported by itself.
    Undeclared,
}

/// Which part of the corpus a scenario belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Parameters were chosen on these.
    Tuning,
    /// And judged on these, after they were frozen.
    HeldOut,
}

impl Part {
    /// As it is written in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Part::Tuning => "tuning part",
            Part::HeldOut => "held-out part",
        }
    }
}

/// Programs of one kind under one load.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// What kind; the split goes by this name.
    pub(crate) family: &'static str,
    /// Which load; `None` draws one for each run.
    pub(crate) load: Option<Load>,
    /// Whether it leaks.
    pub(crate) truth: Truth,
    /// Tuning or held out.
    pub(crate) part: Part,
    /// Makes a program.
    pub(crate) make: fn(Load, &mut Random) -> Program,
}

impl Scenario {
    /// As it is written in tables.
    pub(crate) fn name(&self) -> String {
        match self.load {
            Some(load) => format!("{}, {}", self.family, load.name()),
            None => self.family.to_owned(),
        }
    }

    /// A program of it.
    pub(crate) fn program(&self, random: &mut Random) -> Program {
        let drawn = Load::ALL[(random.unit() * 3.0) as usize % 3];
        (self.make)(self.load.unwrap_or(drawn), random)
    }
}

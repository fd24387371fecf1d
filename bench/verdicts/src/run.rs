//! A day of one program, and what each contender says of it.

use std::time::Duration;

use heaplens::leaks::{Facts, Judge, Keep, Series, State, Windows};

use crate::baseline::{MINUTE, Watch};
use crate::contender::Contender;
use crate::program::{Program, Scenario};
use crate::random::Random;
use crate::world::{DAY, INTERVAL, TICK, World};

/// Ticks between two looks.
pub(crate) const LOOK: usize = 20;

/// What is the same for all programs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// Bytes that the process may take.
    pub(crate) limit: f64,
    /// Mean bytes between two samples.
    pub(crate) interval: f64,
}

impl Default for Setting {
    fn default() -> Self {
        Setting {
            limit: 4e9,
            interval: INTERVAL,
        }
    }
}

/// What a contender said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Said {
    /// The tick of its first suspicion; for a rule the same as `leak`.
    pub(crate) suspect: Option<usize>,
    /// The tick of its first verdict.
    pub(crate) leak: Option<usize>,
    /// Bytes that the map held at the verdict, in truth.
    pub(crate) held: f64,
    /// Its estimate of them.
    pub(crate) estimated: f64,
    /// Whether it still says so at the end of the day.
    pub(crate) stays: bool,
    /// The greatest strength of a rule, once it leaks if it does; 0 for judges.
    pub(crate) strength: f64,
}

/// At one look.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    /// What the judge of the map says.
    pub(crate) state: State,
    /// Bytes a second by which that says it grows.
    pub(crate) rate: f64,
    /// Entries of the map.
    pub(crate) entries: f64,
    /// Estimated bytes of the site that fills it.
    pub(crate) site_bytes: f64,
}

/// A day.
pub(crate) struct Outcome {
    /// The tick from which on it leaked.
    pub(crate) leaks_from: usize,
    /// By contender, in their order.
    pub(crate) said: Vec<Said>,
    /// By look.
    pub(crate) moments: Vec<Moment>,
}

/// Runs a program of this scenario for a day.
pub(crate) fn run(
    scenario: &Scenario,
    setting: &Setting,
    seed: u64,
    contenders: &[Contender],
) -> Outcome {
    let mut random = Random::new(seed);
    let mut program = scenario.program(&mut random);
    let mut day = Day::new(&program, setting, contenders);
    for tick in 0..DAY {
        (program.step)(tick, &mut day.world, &mut random);
        day.world.end_tick();
        day.books.push(tick, &day.world);
        if tick % MINUTE == 0 {
            day.minute(tick, program.leaks_from);
        }
        if tick % LOOK == 0 {
            day.look(tick, &program);
        }
    }
    Outcome {
        leaks_from: program.leaks_from,
        said: day.said,
        moments: day.moments,
    }
}

/// The three series that contenders look at.
struct Books {
    map: Series,
    site: Series,
    means: Option<Series>,
}

impl Books {
    fn push(&mut self, tick: usize, world: &World) {
        let at = Duration::from_secs_f64(tick as f64 * TICK);
        self.map.push(at, world.map_point());
        self.site.push(at, world.site_point());
        if let Some(means) = &mut self.means {
            means.push(at, world.map_point());
        }
    }

    fn of(&self, contender: Contender) -> &Series {
        match (contender, contender.keep()) {
            (Contender::Site, _) => &self.site,
            (_, Keep::Mean) => self.means.as_ref().unwrap_or(&self.map),
            _ => &self.map,
        }
    }
}

struct Day<'a> {
    setting: &'a Setting,
    windows: Windows,
    contenders: &'a [Contender],
    judges: Vec<Option<Judge>>,
    said: Vec<Said>,
    moments: Vec<Moment>,
    world: World,
    books: Books,
    watch: Watch,
}

impl<'a> Day<'a> {
    fn new(program: &Program, setting: &'a Setting, contenders: &'a [Contender]) -> Self {
        let windows = Windows::standard();
        let judges = contenders.iter().map(|contender| contender.judge(&windows));
        let mean = contenders.iter().any(|one| one.keep() == Keep::Mean);
        Day {
            setting,
            contenders,
            judges: judges.collect(),
            said: vec![Said::default(); contenders.len()],
            moments: Vec::with_capacity(DAY / LOOK),
            world: World::new(program.bytes, setting.interval),
            books: Books {
                map: Series::new(&windows),
                site: Series::new(&windows),
                means: mean.then(|| Series::keeping(&windows, Keep::Mean)),
            },
            watch: Watch::default(),
            windows,
        }
    }

    /// What rules say that are evaluated every minute.
    fn minute(&mut self, tick: usize, leaks_from: usize) {
        let (entries, bytes) = (self.world.entries() as f64, self.world.estimated_bytes());
        self.watch.minute(entries, bytes);
        for (contender, said) in self.contenders.iter().zip(&mut self.said) {
            let Contender::Instead(rule) = contender else {
                continue;
            };
            let strength = self.watch.strength(*rule);
            if tick >= leaks_from {
                said.strength = said.strength.max(strength);
            }
            said.stays = rule.fires(strength, self.setting.limit);
            if said.leak.is_none() && said.stays {
                (said.leak, said.suspect) = (Some(tick), Some(tick));
                said.held = self.world.true_bytes();
            }
        }
    }

    /// What judges say.
    fn look(&mut self, tick: usize, program: &Program) {
        // As the agent does: ages are counted only if somebody wants them.
        let books = &self.books;
        let mut all = self.contenders.iter().zip(&self.judges);
        let wanted = all.any(|(contender, judge)| {
            let judge = judge.as_ref();
            judge.is_some_and(|judge| judge.wants_cohorts(books.of(*contender)))
        });
        let cohorts = wanted.then(|| self.world.cohorts(&self.windows));
        let held = self.world.true_bytes();
        let facts = Facts {
            max_entries: program.max_entries,
            expected_ttl: program.expected_ttl,
            oldest: program.expected_ttl.and_then(|_| self.world.oldest()),
            bytes_per_sample: Some(self.setting.interval),
            memory_limit: Some(self.setting.limit as u64),
            headroom: Some((self.setting.limit - held).max(0.0) as u64),
            cohorts: cohorts.as_ref(),
            ..Facts::default()
        };
        let all = self.contenders.iter().zip(&mut self.judges);
        for ((contender, judge), said) in all.zip(&mut self.said) {
            let Some(judge) = judge else { continue };
            let verdict = judge.look(self.books.of(*contender), &contender.facts(facts));
            if *contender == Contender::Map {
                self.moments.push(Moment {
                    state: verdict.state,
                    rate: verdict.bytes_per_second(),
                    entries: self.world.entries() as f64,
                    site_bytes: self.world.site_point().bytes as f64,
                });
            }
            said.stays = verdict.state == State::Leak;
            if verdict.state >= State::Suspect {
                said.suspect.get_or_insert(tick);
            }
            if verdict.state == State::Leak && said.leak.is_none() {
                said.leak = Some(tick);
                (said.held, said.estimated) = (held, verdict.bytes as f64);
            }
        }
    }
}

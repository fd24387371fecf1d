//! Is the leak first among others, and is the site found that fills it?

use heaplens::leaks::cogrowth::{Candidate, sites_of};

use crate::program::Truth;
use crate::random::Random;
use crate::run::LOOK;
use crate::trial::Trial;
use crate::wilson::Share;

/// Sound programs beside each leak.
const OTHERS: usize = 9;
/// Looks, five minutes apart, that co-growth looks back over: two hours.
const BACK: usize = 24;

/// Each leak at the time of its verdict, in a process with nine sound maps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Culprit {
    /// It comes first.
    pub(crate) first: Share,
    /// Or second or third.
    pub(crate) third: Share,
    /// The site that fills it is the first that co-growth names, by series alone.
    pub(crate) site_first: Share,
    /// It is among the first three.
    pub(crate) site_named: Share,
    /// Only others are named.
    pub(crate) site_wrong: Share,
}

impl Culprit {
    /// Of all leaks that this contender, the judge of maps, named.
    pub(crate) fn of(trials: &[Trial], contender: usize) -> Self {
        let sound: Vec<&Trial> = trials
            .iter()
            .filter(|trial| trial.truth == Truth::Sound)
            .collect();
        let mut culprit = Culprit::default();
        let leaks = trials.iter().filter(|trial| trial.truth == Truth::Leak);
        for (nth, trial) in leaks.enumerate() {
            let Some(at) = trial.flagged_at(contender) else {
                continue;
            };
            let mut random = Random::new(nth as u64);
            let pick = |_| sound.get((random.unit() * sound.len() as f64) as usize);
            let others: Vec<&Trial> = (0..OTHERS).filter_map(pick).copied().collect();
            culprit.add(trial, &others, at / LOOK);
        }
        culprit
    }

    fn add(&mut self, trial: &Trial, others: &[&Trial], look: usize) {
        let concern = |trial: &Trial| {
            let moment = trial.outcome.moments.get(look).copied().unwrap_or_default();
            (moment.state, moment.rate)
        };
        let own = concern(trial);
        // One that is of as much concern comes first.
        let before = others.iter().filter(|other| concern(other) >= own).count();
        self.first.add(before == 0);
        self.third.add(before < 3);

        let from = (look + 1).saturating_sub(BACK);
        let past = |trial: &Trial, of: fn(&crate::run::Moment) -> f64| -> Vec<f64> {
            let moments = trial.outcome.moments.get(from..=look).unwrap_or_default();
            moments.iter().map(of).collect()
        };
        let entries = past(trial, |moment| moment.entries);
        let all = others.iter().copied().chain([trial]);
        let sites: Vec<Vec<f64>> = all
            .map(|trial| past(trial, |moment| moment.site_bytes))
            .collect();
        let candidates: Vec<Candidate<'_>> = sites
            .iter()
            .map(|sizes| Candidate { sizes, held: None })
            .collect();
        let named = sites_of(&entries, &candidates, 3);
        let is_own = |place: usize| place == others.len();
        let among = named.iter().any(|link| is_own(link.place));
        self.site_first
            .add(named.first().is_some_and(|link| is_own(link.place)));
        self.site_named.add(among);
        self.site_wrong.add(!named.is_empty() && !among);
    }
}

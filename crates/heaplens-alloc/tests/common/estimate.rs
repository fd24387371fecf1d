//! Estimates against the truth, by their theoretical standard deviation.

use std::collections::HashMap;

use heaplens_alloc::{Site, Snapshot, StackKind, Tally, snapshot};

/// What was really allocated, and how far an unbiased estimate of it with the
/// least possible variance strays.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Truth {
    pub(crate) objects: f64,
    pub(crate) bytes: f64,
    objects_variance: f64,
    bytes_variance: f64,
}

impl Truth {
    /// `count` objects of `size` bytes, sampled at mean interval `interval`.
    pub(crate) fn add(&mut self, count: usize, size: usize, interval: u64) {
        let (count, size) = (count as f64, size as f64);
        // (1−p)/p of p = 1 − e^(−x) is 1/(e^x − 1).
        let variance = count / (size / interval as f64).exp_m1();
        self.objects += count;
        self.bytes += count * size;
        self.objects_variance += variance;
        self.bytes_variance += variance * size * size;
    }

    /// A single kind of object.
    pub(crate) fn of(count: usize, size: usize, interval: u64) -> Self {
        let mut truth = Truth::default();
        truth.add(count, size, interval);
        truth
    }
}

/// What a stretch of a test did to the cumulative figures.
#[derive(Debug)]
pub(crate) struct Meter {
    before: HashMap<Row, Tally>,
}

impl Meter {
    /// Starts at the figures of now.
    pub(crate) fn start() -> Self {
        let snapshot = snapshot();
        let key = |site: &Site| row(&snapshot, site);
        Meter {
            before: snapshot.sites.iter().map(|s| (key(s), s.alloc)).collect(),
        }
    }

    /// The rows that changed or are alive, with `alloc` counted from the start
    /// of this meter. Rows that are new since then are exact.
    pub(crate) fn stop(&self) -> Snapshot {
        let mut snapshot = snapshot();
        for index in 0..snapshot.sites.len() {
            let key = row(&snapshot, &snapshot.sites[index]);
            let alloc = &mut snapshot.sites[index].alloc;
            if let Some(before) = self.before.get(&key) {
                alloc.samples -= before.samples;
                alloc.sampled_bytes -= before.sampled_bytes;
                alloc.objects -= before.objects;
                alloc.bytes -= before.bytes;
                alloc.objects_variance -= before.objects_variance;
                alloc.bytes_variance -= before.bytes_variance;
            }
        }
        snapshot
            .sites
            .retain(|site| site.alloc.samples > 0 || site.inuse.samples > 0);
        snapshot
    }
}

/// Frames, size class and labels.
type Row = (Vec<u64>, StackKind, u64, Vec<(String, String)>);

fn row(snapshot: &Snapshot, site: &Site) -> Row {
    let stack = &snapshot.stacks[site.stack];
    let labels = snapshot.labels[site.labels].clone();
    (stack.frames.clone(), stack.kind, site.size_class, labels)
}

/// Standard scores of one workload, over many seeds.
#[derive(Debug)]
pub(crate) struct Scores {
    name: String,
    list: Vec<(&'static str, Vec<f64>)>,
}

impl Scores {
    pub(crate) fn new(name: String) -> Self {
        Scores {
            name,
            list: Vec::new(),
        }
    }

    /// Compares an estimate with the truth.
    pub(crate) fn add(&mut self, what: [&'static str; 2], seen: &Tally, truth: &Truth) {
        let [objects, bytes] = what;
        let score = |seen: f64, truth: f64, variance: f64| (seen - truth) / variance.sqrt();
        self.push(
            objects,
            score(seen.objects, truth.objects, truth.objects_variance),
        );
        self.push(bytes, score(seen.bytes, truth.bytes, truth.bytes_variance));
    }

    fn push(&mut self, what: &'static str, score: f64) {
        match self.list.iter_mut().find(|(name, _)| *name == what) {
            Some((_, scores)) => scores.push(score),
            None => self.list.push((what, vec![score])),
        }
    }

    /// The largest mean over all figures, in standard deviations of the mean.
    pub(crate) fn largest_mean_deviation(&self) -> f64 {
        let means = self.list.iter().map(|(_, scores)| {
            let n = scores.len() as f64;
            (scores.iter().sum::<f64>() / n.sqrt()).abs()
        });
        means.fold(0.0, f64::max)
    }

    /// |mean| ≤ 4/√n, variance within [0.7, 1.4].
    ///
    /// For 200 right estimates the first fails with probability 6·10⁻⁵, the
    /// second with 5·10⁻⁴ (χ² of 199 degrees). Seeds are fixed, so the outcome
    /// is the same in each run: a failure is a change of the code.
    pub(crate) fn check(&self) {
        assert!(!self.list.is_empty());
        for (what, scores) in &self.list {
            let n = scores.len() as f64;
            let mean = scores.iter().sum::<f64>() / n;
            let variance = scores.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let name = &self.name;
            assert!(
                mean.abs() <= 4.0 / n.sqrt(),
                "{name}: {what} biased by {mean:.3} standard deviations"
            );
            assert!(
                (0.7..=1.4).contains(&variance),
                "{name}: variance of {what} is {variance:.3} times the theory's"
            );
        }
    }
}

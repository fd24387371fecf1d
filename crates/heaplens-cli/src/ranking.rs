//! The samples of a profile put together: by place in the source, function,
//! file, object or label.

use std::collections::HashMap;

use heaplens_profile::origin::{self, Origin};
use heaplens_profile::{Location, Profile, Sample, place};

use crate::cli::By;

/// What stands for samples without the label by which they are put together.
const UNLABELLED: &str = "(none)";

/// What belongs together, and its sums.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// A function, file, object or value of a label.
    pub(crate) name: String,
    /// Where in the source, if that is told: `src/main.rs:41`.
    pub(crate) place: String,
    /// Of its own, one a type of the profile.
    pub(crate) own: Vec<i128>,
    /// Of the type that counts, with all that is called from here.
    pub(crate) below: i128,
    /// Of its own value of the type that counts; `None` where that is not known.
    pub(crate) variance: Option<f64>,
}

impl Row {
    pub(crate) fn value(&self, type_index: usize) -> i128 {
        self.own.get(type_index).copied().unwrap_or(0)
    }

    /// What makes it the same in another profile.
    pub(crate) fn key(&self) -> (&str, &str) {
        (&self.name, &self.place)
    }

    /// Function and place in one. That a closure of the function is meant is told by
    /// its line.
    pub(crate) fn title(&self) -> String {
        let name = without_closures(&self.name);
        if self.place.is_empty() {
            name.to_owned()
        } else {
            format!("{name} at {}", self.place)
        }
    }
}

/// `svc::run` of `svc::run::{{closure}}::{closure#1}`.
fn without_closures(name: &str) -> &str {
    let mut rest = name;
    while let Some((before, last)) = rest.rsplit_once("::")
        && (last == "{{closure}}" || last.starts_with("{closure#") && last.ends_with('}'))
    {
        rest = before;
    }
    rest
}

/// The rows of a profile, those with the most of the type that counts first, by
/// size of the value, so that what shrank stands out as well.
pub(crate) fn ranked(
    profile: &Profile,
    by: &By,
    type_index: usize,
    is_cumulative: bool,
) -> Vec<Row> {
    let mut rows = Rows::of(profile, by);
    for sample in &profile.samples {
        rows.add(sample, type_index);
    }
    let mut rows = rows.list;
    let key = |row: &Row| {
        if is_cumulative {
            row.below
        } else {
            row.value(type_index)
        }
    };
    rows.retain(|row| key(row) != 0 || row.own.iter().any(|&value| value != 0));
    rows.sort_by(|a, b| {
        let order = key(b).unsigned_abs().cmp(&key(a).unsigned_abs());
        order.then_with(|| (&a.name, &a.place).cmp(&(&b.name, &b.place)))
    });
    rows
}

/// A frame of a stack: the number of its row, and whose it is.
#[derive(Clone, Copy, Debug)]
struct Frame {
    row: usize,
    origin: Origin,
    /// Function and line, if they are known.
    line: Option<(usize, u32)>,
}

struct Rows<'a> {
    profile: &'a Profile,
    by: &'a By,
    list: Vec<Row>,
    numbers: HashMap<(String, String), usize>,
    /// The frames at each location, innermost first.
    frames: Vec<Vec<Frame>>,
    /// Which sample a row was last seen in.
    seen: Vec<usize>,
    samples: usize,
}

impl<'a> Rows<'a> {
    fn of(profile: &'a Profile, by: &'a By) -> Self {
        let mut rows = Rows {
            profile,
            by,
            list: Vec::new(),
            numbers: HashMap::new(),
            frames: Vec::new(),
            seen: Vec::new(),
            samples: 0,
        };
        if !matches!(by, By::Label(_)) {
            let locations = profile.locations.iter();
            rows.frames = locations.map(|of| rows.at(of)).collect();
        }
        rows
    }

    fn add(&mut self, sample: &Sample, type_index: usize) {
        self.samples += 1;
        let value = sample.values.get(type_index).copied().unwrap_or(0);
        let own = self.own(sample);
        let variance = self
            .profile
            .types
            .get(type_index)
            .and_then(|of| sample.variances?.of(&of.kind));
        if let Some(row) = self.list.get_mut(own) {
            for (sum, value) in row.own.iter_mut().zip(&sample.values) {
                *sum += i128::from(*value);
            }
            row.variance = row.variance.zip(variance).map(|(sum, of)| sum + of);
        }
        let on_stack: Vec<usize> = match self.by {
            By::Label(_) => vec![own],
            By::Site => self
                .stack(sample)
                .filter(|frame| frame.origin == Origin::Program || frame.row == own)
                .map(|frame| frame.row)
                .chain([own])
                .collect(),
            _ => self.stack(sample).map(|frame| frame.row).collect(),
        };
        for number in on_stack {
            if let (Some(row), Some(seen)) = (self.list.get_mut(number), self.seen.get_mut(number))
                && *seen != self.samples
            {
                // Recursive functions count once.
                *seen = self.samples;
                row.below += i128::from(value);
            }
        }
    }

    /// The frames of a stack, innermost first.
    fn stack(&self, sample: &Sample) -> impl Iterator<Item = Frame> {
        let locations = sample.locations.iter();
        let frames = locations.filter_map(|&at| self.frames.get(at));
        frames.flatten().copied()
    }

    /// The row that a sample's own values belong to.
    fn own(&mut self, sample: &Sample) -> usize {
        match self.by {
            By::Label(key) => {
                let value = sample.labels.iter().find(|(known, _)| known == key);
                let name = value.map_or(UNLABELLED, |(_, value)| value);
                self.row(name.to_owned(), String::new())
            }
            By::Site => self.site(sample),
            _ => {
                let leaf = self.stack(sample).next();
                leaf.map_or_else(|| self.unknown(), |frame| frame.row)
            }
        }
    }

    /// The innermost frame of the program itself, or else of whatever says most.
    fn site(&mut self, sample: &Sample) -> usize {
        let frames = self.stack(sample).map(|frame| (frame.origin, frame));
        match origin::telling(frames) {
            Some(frame) => self.named(sample, frame),
            None => self.unknown(),
        }
    }

    /// The row of a frame; of a closure without a name one of the function around it.
    fn named(&mut self, sample: &Sample, frame: Frame) -> usize {
        let profile = self.profile;
        let inner = frame
            .line
            .and_then(|of| Some((profile.functions.get(of.0)?, of.1)));
        let named = inner.and_then(|(inner, line)| {
            let outer = place::around(profile, sample, inner)?;
            Some((
                outer.name.clone(),
                at_line(origin::short(&inner.file), line),
            ))
        });
        named.map_or(frame.row, |(name, at)| self.row(name, at))
    }

    fn unknown(&mut self) -> usize {
        self.row("[no stack]".to_owned(), String::new())
    }

    fn at(&mut self, location: &Location) -> Vec<Frame> {
        let profile = self.profile;
        let object = location.mapping.and_then(|at| profile.mappings.get(at));
        let path = object.map_or("", |of| of.mapping.path.as_str());
        let mut frames = Vec::with_capacity(location.lines.len().max(1));
        for line in &location.lines {
            let Some(function) = profile.functions.get(line.function) else {
                continue;
            };
            let file = function.file.as_str();
            let (name, place) = match self.by {
                By::Function => (function.name.clone(), origin::short(file).to_owned()),
                By::File => (
                    if file.is_empty() { "?" } else { file }.to_owned(),
                    String::new(),
                ),
                By::Object => (
                    if path.is_empty() { "?" } else { path }.to_owned(),
                    String::new(),
                ),
                By::Site | By::Label(_) => (
                    function.name.clone(),
                    at_line(origin::short(file), line.line),
                ),
            };
            frames.push(Frame {
                row: self.row(name, place),
                origin: Origin::of(&function.name, file),
                line: Some((line.function, line.line)),
            });
        }
        if frames.is_empty() {
            let name = match self.by {
                By::File => "?".to_owned(),
                By::Object if !path.is_empty() => path.to_owned(),
                _ => address(path, location, profile),
            };
            frames.push(Frame {
                row: self.row(name, String::new()),
                origin: Origin::Program,
                line: None,
            });
        }
        frames
    }

    fn row(&mut self, name: String, place: String) -> usize {
        let next = self.list.len();
        let key = (name, place);
        if let Some(&number) = self.numbers.get(&key) {
            return number;
        }
        self.list.push(Row {
            name: key.0.clone(),
            place: key.1.clone(),
            own: vec![0; self.profile.types.len()],
            below: 0,
            variance: Some(0.0),
        });
        self.seen.push(0);
        self.numbers.insert(key, next);
        next
    }
}

fn at_line(file: &str, line: u32) -> String {
    match (file, line) {
        ("", _) => String::new(),
        (file, 0) => file.to_owned(),
        (file, line) => format!("{file}:{line}"),
    }
}

/// What stands for a function without a name: object and address in its file.
fn address(path: &str, location: &Location, profile: &Profile) -> String {
    let mapping = location.mapping.and_then(|at| profile.mappings.get(at));
    let file = path.rsplit('/').next().unwrap_or_default();
    match mapping {
        Some(of) if !file.is_empty() => {
            let distance = location.address.wrapping_sub(of.mapping.start);
            let in_file = distance.wrapping_add(of.mapping.offset);
            format!("{file}+{in_file:#x}")
        }
        _ => format!("{:#x}", location.address),
    }
}

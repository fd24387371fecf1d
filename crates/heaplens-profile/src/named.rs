//! Profiles of stacks that are known by the names of their functions alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use crate::model::{
    Function, Labels, Line, Location, Profile, SPACE, Sample, SampledCounts, ValueType,
};

/// Puts a profile together, stack by stack.
#[derive(Debug)]
pub(crate) struct Builder {
    profile: Profile,
    functions: HashMap<Arc<Function>, usize>,
    locations: HashMap<(usize, u32), usize>,
    samples: HashMap<Vec<usize>, usize>,
}

impl Builder {
    /// A profile without stacks, time and period.
    pub(crate) fn new(types: Vec<ValueType>) -> Self {
        Builder {
            profile: Profile {
                time: UNIX_EPOCH,
                duration: None,
                period: 1,
                period_type: SPACE,
                types,
                samples: Vec::new(),
                locations: Vec::new(),
                functions: Vec::new(),
                mappings: Vec::new(),
                comments: Vec::new(),
            },
            functions: HashMap::new(),
            locations: HashMap::new(),
            samples: HashMap::new(),
        }
    }

    /// The number of the location of a function at a line; 0 = not known.
    pub(crate) fn location(&mut self, name: &str, file: &str, line: u32) -> usize {
        let function = Arc::new(Function {
            name: name.to_owned(),
            system_name: String::new(),
            file: file.to_owned(),
        });
        let next = self.functions.len();
        let number = *self.functions.entry(Arc::clone(&function)).or_insert(next);
        if number == next {
            self.profile.functions.push(function);
        }
        let next = self.locations.len();
        let location = *self.locations.entry((number, line)).or_insert(next);
        if location == next {
            self.profile.locations.push(Location {
                mapping: None,
                address: 0,
                offset: None,
                lines: vec![Line {
                    function: number,
                    line,
                    column: 0,
                }],
            });
        }
        location
    }

    /// Adds to one value of a stack, whose locations come leaf first.
    pub(crate) fn add(&mut self, locations: Vec<usize>, type_index: usize, value: i64) {
        let next = self.samples.len();
        let number = *self.samples.entry(locations.clone()).or_insert(next);
        if number == next {
            self.profile.samples.push(Sample {
                locations,
                size_class: 0,
                labels: Labels::default(),
                numbers: Arc::default(),
                values: vec![0; self.profile.types.len()],
                sampled: SampledCounts::default(),
                variances: None,
            });
        }
        let sample = self.profile.samples.get_mut(number);
        if let Some(sum) = sample.and_then(|of| of.values.get_mut(type_index)) {
            *sum = sum.saturating_add(value);
        }
    }

    pub(crate) fn finish(self) -> Profile {
        self.profile
    }
}

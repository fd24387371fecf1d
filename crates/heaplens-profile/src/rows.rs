//! Sites to samples: resolves addresses, trims the leaf end, and has what
//! became equal merged.

use std::collections::HashMap;
use std::sync::Arc;

use heaplens_alloc::{Snapshot, Stack, StackKind};

use crate::intern::{IntMap, IntSet};
use crate::mappings::Mappings;
use crate::merge::Groups;
use crate::model::{Function, Line, Location, ProfileMapping, Sample};
use crate::symbolize::Symbolizer;
use crate::trim::{self, Role};

/// The parts of a profile that refer to each other by index.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) samples: Vec<Sample>,
    pub(crate) locations: Vec<Location>,
    pub(crate) functions: Vec<Arc<Function>>,
    pub(crate) mappings: Vec<ProfileMapping>,
}

pub(crate) fn build(
    snapshot: &Snapshot,
    mappings: &Mappings,
    symbolizer: Option<&mut Symbolizer>,
) -> Tables {
    let mut resolver = Resolver::new(mappings, symbolizer);
    resolver.prepare(&snapshot.stacks);
    let mut samples = samples(snapshot, &mut resolver);
    // What is held has rows in which nothing was allocated.
    samples.retain(|of| of.sampled.alloc_objects > 0 || of.sampled.inuse_objects > 0);
    let mut tables = resolver.tables;
    tables.samples = samples;
    list_mappings(&mut tables, mappings);
    tables
}

/// One sample per distinct list of locations, size class and labels.
fn samples(snapshot: &Snapshot, resolver: &mut Resolver<'_>) -> Vec<Sample> {
    let mut lists: IntMap<Vec<usize>, usize> = IntMap::default();
    let list_of_stack: Vec<usize> = snapshot
        .stacks
        .iter()
        .map(|stack| {
            let next = lists.len();
            *lists.entry(resolver.locations(stack)).or_insert(next)
        })
        .collect();
    let mut locations = vec![Vec::new(); lists.len()];
    for (list, number) in lists {
        if let Some(slot) = locations.get_mut(number) {
            *slot = list;
        }
    }

    let mut groups = Groups::new(&snapshot.labels).of_window(snapshot.window.is_some());
    for site in &snapshot.sites {
        if let Some(&list) = list_of_stack.get(site.stack) {
            groups.add(list, site);
        }
    }
    groups
        .merged()
        .into_iter()
        .map(|of| Sample {
            locations: locations.get(of.list).cloned().unwrap_or_default(),
            size_class: of.size_class,
            labels: of.labels,
            numbers: Arc::default(),
            values: of.values,
            sampled: of.sampled,
            variances: Some(of.variances),
        })
        .collect()
}

/// What is known of an address.
struct Place {
    address: u64,
    /// Index into [`Mappings::by_address`].
    mapping: Option<usize>,
    offset: Option<u64>,
    lines: Vec<Line>,
    /// How many lines, innermost first, are the allocator's at the leaf end.
    leaf_prefix: usize,
    /// The same where an entry point of the allocator is among the lines.
    entry_prefix: Option<usize>,
    /// The location with all lines, once there is one.
    location: Option<usize>,
}

impl Place {
    /// A place with these lines, whose functions have these roles.
    fn new(address: u64, lines: Vec<Line>, roles: &[Role]) -> Self {
        Place {
            address,
            mapping: None,
            offset: None,
            leaf_prefix: trim::leaf_prefix(roles.iter().copied()),
            entry_prefix: trim::entry_prefix(roles),
            lines,
            location: None,
        }
    }
}

/// Names of the frames that stand for what is not known.
pub(crate) const PSEUDO_FRAMES: [&str; 3] = [TRUNCATED, UNKNOWN, OVERFLOW];

const TRUNCATED: &str = "[truncated]";
const UNKNOWN: &str = "[unknown stack]";
const OVERFLOW: &str = "[stack table full]";

/// How far from the leaf an entry point of the allocator is looked for.
const ENTRY_DEPTH: usize = 32;

struct Resolver<'a> {
    mappings: &'a Mappings,
    symbolizer: Option<&'a mut Symbolizer>,
    tables: Tables,
    places: Vec<Place>,
    /// Indices into `places` by address.
    place_numbers: IntMap<u64, usize>,
    /// Locations without their innermost lines: by place and number of lines.
    trimmed_locations: IntMap<(usize, usize), usize>,
    /// By the identity of the shared value.
    function_numbers: IntMap<*const Function, usize>,
    /// What each function of the tables has to do with the allocator.
    roles: Vec<Role>,
    pseudo_numbers: HashMap<&'static str, usize>,
}

impl<'a> Resolver<'a> {
    fn new(mappings: &'a Mappings, symbolizer: Option<&'a mut Symbolizer>) -> Self {
        Resolver {
            mappings,
            symbolizer,
            tables: Tables::default(),
            places: Vec::new(),
            place_numbers: IntMap::default(),
            trimmed_locations: IntMap::default(),
            function_numbers: IntMap::default(),
            roles: Vec::new(),
            pseudo_numbers: HashMap::new(),
        }
    }

    /// Has all addresses looked up in the order that costs least.
    fn prepare(&mut self, stacks: &[Stack]) {
        if let Some(symbolizer) = &mut self.symbolizer {
            let frames = stacks.iter().flat_map(|stack| &stack.frames);
            let addresses: IntSet<u64> = frames.map(|of| of.saturating_sub(1)).collect();
            symbolizer.prepare(self.mappings, addresses.into_iter().collect());
        }
    }

    /// The locations of a stack, leaf first, without the allocator's own at
    /// the leaf end, unless there are no others.
    fn locations(&mut self, stack: &Stack) -> Vec<usize> {
        // The call is the instruction before the return address.
        let places: Vec<usize> = stack
            .frames
            .iter()
            .map(|address| address.saturating_sub(1))
            .filter(|&address| address != 0)
            .map(|address| self.place(address))
            .collect();
        match stack.kind {
            StackKind::Overflow => return vec![self.pseudo(OVERFLOW)],
            StackKind::Unknown => return vec![self.pseudo(UNKNOWN)],
            _ if places.is_empty() => return vec![self.pseudo(UNKNOWN)],
            _ => {}
        }
        let (from, lines_out) = self.leaf(&places).unwrap_or((0, 0));
        let mut locations = Vec::with_capacity(places.len() + 1 - from);
        for (index, &place) in places.iter().enumerate().skip(from) {
            let lines_out = if index == from { lines_out } else { 0 };
            locations.extend(self.location(place, lines_out));
        }
        if stack.kind == StackKind::Truncated {
            locations.push(self.pseudo(TRUNCATED));
        }
        locations
    }

    /// Where the stack leaves the allocator: the index of the first place
    /// that has other lines, and how many of its lines are the allocator's.
    fn leaf(&self, places: &[usize]) -> Option<(usize, usize)> {
        let at = |index: usize| self.places.get(*places.get(index)?);
        let entry = (0..places.len().min(ENTRY_DEPTH))
            .rev()
            .find_map(|index| Some((index, at(index)?.entry_prefix?)));
        let from = entry.map_or(0, |(index, _)| index);
        (from..places.len()).find_map(|index| {
            let place = at(index)?;
            let prefix = match entry {
                Some((entry, prefix)) if entry == index => prefix,
                _ => place.leaf_prefix,
            };
            let whole = !place.lines.is_empty() && prefix == place.lines.len();
            (!whole).then_some((index, prefix))
        })
    }

    /// The location of a place without its `lines_out` innermost lines.
    fn location(&mut self, number: usize, lines_out: usize) -> Option<usize> {
        let place = self.places.get_mut(number)?;
        let known = if lines_out == 0 {
            place.location
        } else {
            self.trimmed_locations.get(&(number, lines_out)).copied()
        };
        if known.is_some() {
            return known;
        }
        let next = self.tables.locations.len();
        self.tables.locations.push(Location {
            mapping: place.mapping,
            address: place.address,
            offset: place.offset,
            lines: place.lines.get(lines_out..).unwrap_or_default().to_vec(),
        });
        if lines_out == 0 {
            place.location = Some(next);
        } else {
            self.trimmed_locations.insert((number, lines_out), next);
        }
        Some(next)
    }

    fn place(&mut self, address: u64) -> usize {
        if let Some(&number) = self.place_numbers.get(&address) {
            return number;
        }
        let place = self.look_up(address);
        let number = self.places.len();
        self.places.push(place);
        self.place_numbers.insert(address, number);
        number
    }

    fn look_up(&mut self, address: u64) -> Place {
        let index = self.mappings.index_of(address);
        let mapping = index.and_then(|index| self.mappings.by_address().get(index));
        let frames = match (&mut self.symbolizer, mapping) {
            (Some(symbolizer), Some(mapping)) => symbolizer.lookup(mapping, address),
            _ => Arc::default(),
        };
        let lines: Vec<Line> = frames
            .iter()
            .map(|frame| Line {
                function: self.function(&frame.function),
                line: frame.line,
                column: frame.column,
            })
            .collect();
        let role = |line: &Line| self.roles.get(line.function).copied();
        let roles: Vec<Role> = lines.iter().filter_map(role).collect();
        Place {
            mapping: index,
            offset: frames.first().and_then(|frame| frame.offset),
            ..Place::new(address, lines, &roles)
        }
    }

    fn function(&mut self, function: &Arc<Function>) -> usize {
        let next = self.tables.functions.len();
        let number = *self
            .function_numbers
            .entry(Arc::as_ptr(function))
            .or_insert(next);
        if number == next {
            self.tables.functions.push(Arc::clone(function));
            self.roles.push(Role::of(&function.name));
        }
        number
    }

    /// A frame that stands for what is not known. It has a name, since some
    /// readers drop locations that have neither address nor line.
    fn pseudo(&mut self, name: &'static str) -> usize {
        if let Some(&number) = self.pseudo_numbers.get(name) {
            return number;
        }
        let function = Arc::new(Function {
            name: name.to_owned(),
            system_name: String::new(),
            file: String::new(),
        });
        let line = Line {
            function: self.function(&function),
            line: 0,
            column: 0,
        };
        let number = self.tables.locations.len();
        self.tables.locations.push(Location {
            mapping: None,
            address: 0,
            offset: None,
            lines: vec![line],
        });
        self.pseudo_numbers.insert(name, number);
        number
    }
}

/// Lists the mappings, the program's first, and makes locations refer to that
/// list. Unloaded ones are listed only where a location needs them.
fn list_mappings(tables: &mut Tables, mappings: &Mappings) {
    let by_address = mappings.by_address();
    let mut known: Vec<Known> = vec![Known::default(); by_address.len()];
    for location in &tables.locations {
        if let Some(known) = location.mapping.and_then(|index| known.get_mut(index)) {
            known.count(location, &tables.functions);
        }
    }
    let mut numbers = vec![None; by_address.len()];
    for main in [true, false] {
        for ((mapping, known), number) in by_address.iter().zip(&known).zip(&mut numbers) {
            if mapping.main != main || !(mapping.loaded || known.locations > 0) {
                continue;
            }
            *number = Some(tables.mappings.len());
            tables.mappings.push(ProfileMapping {
                mapping: mapping.clone(),
                has_functions: known.all(known.named),
                has_filenames: known.all(known.with_files),
                has_line_numbers: known.all(known.with_lines),
                has_inline_frames: known.all(known.with_lines),
            });
        }
    }
    for location in &mut tables.locations {
        location.mapping = location
            .mapping
            .and_then(|index| numbers.get(index).copied().flatten());
    }
}

/// How many locations of a mapping have what.
#[derive(Clone, Copy, Default)]
struct Known {
    locations: usize,
    named: usize,
    with_files: usize,
    with_lines: usize,
}

impl Known {
    fn count(&mut self, location: &Location, functions: &[Arc<Function>]) {
        let lines = &location.lines;
        let named = !lines.is_empty();
        let has_file = |line: &Line| {
            functions
                .get(line.function)
                .is_some_and(|function| !function.file.is_empty())
        };
        self.locations += 1;
        self.named += usize::from(named);
        self.with_files += usize::from(named && lines.iter().all(has_file));
        self.with_lines += usize::from(named && lines.iter().all(|line| line.line > 0));
    }

    fn all(&self, count: usize) -> bool {
        self.locations > 0 && count == self.locations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A resolver that knows places `0, 1, …` with lines of these names.
    fn resolver<'a>(mappings: &'a Mappings, places: &[&[&str]]) -> Resolver<'a> {
        let mut resolver = Resolver::new(mappings, None);
        for (index, names) in places.iter().enumerate() {
            let lines: Vec<Line> = names
                .iter()
                .map(|&name| Line {
                    function: resolver.function(&Arc::new(Function {
                        name: name.to_owned(),
                        ..Function::default()
                    })),
                    line: 0,
                    column: 0,
                })
                .collect();
            let roles: Vec<Role> = names.iter().map(|name| Role::of(name)).collect();
            let address = index as u64 + 1;
            resolver.place_numbers.insert(address, index);
            resolver.places.push(Place::new(address, lines, &roles));
        }
        resolver
    }

    /// Names of the locations of a stack of all these places.
    fn trimmed(places: &[&[&str]]) -> Vec<Vec<String>> {
        let mappings = Mappings::default();
        let mut resolver = resolver(&mappings, places);
        let frames = (0..places.len() as u64).map(|index| index + 2).collect();
        let locations = resolver.locations(&Stack::new(frames, StackKind::Captured));
        let tables = &resolver.tables;
        let name = |line: &Line| tables.functions[line.function].name.clone();
        locations
            .iter()
            .map(|&at| tables.locations[at].lines.iter().map(name).collect())
            .collect()
    }

    #[test]
    fn the_allocator_is_left_out_at_the_leaf_end() {
        let user: &[&str] = &["svc::inlined", "svc::handle"];
        let shim: &[&str] = &[
            "<svc::A as core::alloc::global::GlobalAlloc>::alloc",
            "__rust_alloc",
        ];
        for (places, expected) in [
            // Whole locations, and a part of one.
            (
                &[
                    &["heaplens_alloc::record"][..],
                    shim,
                    &["alloc::alloc::alloc", "svc::f"],
                    user,
                ][..],
                &[&["svc::f"][..], user][..],
            ),
            // What an entry point calls is the allocator's, whatever its name.
            (&[&["libc_wrapper"], &["x::y"], shim, user], &[user]),
            // Without an entry point: up to the first other frame.
            (
                &[&["alloc::alloc::alloc"], user, &["alloc::alloc::alloc"]],
                &[user, &["alloc::alloc::alloc"]],
            ),
            // A place without a name ends the search.
            (
                &[&[], &["alloc::alloc::alloc"], user],
                &[&[], &["alloc::alloc::alloc"], user],
            ),
            // Nothing would remain: all of it stays.
            (
                &[&["alloc::alloc::alloc"], shim],
                &[&["alloc::alloc::alloc"], shim],
            ),
            (&[user], &[user]),
        ] {
            assert_eq!(trimmed(places), expected, "{places:?}");
        }
    }

    #[test]
    fn a_location_cut_short_is_another_location() {
        let mappings = Mappings::default();
        let both: &[&str] = &["alloc::alloc::alloc", "svc::f"];
        let mut resolver = resolver(&mappings, &[both, &["svc::g"]]);
        let mut locations =
            |frames: &[u64]| resolver.locations(&Stack::new(frames.to_vec(), StackKind::Captured));
        let at_leaf = locations(&[2, 3]);
        let inside = locations(&[3, 2]);
        assert_eq!((at_leaf.len(), inside.len()), (2, 2));
        assert_eq!(at_leaf[1], inside[0], "svc::g is one location");
        assert_ne!(at_leaf[0], inside[1]);
        assert_eq!(locations(&[2, 3]), at_leaf);
    }
}

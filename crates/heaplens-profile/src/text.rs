//! Go's `debug=1` text: a profile that people and `go tool pprof` can read.
//!
//! Its numbers are samples as drawn: the reader scales them up by the period
//! in the header. It has no labels: samples that differ in them are summed.

use std::fmt::Write;

use crate::model::{Location, Profile, ProfileMapping, Sample, SampledCounts};

/// Most bytes of `#` lines. Names of inlined Rust functions are long, and each
/// stack repeats them.
const MAX_DESCRIPTIONS: usize = 64 << 20;

/// Renders `profile` with the given `# runtime.MemStats` block, whose fields
/// are written in the order given as `# name = value`.
///
/// After Go's own text comes a `MAPPED_LIBRARIES:` section, which gives pprof
/// the mappings and build ids. Where the `#` lines, which are for people, would
/// come to more than 64 MiB, the records with the least bytes in use go
/// without.
pub fn render(profile: &Profile, memstats: &[(String, String)]) -> String {
    let mut out = String::new();
    header(&mut out, profile);
    let mut records = records(&profile.samples);
    records.sort_by_key(|record| record.sampled.inuse_bytes);
    let descriptions: Vec<String> = profile
        .locations
        .iter()
        .map(|location| describe(profile, location))
        .collect();
    let plain = records.len() - described(&records, &descriptions);
    for (index, record) in records.into_iter().enumerate() {
        let of_places = record
            .locations
            .iter()
            .filter_map(|&at| Some((profile.locations.get(at)?, descriptions.get(at)?)));
        record.render(&mut out, of_places.clone().map(|of| of.0));
        if index >= plain {
            out.extend(of_places.map(|of| of.1.as_str()));
        }
        out.push('\n');
    }
    out.push_str("\n# runtime.MemStats\n");
    for (name, value) in memstats {
        line(&mut out, format_args!("# {name} = {value}"));
    }
    mapped_libraries(&mut out, &profile.mappings);
    out
}

/// A stack as the text has it: without labels.
struct Record<'a> {
    locations: &'a [usize],
    sampled: SampledCounts,
}

/// One for each stack and size class: samples that differ in labels only stand
/// next to each other.
fn records(samples: &[Sample]) -> Vec<Record<'_>> {
    samples
        .chunk_by(|a, b| a.size_class == b.size_class && a.locations == b.locations)
        .filter_map(|group| {
            Some(Record {
                locations: &group.first()?.locations,
                sampled: sum(group),
            })
        })
        .collect()
}

fn sum(samples: &[Sample]) -> SampledCounts {
    let mut sum = SampledCounts::default();
    for Sample { sampled, .. } in samples {
        sum.alloc_objects = sum.alloc_objects.saturating_add(sampled.alloc_objects);
        sum.alloc_bytes = sum.alloc_bytes.saturating_add(sampled.alloc_bytes);
        sum.inuse_objects = sum.inuse_objects.saturating_add(sampled.inuse_objects);
        sum.inuse_bytes = sum.inuse_bytes.saturating_add(sampled.inuse_bytes);
    }
    sum
}

/// How many records, counted from the last, can have their descriptions.
fn described(records: &[Record<'_>], descriptions: &[String]) -> usize {
    let mut left = MAX_DESCRIPTIONS;
    let fits = |record: &&Record<'_>| {
        let lengths = record
            .locations
            .iter()
            .filter_map(|&at| descriptions.get(at));
        let length = lengths.map(String::len).sum();
        let rest = left.checked_sub(length);
        left = rest.unwrap_or(0);
        rest.is_some()
    };
    records.iter().rev().take_while(fits).count()
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

fn header(out: &mut String, profile: &Profile) {
    let mut total = sum(&profile.samples);
    // Equal totals would make pprof read two columns instead of four.
    if total.alloc_bytes == total.inuse_bytes {
        total.alloc_bytes = total.alloc_bytes.saturating_add(1);
    }
    let counts = Counts(&total);
    let period = profile.period.saturating_mul(2);
    line(out, format_args!("heap profile: {counts} @ heap/{period}"));
}

struct Counts<'a>(&'a SampledCounts);

impl std::fmt::Display for Counts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let SampledCounts {
            alloc_objects,
            alloc_bytes,
            inuse_objects,
            inuse_bytes,
        } = self.0;
        write!(
            f,
            "{inuse_objects}: {inuse_bytes} [{alloc_objects}: {alloc_bytes}]"
        )
    }
}

impl Record<'_> {
    fn render<'a>(&self, out: &mut String, locations: impl Iterator<Item = &'a Location>) {
        let _ = write!(out, "{} @", Counts(&self.sampled));
        for location in locations.filter(|location| location.address != 0) {
            // Readers of this form expect return addresses.
            let _ = write!(out, " {:#x}", location.address.saturating_add(1));
        }
        out.push('\n');
    }
}

/// One line for each function at the location.
fn describe(profile: &Profile, location: &Location) -> String {
    let mut out = String::new();
    let address = location.address;
    if location.lines.is_empty() {
        line(&mut out, format_args!("#\t{address:#x}"));
    }
    for at in &location.lines {
        let Some(function) = profile.functions.get(at.function) else {
            continue;
        };
        let offset = location.offset.unwrap_or(0);
        let (name, row) = (&function.name, at.line);
        let file = match function.file.as_str() {
            "" => "?",
            file => file,
        };
        line(
            &mut out,
            format_args!("#\t{address:#x}\t{name}+{offset:#x}\t{file}:{row}"),
        );
    }
    out
}

fn mapped_libraries(out: &mut String, mappings: &[ProfileMapping]) {
    out.push_str("\nMAPPED_LIBRARIES:\n");
    for ProfileMapping { mapping, .. } in mappings {
        let (start, limit, offset) = (mapping.start, mapping.limit, mapping.offset);
        let path = &mapping.path;
        let build_id = mapping
            .build_id
            .as_ref()
            .map_or_else(String::new, |id| format!(" {id}"));
        line(
            out,
            format_args!("{start:x}-{limit:x} r-xp {path} (@{offset:x}){build_id}"),
        );
    }
}

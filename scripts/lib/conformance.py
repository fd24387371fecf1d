"""Makes test programs of other people's test suites for collections: called by scripts/conformance.

Each suite is taken as it is in the sources at hand, changed in a few words so that it compiles
outside its own crate, and written twice: for the collection it was written for, the control, and
for the tracked one. Tests that cannot compile outside, because they look into the collection's
private parts or use what is not stable, are found by compiling the control, and left out of both.
So whatever compiles and passes with the original must compile and pass with the tracked type.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROUNDS = 12

# Written in front of each suite. {path} is where the subject comes from.
HASH_MAP = """
use std::collections::hash_map::Entry::{{Occupied, Vacant}};
use std::cell::RefCell;
use std::hash::{{BuildHasher, BuildHasherDefault, DefaultHasher, RandomState}};
use {path} as HashMap;

/// For `rand`, of which one test wants a few numbers.
struct XorShift(u64);

fn test_rng() -> XorShift {{
    XorShift(RandomState::new().hash_one(0) | 1)
}}

impl XorShift {{
    fn gen_range(&mut self, range: std::ops::Range<i32>) -> i32 {{
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        range.start + (self.0 % range.len() as u64) as i32
    }}
}}
"""
HASH_SET = """
use {path} as HashSet;
"""
# What `use super::*` brings in std, and a check of what can be seen from outside.
BTREE = """
#[path = "{support}/mod.rs"]
mod testing;

use std::fmt::Debug;
use std::mem;
use std::ops::{{Bound, RangeBounds}};
use std::rc::Rc;
use testing::crash_test::{{CrashTestDummy, Panic}};
use testing::rng::DeterministicRng;

mod node {{
    pub const CAPACITY: usize = 11;
    pub const MIN_LEN_AFTER_SPLIT: usize = 5;
}}
const MIN_LEN: usize = node::MIN_LEN_AFTER_SPLIT;
"""
BTREE_MAP = BTREE + """
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::btree_map::{{Entry::*, *}};
use std::hash::Hash;
use testing::ord_chaos::{{Cyclic3, Governed, Governor, IdBased}};
use {path} as BTreeMap;

trait Check {{
    fn check_invariants(&self);
}}

impl<K, V> Check for BTreeMap<K, V> {{
    fn check_invariants(&self) {{
        assert_eq!(self.len(), self.keys().count());
    }}
}}

trait CheckOrder {{
    fn check(&self);
    fn assert_strictly_ascending(&self);
    fn compact(&mut self);
}}

impl<K: Debug + Ord, V> CheckOrder for BTreeMap<K, V> {{
    fn check(&self) {{
        self.check_invariants();
        self.assert_strictly_ascending();
    }}

    fn assert_strictly_ascending(&self) {{
        let keys: Vec<&K> = self.keys().collect();
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{{keys:?}}");
    }}

    fn compact(&mut self) {{
        *self = mem::take(self).into_iter().collect();
    }}
}}
"""
BTREE_SET = BTREE + """
use std::cmp::Ordering::{{self, Equal, Greater, Less}};
use std::collections::btree_set::*;
use std::hash::{{Hash, Hasher}};
use {path} as BTreeSet;

trait Check {{
    fn check(&self);
}}

impl<T: Debug + Ord> Check for BTreeSet<T> {{
    fn check(&self) {{
        let values: Vec<&T> = self.iter().collect();
        assert_eq!(values.len(), self.len());
        assert!(values.windows(2).all(|pair| pair[0] < pair[1]), "{{values:?}}");
    }}
}}
"""

HASHBROWN_MAP = """
use hashbrown::DefaultHashBuilder;
use hashbrown::hash_map::Entry::{{Occupied, Vacant}};
use hashbrown::hash_map::EntryRef;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{{AtomicI8, Ordering}};
use {path} as HashMap;

/// For `rand`, of which three tests want a few numbers.
struct SmallRng(u64);

trait Pick {{
    type Item;
    fn pick(self, random: u64) -> Self::Item;
}}

impl Pick for std::ops::Range<i32> {{
    type Item = i32;
    fn pick(self, random: u64) -> i32 {{
        self.start + (random % self.len() as u64) as i32
    }}
}}

impl Pick for std::ops::RangeInclusive<char> {{
    type Item = char;
    fn pick(mut self, random: u64) -> char {{
        let count = self.clone().count();
        self.nth(random as usize % count).unwrap()
    }}
}}

impl SmallRng {{
    fn seed_from_u64(seed: u64) -> Self {{
        SmallRng(seed | 1)
    }}

    fn gen_range<P: Pick>(&mut self, range: P) -> P::Item {{
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        range.pick(self.0)
    }}
}}
"""

# Of tests that are left out by name: why.
KIND = "TryReserveError::kind is not stable"
CONST_DEFAULT = "Default is not constant on stable"


class Suite:
    """A suite: where it is, what it becomes, and what must come of it."""

    def __init__(self, name, source, header, original, tracked, edits, named, share, known=None):
        self.name = name
        self.source = source
        self.header = header
        self.subjects = {"control": original, "tracked": tracked}
        self.edits = edits
        self.named = named
        # At least this share of all tests must run, or all but the named ones if it is None;
        self.share = share
        # and of these versions exactly so many.
        self.known = known or {}


# Test bodies that ask how high the tree is, which cannot be seen from outside.
HEIGHT = (r"^ *assert(_eq)?!\([^;\n]*\.height\(\)[^;]*\);\n", "")
# Crates below ours compare `str` with types of theirs, so that this `&` is ambiguous.
PLAIN_COMPARISON = (r"self\.0\.partial_cmp\(&other\.0\)", "self.0.partial_cmp(other.0)")
# One module of many in its file, which looks for nothing above itself once its imports are gone.
HASHBROWN_TESTS = (r"(?s)\A.*^mod test_map \{\n(.*?)^\}.*\Z", r"\1")
HASHBROWN_PATHS = [
    (r"^    use (super|crate|core|rand|std|stdalloc)::.*\n", ""),
    (r"\bcrate::TryReserveError", "hashbrown::TryReserveError"),
    (r"\bstdalloc::", "std::"),
]
STD_PATHS = (r"\bcrate::(?!testing)", "std::")

SUITES = [
    Suite(
        "hash_map",
        "std/src/collections/hash/map/tests.rs",
        HASH_MAP,
        "std::collections::HashMap",
        "heaplens_maps::TrackedHashMap",
        [(r"\A(use .*\n|\n)*", ""), STD_PATHS],
        {"test_try_reserve": KIND, "const_with_hasher": CONST_DEFAULT},
        None,
    ),
    Suite(
        "hash_set",
        "std/src/collections/hash/set/tests.rs",
        HASH_SET,
        "std::collections::HashSet",
        "heaplens_maps::TrackedHashSet",
        [(r"^use super::HashSet;\n", ""), STD_PATHS],
        {"const_with_hasher": CONST_DEFAULT},
        None,
    ),
    Suite(
        "btree_map",
        "alloc/src/collections/btree/map/tests.rs",
        BTREE_MAP,
        "std::collections::BTreeMap",
        "heaplens_maps::TrackedBTreeMap",
        [(r"^use (super|crate|core)::.*\n", ""), HEIGHT, STD_PATHS],
        {},
        0.75,
        {"1.95": 105},
    ),
    Suite(
        "btree_set",
        "alloc/src/collections/btree/set/tests.rs",
        BTREE_SET,
        "std::collections::BTreeSet",
        "heaplens_maps::TrackedBTreeSet",
        [(r"^use (super|crate)::.*\n", ""), PLAIN_COMPARISON, STD_PATHS],
        {},
        0.75,
        {"1.95": 33},
    ),
    Suite(
        "hashbrown_map",
        "hashbrown/src/map.rs",
        HASHBROWN_MAP,
        "hashbrown::HashMap",
        "heaplens_maps::TrackedHashbrownMap",
        [HASHBROWN_TESTS, *HASHBROWN_PATHS],
        {},
        0.75,
        {"0.17.1": 60},
    ),
]


def fail(message):
    sys.exit(f"scripts/conformance: {message}")


def items(lines):
    """Items of a formatted Rust file, as (first line, end, name), inner ones after outer ones."""
    found = []
    for start, line in enumerate(lines):
        head = re.match(
            r"( *)(?:pub(?:\([a-z]+\))? |const |unsafe |async )*"
            r"(fn|impl|mod|struct|enum|trait|use|const|static|type|thread_local!|macro_rules!|\w+_test!)"
            r"(?:\b|(?<=!))[ <('{]*(\$?\w*)",
            line,
        )
        if not head:
            continue
        indent = head[1]
        end = start + 1
        if not line.rstrip().endswith((";", "}")):
            is_statement = head[2] in ("use", "const", "static", "type") and "fn" not in line
            closing = re.compile(r".*;$" if is_statement else rf"{indent}}}")
            while not closing.match(lines[end].rstrip()):
                end += 1
            end += 1
        # Attributes and comments belong to what they stand before.
        while start and re.match(r" *(#\[|//)", lines[start - 1]):
            start -= 1
        found.append((start, end, head[3] or head[2]))
    return found


def tests(text):
    """Names of all tests, those that macros make included."""
    names = re.findall(r"#\[test\](?:\s*(?:#\[.*\]|//.*))*\s*fn (\w+)", text)
    for macro in re.findall(r"macro_rules! (\w+_test) ", text):
        names += re.findall(rf"^{macro}!\((\w+)", text, re.MULTILINE)
    return names


class Crate:
    """The throwaway crate that all programs are tests of."""

    def __init__(self, directory, repository):
        self.directory = directory
        (directory / "tests").mkdir(parents=True, exist_ok=True)
        (directory / "src").mkdir(exist_ok=True)
        (directory / "src/lib.rs").write_text("")
        (directory / "Cargo.toml").write_text(
            f"""[package]
name = "conformance"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
heaplens-maps = {{ path = "{repository}/crates/heaplens-maps", features = ["hashbrown"] }}
hashbrown = {{ version = "0.17", default-features = false, features = ["default-hasher"] }}
"""
        )
        # The versions that everything else is tested with.
        (directory / "Cargo.lock").write_bytes((repository / "Cargo.lock").read_bytes())

    def hashbrown(self):
        """Where hashbrown's sources are, and which version."""
        metadata = json.loads(self.cargo("metadata", "--format-version=1").stdout)
        found = [package for package in metadata["packages"] if package["name"] == "hashbrown"]
        used = [package for package in found if package["version"].startswith("0.17.")]
        return Path(used[0]["manifest_path"]).parent, used[0]["version"]

    def cargo(self, *arguments):
        pipe = subprocess.PIPE
        command = ["cargo", *arguments]
        return subprocess.run(command, cwd=self.directory, stdout=pipe, stderr=pipe, text=True)

    def errors(self, program):
        """Compiles a program. Returns its errors, as {line: message}."""
        run = self.cargo("check", "--quiet", "--message-format=json", "--test", program)
        errors = {}
        for line in run.stdout.splitlines():
            message = json.loads(line).get("message")
            if not message or message["level"] != "error":
                continue
            lines = [at for span in message["spans"] for at in lines_of(span, program)]
            for at in lines:
                errors.setdefault(at, message["message"])
            if message["spans"] and not lines:
                fail(f"{program}: {message['rendered']}")
        if run.returncode and not errors:
            fail(f"{program} does not compile: {run.stderr}")
        return errors


def lines_of(span, program):
    """Lines of the program itself that a primary span points at, through macros too."""
    while span and not span["file_name"].endswith(f"{program}.rs"):
        span = (span.get("expansion") or {}).get("span")
    return [span["line_start"] - 1] if span and span.get("is_primary", True) else []


def without_item(lines, errors):
    """The lines without the innermost items around errors, and those items with the reasons."""
    dropped = {}
    for at, message in sorted(errors.items()):
        around = [item for item in items(lines) if item[0] <= at < item[1]]
        if not around:
            fail(f"no item around line {at + 1}: {message}")
        dropped.setdefault(around[-1], message)
    gone = {line for start, end, _ in dropped for line in range(start, end)}
    kept = [line for number, line in enumerate(lines) if number not in gone]
    return kept, [(name, reason) for (_, _, name), reason in dropped.items()]


def adapt(suite, text):
    for pattern, replacement in suite.edits:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    lines = text.splitlines()
    for name in suite.named:
        found = [item for item in items(lines) if item[2] == name]
        if len(found) != 1:
            fail(f"{suite.name}: no test {name}; has the suite changed?")
        lines[found[0][0] : found[0][1]] = []
    return lines


def write(crate, suite, subject, lines, support):
    program = f"{suite.name}_{subject}"
    header = suite.header.format(path=suite.subjects[subject], support=support)
    text = f"#![allow(warnings)]\nuse heaplens_maps as _;\n{header}\n" + "\n".join(lines) + "\n"
    (crate.directory / "tests" / f"{program}.rs").write_text(text)
    # Lines of the program before the suite.
    return program, text.count("\n") - len(lines)


def settle(crate, suite, lines, support):
    """Leaves out what cannot compile with the original. Returns the rest, and what went and why."""
    gone = []
    for _ in range(ROUNDS):
        program, offset = write(crate, suite, "control", lines, support)
        errors = crate.errors(program)
        if not errors:
            return lines, gone
        if min(errors) < offset:
            fail(f"{program}: {errors[min(errors)]} in what is written before the suite")
        shifted = {at - offset: message for at, message in errors.items()}
        lines, dropped = without_item(lines, shifted)
        gone += dropped
    fail(f"{suite.name} still does not compile after {ROUNDS} rounds")


def passed(crate, program):
    """Runs a program. Returns the names of its tests, all of which passed."""
    run = crate.cargo("test", "--quiet", "--test", program, "--", "--format=terse")
    sums = re.findall(r"test result: (\w+)\. (\d+) passed; \d+ failed; (\d+) ignored", run.stdout)
    if run.returncode or len(sums) != 1 or sums[0][0] != "ok" or sums[0][2] != "0":
        print(run.stdout, run.stderr)
        fail(f"{program} failed, see above")
    listed = crate.cargo("test", "--quiet", "--test", program, "--", "--list").stdout
    names = Counter(re.findall(r"^(?:\w+::)*(\w+): test$", listed, re.MULTILINE))
    if names.total() != int(sums[0][1]):
        fail(f"{program}: {names.total()} tests listed, but {sums[0][1]} passed")
    return names


def run(crate, suite, places, support, report):
    place, path = suite.source.split("/", 1)
    directory, version = places[place]
    text = (directory / path).read_text()
    lines = adapt(suite, text)
    wanted = Counter(tests("\n".join(lines))) + Counter(suite.named.keys())
    lines, gone = settle(crate, suite, lines, support)
    write(crate, suite, "tracked", lines, support)
    ran = {subject: passed(crate, f"{suite.name}_{subject}") for subject in suite.subjects}
    control = ran["control"]

    reasons = dict(gone) | suite.named
    missing = sorted((wanted - control).elements())
    report.append(f"{suite.name}: {wanted.total()} tests, {control.total()} run, {len(missing)} left out")
    report += [f"    {name}: {reasons.get(name) or reasons.get('$name')}" for name in missing]
    helpers = sorted((name, why) for name, why in gone if name not in wanted)
    report += [f"    (no test) {name}: {why}" for name, why in helpers]
    counts = ", ".join(f"{who} {names.total()} of {wanted.total()}" for who, names in ran.items())
    print(f"{suite.name}: passed with {counts}")

    if control - wanted or ran["tracked"] != control:
        fail(f"{suite.name}: not the same tests ran: {ran}")
    if suite.share is None and missing != sorted(suite.named):
        fail(f"{suite.name}: left out without a reason: {set(missing) - set(suite.named)}")
    if suite.share and control.total() < suite.share * wanted.total():
        fail(f"{suite.name}: fewer than {suite.share:.0%} of the tests ran")
    if suite.known.get(version, control.total()) != control.total():
        fail(f"{suite.name}: {suite.known[version]} tests run with version {version}, not {control.total()}")


def main(version, library, repository, directory):
    library, repository, directory = Path(library), Path(repository), Path(directory)
    support = directory / "testing"
    support.mkdir(parents=True, exist_ok=True)
    for file in (library / "alloctests/testing").glob("*.rs"):
        text = file.read_text().replace("use crate::string::String;\n", "")
        (support / file.name).write_text(text)
    crate = Crate(directory, repository)
    places = {name: (library / name, version) for name in ("std", "alloc")}
    places["hashbrown"] = crate.hashbrown()
    report = []
    for suite in SUITES:
        run(crate, suite, places, support, report)
    (directory / "left-out.txt").write_text("\n".join(report) + "\n")
    print(f"What was left out and why: {directory}/left-out.txt")


main(*sys.argv[1:])

"""Mutates the rules of dashboards/prometheus one place at a time, and tells which mutants their
tests do not notice. Textual, with the standard library alone: the rules are in a form of their own.

A mutant is one changed comparison, set operator, number, duration (window, offset) or `for` of one
rule. It counts as killed if the test file of that rule fails: tests/ALERT.yml for an alert,
tests/recording.yml for a recorded series. A test that fails on unchanged rules is an error.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parents[2] / "dashboards" / "prometheus"

# Mutants that mean the same as the rule does, or differ where no test can tell: why, the rule, and a
# piece of text that each such mutant has and the rule has not.
OTHER_SLOPE = "two slopes must be above zero, and the other one is not"
SLOW = "0.1 bytes a second come to 8,640 in a day: never to a limit"
EXACT = "what is fitted or extrapolated is not that number to the bit"
GAP = "an exemption is lifted for as long as a gap lasts, and `for` is longer"
WHOLE = "a counter that is not 0 is 1 at the least"
FLAG = "a verdict holds or it does not: 1 or 0"
ENDED = "the other windows over series of the same target end the alert after five minutes"
EQUIVALENT = [
    (OTHER_SLOPE, "MapOomPredicted", "(deriv(map:heap_bytes_low:1h[3h]) >= 0)"),
    (OTHER_SLOPE, "MapOomPredicted", "(deriv(map:heap_bytes_low:1h[1h]) >= 0)"),
    (SLOW, "MapOomPredicted", "(deriv(map:heap_bytes_low:1h[3h]) > 0.1)"),
    (SLOW, "MapOomPredicted", "(deriv(map:heap_bytes_low:1h[1h]) > 0.1)"),
    (EXACT, "MapOomPredicted", "<= 86400"),
    (GAP, "MapOomPredicted", "last_over_time(map_heap_bytes[150s])"),
    (ENDED, "MapOomPredicted", "last_over_time(map_heap_bytes[10m])"),
    (OTHER_SLOPE, "ProcessOomPredicted", "(deriv(process_resident_memory_bytes[1h]) >= 0)"),
    (OTHER_SLOPE, "ProcessOomPredicted", "(deriv(process_resident_memory_bytes[15m]) >= 0)"),
    (SLOW, "ProcessOomPredicted", "(deriv(process_resident_memory_bytes[1h]) > 0.1)"),
    (SLOW, "ProcessOomPredicted", "(deriv(process_resident_memory_bytes[15m]) > 0.1)"),
    (EXACT, "ProcessOomPredicted", "<= 4 * 3600"),
    (GAP, "ProcessOomPredicted", "unless last_over_time(process_resident_memory_bytes[150s])"),
    (GAP, "ProcessOomPredicted", "< 0.9 * last_over_time(process_memory_limit_bytes[150s])"),
    (ENDED, "ProcessOomPredicted", "last_over_time(process_resident_memory_bytes[10m])"),
    (ENDED, "ProcessOomPredicted", "last_over_time(process_memory_limit_bytes[10m])"),
    (ENDED, "ResidentFarAboveAllocated", "last_over_time(process_resident_memory_bytes[10m])"),
    (ENDED, "ResidentFarAboveAllocated", "last_over_time(rust_memstats_heap_alloc_bytes[10m])"),
    (EXACT, "HeaplensSamplesDropped", "increase(heaplens_drops_total[15m]) > 10"),
    (WHOLE, "HeaplensMapGroupsOverflowed", "> 0.1"),
    (WHOLE, "map:net_retention:6h", "> 0.1)"),
    (FLAG, "MapLeaks", ">= 1"),
    (FLAG, "MapLeakSuspected", ">= 1"),
    (FLAG, "SiteLeaks", ">= 1"),
    (ENDED, "HeapFragmented", "last_over_time(rust_memstats_heap_inuse_bytes[10m])"),
    (ENDED, "HeapFragmented", "last_over_time(rust_memstats_heap_alloc_bytes[10m])"),
]

COMPARISONS = {
    ">": [">=", "<"],
    "<": ["<=", ">"],
    ">=": [">", "<"],
    "<=": ["<", ">"],
    "==": ["!=", ">="],
    "!=": ["=="],
}
SETS = {"and": ["unless"], "unless": ["and"]}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

TOKEN = re.compile(
    r"""
    (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<labels>\{[^}]*\})
    | (?P<duration>\b\d+[smhd]\b)
    | (?P<number>\b\d+(?:\.\d+)?(?:e\d+)?\b)
    | (?P<name>[A-Za-z_:][\w:]*)
    | (?P<comparison>[=!<>]=|[<>])
    """,
    re.VERBOSE,
)


def scaled_duration(text, factor):
    """`text` times `factor`, in whole units."""
    seconds = int(text[:-1]) * SECONDS[text[-1]] * factor
    for unit in "dhm":
        if seconds % SECONDS[unit] == 0:
            return f"{int(seconds // SECONDS[unit])}{unit}"
    return f"{int(seconds)}s"


def changes(match):
    """What a token of an expression may be changed into."""
    kind, text = match.lastgroup, match.group()
    if kind == "comparison":
        return COMPARISONS[text]
    if kind == "name":
        return SETS.get(text, [])
    if kind == "duration":
        return [scaled_duration(text, 0.5), scaled_duration(text, 2)]
    if kind == "number":
        value = float(text)
        return ["0.1"] if value == 0 else [f"{value * factor:.12g}" for factor in (0.9, 1.1)]
    return []


class Rule:
    """One rule: where its lines are in its file."""

    def __init__(self, file, name, is_alert, first, last):
        self.file, self.name, self.is_alert = file, name, is_alert
        self.first, self.last = first, last

    def test(self):
        return f"{self.name}.yml" if self.is_alert else "recording.yml"


class File:
    """A file of rules as lines, and its rules."""

    def __init__(self, path):
        self.name = path.name
        self.lines = path.read_text().splitlines()
        starts = [
            (number, match)
            for number, line in enumerate(self.lines)
            if (match := re.match(r"      - (alert|record): (\S+)$", line))
        ]
        self.rules = []
        for number, match in starts:
            last = number + 1
            while last < len(self.lines) and self.lines[last].startswith("        "):
                last += 1
            self.rules.append(
                Rule(self, match[2], match[1] == "alert", number, last)
            )

    def with_only(self, rules):
        """The text with these rules alone, so that a test takes less time."""
        gone = {
            number
            for rule in self.rules
            if rule not in rules
            for number in range(rule.first, rule.last)
        }
        return [line for number, line in enumerate(self.lines) if number not in gone]


class Mutant:
    """One change of one line: which, from where to where, and into what."""

    def __init__(self, rule, line, start, end, new):
        self.rule, self.line, self.start, self.end, self.new = rule, line, start, end, new

    def changed_line(self):
        old = self.rule.file.lines[self.line]
        return old[: self.start] + self.new + old[self.end :]

    def __str__(self):
        old = self.rule.file.lines[self.line]
        return (
            f"{self.rule.file.name}:{self.line + 1}: {self.rule.name}: "
            f"{old[:self.start].lstrip()}[{old[self.start:self.end]} -> {self.new}]{old[self.end:]}"
        )


def mutants(rule):
    """All mutants of a rule, in the order of its text."""
    in_expression = False
    for number in range(rule.first, rule.last):
        line = rule.file.lines[number]
        key = re.match(r"        (\w+):", line)
        if key:
            in_expression = key[1] == "expr"
        if key and key[1] in ("for", "keep_firing_for"):
            match = re.search(r"\d+[smhd]$", line)
            for factor in (0.5, 2):
                new = scaled_duration(match.group(), factor)
                yield Mutant(rule, number, match.start(), match.end(), new)
        elif in_expression:
            begin = key.end() if key else 0
            # The sign for a folded text is no comparison.
            if line[begin:].strip() == ">-":
                continue
            for match in TOKEN.finditer(line, begin):
                for new in changes(match):
                    yield Mutant(rule, number, match.start(), match.end(), new)


def needed(rule, recorded):
    """The recording rules that an alert's expression is made of, and theirs."""
    found, text = [], "\n".join(rule.file.lines[rule.first : rule.last])
    for other in recorded:
        if re.search(rf"(?<![\w:]){re.escape(other.name)}(?![\w:])", text) and other is not rule:
            found += [other, *needed(other, recorded)]
    return found


class Bench:
    """Runs the test of a rule on changed files."""

    def __init__(self, promtool, files):
        self.promtool, self.files = promtool, files
        self.recorded = [rule for file in files for rule in file.rules if not rule.is_alert]

    def passes(self, rule, mutant=None):
        kept = [rule, *needed(rule, self.recorded)] if rule.is_alert else self.recorded
        with tempfile.TemporaryDirectory(prefix="mutate-rules-") as work:
            (Path(work) / "rules").mkdir()
            (Path(work) / "tests").mkdir()
            shutil.copy(DIRECTORY / "tests" / rule.test(), Path(work) / "tests")
            for file in self.files:
                lines = file.lines
                if mutant and mutant.rule.file is file:
                    file = File.__new__(File)
                    file.name, file.rules = rule.file.name, rule.file.rules
                    file.lines = list(lines)
                    file.lines[mutant.line] = mutant.changed_line()
                text = "\n".join(file.with_only(kept)) + "\n"
                (Path(work) / "rules" / file.name).write_text(text)
            done = subprocess.run(
                [self.promtool, "test", "rules", f"tests/{rule.test()}"],
                cwd=work,
                capture_output=True,
                text=True,
            )
            said = done.stdout + done.stderr
            # A mutant that cannot be read would look as if it had been noticed.
            if "error parsing" in said or "unmarshal" in said or "could not parse" in said:
                raise RuntimeError(f"{mutant}: promtool cannot read the rules:\n{said}")
            return done.returncode == 0


def excuse(mutant):
    """The entry of EQUIVALENT that is about this mutant, if any."""
    rule = mutant.rule
    lines = rule.file.lines[rule.first : rule.last]
    before = " ".join(" ".join(lines).split())
    lines[mutant.line - rule.first] = mutant.changed_line()
    after = " ".join(" ".join(lines).split())
    for entry in EQUIVALENT:
        _, name, piece = entry
        if name == rule.name and piece in after and piece not in before:
            return entry
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--promtool", default=os.environ.get("HEAPLENS_PROMTOOL", "promtool"))
    parser.add_argument("--rule", action="append", help="these rules only")
    parser.add_argument("--every", type=int, default=1, help="only every so many mutants of a rule")
    parser.add_argument("--list", action="store_true", help="prints the mutants, runs nothing")
    options = parser.parse_args()

    files = [File(path) for path in sorted((DIRECTORY / "rules").glob("*.yml"))]
    rules = [rule for file in files for rule in file.rules]
    unknown = set(options.rule or []) - {rule.name for rule in rules}
    if unknown:
        parser.error(f"no such rule: {', '.join(sorted(unknown))}")
    if options.rule:
        rules = [rule for rule in rules if rule.name in options.rule]
    todo = [mutant for rule in rules for mutant in list(mutants(rule))[:: options.every]]
    if options.list:
        print(*todo, sep="\n")
        return 0

    bench, start = Bench(options.promtool, files), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        tested = {rule.test(): rule for rule in rules}.values()
        for rule, passed in zip(tested, pool.map(bench.passes, tested)):
            if not passed:
                print(f"tests/{rule.test()} fails on the rules as they are")
                return 1
        survived = pool.map(lambda mutant: bench.passes(mutant.rule, mutant), todo)
        alive, excused, wrongly, used = [], 0, [], set()
        for mutant, lives in zip(todo, survived):
            entry = excuse(mutant)
            used.add(entry)
            if lives and entry:
                excused += 1
            elif lives:
                alive.append(mutant)
                print(f"survives: {mutant}", flush=True)
            elif entry:
                wrongly.append(mutant)
                print(f"is killed, and listed as equivalent: {mutant}", flush=True)
    stale = []
    if not options.rule and options.every == 1:
        stale = [entry for entry in EQUIVALENT if entry not in used]
        for _, name, piece in stale:
            print(f"no such mutant, but listed as equivalent: {name}: {piece}")
    killed = len(todo) - excused - len(alive)
    print(
        f"{len(todo)} mutants of {len(rules)} rules: {killed} killed, {excused} equivalent, "
        f"{len(alive)} survive; {time.monotonic() - start:.0f} s"
    )
    return 1 if alive or wrongly or stale else 0


if __name__ == "__main__":
    sys.exit(main())

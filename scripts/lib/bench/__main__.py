"""The runner: see scripts/bench."""

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import contention
import footprint
import in_turn
import intervals
import machine
import pairs
import plots
from building import Builder
from counting import count_all, wanted
from plan import ALLOCATORS, BUILDS, CASES, CORES, QUICK_ALLOCATORS, QUICK_CASES
from report import markdown
from running import Rounds


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", add_help=False)
    parser.add_argument("root", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--rounds", type=positive)
    parser.add_argument("--allocators", type=names([one.key for one in ALLOCATORS]))
    parser.add_argument("--workloads", type=names(list(
        dict.fromkeys(one.workload for one in CASES))))
    return parser.parse_args()


def positive(word):
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word} is not a number of rounds; 1 or more is")
    return number


def names(known):
    def parse(words):
        given = words.split(",")
        unknown = [word for word in given if word not in known and word != "all"]
        if unknown:
            raise argparse.ArgumentTypeError(
                f"no {', '.join(unknown)}; there are: all {' '.join(known)}")
        return known if "all" in given else given
    return parse


def say(words):
    print(words, file=sys.stderr, flush=True)


def chosen(options):
    """Allocators and cases. What an allocator is compared with is taken along."""
    keys = options.allocators or (QUICK_ALLOCATORS if options.quick
                                  else [one.key for one in ALLOCATORS])
    keys = set(keys) | {one.base for one in ALLOCATORS if one.key in keys and one.base}
    cases = [one for one in CASES if not options.quick or one.key in QUICK_CASES]
    if options.workloads:
        cases = [one for one in CASES if one.workload in options.workloads]
    return [one for one in ALLOCATORS if one.key in keys], cases


def build_all(builder, allocators):
    builds = {}
    for build in BUILDS:
        if any(one.build == build.name for one in allocators):
            builds[build.name] = builder.build(build)
            error = builds[build.name]["error"]
            say(f"built {build.name}: {builds[build.name]['seconds']} s"
                + (f"; FAILED:\n{error}" if error else ""))
    return builds


def measure(options, builder):
    allocators, cases = chosen(options)
    builds = build_all(builder, allocators)
    usable = [one for one in allocators if not builds[one.build]["error"]]
    plain = next((one for one in usable if one.key == "jemalloc"), None)
    on = next((one for one in usable if one.key == "on"), None)
    if not usable:
        raise SystemExit("scripts/bench: nothing was built")
    rounds = options.rounds or (5 if options.quick else 9)
    raw = {"machine": machine.describe(options.root), "builds": builds, "rounds": rounds,
           "command": " ".join(["scripts/bench", *sys.argv[3:]]),
           "started": now()}
    neighbours = machine.Neighbours()
    timed = Rounds(builder, usable, cases, rounds, say).all()
    raw["others"] = neighbours.shares()
    raw["runs"] = timed.runs
    failed = dict(timed.failures)
    say("counting instructions")
    raw["instructions"], uncounted = count_all(builder, wanted(usable, options.quick), say)
    failed |= {(key, f"{workload} under callgrind"): reason
               for (key, workload), reason in uncounted.items()}
    if not options.quick and plain and on:
        raw["callgrind"] = callgrind(options.root)
        say("measuring pairs in one process")
        raw["pairs"] = pairs.measure(options.root, options.target, say)
        say("measuring workloads in one process")
        raw["in_turn"] = in_turn.measure(options.root, options.target, say)
        say("measuring threads")
        raw["contention"] = contention.measure(builder, plain, on, rounds, say)
        say("measuring its own memory")
        raw["footprint"] = footprint.measure(builder, on, say)
        say("measuring intervals")
        raw["intervals"] = intervals.measure(builder, plain, on, CASES, rounds, say)
    raw["failures"] = {" ".join(key): reason for key, reason in failed.items()}
    raw["ended"] = now()
    return raw


def callgrind(root):
    """What it prints for an ordinary build, one with frame pointers, and one with fat LTO. All at
    once: instructions do not depend on the load."""
    def of(flags):
        result = subprocess.run([root / "scripts" / "callgrind", *flags], cwd=root, text=True,
                                capture_output=True, stdin=subprocess.DEVNULL, check=False)
        return result.stdout if result.returncode == 0 else f"failed:\n{result.stderr}"
    with ThreadPoolExecutor(CORES) as pool:
        return "\n".join(pool.map(of, [[], ["--frame-pointers"], ["--lto"]]))


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")


def main():
    options = arguments()
    builder = Builder(options.root, options.target)
    partial = options.quick or options.allocators or options.workloads or options.rounds
    place = options.target / "bench" / ("quick" if partial else "whole")
    place.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    if not options.report:
        raw = measure(options, builder)
        (place / "results.json").write_text(json.dumps(raw, indent=1), encoding="utf-8")
    raw = json.loads((place / "results.json").read_text(encoding="utf-8"))
    report, pictures = options.root / "BENCHMARKS.md", options.root / "docs" / "pictures"
    if partial:
        report, pictures = place / "BENCHMARKS.md", place / "pictures"
    drawn = plots.draw(raw, pictures)
    relative = pictures.relative_to(report.parent)
    report.write_text(markdown(raw, drawn, relative), encoding="utf-8")
    print(report.read_text(encoding="utf-8"))
    say(f"{report}, from {place / 'results.json'}, after {time.monotonic() - start:.0f} s")
    ours = [key for key in raw["failures"] if not is_peer(key.split()[0])]
    broken = [name for name, built in raw["builds"].items()
              if built["error"] and not any(one.peer and one.build == name for one in ALLOCATORS)]
    if ours or broken:
        raise SystemExit(f"scripts/bench: no figures for {', '.join(broken + ours)}")


def is_peer(key):
    return any(one.key == key and one.peer for one in ALLOCATORS)


if __name__ == "__main__":
    main()

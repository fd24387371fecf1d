"""Whole programs under both allocators in one process, in turn; and that in several orders of the
functions."""

import json
import subprocess
from statistics import median

from building import cargo, executables, last_lines
from plan import ORDERS
from running import clean_environment
from summary import geometric_mean
from tables import number, table

# Seconds for a run.
PATIENCE = 300
BUILD = ["cargo", "rustc", "--locked", "--release", "--manifest-path", "bench/Cargo.toml",
         "--package", "bench-in-turn"]
WORKLOADS = ["map", "json", "tokens", "lifo", "fifo", "grow8k"]


def measure(root, target, say):
    """For each order what the program said; the linker's own order alone where it knows no other."""
    measured = []
    for seed in range(1, ORDERS + 1):
        found = run(root, target, ["-C", f"link-arg=-Wl,--shuffle-sections=.text*={seed}"], say)
        if found is None:
            break
        measured.append(found)
    if not measured:
        say("programs in turn: in the linker's own order only")
        found = run(root, target, [], say)
        measured = [found] if found else []
    return measured


def run(root, target, flags, say):
    """Lines of the program, or None if it could not be built or run."""
    built = cargo(root, [*BUILD, "--target-dir", target], after=["--", *flags])
    if built.returncode:
        say(f"programs in turn: not built: {last_lines(built.stderr)}")
        return None
    (_, program), = executables(built.stdout)
    try:
        result = subprocess.run([program, *WORKLOADS], env=clean_environment(), check=True,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=PATIENCE)
    except subprocess.SubprocessError as error:
        say(f"programs in turn: {error}")
        return None
    return [json.loads(line) for line in result.stdout.splitlines()]


def ratio(row, key):
    """Median of the ratios of neighbouring stretches."""
    return median(own / plain for own, plain in zip(row[key], row["plain"]))


def means(measured):
    """By workload and state of the profiler: the geometric mean with the least and the most."""
    rows = {}
    for name in [row["workload"] for row in measured[0]]:
        of = [row for order in measured for row in order if row["workload"] == name]
        ratios = {key: [ratio(row, key) for row in of] for key in ("off", "on")}
        rows[name] = {key: (geometric_mean(values), min(values), max(values))
                      for key, values in ratios.items()}
    return rows


def section(measured):
    """Part of the report; empty where nothing was measured."""
    if not measured:
        return ""
    def cell(of):
        return f"{number(of[0], 3)} ({of[1]:.2f}–{of[2]:.2f})"
    rows = [[name, cell(of["off"]), cell(of["on"])] for name, of in means(measured).items()]
    orders = ("one order of its functions, the linker's own" if len(measured) == 1 else
              f"{len(measured)} orders of its functions")
    return "\n".join([
        "## Workloads, in one process", "",
        "The time of a workload under Heaplens, as a ratio to that under plain tikv-jemallocator, "
        "both in one process and in turn, some 40 ms each: a global allocator passes each call on "
        "to the one whose turn it is. The median of the ratios of neighbouring stretches, as the "
        f"mean of {orders}, and in brackets the least and the most. `cargo run --release "
        "--manifest-path bench/Cargo.toml -p bench-in-turn -- map` prints the stretches.", "",
        table(["", "Heaplens, sampling off", "Heaplens"], rows)])

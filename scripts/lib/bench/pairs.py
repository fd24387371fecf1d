"""A pair of malloc and free under both allocators in one process, in turn; and that in several
orders of the functions, for where the linker puts so few instructions matters more than what they
do."""

import json
import subprocess

from building import cargo, executables, last_lines
from plan import ORDERS
from running import clean_environment
from summary import geometric_mean
from tables import number, table

# Seconds for a run.
PATIENCE = 300
BUILD = ["cargo", "rustc", "--locked", "--profile", "bench", "--package", "heaplens-alloc",
         "--bench", "pairs"]


def measure(root, target, say):
    """For each order what the benchmark said; the linker's own order alone where it knows no
    other."""
    measured = []
    for seed in range(1, ORDERS + 1):
        found = run(root, target, ["-C", f"link-arg=-Wl,--shuffle-sections=.text*={seed}"], say)
        if found is None:
            break
        measured.append(found)
    if not measured:
        say("pairs: in the linker's own order only")
        found = run(root, target, [], say)
        measured = [found] if found else []
    return measured


def run(root, target, flags, say):
    """Lines of the benchmark, or None if it could not be built or run."""
    built = cargo(root, [*BUILD, "--target-dir", target], after=["--", *flags])
    if built.returncode:
        say(f"pairs: not built: {last_lines(built.stderr)}")
        return None
    (_, program), = executables(built.stdout)
    try:
        result = subprocess.run([program, "--json"], env=clean_environment(), check=True,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=PATIENCE)
    except subprocess.SubprocessError as error:
        say(f"pairs: {error}")
        return None
    return [json.loads(line) for line in result.stdout.splitlines()]


def means(measured):
    """By pair: nanoseconds, and of both ratios the geometric mean with the least and the most."""
    rows = {}
    for name in [row["pair"] for row in measured[0]]:
        of = [row for order in measured for row in order if row["pair"] == name]
        ratios = {key: [row[key] for row in of] for key in ("off", "on")}
        rows[name] = {"nanos": geometric_mean([row["nanos"] for row in of])} | {
            key: (geometric_mean(values), min(values), max(values))
            for key, values in ratios.items()}
    return rows


def section(measured):
    """Part of the report; empty where nothing was measured."""
    if not measured:
        return ""
    def cell(of):
        return f"{number(of[0], 3)} ({of[1]:.2f}–{of[2]:.2f})"
    rows = [[name, f"{of['nanos']:.2f} ns", cell(of["off"]), cell(of["on"])]
            for name, of in means(measured).items()]
    orders = ("one order of its functions, the linker's own" if len(measured) == 1 else
              f"{len(measured)} orders of its functions")
    return "\n".join([
        "## A pair, in one process", "",
        "The time of a pair through Heaplens, as a ratio to that under plain tikv-jemallocator, both "
        "in one process and in turn, 5 ms each: what the machine does to one it does to the other, "
        f"which programs of their own do not have. The program was linked in {orders}: the mean, and "
        "in brackets the least and the most, for where the linker puts so few instructions matters "
        "more than what they do. With sampling on, the bound of 1 % is in it. `cargo bench -p "
        "heaplens-alloc --bench pairs`.", "",
        table(["", "plain", "Heaplens, sampling off", "Heaplens"], rows)])

"""What the profiler takes for itself: for each live sample, for each stack, in all."""

import json
import subprocess
from dataclasses import replace

from running import PATIENCE, environment_of
from tables import number, size, table

BLOCKS = 10_000_000
# Of the program: more stacks than that are one and the same.
STACKS = 64
ROOM = "1GiB"
# Interval, memory budget (None: the default).
SETTINGS = [(512 << 10, None), (64 << 10, None), (4 << 10, None), (1, None), (1, ROOM)]


def measure(builder, on, say):
    """Rows of many live blocks, and the two slopes."""
    def live(interval, budget, blocks, stacks):
        environment = {"HEAPLENS_SAMPLE_INTERVAL": str(interval), "HEAPLENS_MAX_OVERHEAD": "0"}
        if budget:
            environment["HEAPLENS_MEMORY_BUDGET"] = budget
        command = [str(builder.program(on.build, "live")), str(blocks), str(stacks)]
        try:
            result = subprocess.run(
                command, env=environment_of(replace(on, environment=environment)), check=True,
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=4 * PATIENCE)
            return json.loads(result.stdout)
        except (subprocess.SubprocessError, ValueError) as error:
            say(f"live {blocks} from {stacks} at {interval}: {error}")
            return None

    def slope(few, many, key):
        if not few or not many or many[key] <= few[key]:
            return None
        return (many["memory_used"] - few["memory_used"]) / (many[key] - few[key])

    return {
        "rows": [row for row in (live(*setting, BLOCKS, STACKS) for setting in SETTINGS) if row],
        "bytes_a_sample": slope(live(1, ROOM, 1 << 17, 1), live(1, ROOM, 1 << 18, 1),
                                "live_samples"),
        "bytes_a_stack": slope(live(1, ROOM, 1 << 17, 1 << 10), live(1, ROOM, 1 << 17, 1 << 16),
                               "stacks"),
    }


def section(raw):
    """Part of the report; empty where nothing was measured."""
    if not raw:
        return ""
    rows = [[size(row["interval"]), number(row["live_samples"], 0), number(row["stacks"], 0),
             size(row["memory_used"]), size(row["memory_budget"]), number(row["lost"], 0),
             size(row["resident"] - row["resident_before"])]
            for row in raw["rows"]]
    return "\n".join([
        "## What the profiler takes for itself", "",
        f"{number(raw['bytes_a_sample'])} bytes for each live sample and "
        f"{number(raw['bytes_a_stack'], 0)} bytes for each different stack, by the growth of its own "
        "memory where every block is sampled. "
        f"{BLOCKS:,} live blocks of 64 bytes, without a bound on its time:", "",
        table(["interval", "live samples", "stacks", "its memory", "its budget", "samples lost",
               "growth of the resident set"], rows)])

"""What the sampling interval costs, and what it buys."""

import json
import subprocess
from dataclasses import replace

from counting import count_all
from plan import HELD, INTERVALS
from running import PATIENCE, Rounds, environment_of
from summary import compare

STRESS, APPLICATION = "lifo/1", "json/1"


def allocators(on):
    """Heaplens at each interval, with the default bound on its time and with none that matters: at
    100 % of the time it is still measured."""
    for interval in INTERVALS:
        for bound, parts in (("1%", "10000"), ("100%", "1000000")):
            yield replace(
                on, key=f"{interval}:{bound}",
                environment={"HEAPLENS_SAMPLE_INTERVAL": str(interval),
                             "HEAPLENS_MAX_OVERHEAD": bound},
                expected=on.expected | {"interval": str(interval), "max_overhead_ppm": parts})


def measure(builder, plain, on, cases, rounds, say):
    """Rows, one for each interval."""
    settings = list(allocators(on))
    cases = [case for case in cases if case.key in (STRESS, APPLICATION)]
    done = Rounds(builder, [plain, *settings], cases, rounds, say).all()
    tasks = [(plain, case.workload) for case in cases] + [
        (setting, case.workload) for setting in settings if setting.key.endswith(":100%")
        for case in cases]
    counts, _ = count_all(builder, tasks, say)
    rows = []
    for interval in INTERVALS:
        row = {"interval": interval, "held": held(builder, on, interval, "0", say),
               "held_bounded": held(builder, on, interval, "1%", say)}
        for case in cases:
            row[case.workload] = {
                bound: cost(done.runs, case.key, plain.key, f"{interval}:{bound}")
                for bound in ("1%", "100%")}
            counted = counts.get(case.workload, {})
            if plain.key in counted and f"{interval}:100%" in counted:
                row[case.workload]["instructions"] = (
                    counted[f"{interval}:100%"] / counted[plain.key])
        rows.append(row)
    return rows


def cost(runs, case, plain, key):
    of = {name: [run for run in runs if (run["allocator"], run["case"]) == (name, case)]
          for name in (plain, key)}
    if not of[plain] or len(of[key]) != len(of[plain]):
        return None
    ratio = compare([run["cpu"] for run in of[key]], [run["cpu"] for run in of[plain]])
    total = {name: sum(float(run["state"][name]) - float(run["before"][name]) for run in of[key])
             for name in ("sampling_nanos", "samples", "sample_intervals")}
    ratio["share"] = total["sampling_nanos"] / 1e9 / sum(run["cpu"] for run in of[key])
    ratio["mean_interval"] = total["sample_intervals"] / max(1, total["samples"])
    ratio["nanos_a_sample"] = total["sampling_nanos"] / max(1, total["samples"])
    return ratio


def held(builder, on, interval, bound, say):
    """Errors of the estimate of what is held, in a program that does nothing but allocate."""
    setting = replace(on, environment={"HEAPLENS_SAMPLE_INTERVAL": str(interval),
                                       "HEAPLENS_MAX_OVERHEAD": bound})
    outcomes = []
    for size, trials in HELD:
        command = [str(builder.program(on.build, "held")), str(size), str(trials)]
        try:
            result = subprocess.run(command, env=environment_of(setting), capture_output=True,
                                    text=True, timeout=4 * PATIENCE, check=True)
            outcomes.append(json.loads(result.stdout))
        except (subprocess.SubprocessError, ValueError) as error:
            say(f"held {size} at {interval}: {error}")
    return outcomes

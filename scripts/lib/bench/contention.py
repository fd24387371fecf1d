"""Whether threads stand in each other's way: throughput with 1, 2 and 64 of them."""

from dataclasses import replace
from statistics import median

from plan import Case
from running import Rounds
from summary import compare
from tables import number, ratio, size, table

THREADS = [1, 2, 64]
# Units of work of all threads together, and the part of it at each interval: a sample at each
# allocation is slow.
WORK = {"pair64": 1 << 24, "channel": 1 << 21}
SHARES = {512 << 10: 1, 4 << 10: 1 / 2, 1: 1 / 16}
WORKLOADS = {"pair64": "64 bytes allocated and freed in the same thread",
             "channel": "strings made in one thread and dropped in another"}


def settings(on):
    for interval, share in SHARES.items():
        yield replace(
            on, key=f"{on.key}:{interval}", share=share,
            environment={"HEAPLENS_SAMPLE_INTERVAL": str(interval), "HEAPLENS_MAX_OVERHEAD": "0"},
            expected=on.expected | {"interval": str(interval), "max_overhead_ppm": "0"})


def measure(builder, plain, on, rounds, say):
    """By workload and interval: units a second in each number of threads, plain and profiled."""
    measured = []
    for workload in WORKLOADS:
        threads = [count for count in THREADS if workload != "channel" or count > 1]
        cases = [case(workload, count) for count in threads]
        for setting in settings(on):
            runs = Rounds(builder, [plain, setting], cases, rounds, lambda words: None).all()
            for key, reason in runs.failures.items():
                say(f"contention, {' '.join(key)}: {reason}")
            measured.append({"workload": workload,
                             "interval": int(setting.expected["interval"]),
                             "throughput": {one.key: [rates(runs.runs, one.key, case)
                                                      for case in cases]
                                            for one in (plain, setting)},
                             "threads": threads, "keys": [plain.key, setting.key]})
    return measured


def case(workload, threads):
    sharers = (threads + 1) // 2 if workload == "channel" else threads
    return Case(workload, threads, WORK[workload] // sharers, "stress", "unit")


def rates(runs, key, case):
    """Units a second of all threads together, by round."""
    return [case.units(run["count"]) / run["wall"] for run in runs
            if (run["allocator"], run["case"]) == (key, case.key)]


def section(raw):
    """Part of the report; empty where nothing was measured."""
    if not raw:
        return ""
    lines = ["## Threads", "",
             "Units of work a second of all threads together, by the wall clock, without a bound "
             "on the profiler's time. Kept: the throughput with so many threads against that with "
             "the fewest, as a ratio of what the plain allocator keeps; below 1, threads stand in "
             "each other's way more than they do without the profiler."]
    for workload, what in WORKLOADS.items():
        rows = []
        for one in (one for one in raw if one["workload"] == workload):
            plain, own = (one["throughput"][key] for key in one["keys"])
            if not all(plain) or not all(own):
                continue
            rows.append([size(one["interval"]),
                         *[f"{number(median(rate) / 1e6, 2)} M" for rate in plain],
                         *[f"{number(median(rate) / 1e6, 2)} M" for rate in own],
                         *[kept(plain, own, index) for index in range(1, len(own))]])
        counts = [str(count) for count in one_of(raw, workload)["threads"]]
        lines += ["", f"`{workload}`, {what}:", "", table(
            ["interval", *[f"plain × {count}" for count in counts],
             *[f"Heaplens × {count}" for count in counts],
             *[f"kept at × {count}" for count in counts[1:]]], rows)]
    return "\n".join(lines)


def one_of(raw, workload):
    return next(one for one in raw if one["workload"] == workload)


def kept(plain, own, index):
    """Both against the same allocator with the fewest threads, in the same round."""
    scaled = [[many / few for few, many in zip(rounds[0], rounds[index])]
              for rounds in (own, plain)]
    return ratio(compare(*scaled) if all(scaled) else None)

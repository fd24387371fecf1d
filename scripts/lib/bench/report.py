"""Writes BENCHMARKS.md: all of it, so that it holds nothing that was not measured."""

from collections import Counter

import contention
import footprint
import in_turn
import pairs
from plan import BUILDS
from results import Results
from tables import number, percent, ratio, seconds, size, table
from verdicts import BARS, against_peers, overlap, verdict

PLOTS = {
    "application": "Application-like workloads: CPU time against each one's own plain allocator",
    "stress": "Allocation stress: CPU time against each one's own plain allocator",
    "interval": "Sampling interval against error and cost",
}

# Beyond this share of the processors that others take, times say little.
BUSY = 0.05


def markdown(raw, plots, pictures):
    """The whole text. `plots` are those that were drawn, `pictures` is where they lie."""
    results = Results(raw)
    parts = [head(results), bars(results)]
    parts += [section(results, kind, plots, pictures) for kind in ("application", "stress")]
    parts += [in_turn.section(raw.get("in_turn")), pairs.section(raw.get("pairs")), peers(results),
              service(results), instructions(results),
              contention.section(results.raw.get("contention")), memory(results),
              footprint.section(results.raw.get("footprint")), absolute(results), intervals(results, plots, pictures), failures(results),
              method(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def head(results):
    raw, machine = results.raw, results.raw["machine"]
    crates = ", ".join(f"{name} {version}" for name, version in machine["crates"].items())
    kind = ", virtual" if machine["virtual"] else ""
    lines = [
        "# What Heaplens costs", "",
        f"Printed by `{raw['command']}`, from {raw['started']} to {raw['ended']} UTC. "
        "Every figure and every sentence below comes from that run.", "",
        f"* Machine: {machine['processor']}, {machine['cores']} cores{kind}, "
        f"{size(machine['memory'])}; {machine['kernel']}, {machine['libc']}.",
        f"* {others(raw['others'])}",
        f"* {machine['rustc']}, {machine['valgrind']}; Heaplens at commit {machine['commit']}.",
        f"* {crates}.",
        "* Ordinary release builds, with line tables as the only debug information, but for the "
        "rows that say frame pointers.",
        f"* {raw['rounds']} rounds. In brackets: 95 % bootstrap interval of the ratio of medians.",
    ]
    return "\n".join(lines)


def others(shares):
    text = (f"While times were taken, other programs used {shares['programs']:.1%} of the "
            f"processors, and the hypervisor withheld {shares['machines']:.1%}")
    if sum(shares.values()) <= BUSY:
        return text + "."
    return (text + ": **times are worth little**. Instruction counts do not depend on that.")


def bars(results):
    rows = []
    # The plain allocator once more shows what these means are worth.
    for key in ("again", "off", "on", "stats", "on-fp", "unbounded"):
        allocator = results.allocator(key)
        for kind, bar in BARS.items():
            for case in results.cases:
                if allocator and case.kind == kind and (key != "unbounded" or kind == "stress"):
                    compared = results.ratio(allocator, case)
                    rows.append((allocator, kind, case, compared, verdict(compared, bar)))
    lines = ["## The bars", "",
             "No application-like workload may cost more than "
             f"{BARS['application']} × its CPU time, and no allocation stress more than "
             f"{BARS['stress']} ×. The noise of this run: plain tikv-jemallocator against itself "
             f"came out between {noise(results)}.", ""]
    lines.append(table(
        ["", "kind", "cases", "mean", "worst", "kept", "kept within noise",
         "not kept, within noise", "not kept"],
        [tally(results, rows, key, kind) for key, kind in ordered(rows)]))
    counted = [f"{workload} {own / base:.4f}" for workload, own, base in counts(results, "unbounded")]
    if counted:
        lines += ["", "Where the noise hides the answer, instructions decide. Those of Heaplens at "
                  "512 KiB, without a bound on its time, against plain tikv-jemallocator: "
                  f"{', '.join(counted)}."]
    if results.raw.get("pairs"):
        pair = pairs.means(results.raw["pairs"])["pair64"]
        lines += ["", "A pair of 64 bytes beside a plain one in the same process (see below) takes "
                  f"{pair['off'][0]:.3f} × its time with sampling off, {pair['on'][0]:.3f} × with "
                  "sampling on."]
    if results.raw.get("in_turn"):
        programs = [f"{name} {of['on'][0]:.3f}"
                    for name, of in in_turn.means(results.raw["in_turn"]).items()]
        lines += ["", "Workloads beside plain ones in the same process (see below), sampling on: "
                  f"{', '.join(programs)}."]
    return "\n".join(lines)


def counts(results, key):
    """Workloads whose instructions were counted, with those of the allocator and of its base."""
    allocator = results.allocator(key)
    for workload in results.raw["instructions"] if allocator else ():
        own = results.instructions(workload, key)
        base = results.instructions(workload, allocator.base)
        if own and base:
            yield workload, own, base


def ordered(rows):
    return list(dict.fromkeys((allocator.key, kind) for allocator, kind, *_ in rows))


def tally(results, rows, key, kind):
    mine = [row for row in rows if (row[0].key, row[1]) == (key, kind)]
    compared = [row for row in mine if row[3]]
    worst = max(compared, key=lambda row: row[3]["median"], default=None)
    counts = [sum(row[4] == word for row in mine)
              for word in ("kept", "kept, within the noise", "not kept, within the noise",
                           "not kept")]
    return [mine[0][0].label, kind, str(len(mine)),
            number(results.mean_ratio(mine[0][0], kind), 3),
            f"{ratio(worst[3])} {worst[2].label}" if worst else "–", *map(str, counts)]


def noise(results):
    ratios = [results.ratio(results.allocator("again"), case) for case in results.cases]
    medians = [one["median"] for one in ratios if one]
    return f"{min(medians):.3f} and {max(medians):.3f}" if medians else "no two figures"


def section(results, kind, plots, pictures):
    cases = [case for case in results.cases if case.kind == kind]
    if not cases:
        return ""
    title = {"application": "Application-like workloads", "stress": "Allocation stress"}[kind]
    lines = [f"## {title}", "", "CPU time of the process, as a ratio to the allocator without its "
             "profiler. × 2: in two threads.", ""]
    if kind in plots:
        lines += [f"![{PLOTS[kind]}]({pictures}/bench-{kind}.svg)", ""]
    rows = []
    for allocator in results.allocators:
        if allocator.base:
            base = results.allocator(allocator.base)
            rows.append([allocator.label, base.label if base else allocator.base,
                         *[ratio(results.ratio(allocator, case)) for case in cases]])
    lines.append(table(["", "against", *[case.label for case in cases]], rows))
    for words, cell in (
            ("Ratios of the minima:", lambda one, case: minimum(results.ratio(one, case))),
            ("Ratios of the wall times:",
             lambda one, case: ratio(results.ratio(one, case, "wall"), False))):
        lines += ["", words, "", table(
            ["", *[case.label for case in cases]],
            [[one.label, *[cell(one, case) for case in cases]]
             for one in results.allocators if one.base])]
    notes = [f"* {one.label}: {one.note}." for one in results.allocators if one.note]
    return "\n".join([*lines, "", *notes])


def minimum(compared):
    return "–" if compared is None else f"{compared['minimum']:.3f}"


def peers(results):
    heaplens = results.allocator("on")
    found = against_peers(results, heaplens)
    if not found or not heaplens:
        return ""
    lines = ["## Against each peer", "",
             "The overhead of each against its own plain allocator, beside that of Heaplens at its "
             "defaults, on the same workload in the same run.", ""]
    for peer, lower in found.values():
        if not lower:
            lines.append(f"* **{peer.label}** costs more than Heaplens on every workload."
                         + in_instructions(results, peer))
            continue
        named = "; ".join(
            f"{case.label} {ratio(theirs)} against {ratio(ours)}"
            + (", the intervals overlap" if overlap(ours, theirs) else "")
            for case, ours, theirs in lower)
        lines.append(f"* **{peer.label}** costs no more than Heaplens on: {named}."
                     + in_instructions(results, peer))
    return "\n".join(lines)


def in_instructions(results, peer):
    """The ratios that noise does not reach, beside those of Heaplens without a bound."""
    ours = {workload: own / base for workload, own, base in counts(results, "unbounded")}
    named = [f"{workload} {own / base:.3f} against {ours[workload]:.3f}"
             for workload, own, base in counts(results, peer.key) if workload in ours]
    return f" In instructions: {', '.join(named)}." if named else ""


def service(results):
    cases = [case for case in results.cases if case.workload == "axum"]
    if not cases:
        return ""
    head_row, rows = [""], []
    for case in cases:
        head_row += [f"{case.label}: CPU/request", "requests/s", "p99"]
    for allocator in results.allocators:
        row = [allocator.label]
        for case in cases:
            row += [seconds(results.median(allocator.key, case, "cpu")),
                    number(results.median(allocator.key, case, "requests_per_second", False), 0),
                    seconds(results.median(allocator.key, case, "p99", False))]
        rows.append(row)
    return "\n".join(["## A service under load", "",
                      "Medians of the rounds. The CPU time is that of the service and of its "
                      "client, which is in the same process and allocates nothing.", "",
                      table(head_row, rows)])


def instructions(results):
    counted = results.raw["instructions"]
    if not counted:
        return ""
    workloads = list(counted)
    rows = []
    for allocator in results.allocators:
        row = [allocator.label]
        for workload in workloads:
            own = results.instructions(workload, allocator.key)
            base = results.instructions(workload, allocator.base) if allocator.base else None
            text = "–" if own is None else number(own, 1 if own < 1e4 else 0)
            row.append(f"{text} ({own / base:.4f})" if own and base else text)
        if any(cell != "–" for cell in row[1:]):
            rows.append(row)
    lines = ["## Instructions", "",
             "Instructions of user space for a unit of work, counted by callgrind in one thread, "
             "and the ratio to the plain allocator. Heaplens samples every 512 KiB here without a "
             "bound on its time, for that goes by the clock. Growing vectors (`grow32k`) are "
             "copied or extended in place by jemalloc according to which pages happen to be free "
             "behind them, which differs between any two programs: nearly all of the difference "
             "there is `memcpy`.", "",
             table(["", *[f"{workload}" for workload in workloads]], rows)]
    if results.raw.get("callgrind"):
        lines += ["", "`scripts/callgrind`, pairs of all kinds, in an ordinary build, one with "
                  "frame pointers, and one with fat LTO. `sample` is what a sample takes, with the "
                  "free of its block.", "", "```text",
                  results.raw["callgrind"].rstrip(), "```"]
    return "\n".join(lines)


def memory(results):
    keys = [key for key in ("on", "on64k", "on-fp", "on-system", "on-mimalloc")
            if results.allocator(key)]
    peers_ = [one.key for one in results.allocators if one.peer and one.share == 1]
    chosen = [results.allocator(key) for key in keys + peers_]
    rows = [[case.label, size(results.median("jemalloc", case, "peak_resident", False)),
             *[more_memory(results, one, case) for one in chosen]]
            for case in results.cases]
    return "\n".join(["## Memory", "",
                      "Peak of the resident set; its ratio to that with the plain allocator, and "
                      "the difference. Where a process has a few MiB, what the profiler takes for "
                      "itself is a large share of it.", "",
                      table(["", "tikv-jemallocator", *[one.label for one in chosen]], rows)])


def more_memory(results, allocator, case):
    compared = results.ratio(allocator, case, "peak_resident", False)
    if compared is None:
        return "–"
    own = results.median(allocator.key, case, "peak_resident", False)
    base = results.median(allocator.base, case, "peak_resident", False)
    return f"{ratio(compared, False)} ({(own - base) / (1 << 20):+.1f} MiB)"


def absolute(results):
    plain = [one for one in results.allocators if one.base is None]
    rows = []
    for case in results.cases:
        row = [case.label, f"{case.what} (1 {case.unit})"]
        for one in plain:
            middle = results.median(one.key, case, "cpu")
            spread = results.spread(one.key, case, "cpu")
            row.append("–" if middle is None else f"{seconds(middle)} ± {percent(spread, 1)}")
        rows.append(row)
    return "\n".join(["## The plain allocators", "",
                      "CPU time of a unit of work, median ± half the distance of the quartiles. "
                      "What a profiler's overhead is to be seen against.", "",
                      table(["", "unit", *[one.label for one in plain]], rows)])


def intervals(results, plots, pictures):
    rows = results.raw.get("intervals")
    if not rows:
        return ""
    lines = ["## What the interval costs and buys", ""]
    if "interval" in plots:
        lines += [f"![{PLOTS['interval']}]({pictures}/bench-interval.svg)", ""]
    sizes = [one["bytes"] for one in max((row["held"] for row in rows), key=len)]
    for name, words in (
            ("held", "Relative error of the bytes held, without a bound on the profiler's time: "
             "root of the mean square over as many trials as stated, and in brackets the standard "
             "error that the profiler states itself:"),
            ("held_bounded", "The same with the bound of 1 %, in a program that does nothing but "
             "allocate, which raises its interval. Memory that is allocated at a service's pace "
             "has the errors above.")):
        lines += [words, "", table(
            ["interval", *[f"{held / 1e6:,.0f} MB held" for held in sizes]],
            [[size(row["interval"]), *[error(row[name], held) for held in sizes]]
             for row in rows]), ""]
    for workload, name in (("lifo", "Stress (lifo)"), ("json", "Application (json)")):
        lines += [f"{name}: CPU time against plain tikv-jemallocator, the share of it that the "
                  "profiler measured itself to take, and instructions:", "",
                  table(["interval", "CPU, bound 1 %", "own share", "mean interval in force",
                         "CPU, no bound", "own share", "instructions, no bound"],
                        [[size(row["interval"]), *costs(row.get(workload))] for row in rows]), ""]
    return "\n".join(lines).rstrip()


def error(outcomes, held):
    one = next((one for one in outcomes if one["bytes"] == held), None)
    return "–" if one is None else (
        f"{percent(one['rms'], 1)} ({percent(one['stated'], 1)}; {one['trials']} trials)")


def costs(cell):
    if not cell:
        return ["–"] * 6
    bounded, free = cell["1%"], cell["100%"]
    counted = cell.get("instructions")
    return [ratio(bounded), percent(bounded and bounded["share"]),
            size(bounded and bounded["mean_interval"]), ratio(free),
            percent(free and free["share"]), "–" if counted is None else f"{counted:.4f}"]


def losses(results):
    """Samples that Heaplens did not take or keep, by its own account, of each allocator."""
    lost, samples = {}, Counter()
    for (allocator, _), runs in results.by_key.items():
        for run in runs.values():
            samples[allocator] += int(run["state"].get("samples", 0))
            for drop in filter(None, run["state"].get("drops", "").split(", ")):
                times, reason = drop.split(" ")
                lost.setdefault(allocator, Counter())[reason] += int(times)
    return [f"* {results.allocator(key).label}: "
            + ", ".join(f"{times:,} {reason}" for reason, times in sorted(causes.items()))
            + f", of {samples[key]:,} samples in all runs."
            for key, causes in lost.items()]


def failures(results):
    lines = [f"* Build of {name}: {built['error']}"
             for name, built in results.raw["builds"].items() if built["error"]]
    for (allocator, case), reason in results.failures.items():
        lines.append(f"* {allocator} on {case}: {reason}")
    lines = lines or ["Everything was built and ran."]
    lost = losses(results)
    lost = ["What Heaplens counted as lost, a sample or its stack, by cause (`walkers_busy`: two "
            "threads sampled while the unwind tables were read for the first time):", "", *lost
            ] if lost else ["Heaplens lost no sample in any run."]
    return "\n".join(["## What did not run", "", *lines, "", *lost])


def method(results):
    raw = results.raw
    described = [f"* `{case.label}`: {case.what}; {case.kind}; {case.units(case.count):,} units."
                 for case in results.cases]
    settings = []
    for one in results.allocators:
        words = " ".join(f"{name}={value}" for name, value in one.environment.items())
        share = f"; {one.share:.3g} of the work" if one.share != 1 else ""
        settings.append(f"* {one.label}: build `{one.build}`"
                        + (f", `{words}`" if words else "") + share + ".")
    built = [f"* `{build.name}`: `{raw['builds'][build.name]['command']}`"
             + (f" with `RUSTFLAGS={build.rustflags}`" if build.rustflags else "")
             for build in BUILDS if build.name in raw["builds"]]
    return "\n".join([
        "## How it was measured", "",
        "Each round runs every workload under every allocator, one process each, one directly "
        "after another and each round starting with another one; `pair64` three times, for it is "
        "short. A process measures itself from "
        "when its data are made and an eighth of the work was done, which is not counted: "
        "`getrusage` for CPU time, `VmHWM` for memory. It also says what its allocator is: whether "
        "a profiler is compiled in and active, and at which interval; a run that does not say what "
        "is expected does not count. Workloads run below 33 frames, as a handler does.", "", "Workloads:", "", *described, "", "Allocators:", "",
        *settings, "", "Builds:", "", *built])

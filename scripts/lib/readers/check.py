"""Compares what three readers that know nothing of each other read: see scripts/check-readers."""

import copy
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import raw
from service import Service

HERE = Path(__file__).parent
TYPES = ["alloc_objects/count", "alloc_space/bytes", "inuse_objects/count", "inuse_space/bytes"]
# What is fetched, and the seconds that it takes.
PROFILES = {
    "heap": "/debug/pprof/heap",
    "allocs": "/debug/pprof/allocs",
    "delta": "/debug/pprof/heap?seconds=2",
}
# One of the example's leaks.
FUNCTION = "create_session"


class Pprof:
    """`go tool pprof` as a program."""

    def __init__(self, directory):
        self._environment = {**os.environ, "PPROF_TMPDIR": str(directory), "HOME": str(directory)}

    def __call__(self, *arguments):
        # Names as the file has them: nothing is looked up anew.
        command = [os.environ["HEAPLENS_PPROF"], "-symbolize=none", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=self._environment)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout


def node(script, modules, files):
    done = subprocess.run(["node", HERE / script, modules, *files], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{script} ended with {done.returncode}:\n{done.stderr}")
    return dict(zip(files, json.loads(done.stdout)))


def flat(stack):
    return tuple(name for names in stack for name in names)


def counted(samples):
    """How often each sample is there: stack with inlined functions, labels, values."""
    return Counter((flat(s["stack"]), tuple(map(tuple, s["labels"])), tuple(s["values"])) for s in samples)


def totals(profile):
    return [sum(s["values"][at] for s in profile["samples"]) for at in range(len(profile["types"]))]


def physical(profile, at):
    """Values by stack as speedscope sees it: physical functions only."""
    sums = Counter()
    for sample in profile["samples"]:
        sums[tuple(names[-1] for names in sample["stack"] if names)] += sample["values"][at]
    return {stack: value for stack, value in sums.items() if value}


def differences(ours, theirs):
    """Between two readers of the whole file."""
    if ours["types"] != theirs["types"]:
        yield f"types: {ours['types']} and {theirs['types']}"
    if len(ours["samples"]) != len(theirs["samples"]):
        yield f"samples: {len(ours['samples'])} and {len(theirs['samples'])}"
    if totals(ours) != totals(theirs):
        yield f"totals: {totals(ours)} and {totals(theirs)}"
    here, there = counted(ours["samples"]), counted(theirs["samples"])
    for sample in list((here - there) | (there - here))[:5]:
        yield f"read by one only: {sample}"


def speedscope_differences(profile, shown, at):
    """Between the whole file and what speedscope shows of the value at `at`."""
    if "refused" in shown:
        # It knows no negative values.
        negative = any(sample["values"][at] < 0 for sample in profile["samples"])
        if not (negative and "positive" in shown["refused"]):
            yield f"speedscope refuses: {shown['refused']}"
        return
    expected = physical(profile, at)
    sums = Counter()
    for sample in shown["samples"]:
        sums[tuple(sample["stack"])] += sample["value"]
    if shown["total"] != sum(expected.values()):
        yield f"speedscope's total: {shown['total']} of {sum(expected.values())}"
    unit = TYPES[at].split("/")[1]
    if (shown["unit"] == "bytes") != (unit == "bytes"):
        yield f"speedscope's unit: {shown['unit']}"
    for stack in [s for s in expected.keys() | sums.keys() if expected.get(s) != sums.get(s)][:5]:
        yield f"speedscope has {sums.get(stack)} of {expected.get(stack)} at {stack}"


def converted(heaplens, file, directory):
    """What the command makes of a file: in speedscope's format, and in its own again."""
    made = [directory / "converted.speedscope.json", directory / "converted.pb.gz"]
    for output in made:
        subprocess.run([heaplens, "convert", file, "-o", output], check=True)
    return made


def conversion_differences(profile, shown, again):
    """Between a file and what was made of it. Inlined functions are frames of their own there."""
    expected = Counter()
    for sample in profile["samples"]:
        expected[flat(sample["stack"])] += sample["values"][3]
    sums = Counter()
    for sample in shown["samples"]:
        # What has no name has its address for one.
        named = tuple(name for name in sample["stack"] if not re.search(r"\+0x[0-9a-f]+$", name))
        sums[named] += sample["value"]
    if (shown["name"], shown["unit"]) != ("inuse_space", "bytes"):
        yield f"speedscope shows {shown['name']} in {shown['unit']}"
    if shown["total"] != sum(expected.values()):
        yield f"speedscope's total: {shown['total']} of {sum(expected.values())}"
    for stack in [s for s in expected.keys() | sums.keys() if expected[s] != sums[s]][:5]:
        yield f"speedscope has {sums[stack]} of {expected[stack]} at {stack}"
    yield from differences(profile, again)


def reports(pprof, name, file, profile, before):
    """Every report of pprof's on one file, held against the file itself."""
    sums = dict(zip(TYPES, totals(profile)))
    whole = ["-nodecount=1000000", "-nodefraction=0", "-edgefraction=0", "-unit=B"]
    for kind, total in sums.items():
        index = f"-sample_index={kind.split('/')[0]}"
        told = re.search(r"accounting for (-?\d+)B?, .* of (-?\d+)B? total", pprof("-top", index, *whole, file))
        # In a difference the percentages are of what was moved, not of the sum.
        if not told or int(told[1]) != total:
            yield f"-top {index}: {told and told[0]} instead of {total}"
        if kind.endswith("/bytes"):
            traced = re.findall(r"^ +(-?\d+)B   \S", pprof("-traces", index, "-unit=B", file), re.MULTILINE)
            if sum(map(int, traced)) != total:
                yield f"-traces {index}: {sum(map(int, traced))} instead of {total}"
    held = sum(s["values"][3] for s in profile["samples"] if any(label[0] == "map" for label in s["labels"]))
    tags = pprof("-tags", "-unit=B", "-sample_index=inuse_space", file)
    told = re.search(r"^ *map: Total (-?[\d.]+)B", tags, re.MULTILINE)
    if name != "delta" and (not told or float(told[1]) != held or not held):
        yield f"-tags: {told and told[0]!r} of what maps hold, which is {held}"
    comments = pprof("-comments", file).splitlines()
    if comments != profile["comments"]:
        yield f"-comments: {comments}"
    if name != "delta" and FUNCTION not in pprof("-list", FUNCTION, file):
        yield f"-list {FUNCTION}: nothing"
    # One against itself is nothing, one against the one before is the difference of the totals.
    if raw.read(pprof("-raw", f"-base={file}", file))["samples"]:
        yield "-base: a profile less itself is not empty"
    if before:
        grown = [now - then for now, then in zip(sums.values(), before["totals"])]
        for kind, expected in zip(TYPES, grown):
            index = f"-sample_index={kind.split('/')[0]}"
            top = pprof("-top", index, *whole, f"-diff_base={before['file']}", file)
            told = re.search(r"accounting for (-?\d+)B?,", top)
            if not told or int(told[1]) != expected:
                yield f"-diff_base {index}: {told and told[0]} instead of {expected}"


def blind(profile, shown):
    """Faults that the comparison does not see."""

    def changed(change):
        other = copy.deepcopy(profile)
        change(other)
        return other

    def set_value(other):
        other["samples"][0]["values"][1] += 1

    def rename(other):
        other["samples"][0]["stack"][0] = ["renamed"]

    faults = {
        "a sample less": lambda other: other["samples"].pop(),
        "a byte more": set_value,
        "another function": rename,
        "a label less": lambda other: next(s for s in other["samples"] if s["labels"])["labels"].pop(),
        "a label's number": lambda other: next(s for s in other["samples"] if s["labels"])["labels"][0].__setitem__(1, 1),
        "another type": lambda other: other["types"].reverse(),
    }
    for fault, change in faults.items():
        if not any(differences(profile, changed(change))):
            yield f"the comparison does not see: {fault}"
    for fault, change in {
        "a byte more": lambda other: other["samples"][0].__setitem__("value", other["samples"][0]["value"] + 1),
        "another function": lambda other: other["samples"][0]["stack"].__setitem__(0, "renamed"),
        "another total": lambda other: other.__setitem__("total", other["total"] + 1),
    }.items():
        other = copy.deepcopy(shown)
        change(other)
        if not any(speedscope_differences(profile, other, 3)):
            yield f"the comparison with speedscope does not see: {fault}"


def main():
    modules, program, heaplens = sys.argv[1:]
    problems = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        pprof = Pprof(directory)
        files = {}
        with Service(program, directory) as service:
            while FUNCTION not in pprof("-top", "-nodecount=1000000", "-nodefraction=0", f"{service.url}/debug/pprof/heap"):
                time.sleep(1)
            # Some more of everything.
            time.sleep(5)
            for profile, path in PROFILES.items():
                files[profile] = service.fetch(path, directory / f"{profile}.pb.gz")
        again = {profile: directory / f"{profile}-again.pb.gz" for profile in files}
        for profile, file in files.items():
            pprof("-proto", f"-output={again[profile]}", file)
        decoded = node("pprof_format.mjs", modules, [*files.values(), *again.values()])
        shown = node("speedscope.mjs", modules, [*files.values()])
        own, packed = converted(heaplens, files["heap"], directory)
        judged = node("speedscope.mjs", modules, [own])[own], node("pprof_format.mjs", modules, [packed])[packed]
        problems += [f"converted: {of}" for of in conversion_differences(decoded[files["heap"]], *judged)]
        judged[0]["samples"][0]["value"] += 1
        if not any(conversion_differences(decoded[files["heap"]], *judged)):
            problems.append("the comparison of what is converted does not see a byte more")
        checked = subprocess.run([heaplens, "check", *files.values()], capture_output=True, text=True)
        if checked.returncode:
            problems.append(f"heaplens check: {checked.stdout}{checked.stderr}")
        before = None
        for profile, file in files.items():
            ours = decoded[file]
            found = [f"types: {ours['types']}"] if ours["types"] != TYPES else []
            found += differences(ours, raw.read(pprof("-raw", file)))
            found += [f"-proto: {of}" for of in differences(ours, decoded[again[profile]])]
            # Where no type is named as the default, viewers take the last.
            found += speedscope_differences(ours, shown[file], 1 if profile == "allocs" else 3)
            found += reports(pprof, profile, file, ours, before if profile == "allocs" else None)
            if profile == "heap":
                found += blind(ours, shown[file])
                before = {"file": file, "totals": totals(ours)}
            problems += [f"{profile}: {problem}" for problem in found]
            functions = {name for sample in ours["samples"] for name in flat(sample["stack"])}
            labels = sum(len(sample["labels"]) for sample in ours["samples"])
            print(f"{profile}: {len(ours['samples'])} samples, {len(functions)} functions, {labels} labels,", end=" ")
            print(f"totals {' '.join(map(str, totals(ours)))}")
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        raise SystemExit(f"check-readers: {len(problems)} differences")
    print("go tool pprof, pprof-format and speedscope read the same, converted or not")


main()

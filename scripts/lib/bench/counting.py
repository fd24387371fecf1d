"""Counts instructions with callgrind. They do not depend on the load of the machine."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from plan import COUNTED, COUNTED_ALLOCATORS, COUNTED_FOR_ALL, CORES, NO_DECAY
from running import Failed, environment_of

PATIENCE = 150


def instructions(program, allocator, workload, count):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(program),
               workload, str(count), "1", str(COUNTED[workload])]
    try:
        result = subprocess.run(command, env=environment_of(allocator), stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"no end after {PATIENCE} s under callgrind") from None
    found = re.search(r"Collected *: *(\d+)", result.stderr)
    if result.returncode or not found:
        raise Failed(f"status {result.returncode} under callgrind: {result.stderr.strip()[-300:]}")
    return int(found[1])


def slope(program, allocator, workload):
    """Instructions of a unit, without those of the start and the end of the program, and of the
    first time that each thing is done: both runs begin with the same work. jemalloc's
    decay is off, for it goes by the clock; Heaplens' bound likewise; its samples are the same in
    each run."""
    settings = [allocator.environment.get("_RJEM_MALLOC_CONF"), NO_DECAY]
    allocator = replace(allocator, environment=allocator.environment | {
        "_RJEM_MALLOC_CONF": ",".join(filter(None, settings)),
        "HEAPLENS_MAX_OVERHEAD": "0", "HEAPLENS_SEED": "1"})
    count = COUNTED[workload]
    once = instructions(program, allocator, workload, count)
    twice = instructions(program, allocator, workload, 2 * count)
    return (twice - once) / count


def wanted(allocators, quick):
    """Whose instructions are counted, and on what."""
    for allocator in allocators:
        if allocator.key in ("again", "on", "on64k", "dhat"):
            continue
        if quick:
            workloads = COUNTED_FOR_ALL
        elif allocator.key in COUNTED_ALLOCATORS:
            workloads = list(COUNTED)
        else:
            workloads = COUNTED_FOR_ALL
        yield from ((allocator, workload) for workload in workloads)


def count_all(builder, tasks, say):
    """Figures by workload and allocator, and the failures."""
    def one(task):
        allocator, workload = task
        try:
            return slope(builder.program(allocator.build), allocator, workload)
        except Failed as failed:
            return failed

    figures, failures = {}, {}
    tasks = list(tasks)
    with ThreadPoolExecutor(CORES) as pool:
        for (allocator, workload), outcome in zip(tasks, pool.map(one, tasks)):
            if isinstance(outcome, Failed):
                failures[allocator.key, workload] = str(outcome)
                say(f"{allocator.key} on {workload}: {outcome}")
            else:
                figures.setdefault(workload, {})[allocator.key] = outcome
    return figures, failures

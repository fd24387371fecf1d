"""Runs programs, in turn, and keeps what they print."""

import json
import os
import subprocess
import time

# Seconds that a run may take: some peers deadlock.
PATIENCE = 30
# Of the work, one part in so many is done before what is measured.
WARM_UP = 8


class Failed(Exception):
    """A run that gives no figure, with the reason."""


def environment_of(allocator):
    """The caller's environment without what would set an allocator, and this allocator's own."""
    return clean_environment() | allocator.environment


def clean_environment():
    """The caller's environment without what would set an allocator."""
    prefixes = ("HEAPLENS_", "_RJEM_MALLOC", "MALLOC_", "MIMALLOC_", "PPROF_ALLOC_", "BENCH_")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


def run(program, allocator, workload, count, threads):
    command = [str(program), workload, str(count), str(threads), str(count // WARM_UP)]
    try:
        result = subprocess.run(command, env=environment_of(allocator), stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"no end after {PATIENCE} s") from None
    if result.returncode:
        raise Failed(f"status {result.returncode}: {result.stderr.strip()[-300:]}")
    measured = json.loads(result.stdout)
    check_state(allocator, measured["state"])
    return measured


def check_state(allocator, state):
    for name, expected in allocator.expected.items():
        if state.get(name) != expected:
            raise Failed(f"it says {name} = {state.get(name)}, where {expected} was expected")


class Rounds:
    """Each round runs every case under every allocator, short ones in several turns; the allocators
    of a case come one after the other, each time another one first."""

    def __init__(self, builder, allocators, cases, rounds, say):
        self.builder, self.allocators, self.cases = builder, allocators, cases
        self.rounds, self.say = rounds, say
        self.runs, self.failures = [], {}

    def all(self):
        for number in range(self.rounds):
            start = time.monotonic()
            for index, case in enumerate(self.cases):
                for turn in range(case.turns):
                    for allocator in rotated(self.allocators, number + index + turn):
                        self.once(number, turn, case, allocator)
            self.say(f"round {number + 1} of {self.rounds}: {time.monotonic() - start:.0f} s")
        return self

    def once(self, number, turn, case, allocator):
        if (allocator.key, case.key) in self.failures:
            return
        count = max(1, round(case.count * allocator.share))
        program = self.builder.program(allocator.build)
        try:
            measured = run(program, allocator, case.workload, count, case.threads)
        except Failed as failed:
            self.failures[allocator.key, case.key] = str(failed)
            self.say(f"{allocator.key} on {case.key}: {failed}")
            return
        self.runs.append({"allocator": allocator.key, "case": case.key, "round": number,
                          "turn": turn, **measured})


def rotated(things, by):
    by %= len(things)
    return things[by:] + things[:by]

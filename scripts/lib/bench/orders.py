"""A program linked in several orders of its functions, for where the linker puts so few
instructions matters more than what they do."""

import json
import subprocess

from building import cargo, executables, last_lines
from plan import ORDERS
from running import clean_environment
from summary import geometric_mean
from tables import number

# Seconds for a run.
PATIENCE = 300


def measure(what, build, arguments, root, target, say):
    """For each order what the program said; the linker's own order alone where it knows no other.
    `build` is the command of cargo, `what` names the program in messages."""
    def run(flags):
        return run_once(what, build, flags, arguments, root, target, say)
    measured = []
    for seed in range(1, ORDERS + 1):
        found = run(["-C", f"link-arg=-Wl,--shuffle-sections=.text*={seed}"])
        if found is None:
            break
        measured.append(found)
    if not measured:
        say(f"{what}: in the linker's own order only")
        found = run([])
        measured = [found] if found else []
    return measured


def run_once(what, build, flags, arguments, root, target, say):
    """Lines of the program, or None if it could not be built or run."""
    built = cargo(root, [*build, "--target-dir", target], after=["--", *flags])
    if built.returncode:
        say(f"{what}: not built: {last_lines(built.stderr)}")
        return None
    (_, program), = executables(built.stdout)
    try:
        result = subprocess.run([program, *arguments], env=clean_environment(), check=True,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=PATIENCE)
    except subprocess.SubprocessError as error:
        say(f"{what}: {error}")
        return None
    return [json.loads(line) for line in result.stdout.splitlines()]


def by_name(measured, key):
    """The lines of all orders by what they are of, as the first order has them."""
    return {first[key]: [row for order in measured for row in order if row[key] == first[key]]
            for first in measured[0]}


def mean(values):
    """The geometric mean with the least and the most."""
    return geometric_mean(values), min(values), max(values)


def cell(of):
    """A mean as the tables have it."""
    return f"{number(of[0], 3)} ({of[1]:.2f}–{of[2]:.2f})"


def counted(measured):
    """How many orders there were, in words."""
    return ("one order of its functions, the linker's own" if len(measured) == 1 else
            f"{len(measured)} orders of its functions")

"""Checks the Grafana dashboards: see scripts/check-dashboards."""

import os
import sys
import tempfile
import time
from pathlib import Path

import faults
import model
import schema
import structure
from answers import Answers
from environment import Environment, Failure, PATIENCE

# Metrics of which expressions may be without data, by what keeps them from it: without a limit the
# time until it is known only where a map has a bound of its own.
EXCUSES = {"no memory limit can be set up here": ("process_memory_limit_bytes", "map_seconds_to_limit")}


def static(boards, modules):
    problems = [p for name, board in boards.items() for p in structure.problems(name, board)]
    names = {}
    for name, board in boards.items():
        if not board.get("uid") or board["uid"] in names:
            problems.append(f"{name}: no uid of its own: {board.get('uid')!r}")
        names[board.get("uid")] = name
    with tempfile.TemporaryDirectory() as directory:
        problems += schema.problems(boards, Path(directory), modules)
    return problems


def blind(boards, modules):
    """Faults that the checks do not see."""
    for fault, board in faults.copies(boards, faults.STRUCTURE).items():
        if not structure.problems(fault, board):
            yield f"the check of structure does not see: {fault}"
    # As files of one program; the names of files are plain.
    wrong = faults.copies(boards, faults.FORM)
    files = {f"fault-{number}": fault for number, fault in enumerate(wrong)}
    with tempfile.TemporaryDirectory() as directory:
        said = schema.problems({file: wrong[fault] for file, fault in files.items()}, Path(directory), modules)
    for file, fault in files.items():
        if not any(f"{file}.ts(" in line for line in said):
            yield f"the check of form does not see: {fault}"


def live(boards, variable, leaky, caches):
    """Against the Prometheus that the environment variable names."""
    start = time.monotonic()
    with Environment(os.environ[variable], leaky, caches) as environment:
        answers = Answers(environment)
        unanswered = answers.wait(boards, PATIENCE)
        problems, excused = [], []
        known = environment.exported()
        for note in environment.notes:
            known.update(EXCUSES[note])
        for name, board in boards.items():
            problems += structure.unknown_metrics(name, board, known)
            for check in (answers.variables(board), answers.labels(name, board), answers.links(board)):
                problems += [f"{name}: {problem}" for problem in check]
        for (name, where), (expression, _) in unanswered.items():
            excuses = (n for n in environment.notes if any(metric in expression for metric in EXCUSES[n]))
            reason = next(excuses, None)
            if reason:
                excused.append(f"{name}: {where}: no data, as {reason}")
            else:
                problems.append(f"{name}: {where}: no data for {expression}")
    asked = len(answers.series)
    print(f"{variable}: {asked - len(unanswered)} of {asked} expressions gave data", end=" ")
    print(f"after {time.monotonic() - start:.0f} s")
    for line in excused:
        print(f"  excused: {line}")
    return problems


def main():
    modules, leaky, caches, *variables = sys.argv[1:]
    try:
        boards = model.load()
        for name, board in boards.items():
            count = sum(1 for _ in model.panels(board))
            print(f"{name}: {count} panels, {sum(1 for _ in model.expressions(board))} expressions")
        problems = static(boards, Path(modules))
        problems += blind(boards, Path(modules))
        print(f"form and structure: {len(problems)} problems; {len(faults.FORM) + len(faults.STRUCTURE)} faults tried")
        for variable in variables:
            problems += live(boards, variable, leaky, caches)
    except (model.Problem, Failure) as problem:
        problems = [str(problem)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

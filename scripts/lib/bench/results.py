"""What was measured, as the report asks for it."""

from statistics import median

from plan import ALLOCATORS, CASES
from summary import compare, geometric_mean, spread


class Results:
    def __init__(self, raw):
        self.raw = raw
        self.failures = {tuple(key.split(" ", 1)): reason
                         for key, reason in raw["failures"].items()}
        self.by_key, self.ratios = {}, {}
        for run in raw["runs"]:
            turn = (run["round"], run.get("turn", 0))
            self.by_key.setdefault((run["allocator"], run["case"]), {})[turn] = run
        present = {allocator for allocator, _ in self.by_key}
        self.allocators = [one for one in ALLOCATORS if one.key in present]
        self.cases = [one for one in CASES if any(case == one.key for _, case in self.by_key)]

    def allocator(self, key):
        return next((one for one in self.allocators if one.key == key), None)

    def values(self, allocator, case, figure, unit=True):
        """By round and turn: the figure, for a unit of work if it grows with that."""
        runs = self.by_key.get((allocator, case.key), {})
        return {turn: picked(run, figure) / (case.units(run["count"]) if unit else 1)
                for turn, run in sorted(runs.items())}

    def median(self, allocator, case, figure, unit=True):
        values = self.values(allocator, case, figure, unit)
        return median(values.values()) if values else None

    def spread(self, allocator, case, figure):
        values = self.values(allocator, case, figure)
        return spread(values.values()) if values else None

    def ratio(self, allocator, case, figure="cpu", unit=True):
        """Against the allocator's own base, or None if either has no figure."""
        if allocator is None or allocator.base is None or (allocator.key, case.key) in self.failures:
            return None
        key = (allocator.key, case.key, figure)
        if key not in self.ratios:
            self.ratios[key] = self.compared(allocator, case, figure, unit)
        return self.ratios[key]

    def compared(self, allocator, case, figure, unit):
        own = self.values(allocator.key, case, figure, unit)
        base = self.values(allocator.base, case, figure, unit)
        turns = sorted(own.keys() & base.keys())
        if not turns or not all(base[turn] for turn in turns):
            return None
        return compare([own[turn] for turn in turns], [base[turn] for turn in turns])

    def mean_ratio(self, allocator, kind):
        """Geometric mean of the ratios of the cases of that kind."""
        ratios = [self.ratio(allocator, case) for case in self.cases if case.kind == kind]
        return geometric_mean([one["median"] for one in ratios]) if ratios and all(ratios) else None

    def instructions(self, workload, allocator):
        return self.raw["instructions"].get(workload, {}).get(allocator)


def picked(run, figure):
    return run["figures"].get(figure, 0.0) if figure not in run else run[figure]

"""Tests of the statistics and of the report: python3 scripts/lib/bench/test_bench.py"""

import random
import tempfile
import unittest
from pathlib import Path
from statistics import median
from xml.etree import ElementTree

import contention
import footprint
import machine
import in_turn
import pairs
import plots
from plan import ALLOCATORS, BUILDS, CASES, QUICK_ALLOCATORS, QUICK_CASES
from report import markdown, others
from results import Results
from running import rotated
from summary import compare, ratio_interval, spread
from verdicts import against_peers, verdict

CRATES = {"tikv-jemallocator": "0.7.0"}


def results(factors, rounds=9):
    """Raw results where each allocator takes `factors[key]` times what its base takes."""
    generator, runs = random.Random(1), []
    for number in range(rounds):
        for case in CASES[:1] + CASES[-1:]:
            disturbance = generator.uniform(1, 2)
            for key, factor in factors.items():
                runs.append({"allocator": key, "case": case.key, "round": number, "count": 10,
                             "threads": case.threads, "cpu": factor * disturbance, "wall": 1.0,
                             "peak_resident": 1 << 22, "state": {},
                             "figures": {"p99": 0.001, "requests_per_second": 5.0}})
    machine = {"processor": "x", "cores": 2, "memory": 1 << 30, "virtual": True, "kernel": "x",
               "libc": "x", "rustc": "x", "valgrind": "x", "commit": "x", "crates": CRATES}
    held = [{"bytes": 10_000_000, "trials": 3, "rms": 0.1, "stated": 0.1}]
    row = {"held": held, "held_bounded": held, "lifo": None, "json": None}
    return {"runs": runs, "failures": {"dhat json/1": "no end after 30 s"}, "rounds": rounds,
            "machine": machine, "command": "scripts/bench", "started": "x", "ended": "x",
            "others": {"programs": 0.01, "machines": 0.002}, "instructions": {"pair64": {"jemalloc": 97}},
            "builds": {build.name: {"command": "c", "error": None} for build in BUILDS},
            "intervals": [row | {"interval": 1 << 16}, row | {"interval": 1 << 19}]}


class Sections(unittest.TestCase):
    def test_threads_are_judged_by_what_the_plain_allocator_keeps(self):
        # With 64 threads the plain one keeps half of its throughput, the other a quarter.
        throughput = {"jemalloc": [[8e6, 8e6], [8e6, 8e6], [4e6, 4e6]],
                      "on": [[4e6, 4e6], [4e6, 4e6], [1e6, 1e6]]}
        rows = [{"workload": workload, "interval": 1 << 19, "threads": [1, 2, 64],
                 "keys": ["jemalloc", "on"], "throughput": throughput}
                for workload in contention.WORKLOADS]
        written = contention.section(rows)
        self.assertEqual(written.count("| 1.000 (1.00–1.00) | 0.500 (0.50–0.50) |"), 2)
        self.assertEqual(contention.section(None), "")

    def test_the_footprint_names_what_was_measured(self):
        row = {"interval": 1 << 19, "live_samples": 1_203, "stacks": 65, "lost": 7,
               "memory_used": 3 << 20, "memory_budget": 16 << 20, "resident": 700 << 20,
               "resident_before": 60 << 20}
        written = footprint.section({"rows": [row], "bytes_a_sample": 40.0,
                                     "bytes_a_stack": None})
        self.assertIn("40.0 bytes for each live sample and – bytes", written)
        self.assertIn("| 512 KiB | 1,203 | 65 | 3 MiB | 16 MiB | 7 | 640 MiB |", written)
        self.assertEqual(footprint.section(None), "")

    def test_pairs_are_the_mean_of_the_orders(self):
        orders = [[{"pair": "pair64", "nanos": 4.0, "off": 0.96, "on": ratio}]
                  for ratio in (1.0, 1.21)]
        written = pairs.section(orders)
        self.assertIn("linked in 2 orders", written)
        self.assertIn("| pair64 | 4.00 ns | 0.960 (0.96–0.96) | 1.100 (1.00–1.21) |", written)
        self.assertIn("the linker's own", pairs.section(orders[:1]))
        self.assertEqual(pairs.section([]), "")

    def test_workloads_in_turn_are_compared_stretch_by_stretch(self):
        # The machine is half as fast for the second stretch, for both.
        orders = [[{"workload": "map", "plain": [1.0, 2.0, 1.0], "off": [1.0, 2.0, 3.0],
                    "on": [on, 2 * on, on]}] for on in (1.0, 1.21)]
        written = in_turn.section(orders)
        self.assertIn("the mean of 2 orders", written)
        self.assertIn("| map | 1.000 (1.00–1.00) | 1.100 (1.00–1.21) |", written)
        self.assertIn("the linker's own", in_turn.section(orders[:1]))
        self.assertEqual(in_turn.section([]), "")


class Statistics(unittest.TestCase):
    def test_the_interval_holds_the_truth_about_as_often_as_it_says(self):
        generator, held = random.Random(7), 0
        for trial in range(200):
            base = [generator.gauss(100, 5) for _ in range(15)]
            measured = [generator.gauss(110, 5) for _ in range(15)]
            low, high = ratio_interval(measured, base, seed=trial)
            held += low <= 1.1 <= high
        self.assertGreater(held, 175)
        self.assertLess(held, 200)

    def test_a_disturbance_of_a_round_cancels(self):
        generator = random.Random(3)
        noise = [generator.uniform(1, 3) for _ in range(9)]
        compared = compare([1.5 * one for one in noise], noise)
        for figure in ("median", "minimum", "low", "high"):
            self.assertAlmostEqual(compared[figure], 1.5)

    def test_one_round_has_no_interval(self):
        self.assertIsNone(compare([2], [1])["low"])

    def test_the_spread_is_half_the_distance_of_the_quartiles(self):
        self.assertAlmostEqual(spread([90, 95, 100, 105, 110]), 0.05)


class Plan(unittest.TestCase):
    def test_names_refer_to_what_there_is(self):
        keys = {one.key for one in ALLOCATORS}
        self.assertEqual(len(keys), len(ALLOCATORS))
        self.assertLessEqual({one.base for one in ALLOCATORS if one.base}, keys)
        self.assertLessEqual(set(QUICK_ALLOCATORS), keys)
        self.assertLessEqual(set(QUICK_CASES), {case.key for case in CASES})
        self.assertEqual({one.build for one in ALLOCATORS}, {build.name for build in BUILDS})

    def test_each_allocator_is_first_in_turn(self):
        self.assertEqual([rotated([1, 2, 3], turn)[0] for turn in range(4)], [1, 2, 3, 1])


class Report(unittest.TestCase):
    raw = results({"jemalloc": 1.0, "again": 1.0, "on": 1.01, "jemalloc-prof": 1.4,
                   "stoolap-off": 0.8, "stoolap": 0.8})

    def test_ratios_are_against_each_ones_own_base(self):
        read = Results(self.raw)
        case = read.cases[0]
        self.assertAlmostEqual(read.ratio(read.allocator("stoolap"), case)["median"], 1.0)
        self.assertAlmostEqual(read.ratio(read.allocator("on"), case)["median"], 1.01)
        own = read.values("on", case, "cpu")
        self.assertAlmostEqual(read.median("on", case, "cpu"), median(own.values()))

    def test_verdicts_say_what_is_and_is_not_sure(self):
        sure = {"median": 1.0, "low": 0.99, "high": 1.01}
        self.assertEqual(verdict(sure, 1.02), "kept")
        self.assertEqual(verdict(sure | {"high": 1.05}, 1.02), "kept, within the noise")
        self.assertEqual(verdict(sure | {"median": 1.04, "high": 1.05}, 1.02),
                         "not kept, within the noise")
        self.assertEqual(verdict({"median": 1.04, "low": 1.03, "high": 1.05}, 1.02), "not kept")

    def test_a_peer_that_costs_less_is_named(self):
        read = Results(self.raw)
        found = against_peers(read, read.allocator("on"))
        self.assertEqual(found["jemalloc-prof"][1], [])
        self.assertEqual(len(found["stoolap"][1]), len(read.cases))

    def test_others_are_told_and_warned_of(self):
        quiet = others({"programs": 0.021, "machines": 0.01})
        self.assertIn("other programs used 2.1% of the processors", quiet)
        self.assertNotIn("worth little", quiet)
        self.assertIn("worth little", others({"programs": 0.04, "machines": 0.02}))

    def test_a_busy_neighbour_is_seen(self):
        neighbours = machine.Neighbours()
        alone = neighbours.shares()
        self.assertLessEqual(sum(alone.values()), 1.0001)
        self.assertTrue(all(share >= 0 for share in alone.values()))

    def test_turns_of_a_round_are_each_compared(self):
        raw = results({"jemalloc": 1.0, "on": 1.0}, rounds=2)
        again = [run | {"turn": 1, "cpu": 2 * run["cpu"]} for run in raw["runs"]]
        read = Results(raw | {"runs": raw["runs"] + again})
        self.assertEqual(read.ratio(read.allocator("on"), read.cases[0])["rounds"], 4)

    def test_the_report_and_the_plots_are_made_of_the_results(self):
        with tempfile.TemporaryDirectory() as directory:
            drawn = plots.draw(self.raw, Path(directory))
            self.assertEqual(drawn, ["application", "stress", "interval"])
            for name in drawn:
                ElementTree.parse(Path(directory) / f"bench-{name}.svg")
        text = markdown(self.raw, drawn, "docs/pictures")
        for words in ("1.010 (1.01–1.01)", "1.400 (1.40–1.40)", "no end after 30 s",
                      "**stoolap-jemalloc** costs no more", "docs/pictures/bench-stress.svg"):
            self.assertIn(words, text)


if __name__ == "__main__":
    unittest.main()

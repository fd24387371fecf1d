"""Whole programs under both allocators in one process, in turn; and that in several orders of the
functions."""

from statistics import median

import orders
from tables import table

BUILD = ["cargo", "rustc", "--locked", "--release", "--manifest-path", "bench/Cargo.toml",
         "--package", "bench-in-turn"]
WORKLOADS = ["map", "json", "tokens", "lifo", "fifo", "grow8k"]


def measure(root, target, say):
    """For each order what the program said."""
    return orders.measure("programs in turn", BUILD, WORKLOADS, root, target, say)


def ratio(row, key):
    """Median of the ratios of neighbouring stretches."""
    return median(own / plain for own, plain in zip(row[key], row["plain"]))


def means(measured):
    """By workload: both ratios."""
    return {name: {key: orders.mean([ratio(row, key) for row in of]) for key in ("off", "on")}
            for name, of in orders.by_name(measured, "workload").items()}


def section(measured):
    """Part of the report; empty where nothing was measured."""
    if not measured:
        return ""
    rows = [[name, orders.cell(of["off"]), orders.cell(of["on"])]
            for name, of in means(measured).items()]
    return "\n".join([
        "## Workloads, in one process", "",
        "The time of a workload under Heaplens, as a ratio to that under plain tikv-jemallocator, "
        "both in one process and in turn, some 40 ms each: a global allocator passes each call on "
        "to the one whose turn it is. The median of the ratios of neighbouring stretches, as the "
        f"mean of {orders.counted(measured)}, and in brackets the least and the most. `cargo run --release "
        "--manifest-path bench/Cargo.toml -p bench-in-turn -- map` prints the stretches.", "",
        table(["", "Heaplens, sampling off", "Heaplens"], rows)])

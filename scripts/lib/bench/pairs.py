"""A pair of malloc and free under both allocators in one process, in turn; and that in several
orders of the functions."""

import orders
from summary import geometric_mean
from tables import table

BUILD = ["cargo", "rustc", "--locked", "--profile", "bench", "--package", "heaplens-alloc",
         "--bench", "pairs"]


def measure(root, target, say):
    """For each order what the benchmark said."""
    return orders.measure("pairs", BUILD, ["--json"], root, target, say)


def means(measured):
    """By pair: nanoseconds, and both ratios."""
    return {name: {"nanos": geometric_mean([row["nanos"] for row in of])} | {
                key: orders.mean([row[key] for row in of]) for key in ("off", "on")}
            for name, of in orders.by_name(measured, "pair").items()}


def section(measured):
    """Part of the report; empty where nothing was measured."""
    if not measured:
        return ""
    rows = [[name, f"{of['nanos']:.2f} ns", orders.cell(of["off"]), orders.cell(of["on"])]
            for name, of in means(measured).items()]
    return "\n".join([
        "## A pair, in one process", "",
        "The time of a pair through Heaplens, as a ratio to that under plain tikv-jemallocator, both "
        "in one process and in turn, 5 ms each: what the machine does to one it does to the other, "
        "which programs of their own do not have. The program was linked in "
        f"{orders.counted(measured)}: the mean, and in brackets the least and the most, for where "
        "the linker puts so few instructions matters more than what they do. With sampling on, the "
        "bound of 1 % is in it. `cargo bench -p heaplens-alloc --bench pairs`.", "",
        table(["", "plain", "Heaplens, sampling off", "Heaplens"], rows)])

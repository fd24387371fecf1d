"""Checks by its machine code that an allocation cannot panic.

    hot_path.py PROGRAM

Follows calls and jumps of a release build from the four functions through which
the compiler allocates. No function that panics may be reached and no thread-local of
the dynamic kind, except in the walk of a stack, whose panics are caught there.
"""

import collections
import re
import subprocess
import sys

ENTRIES = ("alloc", "alloc_zeroed", "dealloc", "realloc")
CATCHES = "heaplens_alloc::stack::Capture::capture"
FORBIDDEN = re.compile(
    r"panic|unwrap_failed|expect_failed|slice_\w*fail|handle_alloc_error|__tls_get_addr"
)
SYMBOL = re.compile(r"^([0-9a-f]+) <(.*)>:$")
DIRECT = re.compile(r"\b(?:call|j[a-z]+)\s+[0-9a-f]+ <(.*?)(?:\+0x[0-9a-f]+)?>\s*$")
BY_TABLE = re.compile(r"\b(?:call|jmp)\s+\*0x[0-9a-f]+\(%rip\)\s+# ([0-9a-f]+)")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def table(program):
    """Address of each entry of the global offset table, and what it will hold."""
    entries = {}
    for line in output("readelf", "--relocs", "--wide", program).splitlines():
        part = line.split()
        if len(part) == 4 and part[2] == "R_X86_64_RELATIVE":
            entries[int(part[0], 16)] = int(part[3], 16)
        elif len(part) >= 5 and part[2] in ("R_X86_64_GLOB_DAT", "R_X86_64_JUMP_SLOT"):
            entries[int(part[0], 16)] = part[4]
    return entries


def call_graph(program):
    """Which functions each one calls or jumps to. Those of one name count as one."""
    listing = output("objdump", "--disassemble", "--no-show-raw-insn", "--demangle", program)
    lines = listing.splitlines()
    symbols = [match for match in map(SYMBOL.match, lines) if match]
    names = {int(match[1], 16): match[2] for match in symbols}
    entries = table(program)
    graph, current = collections.defaultdict(set), None
    for line in lines:
        if match := SYMBOL.match(line):
            current = match[2]
            graph[current] |= set()
        elif match := DIRECT.search(line):
            graph[current].add(match[1])
        elif match := BY_TABLE.search(line):
            target = entries.get(int(match[1], 16))
            graph[current].add(names.get(target, str(target)))
    return graph


def reached(graph, starts, stop=None):
    """What can be reached, each with the function that it was reached from."""
    seen, waiting = {}, [(start, None) for start in starts]
    while waiting:
        name, caller = waiting.pop()
        if name in seen:
            continue
        seen[name] = caller
        if name != stop:
            waiting += [(target, name) for target in graph.get(name, ())]
    return seen


def way(seen, name):
    steps = []
    while name:
        steps.append(name)
        name = seen[name]
    return " <- ".join(steps)


def main(program):
    graph = call_graph(program)
    starts = [name for name in graph if re.fullmatch(rf".*__rust_({'|'.join(ENTRIES)})", name)]
    if len(starts) != len(ENTRIES) or CATCHES not in graph:
        sys.exit(f"{program}: not a program with Heaplens as its allocator: {starts}")
    everything = reached(graph, starts)
    if not any(FORBIDDEN.search(name) for name in everything):
        sys.exit(f"{program}: no panic in the walk of a stack either: is the call graph whole?")
    seen = reached(graph, starts, stop=CATCHES)
    found = [name for name in seen if FORBIDDEN.search(name)]
    for name in found:
        print(f"an allocation may reach {way(seen, name)}")
    print(f"{len(seen)} functions reached, {len(found)} of them may panic")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

"""Checks by its machine code that an allocation cannot panic, and takes no detour.

    hot_path.py PROGRAM

Follows calls and jumps of a release build from the four functions through which
the compiler allocates. No function that panics may be reached and no thread-local of
the dynamic kind, except in the walk of a stack, whose panics are caught there.

On the common path none of the four may take a jump before the one to jemalloc: each
costs a cycle, of some fifteen for a pair. So what is straight on must lead there.
"""

import re
import subprocess
import sys

ENTRIES = ("alloc", "alloc_zeroed", "dealloc", "realloc")
CATCHES = "heaplens_alloc::stack::Capture::capture"
FORBIDDEN = re.compile(
    r"panic|unwrap_failed|expect_failed|slice_\w*fail|handle_alloc_error|__tls_get_addr"
)
JEMALLOC = re.compile(r"_rjem_(malloc|calloc|sdallocx|realloc)")
SYMBOL = re.compile(r"^([0-9a-f]+) <(.*)>:$")
DIRECT = re.compile(r"\b(?:call|j[a-z]+)\s+[0-9a-f]+ <(.*?)(?:\+0x[0-9a-f]+)?>\s*$")
BY_TABLE = re.compile(r"\b(?:call|jmp)\s+\*0x[0-9a-f]+\(%rip\)\s+# ([0-9a-f]+)")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def table(program, names):
    """Address of each entry of the global offset table, and the function that it will hold."""
    entries = {}
    for line in output("readelf", "--relocs", "--wide", program).splitlines():
        part = line.split()
        if len(part) == 4 and part[2] == "R_X86_64_RELATIVE":
            address = int(part[3], 16)
            entries[int(part[0], 16)] = names.get(address, str(address))
        elif len(part) >= 5 and part[2] in ("R_X86_64_GLOB_DAT", "R_X86_64_JUMP_SLOT"):
            entries[int(part[0], 16)] = part[4]
    return entries


def functions(program):
    """The instructions of each function, as text, and its name by its address. Functions of one
    name count as one."""
    listing = output("objdump", "--disassemble", "--no-show-raw-insn", "--demangle", program)
    found, names, current = {}, {}, None
    for line in listing.splitlines():
        if match := SYMBOL.match(line):
            current = found.setdefault(match[2], [])
            names[int(match[1], 16)] = match[2]
        elif current is not None:
            current.append(line)
    return found, names


def target(line, entries):
    """Where a call or jump leads, or None if it is none or leads to what a register says."""
    if match := DIRECT.search(line):
        return match[1]
    if match := BY_TABLE.search(line):
        return entries.get(int(match[1], 16))
    return None


def end_of_common_path(lines, entries):
    """Where a function goes when no condition has it jump before."""
    for line in lines:
        instruction = line.partition("\t")[2].split()
        if instruction and instruction[0] in ("jmp", "ret", "call"):
            return target(line, entries) or instruction[0]
    return None


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
    found, names = functions(program)
    entries = table(program, names)
    graph = {name: {target(line, entries) for line in lines} - {None}
             for name, lines in found.items()}
    starts = [name for name in graph if re.fullmatch(rf".*__rust_({'|'.join(ENTRIES)})", name)]
    if len(starts) != len(ENTRIES) or CATCHES not in graph:
        sys.exit(f"{program}: not a program with Heaplens as its allocator: {starts}")
    everything = reached(graph, starts)
    if not any(FORBIDDEN.search(name) for name in everything):
        sys.exit(f"{program}: no panic in the walk of a stack either: is the call graph whole?")
    seen = reached(graph, starts, stop=CATCHES)
    panics = [f"an allocation may reach {way(seen, name)}"
              for name in seen if FORBIDDEN.search(name)]
    print(f"{len(seen)} functions reached, {len(panics)} of them may panic")
    ends = {name: end_of_common_path(found[name], entries) for name in starts}
    jumps = [f"{name} jumps before it comes to jemalloc: to {end}"
             for name, end in ends.items() if not JEMALLOC.fullmatch(end or "")]
    print(f"{len(ends) - len(jumps)} of {len(ends)} come to jemalloc without a jump")
    for fault in panics + jumps:
        print(fault)
    sys.exit(1 if panics or jumps else 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

"""Makes a shared library with much debug information: large_library.py MEGABYTES FILE."""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Functions of a unit: some 350 kB of debug information.
FUNCTIONS = 100


def source(unit):
    """A unit with records, inlined functions, and functions that they are inlined into."""
    lines = []
    for record in range(200):
        fields = "".join(
            f" int a_field_of_some_length_{unit}_{record}_{field}; double another_field_{unit}_{record}_{field};"
            for field in range(12)
        )
        lines.append(f"struct record_{unit}_{record} {{{fields} }};")
    for inlined in range(8):
        lines += [
            f"static inline __attribute__((always_inline)) int inlined_{unit}_{inlined}(",
            f"    int value, struct record_{unit}_{inlined} *of) {{",
            f"  int first = value * {inlined + 3};",
            f"  int second = first ^ of->a_field_of_some_length_{unit}_{inlined}_1;",
            f"  if (second > {inlined}) first += second;",
            f"  of->another_field_{unit}_{inlined}_2 += first;",
            "  return first + second;",
            "}",
        ]
    for function in range(FUNCTIONS):
        a, b, c = function % 8, (function + 3) % 8, (function + 5) % 8
        lines += [
            f"__attribute__((noinline)) int function_number_{unit}_{function}(int value,",
            f"    struct record_{unit}_{a} *one, struct record_{unit}_{b} *two, struct record_{unit}_{c} *three) {{",
            f"  int local_one = inlined_{unit}_{a}(value, one);",
            f"  int local_two = inlined_{unit}_{b}(local_one, two);",
            "  for (int turn = 0; turn < value; turn++) {",
            f"    int inner = inlined_{unit}_{c}(turn, three);",
            f"    local_two += inner * {function};",
            "  }",
            "  return local_one - local_two;",
            "}",
        ]
    return "\n".join(lines) + "\n"


def build(directory, unit):
    file = directory / f"unit{unit}.c"
    file.write_text(source(unit))
    made = file.with_suffix(".o")
    subprocess.run(["cc", "-g", "-O1", "-fPIC", "-fno-eliminate-unused-debug-types", "-c", file, "-o", made], check=True)
    file.unlink()
    return made


def debug_bytes(file):
    told = subprocess.run(["size", "-A", file], check=True, capture_output=True, text=True).stdout
    rows = (line.split() for line in told.splitlines() if line.startswith(".debug_"))
    return sum(int(row[1]) for row in rows)


def main():
    wanted, library = int(sys.argv[1]) * 1_000_000, sys.argv[2]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        objects = [build(directory, 0)]
        units = max(1, round(wanted / debug_bytes(objects[0])))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects += pool.map(lambda unit: build(directory, unit), range(1, units))
        listed = directory / "objects"
        listed.write_text("\n".join(map(str, objects)))
        subprocess.run(["cc", "-shared", f"@{listed}", "-o", library], check=True)
    print(f"{units} units, {units * FUNCTIONS} functions")


main()

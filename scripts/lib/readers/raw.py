"""Reads the report `pprof -raw`."""

import re

LINE = re.compile(r"(?P<name>.*) \S*:\d+:\d+ s=\d+(\(.*\))?$")
LABEL = re.compile(r"([^\s:]+):\[([^\]]*)\]")


def read(report):
    """The types, and samples with stacks of names, labels and values, as pprof told them."""
    types, rows, names, section = [], [], {}, None
    location = None
    for line in report.splitlines():
        if line in ("Samples:", "Locations", "Mappings"):
            section = line
        elif section == "Samples:" and not types:
            types = line.replace("[dflt]", "").split()
        elif section == "Samples:" and line.startswith(" " * 16) and ":[" in line:
            rows[-1]["labels"] += [label(*found) for found in LABEL.findall(line)]
        elif section == "Samples:":
            values, stack = line.split(":")
            values, stack = ([int(word) for word in part.split()] for part in (values, stack))
            rows.append({"values": values, "stack": stack, "labels": []})
        elif section == "Locations":
            head = re.match(r" *(\d+): 0x[0-9a-f]+ (M=\d+ )?", line)
            if head:
                location = int(head[1])
                names[location] = []
            told = line[head.end() :] if head else line.strip()
            if told:
                names[location].append(LINE.match(told)["name"])
    for row in rows:
        row["stack"] = [names[at] for at in row["stack"]]
        row["labels"].sort()
    return {"types": types, "samples": rows}


def label(key, value):
    """As (key, text or number, unit)."""
    number, _, unit = value.partition(" ")
    return [key, int(number), unit] if unit else [key, value, ""]

"""Faults that the checks of form and structure must find, each in a copy of a dashboard."""

import copy

import model


def misspelt(*path):
    """Renames a key; a string among the steps of the path is a key, a number a place in a list."""

    def fault(board):
        *way, key = path
        part = board
        for step in way:
            part = part[step]
        part[key + "s"] = part.pop(key)

    return fault


def first(board, kind):
    return next(panel for panel in model.panels(board) if panel["type"] == kind)


def of(kind, *path):
    return lambda board: misspelt(*path)(first(board, kind))


def change(kind, do):
    return lambda board: do(first(board, kind))


# What the compiler must find.
FORM = {
    "key of the dashboard": misspelt("refresh"),
    "key of a variable": misspelt("templating", "list", 1, "includeAll"),
    "key of an annotation": misspelt("annotations", "list", 1, "titleFormat"),
    "key of a link": misspelt("links", 0, "keepTime"),
    "key of a panel": of("timeseries", "description"),
    "key of a place": of("timeseries", "gridPos", "h"),
    "key of a query": of("timeseries", "targets", 0, "legendFormat"),
    "option of a chart": of("timeseries", "options", "legend"),
    "option within an option": of("timeseries", "options", "legend", "displayMode"),
    "option of a stat": of("stat", "options", "graphMode"),
    "option of a table": of("table", "options", "cellHeight"),
    "standard setting of a field": of("stat", "fieldConfig", "defaults", "thresholds"),
    "own setting of a chart's field": of("timeseries", "fieldConfig", "defaults", "custom", "fillOpacity"),
    "own setting of a table's field": of("table", "fieldConfig", "defaults", "custom", "align"),
    "setting in an override": change(
        "table", lambda p: p["fieldConfig"]["overrides"][0]["properties"][0].update(id="displayNames")
    ),
    "value of an enumeration": change("stat", lambda p: p["options"].update(graphMode="areas")),
    "number as a string": change("stat", lambda p: p["fieldConfig"]["defaults"].update(max="1")),
    "kind of a transformation": change("table", lambda p: p["transformations"][0].update(id="merges")),
}

# What the checks of structure must find.
STRUCTURE = {
    "one id twice": lambda b: b["panels"][1].update(id=b["panels"][0]["id"]),
    "one panel on another": lambda b: b["panels"][1]["gridPos"].update(x=0),
    "panel beyond the edge": lambda b: b["panels"][1]["gridPos"].update(w=25),
    "no unit": change("timeseries", lambda p: p["fieldConfig"]["defaults"].pop("unit")),
    "unit that is none": change("timeseries", lambda p: p["fieldConfig"]["defaults"].update(unit="byte")),
    "no description": change("stat", lambda p: p.pop("description")),
    "no query": change("stat", lambda p: p["targets"].clear()),
    "override for no query": change(
        "table", lambda p: p["fieldConfig"]["overrides"][1]["matcher"].update(options="Value #Z")
    ),
    "variable that is not there": change("stat", lambda p: p["targets"][0].update(expr='up{job="$jobs"}')),
    "variable that nothing uses": lambda b: b["templating"]["list"].append(
        {**b["templating"]["list"][1], "name": "unused"}
    ),
    "several values matched by =": change("stat", lambda p: p["targets"][0].update(expr='up{instance="$instance"}')),
    "source of its own": change("stat", lambda p: p["targets"][0].update(datasource={"type": "prometheus", "uid": "x"})),
}


def copies(boards, faults):
    """A faulty copy for each fault, by its name."""
    name, board = next(iter(boards.items()))
    found = {}
    for fault, make in faults.items():
        found[fault] = copy.deepcopy(board)
        make(found[fault])
    return found

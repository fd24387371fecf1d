"""Checks that need nothing but the files."""

import re

import model

# What Prometheus adds to the series of a target.
PROMETHEUS_OWN = {"up", "ALERTS", "ALERTS_FOR_STATE"}
# Of the units that Grafana knows, those in use: others it prints behind the number as they are.
UNITS = {"binBps", "bool_on_off", "bytes", "cps", "dateTimeFromNow", "locale", "none", "ops", "percentunit", "s", "short"}
WIDTH = 24
# Panels that show text and nothing measured.
TEXT = {"text"}
CLAUSE = r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
FUNCTIONS = re.compile(rf"\b[a-zA-Z_]\w*(?=\s*(?:{CLAUSE}\s*)?\()")
KEYWORDS = {"and", "or", "unless", "bool", "offset"}


def problems(name, board):
    """All that is wrong, as lines of text."""
    return [
        f"{name}: {problem}"
        for check in (ids, places, texts, references, usage, sources)
        for problem in check(board)
    ]


def ids(board):
    seen = {}
    for panel in model.everything(board):
        if panel["id"] in seen:
            yield f"panels {seen[panel['id']]!r} and {panel['title']!r} have the id {panel['id']}"
        seen[panel["id"]] = panel["title"]


def places(board):
    taken = {}
    for panel in board["panels"]:
        at = panel["gridPos"]
        if at["w"] < 1 or at["h"] < 1 or at["x"] < 0 or at["y"] < 0 or at["x"] + at["w"] > WIDTH:
            yield f"{panel['title']!r} is outside the grid: {at}"
            continue
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                if (x, y) in taken:
                    yield f"{panel['title']!r} lies on {taken[x, y]!r}"
                    return
                taken[x, y] = panel["title"]


def texts(board):
    titles = set()
    for panel in model.panels(board):
        title = panel.get("title", "")
        if not title or title in titles:
            yield f"panel {panel['id']} has no title of its own: {title!r}"
        titles.add(title)
        if len(panel.get("description", "")) < 20:
            yield f"{title!r} has no description"
        if panel["type"] in TEXT:
            continue
        if not panel["fieldConfig"]["defaults"].get("unit"):
            yield f"{title!r} has no unit"
        for unit in units(panel):
            if unit not in UNITS and not unit.startswith("suffix: "):
                yield f"{title!r} has a unit that Grafana does not know: {unit}"
    for variable in model.variables(board):
        if not variable.get("label") or not variable.get("description"):
            yield f"variable {variable['name']} has no label or description"


def units(panel):
    """All units of a panel, those of single fields included."""
    fields = panel["fieldConfig"]
    found = [fields["defaults"].get("unit")]
    for override in fields["overrides"]:
        found += [property_["value"] for property_ in override["properties"] if property_["id"] == "unit"]
    return [unit for unit in found if unit]


def references(board):
    """Letters of queries are there once, and overrides of values name one that is."""
    for panel in model.panels(board):
        letters = [target["refId"] for target in panel.get("targets", [])]
        if len(set(letters)) != len(letters):
            yield f"{panel['title']!r} has two queries of one letter: {letters}"
        if panel["type"] not in TEXT and not letters:
            yield f"{panel['title']!r} asks nothing"
        for override in panel["fieldConfig"]["overrides"]:
            letter = re.fullmatch(r"Value #(\w+)", str(override["matcher"]["options"]))
            if letter and letter[1] not in letters:
                yield f"{panel['title']!r} has an override for {letter[0]!r}, but no query of it"


def usage(board):
    """Variables that are asked for are there, and those that are there are asked for."""
    variables = {variable["name"]: variable for variable in model.variables(board)}
    used = model.used_variables([board["panels"], board["annotations"], board["templating"]])
    for name in sorted(used - set(variables)):
        # `__interval` and the like are Grafana's own.
        if not name.startswith("__"):
            yield f"${name} is used, but no variable"
    expressions = [expression for _, expression, _ in model.expressions(board)]
    for name, variable in variables.items():
        if variable["type"] == "datasource":
            continue  # `sources` sees to it that all ask it.
        if name not in model.used_variables(expressions):
            yield f"variable {name} is in no expression"
        if variable["multi"] and any(re.search(rf'[^~]"\${name}\b', e) for e in expressions):
            yield f"${name} may have several values, but is not matched by =~ everywhere"


def sources(board):
    """Everything asks the source that the variable names."""
    places = list(model.panels(board))
    places += [target for panel in model.panels(board) for target in panel["targets"]]
    places += [a for a in board["annotations"]["list"] if "expr" in a]
    places += [v for v in model.variables(board) if v["type"] == "query"]
    for place in places:
        if place.get("datasource") != {"type": "prometheus", "uid": "${datasource}"}:
            yield f"{place.get('title') or place.get('name') or place['refId']!r} has a source of its own"


def metrics(expression):
    """Names of the metrics in an expression."""
    text = re.sub(r'"[^"]*"', '""', expression)
    # Label matchers, ranges and label lists hold no metric.
    text = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", text)
    functions = set(FUNCTIONS.findall(text))
    text = re.sub(CLAUSE, "", text)
    words = set(re.findall(r"(?<![\w.$])[a-zA-Z_:][\w:]*", text))
    return words - functions - KEYWORDS


def unknown_metrics(name, board, known):
    """Metrics in expressions that nothing exports."""
    known = known | PROMETHEUS_OWN
    for where, expression, _ in model.expressions(board):
        for metric in sorted(metrics(expression) - known):
            yield f"{name}: {where}: nothing exports {metric}"
    for variable in model.variables(board):
        if variable["type"] == "query":
            selector = model.LABEL_VALUES.match(variable["query"]["query"])[1]
            for metric in sorted(metrics(selector) - known):
                yield f"{name}: variable {variable['name']}: nothing exports {metric}"

"""The dashboards as data: panels, expressions, variables, links."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DIRECTORY = ROOT / "dashboards" / "grafana"

LABEL_VALUES = re.compile(r"label_values\((?:(.*),\s*)?(\w+)\)$", re.S)


class Problem(Exception):
    """Something that the dashboards get wrong."""


def load(directory=DIRECTORY):
    """All dashboards, by file name without its ending."""
    boards = {}
    for path in sorted(Path(directory).glob("*.json")):
        boards[path.stem] = json.loads(path.read_text(), object_pairs_hook=without_repetition)
    if not boards:
        raise Problem(f"no dashboards in {directory}")
    return boards


def without_repetition(pairs):
    """JSON takes the last of two equal keys in silence."""
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise Problem(f"keys that stand twice: {sorted({k for k in keys if keys.count(k) > 1})}")
    return found


def panels(board):
    """All panels, those of collapsed rows included, without the rows."""
    for panel in everything(board):
        if panel["type"] != "row":
            yield panel


def everything(board):
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def variables(board):
    return board["templating"]["list"]


def expressions(board):
    """`(where, expression, target)` of each panel and annotation; target is None for the latter."""
    for panel in panels(board):
        for target in panel.get("targets", []):
            yield f"{panel['title']} {target['refId']}", target["expr"], target
    for annotation in board["annotations"]["list"]:
        if "expr" in annotation:
            yield f"annotation {annotation['name']}", annotation["expr"], None


def strings(value):
    """All strings within."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)


def used_variables(value):
    """Names of the variables that strings within mention, Grafana's own included."""
    names = set()
    for text in strings(value):
        for bare, braced in re.findall(r"\$(?:(\w+)|\{([\w.]+)[^}]*\})", text):
            names.add(bare or braced)
    return names


def fill(text, values):
    """Puts values in the place of variables, `$name` and `${name:format}` alike."""

    def value(match):
        name = match[1] or match[2]
        if name not in values:
            raise Problem(f"no value for ${name} in {text!r}")
        return values[name]

    return re.sub(r"\$(?:(\w+)|\{([\w.]+)(?::\w+)?\})", value, text)


def links(panel):
    """Data links with the target or field they are for: (title, url)."""
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    found = [(link["title"], link["url"]) for link in defaults.get("links", [])]
    for override in panel.get("fieldConfig", {}).get("overrides", []):
        for property_ in override["properties"]:
            if property_["id"] == "links":
                found += [(link["title"], link["url"]) for link in property_["value"]]
    return found

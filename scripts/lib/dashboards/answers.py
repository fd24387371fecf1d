"""Sends every expression, variable and link where it belongs, and looks at what comes back."""

import re
import time
import urllib.parse

import model
from environment import JOB, Failure, get

# As Grafana fills them in for a range of a minute.
RANGE = 60
STEP = 5
VALUES = {"job": JOB, "instance": ".*", "map": ".*", "top": "10", "__rate_interval": "30s", "datasource": "prometheus"}


class Answers:
    def __init__(self, environment):
        self._environment = environment
        # Results by place, for the check of labels.
        self.series = {}

    def wait(self, boards, seconds):
        """Asks until all have answered; returns what has not."""
        left = {
            (name, where): (expression, target)
            for name, board in boards.items()
            for where, expression, target in model.expressions(board)
        }
        end = time.monotonic() + seconds
        while True:
            for place, (expression, target) in list(left.items()):
                self.series[place] = series = self.ask(expression, target)
                if series:
                    del left[place]
            if not left or time.monotonic() > end:
                return left
            time.sleep(1)

    def ask(self, expression, target):
        """The series that Prometheus gives for it, as Grafana would ask, each with its values."""
        query = model.fill(expression, VALUES)
        now = time.time()
        if target and target.get("instant"):
            data = self._environment.ask("query", query=query, time=now)
        else:
            data = self._environment.ask("query_range", query=query, start=now - RANGE, end=now, step=STEP)
        found = []
        for series in data["result"]:
            values = series.get("values") or [series["value"]]
            if any(value != "NaN" for _, value in values):
                found.append(series["metric"])
        return found

    def variables(self, board):
        """Variables whose query finds nothing."""
        for variable in model.variables(board):
            if variable["type"] != "query":
                continue
            selector, label = model.LABEL_VALUES.match(variable["query"]["query"]).groups()
            values = self._environment.ask(f"label/{label}/values", **{"match[]": model.fill(selector, VALUES)})
            if not values:
                yield f"variable {variable['name']} finds nothing"

    def labels(self, name, board):
        """Labels in legends, and fields in links, that no series has."""
        for panel in model.panels(board):
            for target in panel["targets"]:
                series = self.series[name, f"{panel['title']} {target['refId']}"]
                for label in re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")):
                    if series and not all(label in one for one in series):
                        yield f"{panel['title']!r}: the legend has {{{{{label}}}}}, which series do not have"
            if panel["type"] == "table" and len(panel["targets"]) > 1:
                for target in panel["targets"]:
                    # As a column it would keep the answers from being put into one line.
                    if any("__name__" in one for one in self.series[name, f"{panel['title']} {target['refId']}"]):
                        yield f"{panel['title']!r} {target['refId']} has the name of the metric in its answer"
            labels = set().union(
                *(one for t in panel["targets"] for one in self.series[name, f"{panel['title']} {t['refId']}"])
            )
            for title, url in model.links(panel) if labels else []:
                for label in re.findall(r"__(?:data\.fields|field\.labels)\.(\w+)", url):
                    if label not in labels:
                        yield f"{panel['title']!r}: the link {title!r} uses {label}, which no series has"

    def links(self, board):
        """Links to the service's own pages that are not there."""
        targets = self._environment.targets
        seen = set()
        for panel in model.panels(board):
            for title, url in model.links(panel):
                if not url.startswith("http"):
                    continue
                # On the leaking one is a map of each name that the panels know.
                values = {"instance": targets["leaking"], "map": urllib.parse.quote("sessions", safe="")}
                full = re.sub(
                    r"\$\{__(?:data\.fields|field\.labels)\.(\w+)(?::percentencode)?\}", lambda m: values.get(m[1], m[0]), url
                )
                if full in seen:
                    continue
                seen.add(full)
                if "$" in full:
                    yield f"{panel['title']!r}: the link {title!r} keeps a variable: {full}"
                    continue
                try:
                    get(full)
                except Failure as error:
                    yield f"{panel['title']!r}: the link {title!r}: {error}"
        if not seen:
            yield "no link to a page of the service"

"""Draws the dashboards from real data: see scripts/grafana-pictures."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import model
from answers import VALUES
from environment import JOB, Environment

# What the selectors above the panels say.
SHOWN = {"datasource": "Prometheus", "job": JOB, "instance": "All", "map": "All", "top": "10"}
# Enough for charts to be seen, within the time.
LOAD = {"rate": 800, "limit": 768 << 20, "map_bytes": 60_000_000, "process_bytes": 400_000_000}
# Rates need so many seconds of values.
WARM_UP = 60
LARGEST = 400_000
PAGE = '<!DOCTYPE html><meta charset="utf-8"><link rel="icon" href="data:,"><link rel="stylesheet" href="page.css"><div id="page"></div><script src="page.js"></script>'


def answers(environment, board, start, end, step):
    """What Prometheus answers to each query of each panel, by id and letter."""
    found = {}
    for panel in model.panels(board):
        found[panel["id"]] = {}
        for target in panel["targets"]:
            query = model.fill(target["expr"], VALUES)
            if target.get("instant"):
                data = environment.ask("query", query=query, time=end)
            else:
                data = environment.ask("query_range", query=query, start=start, end=end, step=step)
            found[panel["id"]][target["refId"]] = data["result"]
    return found


def main():
    modules, chromium, leaky, caches, seconds, width, output = sys.argv[1:]
    seconds, output = int(seconds), Path(output)
    pictures = Path(__file__).parent / "pictures"
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        (directory / "page.html").write_text(PAGE)
        boards = model.load()
        with Environment(os.environ["HEAPLENS_PROMETHEUS3"], leaky, caches, **LOAD) as environment:
            for note in environment.notes:
                print(note)
            subprocess.run(["node", pictures / "build.mjs", modules, pictures / "page.jsx", directory], check=True)
            print(f"gathering {seconds} s")
            time.sleep(WARM_UP + seconds)
            # Between two marks of the time axis, so that none is cut off.
            end = int(time.time()) // 30 * 30 - 12
            start = end - seconds
            for name, board in boards.items():
                found = answers(environment, board, start, end, max(1, seconds // 120))
                (directory / f"{name}.json").write_text(
                    json.dumps({"dashboard": board, "answers": found, "range": [start, end], "values": SHOWN})
                )
        output.mkdir(parents=True, exist_ok=True)
        for name in boards:
            file = output / f"dashboard-{name}.png"
            subprocess.run(["node", pictures / "shoot.mjs", modules, chromium, directory, name, width, file], check=True)
            if file.stat().st_size > LARGEST:
                sys.exit(f"{file} has {file.stat().st_size} bytes, more than {LARGEST}")


if __name__ == "__main__":
    main()

"""Drives `heaplens` in a terminal: see scripts/check-terminal."""

import os
import re
import signal
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "readers"))

from service import Service
from terminal import Terminal, width

# One of the example's maps, and the file of the function that fills it: line tables have no name
# for an asynchronous function that was inlined.
MAP, FUNCTION = "sessions", "src/cases/sessions.rs"


def row_of(terminal, name):
    rows = [line for line in terminal.lines() if line.rstrip().endswith(f" {name}")]
    return rows[0] if rows else ""


def entries(terminal):
    """Entries of the map, as the table shows them."""
    found = re.search(r"MiB +([\d,]+) +", row_of(terminal, MAP))
    return int(found[1].replace(",", "")) if found else 0


def first_row(terminal):
    lines = terminal.lines()
    head = next((at for at, line in enumerate(lines) if line.split()[-1:] == ["MAP"]), None)
    return lines[head + 1].split()[-1] if head is not None and len(lines) > head + 1 else ""


def has_mark(terminal, number):
    """Whether something is bold (1), reversed (7), green (32) …"""
    return re.search(rf"\x1b\[(\d+;)*{number}m", terminal.styled())


def begin(terminal, command):
    terminal.run("clear")
    terminal.wait("an empty screen", lambda: terminal.text().strip() == "ready>")
    terminal.run(f"{command}; echo ended with $?; stty -a | tr ' ' '\\n' | grep -x -e 'icanon' -e 'echo'")


def ended(terminal):
    """That the program is over, and the terminal as it was."""
    terminal.wait_for("ended with 0", "icanon\necho")


def lists(terminal):
    terminal.wait_for("live", "sorted by HEAP", MAP, "1 of ")
    before = entries(terminal)
    terminal.wait("more entries", lambda: entries(terminal) > before)
    terminal.wait("a trend", lambda: "█" in row_of(terminal, MAP))


def sorts_and_filters(terminal):
    terminal.keys("S")
    terminal.wait("the order by name", lambda: "sorted by MAP ▼" in terminal.text() and first_row(terminal) == "callbacks")
    terminal.keys("r")
    terminal.wait("the reversed order", lambda: "sorted by MAP ▲" in terminal.text() and first_row(terminal) == MAP)
    terminal.keys("r", "Right")
    terminal.wait_for("sorted by HEAP ▼")
    terminal.keys("/", "S", "e", "s", "s")
    terminal.wait("one row", lambda: "filter: Sess" in terminal.text() and "1 of 1 " in terminal.text())
    terminal.keys("Enter", "x")
    terminal.wait_for("filter: Sess")
    terminal.keys("Escape")
    terminal.wait_without("filter:")


def shows_other_tabs(terminal):
    terminal.keys("2")
    terminal.wait_for("sorted by IN USE", FUNCTION)
    terminal.keys("Down", "Down")
    terminal.wait_for("3 of ")
    terminal.keys("Tab")
    terminal.wait_for("sorted by STATE")
    terminal.keys("?")
    terminal.wait_for("any key closes this")
    terminal.keys("x")
    terminal.wait_without("any key closes this")
    terminal.keys("1")
    terminal.wait_for("sorted by HEAP")


def pauses(terminal):
    terminal.keys("p")
    terminal.wait_for("paused")
    still = terminal.text()
    terminal.keys("k")
    assert terminal.text() == still, "it moves while it is paused"
    terminal.keys("p")
    terminal.wait_for("live")


def fits(terminal):
    """The picture at several sizes: nothing is wrapped, and the ends are where they belong."""
    for columns, rows in [(60, 12), (20, 5), (200, 50), (120, 30)]:
        terminal.resize(columns, rows)

        def is_whole():
            lines = terminal.lines()
            fit = all(width(line) <= columns for line in lines)
            return fit and len(lines) == rows and lines[0].startswith("heaplens") and "of" in lines[-1]

        terminal.wait(f"a whole picture of {columns} columns and {rows} rows", is_whole)
        if columns >= 60:
            terminal.wait_for(MAP)


def watch(terminal, heaplens, url):
    begin(terminal, f"{heaplens} watch {url} --every 1s")
    lists(terminal)
    assert has_mark(terminal, 7) and has_mark(terminal, 1) and has_mark(terminal, 32), "no colours"
    sorts_and_filters(terminal)
    shows_other_tabs(terminal)
    pauses(terminal)
    fits(terminal)
    terminal.keys("q")
    ended(terminal)
    begin(terminal, f"NO_COLOR=1 {heaplens} watch {url}")
    terminal.wait_for("live", MAP)
    assert "\x1b[" not in terminal.styled(), "colours in spite of NO_COLOR"
    terminal.keys("C-c")
    ended(terminal)


def ends_by_signal(terminal, heaplens, url):
    begin(terminal, f"{heaplens} watch {url}")
    terminal.wait_for("live", MAP)
    (process,) = terminal.children()
    os.kill(process, signal.SIGTERM)
    ended(terminal)


def other_commands(terminal, heaplens, url, directory):
    begin(terminal, f"{heaplens} record {url} --every 1s --for 4s --dir recorded")
    terminal.wait_for("saved, next in", "/4")
    terminal.wait_for("ended with 0")
    assert len(list((directory / "recorded").glob("heap-*.pb.gz"))) >= 1, f"nothing was recorded:\n{terminal.text()}"
    begin(terminal, f"{heaplens} top {url} -n 15")
    ended(terminal)
    assert has_mark(terminal, 1) and FUNCTION in terminal.text(), terminal.text()
    begin(terminal, f"{heaplens} flamegraph {url}")
    ended(terminal)
    assert "<svg" in (directory / "heap.svg").read_text(), "no picture"


def main():
    program, heaplens = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with Terminal(directory) as terminal:
            with Service(program, directory) as service:
                watch(terminal, heaplens, service.url)
                ends_by_signal(terminal, heaplens, service.url)
                other_commands(terminal, heaplens, service.url, directory)
                begin(terminal, f"{heaplens} watch {service.url} --every 1s")
                terminal.wait_for("live", MAP)
            # The service is gone: that is told, and what was known stays.
            terminal.wait_for("no answer", "cannot connect", MAP)
            terminal.keys("q")
            ended(terminal)
    print("the terminal is used, fitted and given back as it should be")


main()

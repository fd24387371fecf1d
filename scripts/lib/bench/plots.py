"""Plots as SVG, without a library."""

import math
from html import escape

from results import Results

WIDTH = 760
COLOURS = {"on": "#d1495b", "jemalloc-prof": "#2e4057", "stoolap": "#66a182",
           "mimalloc-pprof": "#edae49", "rpprof": "#8d6a9f", "pprof-alloc": "#5c9ead",
           "pprof-alloc-native": "#7a7a7a"}
STYLE = ("text{font:12px sans-serif;fill:#333}.grid{stroke:#ddd}.one{stroke:#333}"
         ".light{fill:#777}")


def draw(raw, directory):
    """Writes what can be drawn and returns the names."""
    results = Results(raw)
    drawn = {}
    for kind in ("application", "stress"):
        drawn[kind] = ratios(results, kind)
    drawn["interval"] = interval(raw.get("intervals"))
    directory.mkdir(parents=True, exist_ok=True)
    names = [name for name, picture in drawn.items() if picture]
    for name in names:
        (directory / f"bench-{name}.svg").write_text(drawn[name], encoding="utf-8")
    return names


class Logarithmic:
    def __init__(self, low, high, start, end):
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value):
        value = min(max(value, self.low), self.high)
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)


def svg(height, label, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" aria-label="{escape(label)}">'
            f"<style>{STYLE}</style>"
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>' + "".join(parts) + "</svg>\n")


def text(x, y, words, anchor="start", kind=""):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>'


def ratios(results, kind):
    """A row for each case, a dot for each allocator, a bar for the interval."""
    cases = [case for case in results.cases if case.kind == kind]
    allocators = [one for one in results.allocators if one.key in COLOURS]
    dots = [(row, one, results.ratio(one, case)) for row, case in enumerate(cases)
            for one in allocators]
    dots = [dot for dot in dots if dot[2]]
    if not dots:
        return None
    top, step = 62, 26
    bottom = top + step * len(cases)
    highest = max(2.0, *(compared["median"] for *_, compared in dots)) * 1.05
    scale = Logarithmic(0.8, highest, 110, WIDTH - 20)
    parts = legend([(one.label, COLOURS[one.key]) for one in allocators])
    told = []
    for tick in (0.8, 1, 1.25, 1.5, 2, 3, 5, 10, 20, 50):
        if tick <= highest:
            x = scale(tick)
            kind_ = "one" if tick == 1 else "grid"
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" class="{kind_}"/>')
            # A word is some 35 wide; 1 has the first right to its place.
            if tick == 1 or all(abs(x - scale(other)) > 40 for other in (1, *told)):
                parts.append(text(x, bottom + 16, f"{tick:g} ×", "middle", "light"))
                told.append(tick)
    for row, case in enumerate(cases):
        parts.append(text(100, top + step * row + 17, case.label, "end"))
    # Heaplens last, on top.
    for row, one, compared in sorted(dots, key=lambda dot: dot[1].key == "on"):
        parts += dot_of(scale, top + step * row + 13, COLOURS[one.key], compared)
    return svg(bottom + 28, f"CPU time against the plain allocator, {kind}", parts)


def dot_of(scale, y, colour, compared):
    parts = []
    if compared["low"] is not None:
        parts.append(f'<line x1="{scale(compared["low"]):.1f}" x2="{scale(compared["high"]):.1f}" '
                     f'y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3" opacity="0.35"/>')
    parts.append(f'<circle cx="{scale(compared["median"]):.1f}" cy="{y}" r="4.5" fill="{colour}"/>')
    return parts


def legend(entries):
    parts, x, y = [], 20, 20
    for label, colour in entries:
        width = 30 + 7 * len(label)
        if x + width > WIDTH:
            x, y = 20, y + 20
        parts.append(f'<circle cx="{x}" cy="{y - 4}" r="4.5" fill="{colour}"/>')
        parts.append(text(x + 9, y, label))
        x += width
    return parts


def interval(rows):
    """Error of what is held and the profiler's own share of CPU time, against the interval."""
    lines = list(lines_of(rows or []))
    if not lines:
        return None
    top, bottom = 62, 330
    across = Logarithmic(rows[0]["interval"], rows[-1]["interval"], 70, WIDTH - 30)
    values = [value for _, _, points in lines for _, value in points]
    up = Logarithmic(max(min(values) / 1.3, 1e-5), max(values) * 1.3, bottom, top)
    parts = legend([(name, colour) for name, colour, _ in lines])
    for _, colour, points in lines:
        drawn = " ".join(f"{across(at):.1f},{up(value):.1f}" for at, value in points)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
    for row in rows:
        kib = row["interval"] >> 10
        parts.append(text(across(row["interval"]), bottom + 18,
                          f"{kib} KiB" if kib < 1024 else f"{kib >> 10} MiB", "middle", "light"))
    for tick in (0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1):
        if up.low <= tick <= up.high:
            parts.append(f'<line x1="70" x2="{WIDTH - 30}" y1="{up(tick):.1f}" '
                         f'y2="{up(tick):.1f}" class="grid"/>')
            parts.append(text(62, up(tick) + 4, f"{100 * tick:g} %", "end", "light"))
    return svg(bottom + 30, "Sampling interval against error and cost", parts)


def lines_of(rows):
    shades = ["#2e4057", "#5c7a9c", "#9db4cc"]
    sizes = [one["bytes"] for one in max((row["held"] for row in rows), key=len)] if rows else []
    for shade, held in zip(shades, sizes):
        points = [(row["interval"], one["rms"]) for row in rows for one in row["held"]
                  if one["bytes"] == held and one["rms"] > 0]
        if points:
            yield f"error of {held / 1e6:,.0f} MB held", shade, points
    for workload, colour in (("lifo", "#d1495b"), ("json", "#edae49")):
        for bound, words in (("1%", "bound 1 %"), ("100%", "no bound")):
            points = [(row["interval"], row[workload][bound]["share"]) for row in rows
                      if row.get(workload) and row[workload][bound]
                      and row[workload][bound]["share"] > 0]
            if points and (bound == "100%" or workload == "lifo"):
                shade = colour if bound == "100%" else "#e8a0aa"
                yield f"CPU share, {workload}, {words}", shade, points

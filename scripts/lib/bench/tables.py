"""Tables in Markdown."""


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def ratio(compared, interval=True):
    if compared is None:
        return "–"
    text = f"{compared['median']:.3f}" if compared["median"] < 10 else f"{compared['median']:.1f}"
    if interval and compared["low"] is not None:
        width = 2 if compared["median"] < 10 else 1
        text += f" ({compared['low']:.{width}f}–{compared['high']:.{width}f})"
    return text


def number(value, digits=1):
    return "–" if value is None else f"{value:,.{digits}f}"


def seconds(value):
    """With the unit that suits it."""
    if value is None:
        return "–"
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 1:
            return f"{value * factor:.2f} {unit}"
    return f"{value * 1e9:.1f} ns"


def size(value):
    if value is None:
        return "–"
    for bits, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if value >= 1 << bits:
            amount = value / (1 << bits)
            return f"{amount:.0f} {unit}" if amount == int(amount) else f"{amount:.1f} {unit}"
    return f"{value:.0f} B"


def percent(share, digits=2):
    return "–" if share is None else f"{100 * share:.{digits}f} %"

"""What the figures say of the bars that Heaplens has to keep, and of the peers."""

BARS = {"application": 1.02, "stress": 1.05}


def verdict(compared, bar):
    if compared is None:
        return "no figure"
    if compared["high"] is None:
        return "kept" if compared["median"] <= bar else "not kept"
    if compared["high"] <= bar:
        return "kept"
    if compared["low"] > bar:
        return "not kept"
    return "kept, within the noise" if compared["median"] <= bar else "not kept, within the noise"


def against_peers(results, heaplens):
    """By peer: the cases where its ratio is not above Heaplens', with both."""
    exceptions = {}
    for peer in [one for one in results.allocators if one.peer]:
        lower = []
        for case in results.cases:
            ours, theirs = results.ratio(heaplens, case), results.ratio(peer, case)
            if ours and theirs and theirs["median"] <= ours["median"]:
                lower.append((case, ours, theirs))
        exceptions[peer.key] = (peer, lower)
    return exceptions


def overlap(one, other):
    if one["low"] is None or other["low"] is None:
        return True
    return one["low"] <= other["high"] and other["low"] <= one["high"]

"""Medians, minima, and how sure a ratio is."""

import random
from statistics import median

RESAMPLES = 1_000


def ratio_interval(measured, base, confidence=0.95, seed=1):
    """Bootstrap interval of the ratio of medians. Both are in the order of the rounds, and what was
    measured in the same round stays together: it saw the same disturbance."""
    rounds = list(zip(measured, base))
    if len(rounds) < 2:
        return None
    generator, ratios = random.Random(seed), []
    for _ in range(RESAMPLES):
        own, other = zip(*generator.choices(rounds, k=len(rounds)))
        ratios.append(median(own) / median(other))
    ratios.sort()
    tail = (1 - confidence) / 2
    return ratios[int(tail * RESAMPLES)], ratios[min(int((1 - tail) * RESAMPLES), RESAMPLES - 1)]


def compare(measured, base):
    """Ratios of medians and of minima, with the interval of the first."""
    low, high = ratio_interval(measured, base) or (None, None)
    return {
        "median": median(measured) / median(base),
        "minimum": min(measured) / min(base),
        "low": low,
        "high": high,
        "rounds": min(len(measured), len(base)),
    }


def spread(values):
    """Half the distance of the quartiles, as a share of the median."""
    ordered = sorted(values)
    count = len(ordered)
    quartile = ordered[(3 * count) // 4] - ordered[count // 4]
    return quartile / 2 / median(ordered) if count > 1 and median(ordered) else 0.0


def geometric_mean(values):
    product = 1.0
    for value in values:
        product *= value
    return product ** (1 / len(values))

"""What the measurements say: ratios, times to quality, and where a peer wins."""

import math
from statistics import median

import public_data
import tasks

OURS = ("sksoftmax", "SoftmaxRegressionClassifierCV")
REFERENCE = ("LogisticRegression", "GridSearchCV(LogisticRegression)")
NAMES = [*tasks.TASKS, *public_data.TASKS]  # in the order of all tables


def of_kind(results: dict, kind: str, *modes: str) -> list[dict]:
    """Return the pieces of that kind, in these modes if they are named."""
    found = [
        piece
        for piece in results["pieces"].values()
        if piece["kind"] == kind and (not modes or piece["mode"] in modes)
    ]
    return sorted(
        found,
        key=lambda piece: NAMES.index(piece["name"]) if piece["name"] in NAMES else 0,
    )


def fits(piece: dict) -> dict[str, list[dict]]:
    """Return the default fits of each system, in order."""
    found: dict[str, list[dict]] = {}
    for entry in piece["log"]:
        found.setdefault(entry["system"], []).append(entry)
    return found


def middle(entries: list[dict], key: str) -> float | None:
    """Return a median, or None if there is not a value for each entry."""
    values = [entry.get(key) for entry in entries]
    return None if None in values or not values else median(values)


def ratio(piece: dict, system: str, key: str) -> tuple[float, float, float]:
    """Return median, least and greatest ratio of a system's seconds to ours.

    Each of its fits is compared with ours just before and just after it. The range is
    that of any of its fits to any of these, in the same run. `again` has further runs.
    """
    ratios, ranges = [], []
    for log in (piece["log"], *piece.get("again", [])):
        theirs, ours = [], []
        for k, entry in enumerate(log):
            if entry["system"] == system:
                near = log[max(k - 1, 0) : k + 2]
                near = [e[key] for e in near if e["system"] in OURS]
                near = near or [e[key] for e in log if e["system"] in OURS]
                ratios.append(entry[key] * len(near) / sum(near))
                theirs.append(entry[key])
                ours += near
        if theirs:
            ranges += [min(theirs) / max(ours), max(theirs) / min(ours)]
    return median(ratios), min(ranges), max(ranges)


def points(piece: dict) -> dict[str, list[tuple[float, float]]]:
    """Return seconds and test log-loss of each system's budgets, and its default."""
    found = {
        name: [(p["seconds"], p["log_loss"]) for p in curve]
        for name, curve in piece["curves"].items()
    }
    for name, entries in fits(piece).items():
        if not any("estimated" in entry["note"] for entry in entries):
            point = tuple(middle(entries, key) for key in ("seconds", "log_loss"))
            found.setdefault(name, []).append(point)
    return {name: sorted(curve) for name, curve in found.items() if curve}


def wins(piece: dict) -> list[dict]:
    """Return the budgets of seconds with which a peer's test log-loss is below ours.

    With a budget, a system has the best model of its fits that take no longer.
    """
    curves = points(piece)
    ours = curves.pop(OURS[0])
    found = []
    for name, curve in curves.items():
        spans: list[dict] = []
        is_on = False
        for seconds in sorted({s for s, _ in ours + curve}):
            peer, mine = _best(curve, seconds), _best(ours, seconds)
            if peer < mine:
                if not is_on:
                    start = {"peer": name, "from": seconds, "to": None}
                    spans.append({**start, "at_first": (peer, mine)})
                spans[-1]["at_last"] = (peer, mine)
            elif is_on:
                spans[-1]["to"] = seconds
            is_on = peer < mine
        found += spans
    return sorted(found, key=lambda span: span["from"])


def _best(curve, seconds):
    return min((loss for s, loss in curve if s <= seconds), default=math.inf)


def quickest_peer(piece: dict) -> str | None:
    """Return the peer, but LogisticRegression, that is close to the best first."""
    others = {
        name: middle(found, "seconds")
        for name, found in piece["close"].items()
        if name not in (*OURS, *REFERENCE) and found
    }
    return min(others, key=others.get) if others else None


def fixed(value: float | None, digits: int = 3) -> str:
    """Return a number with that number of significant digits, and never an exponent."""
    if value is None or not math.isfinite(value):
        return "-"
    size = math.floor(math.log10(abs(value))) if value else 0
    rounded = round(value, digits - 1 - size)
    return f"{rounded:.{max(0, digits - 1 - size)}f}"


def spread(values: list[float]) -> str:
    """Return median and range."""
    text = fixed(median(values))
    if len(values) > 1:
        text += f" ({fixed(min(values), 2)} to {fixed(max(values), 2)})"
    return text


def times(found: tuple[float, float, float]) -> str:
    """Return a ratio and its range."""
    value, least, greatest = found
    return f"{fixed(value, 2)} ({fixed(least, 2)} to {fixed(greatest, 2)})"

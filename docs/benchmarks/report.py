"""Tables in Markdown and figures of what was measured."""

import json
import math
from itertools import pairwise
from pathlib import Path
from statistics import median

OURS = "sksoftmax"


def task_table(result: dict) -> str:
    """Return one task's comparison in Markdown."""
    fits = {name: list(found) for name, found in result["fits"].items()}
    for name, found in result.get("torch", {}).items():
        fits[f"PyTorch {name}"] = [found["best"]]
    ours = median(f["seconds"] for f in fits[OURS])
    lines = [
        f"### {result['title']}",
        "",
        "| system | seconds | times ours | test log-loss | accuracy | objective "
        "| epochs | fits |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, found in fits.items():
        middle = {
            key: median(f[key] for f in found)
            for key in ("seconds", "log_loss", "accuracy", "objective", "n_iter")
            if all(f.get(key) is not None for f in found)
        }
        objective = f"{middle['objective']:.4f}" if "objective" in middle else "-"
        epochs = f"{middle['n_iter']:g}" if "n_iter" in middle else "-"
        note = f" ({found[0]['note']})" if found[0]["note"] else ""
        lines.append(
            f"| {name}{note} "
            f"| {middle['seconds']:.3g} | {middle['seconds'] / ours:.2g} "
            f"| {middle['log_loss']:.4f} | {middle['accuracy']:.4f} | {objective} "
            f"| {epochs} | {len(found)} |"
        )
    for name, why in result["skipped"].items():
        lines.append(f"| {name} | skipped: {why} | | | | | | |")
    return "\n".join(lines) + "\n"


def cost_table(rows: list[dict]) -> str:
    """Return what single operations cost, in Markdown."""
    lines = [
        "### Single operations",
        "",
        "| ours / what it is compared with | seconds | of the other | ratio | |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        other = f"{row['other']:.3g} | {row['ratio']:.2f}" if "other" in row else " | "
        note = row.get("note", "")
        lines.append(f"| {row['name']} | {row['seconds']:.3g} | {other} | {note} |")
    return "\n".join(lines) + "\n"


def growth_table(curves: dict[str, list]) -> str:
    """Return how an epoch's time grows as one size doubles, in Markdown."""
    lines = [
        "### An epoch's seconds as one size doubles",
        "",
        "| | 1 | 2 | 4 | times for each doubling |",
        "|---|---|---|---|---|",
    ]
    for name, points in curves.items():
        times = [t for _, t in points]
        steps = ", ".join(f"{b / a:.2f}" for a, b in pairwise(times))
        cells = " | ".join(f"{t:.3g} ({size})" for size, t in points)
        lines.append(f"| {name} | {cells} | {steps} |")
    return "\n".join(lines) + "\n"


def draw_curves(name: str, lines: dict[str, list[dict]], path: Path) -> None:
    """Draw test log-loss and objective against seconds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    panels = figure.subplots(1, 2)
    for panel, key in zip(panels, ("log_loss", "objective"), strict=True):
        best = math.inf
        for colour, (system, found) in enumerate(lines.items()):
            points = [(f["seconds"], f[key]) for f in found if key in f]
            if points:
                style = {"color": f"C{colour}", "marker": "o", "ms": 3}
                panel.plot(*zip(*points, strict=True), **style, label=system)
                best = min(best, *(value for _, value in points))
        panel.set(xscale="log", xlabel="seconds", ylim=(0.98 * best, 1.5 * best))
        panel.grid(alpha=0.3, which="both")
    panels[0].set_title(f"{name}: test log-loss")
    panels[1].set_title(f"{name}: training objective")
    panels[0].legend(fontsize="small", loc="upper right")
    figure.savefig(path, dpi=110)


def draw_growth(curves: dict[str, list], path: Path) -> None:
    """Draw an epoch's seconds against rows, features and classes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    for panel, size in zip(figure.subplots(1, 3), "ndq", strict=True):
        for name, points in curves.items():
            if name.endswith(f", {size}"):
                panel.plot(*zip(*points, strict=True), "o-", ms=3, label=name[:-3])
        panel.set(
            xscale="log", yscale="log", xlabel=size, title=f"epoch against {size}"
        )
        panel.set_ylabel("seconds")
        panel.grid(alpha=0.3, which="both")
        panel.legend(fontsize="small")
    figure.savefig(path, dpi=110)


def quality_table(rows: list[dict]) -> str:
    """Return the comparison on ten more data sets, in Markdown."""
    lines = [
        "### Ten more data sets, C=1; LogisticRegression with max_iter=1000",
        "",
        "| | test log-loss, ours | LogisticRegression's | difference | accuracy | |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours, peer = row["log_loss"]
        lines.append(
            f"| {row['name']} | {ours:.4f} | {peer:.4f} | {ours - peer:+.4f} "
            f"| {row['accuracy'][0]:.4f} | {row['accuracy'][1]:.4f} |"
        )
    return "\n".join(lines) + "\n"


def gap_table(rows: list[dict]) -> str:
    """Return the seconds to come near the optimum, in Markdown."""
    lines = [
        "### Seconds to a relative gap to the optimum",
        "",
        '| task | gap | solver="svrg" | quickest of LogisticRegression | times '
        "| all of them | ours with tol=gap | its true gap |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        peers = ", ".join(f"{name} {s:.3g}" for name, s in row["peers"].items())
        lines.append(
            f"| {row['task']} | {row['gap']:g} | {row['seconds']:.3g} "
            f"| {row['other']:.3g} ({row['peer']}) "
            f"| {row['other'] / row['seconds']:.1f} | {peers} "
            f"| {row['by_tol']:.3g} | {row['found']:.1e} |"
        )
    return "\n".join(lines) + "\n"


def load(folder: Path) -> dict:
    """Return what earlier runs have left in that folder."""
    file = folder / "results.json"
    return json.loads(file.read_text()) if file.exists() else {}


def write(folder: Path, results: dict) -> None:
    """Write all results as JSON, as tables and as figures."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    system = results["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in system["versions"].items() if v)
    texts = [
        f"{system['cores']} cores, {system['architecture']}, Python "
        f"{system['python']}; {versions}; BLAS threads {system['blas threads']}\n"
    ]
    for name, result in results["tasks"].items():
        texts.append(task_table(result))
        if "curves" in result:
            draw_curves(name, result["curves"], folder / f"curve_{name}.png")
    if "costs" in results:
        texts.append(cost_table(results["costs"]))
    if "growth" in results:
        texts.append(growth_table(results["growth"]))
        draw_growth(results["growth"], folder / "growth.png")
    if "quality" in results:
        texts.append(quality_table(results["quality"]))
    if "gaps" in results:
        texts.append(gap_table(results["gaps"]))
    (folder / "results.md").write_text("\n".join(texts))

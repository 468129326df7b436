"""Plot of recall over latency: one panel per query set, one line per index kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hybrid_search.core.errors import InvalidConfig
from hybrid_search.relevance.vector_bench.benchmark import Measurement

NAMES = ("recall_over_latency.svg", "recall_over_latency.png")


def plot(results: Sequence[Measurement], folder: Path) -> list[Path]:
    """Write the plots to the folder and return their paths.

    Raises ``InvalidConfig`` without matplotlib.
    """
    try:
        from matplotlib.figure import Figure  # an extra
    except ImportError:
        raise InvalidConfig(
            "plots need matplotlib; run: pip install 'hybrid_search[lab]'"
        ) from None
    plain = [r for r in results if (r.filter_share, r.tombstones) == (1.0, 0.0)]
    names = list(dict.fromkeys(result.queries for result in plain))
    figure = Figure(figsize=(6.0 * len(names), 4.5), layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for panel, name in zip(panels, names, strict=True):
        for label, points in _lines([r for r in plain if r.queries == name]).items():
            panel.plot(*zip(*points, strict=True), marker="o", markersize=4, label=label)
        panel.set(xscale="log", title=name, xlabel="CPU ms per query, median")
        panel.grid(visible=True, which="both", alpha=0.25)
    panels[0].set_ylabel("recall against exact search")
    panels[-1].legend(fontsize="small", loc="lower right")
    paths = [folder / name for name in NAMES]
    for path in paths:
        figure.savefig(path, dpi=150)
    return paths


def _lines(results: Sequence[Measurement]) -> dict[str, list[tuple[float, float]]]:
    """The Pareto front of each kind: points by latency, each with higher recall than the last."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for result in results:
        label = result.kind if result.storage == "f32" else f"{result.kind} {result.storage}"
        lines.setdefault(label, []).append((result.cpu_ms, result.recall))
    return {label: list(_rising(sorted(points))) for label, points in lines.items()}


def _rising(points: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    best = -1.0
    for time, recall in points:
        if recall > best:
            best = recall
            yield time, recall

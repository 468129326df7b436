"""SVG plots for an experiment's report; need the extra ``lab`` (matplotlib)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

_WIDTH, _HEIGHT = 6.4, 3.6


def axis_plot(
    name: str, rows: Sequence[tuple[float | str, float, float, float]], measure: str
) -> str:
    """The measure over the values of one parameter, with 95 % intervals."""
    figure = Figure(figsize=(_WIDTH, _HEIGHT))
    axes = figure.subplots()
    labels = [f"{value:g}" if isinstance(value, float) else str(value) for value, *_ in rows]
    means, low, high = (np.array([row[at] for row in rows]) for at in (1, 2, 3))
    places = np.arange(len(rows))
    axes.errorbar(places, means, yerr=[means - low, high - means], fmt="o-", capsize=3)
    axes.set_xticks(places, labels, rotation=30 if max(map(len, labels)) > 6 else 0)
    axes.set_xlabel(name)
    axes.set_ylabel(measure)
    return _svg(figure)


def scatter_plot(name: str, rows: Sequence[tuple[float | str, float]], measure: str) -> str:
    """The measure of every tried setting over its value of one parameter."""
    figure = Figure(figsize=(_WIDTH, _HEIGHT))
    axes = figure.subplots()
    axes.plot([value for value, _ in rows], [mean for _, mean in rows], "o", alpha=0.5, ms=4)
    axes.set_xlabel(name)
    axes.set_ylabel(measure)
    return _svg(figure)


def cost_plot(rows: Sequence[tuple[str, float, float, float, float]], measure: str) -> str:
    """The measure of each index over milliseconds per query, with 95 % intervals."""
    figure = Figure(figsize=(_WIDTH, _HEIGHT))
    axes = figure.subplots()
    for name, milliseconds, mean, low, high in rows:
        errors = [[mean - low], [high - mean]]
        axes.errorbar([milliseconds], [mean], yerr=errors, fmt="o", capsize=3, label=name)
    axes.set_xlabel("retrieval time per query, median, ms")
    axes.set_ylabel(measure)
    axes.set_xlim(0.0, 1.1 * max((row[1] for row in rows), default=1.0))
    axes.legend(fontsize="small")
    return _svg(figure)


def differences_plot(differences: NDArray[np.float64], measure: str) -> str:
    """The difference of every query, in descending order."""
    figure = Figure(figsize=(_WIDTH, _HEIGHT))
    axes = figure.subplots()
    descending = np.sort(differences)[::-1]
    colors = np.where(descending >= 0, "#0f7a6b", "#b3372b")
    axes.bar(np.arange(len(descending)), descending, width=1.0, color=colors.tolist())
    axes.set_xlabel("queries, by descending difference")
    axes.set_ylabel(f"difference in {measure}")
    return _svg(figure)


def bars_plot(means: Mapping[str, float], measure: str) -> str:
    """The measure of each configuration."""
    figure = Figure(figsize=(_WIDTH, 0.5 + 0.4 * len(means)))
    axes = figure.subplots()
    axes.barh(list(means)[::-1], list(means.values())[::-1], color="#2348c9")
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel(measure)
    return _svg(figure)


def heat_map(
    names: tuple[str, str], labels: tuple[list[str], list[str]], values: NDArray[np.float64]
) -> str:
    """The measure over two parameters; the first one is the y axis."""
    figure = Figure(figsize=(_WIDTH, _HEIGHT))
    axes = figure.subplots()
    image = axes.imshow(values, aspect="auto", cmap="viridis")
    axes.set_yticks(np.arange(len(labels[0])), labels[0])
    axes.set_xticks(np.arange(len(labels[1])), labels[1])
    axes.set_ylabel(names[0])
    axes.set_xlabel(names[1])
    figure.colorbar(image)
    return _svg(figure)


def _svg(figure: Figure) -> str:
    figure.tight_layout()
    svg = io.StringIO()
    # Without a date the same input makes the same file.
    figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()

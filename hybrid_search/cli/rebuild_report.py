"""What was rebuilt, one line a vector index."""

from __future__ import annotations

from collections.abc import Mapping

from hybrid_search.cli.terminal import console
from hybrid_search.core.ports import Rebuilt, Subject


def print_rebuilt(parts: Mapping[Subject, Rebuilt]) -> None:
    """Show each vector index and its recall; where that is too low, what to change."""
    for subject, built in parts.items():
        _print_part(subject, built)


def _print_part(subject: Subject, built: Rebuilt) -> None:
    values = ", ".join(f"{name} {value}" for name, value in built.parameters.items())
    console.print(
        f"{subject}: {built.kind}{f' ({values})' if values else ''} over {built.vectors:,} vectors"
        f" in {built.seconds:.1f} s: {built.bytes / 1e6:,.1f} MB,"
        f" predicted {built.predicted / 1e6:,.1f} MB"
    )
    recalls = f"recall@10 {built.recall:.3f}, before {built.recall_before:.3f}"
    if built.published:
        console.print(f"published: {recalls}")
    else:
        console.print(
            f"not published, the old index stays in use: {recalls}; raise ef_search, nprobe or"
            " rerank in [vector], or lower min_recall",
            style="red",
        )

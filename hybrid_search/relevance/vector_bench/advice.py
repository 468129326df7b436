"""Which of the measured vector indexes to take, as settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hybrid_search.relevance.vector_bench.benchmark import Measured


@dataclass(frozen=True, slots=True)
class Choice:
    """The cheapest index that finds enough and fits, or that none does."""

    queries: str
    """The set of queries it is for, or ``all``."""
    recall_wanted: float
    found: Measured | None
    """Of the sets it is for, the slowest measurement."""
    memory_bytes: int | None = None
    """What it may take; ``None`` for no limit."""


def choose(
    results: Sequence[Measured], recall: float, memory_bytes: int | None = None
) -> list[Choice]:
    """For each set of queries, and last for all of them, the cheapest that finds enough and fits.

    Only what is measured without filters and tombstones counts, and what can be served.
    """
    plain = [r for r in results if (r.filter_share, r.tombstones) == (1.0, 0.0)]
    served = [r for r in plain if r.kind != "lsh"]
    fits = [r for r in served if memory_bytes is None or r.memory_bytes <= memory_bytes]
    names = list(dict.fromkeys(r.queries for r in plain))
    choices = []
    for name in (*names, "all") if len(names) > 1 else names:
        wanted = set(names) if name == "all" else {name}
        choices.append(Choice(name, recall, _cheapest(fits, wanted, recall), memory_bytes))
    return choices


def _cheapest(results: Sequence[Measured], wanted: set[str], recall: float) -> Measured | None:
    groups: dict[object, list[Measured]] = {}
    for result in results:
        if result.queries in wanted and result.recall >= recall:
            groups.setdefault(result.setting, []).append(result)
    enough = [group for group in groups.values() if {r.queries for r in group} == wanted]
    slowest = [max(group, key=lambda r: r.cpu_ms) for group in enough]
    return min(slowest, key=lambda r: (r.cpu_ms, r.memory_bytes), default=None)


def as_settings(choice: Choice) -> str:
    """The choice as a section of the settings, ready to be pasted."""
    found = choice.found
    if found is None:
        return _none_found(choice)
    figures = f"recall {found.recall:.3f}, {found.cpu_ms:.2f} ms CPU a query"
    lines = [f"# {figures}, {found.memory_bytes / 1e6:,.1f} MB"]
    if found.kind == "flat":
        lines.append("# keep flat: nothing else that was measured finds enough for less")
    lines += ["[vector]", f'kind = "{found.kind}"']
    for name, value in found.parameters.items():
        lines.append(f"{name} = {value}" if isinstance(value, int) else f'{name} = "{value}"')
    return "\n".join(lines) + "\n"


def _none_found(choice: Choice) -> str:
    missed = f"# no index that was measured reaches recall {choice.recall_wanted}"
    if choice.memory_bytes is None:
        return f'{missed}; kind = "flat" is exact\n'
    return f"{missed} within {choice.memory_bytes >> 20} MB; allow more memory, or less recall\n"


def as_file(choices: Sequence[Choice]) -> str:
    """A settings file with the last choice, and the others as comments: it has one ``[vector]``."""
    if not choices:
        return ""
    *others, last = choices
    parts = [f"# for {last.queries}\n{as_settings(last)}".rstrip("\n")]
    for choice in others:
        lines = as_settings(choice).splitlines()
        parts.append("\n".join([f"# for {choice.queries} alone", *(f"#   {at}" for at in lines)]))
    return "\n\n".join(parts) + "\n"

"""Choice of a vector index from measurements, as settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hybrid_search.relevance.vector_bench.benchmark import Measurement


@dataclass(frozen=True, slots=True)
class Choice:
    """The fastest index with enough recall within the memory limit, if there is one."""

    queries: str
    """The name of the query set, or ``all``."""
    recall_wanted: float
    found: Measurement | None
    """Its slowest measurement over the query sets."""
    memory_bytes: int | None = None
    """Memory limit; ``None`` for no limit."""


def choose(
    results: Sequence[Measurement], recall: float, memory_bytes: int | None = None
) -> list[Choice]:
    """A choice for each query set, and a last one for all sets together.

    Uses only measurements without filter and tombstones, of kinds that can be served.
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


def _cheapest(
    results: Sequence[Measurement], wanted: set[str], recall: float
) -> Measurement | None:
    groups: dict[object, list[Measurement]] = {}
    for result in results:
        if result.queries in wanted and result.recall >= recall:
            groups.setdefault(result.setting, []).append(result)
    enough = [group for group in groups.values() if {r.queries for r in group} == wanted]
    slowest = [max(group, key=lambda r: r.cpu_ms) for group in enough]
    return min(slowest, key=lambda r: (r.cpu_ms, r.memory_bytes), default=None)


def as_settings(choice: Choice) -> str:
    """The choice as a ``[vector]`` section of the settings."""
    found = choice.found
    if found is None:
        return _none_found(choice)
    figures = f"recall {found.recall:.3f}, {found.cpu_ms:.2f} ms CPU per query"
    lines = [f"# {figures}, {found.memory_bytes / 1e6:,.1f} MB"]
    if found.kind == "flat":
        lines.append("# keep flat: no other measured index reaches the recall for less")
    lines += ["[vector]", f'kind = "{found.kind}"']
    for name, value in found.parameters.items():
        lines.append(f"{name} = {value}" if isinstance(value, int) else f'{name} = "{value}"')
    return "\n".join(lines) + "\n"


def _none_found(choice: Choice) -> str:
    missed = f"# no measured index reaches recall {choice.recall_wanted}"
    if choice.memory_bytes is None:
        return f'{missed}; kind = "flat" is exact\n'
    return f"{missed} within {choice.memory_bytes >> 20} MB; allow more memory or a lower recall\n"


def as_file(choices: Sequence[Choice]) -> str:
    """A settings file with the last choice; the others are comments."""
    if not choices:
        return ""
    *others, last = choices
    parts = [f"# for {last.queries}\n{as_settings(last)}".rstrip("\n")]
    for choice in others:
        lines = as_settings(choice).splitlines()
        parts.append("\n".join([f"# for {choice.queries} alone", *(f"#   {at}" for at in lines)]))
    return "\n\n".join(parts) + "\n"

"""The query language: what somebody typed, as clauses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Clause:
    """One part of a query."""

    kind: Literal["words", "phrase", "prefix"]
    text: str
    occur: Literal["should", "must", "not"] = "should"
    field: str | None = None
    """A filter field the text must equal (``brand:나이키``)."""
    slop: int = 0
    """For a phrase, how far its words may stand apart (``"…"~2``); 0 is the exact phrase."""


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A query as clauses, in the order they were written."""

    source: str
    clauses: tuple[Clause, ...]
    notes: tuple[str, ...] = ()
    """What could not be understood and was taken as words."""

    @property
    def phrases(self) -> tuple[str, ...]:
        """The exact phrases whose holders stand in the upper tier (quoted, wanted, no slop)."""
        return tuple(
            clause.text
            for clause in self.clauses
            if clause.kind == "phrase"
            and clause.occur != "not"
            and not clause.slop
            and not clause.field
        )

    @property
    def meaning(self) -> str:
        """The wanted words without operators, for an embedding model; may be empty."""
        wanted = (c.text for c in self.clauses if c.occur != "not" and c.field is None)
        return " ".join(wanted).strip()

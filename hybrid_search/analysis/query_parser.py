"""The query language: what somebody typed, as clauses.

Words; ``"exact phrase"`` in straight, curly or corner quotes; ``"near words"~2``; ``+must``,
``-not``, ``prefix*``, ``field:value``, ``a AND b``, ``a OR b``. Whatever else is typed is taken
as words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.field_schema import UNDECLARED
from hybrid_search.core.notes import Note

MAX_CHARACTERS = 512
MAX_TERMS = 64
MAX_SLOP = 10

_SPELLINGS = str.maketrans(
    dict.fromkeys("“”„‟«»「」『』＂", '"') | {"：": ":", "＋": "+", "－": "-"}
)
_CLAUSE = re.compile(
    r"""
    (?P<sign>[+-](?=\S))?
    (?:(?P<field>[^\W\d]\w{0,99}):(?=\S))?
    (?:"(?P<phrase>[^"]*)(?P<closed>")?(?:~(?P<slop>\d{1,3}))?|(?P<word>[^\s"]+))
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Clause:
    """One part of a query."""

    kind: Literal["words", "phrase", "prefix"]
    text: str
    occur: Literal["should", "must", "not"] = "should"
    field: str | None = None
    """The field it is about: its words (``title:봄``), or its whole value (``brand:나이키``)."""
    slop: int = 0
    """For a phrase, how far its words may stand apart (``"…"~2``); 0 is the exact phrase."""


_CONNECTIVES = (Clause("words", "OR"), Clause("words", "AND"))


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A query as clauses, in the order they were written."""

    source: str
    clauses: tuple[Clause, ...]
    notes: tuple[Note, ...] = ()
    """Syntax that was not understood and is searched as words."""

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


def parse_query(text: str, fields: Collection[str] = UNDECLARED.queryable) -> ParsedQuery:
    """The clauses of a query, ``fields`` those that can be named before a colon.

    Raises ``InvalidQuery`` only for a query that is too long.

    >>> [(c.kind, c.text, c.occur) for c in parse_query('“무료 배송” -중고').clauses]
    [('phrase', '무료 배송', 'should'), ('words', '중고', 'not')]
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidQuery(f"q: {len(text):,} characters, the limit is {MAX_CHARACTERS}")
    clean = text.encode("utf-8", "replace").decode().translate(_SPELLINGS)
    notes: list[Note] = []
    clauses = [_clause(match, fields, notes) for match in _CLAUSE.finditer(clean)]
    wanted = _joined([clause for clause in clauses if clause.text.strip()])
    terms = sum(len(clause.text.split()) for clause in wanted)
    if terms > MAX_TERMS:
        raise InvalidQuery(f"q: {terms} words, the limit is {MAX_TERMS}")
    return ParsedQuery(text, wanted, tuple(dict.fromkeys(notes)))


def _joined(clauses: list[Clause]) -> tuple[Clause, ...]:
    """The clauses without the words ``OR`` and ``AND`` between two others.

    Any of several words is enough anyway; ``AND`` binds both of its neighbours.
    """
    last = len(clauses) - 1
    between = {
        place: clause.text
        for place, clause in enumerate(clauses)
        if 0 < place < last and clause in _CONNECTIVES
    }
    bound = {place + step for place, word in between.items() if word == "AND" for step in (-1, 1)}
    return tuple(
        replace(clause, occur="must") if place in bound and clause.occur == "should" else clause
        for place, clause in enumerate(clauses)
        if place not in between
    )


def plain_words(query: ParsedQuery) -> list[str]:
    """The words that are looked for as words, each once, in order."""
    return list(
        dict.fromkeys(
            word
            for clause in query.clauses
            if clause.kind == "words" and clause.occur != "not" and clause.field is None
            for word in clause.text.split()
        )
    )


def corrected(query: ParsedQuery, near: Mapping[str, Sequence[str]], limit: int) -> tuple[str, ...]:
    """The query as typed, words replaced by what they may have been meant as, likeliest first.

    >>> corrected(parse_query("summr +shose"), {"summr": ["summer"], "shose": ["shoes"]}, 3)
    ('summer +shoes',)
    """
    found = []
    for place in range(limit if near else 0):
        text = query.source
        for word, others in near.items():
            text = text.replace(word, others[min(place, len(others) - 1)], 1)
        found.append(text)
    return tuple(dict.fromkeys(found))


def _clause(match: re.Match[str], fields: Collection[str], notes: list[Note]) -> Clause:
    occur: Literal["should", "must", "not"] = "should"
    if match["sign"]:
        occur = "must" if match["sign"] == "+" else "not"
    field, body = match["field"], match["phrase"] if match["word"] is None else match["word"]
    if field and field not in fields:
        notes.append(Note("unknown_field", {"field": field}))
        field, body = None, f"{field} {body}"
    if match["word"] is not None:
        return _word_clause(body, occur, field)
    if not match["closed"] and body.strip():
        notes.append(Note("unclosed_quote"))
    slop = min(int(match["slop"] or 0), MAX_SLOP)
    return Clause("phrase", body, occur, field, slop)


def _word_clause(body: str, occur: Literal["should", "must", "not"], field: str | None) -> Clause:
    if body.endswith("*") and body.strip("*"):
        return Clause("prefix", body.rstrip("*"), occur, field)
    return Clause("words", body, occur, field)

"""The query language: a typed query parsed into clauses.

Words; ``"exact phrase"`` in straight, curly or corner quotes; ``"near words"~2``; ``+must``,
``-not``, ``prefix*``, ``field:value``, ``a AND b``, ``a OR b``. Anything else is parsed as words,
so no query is refused for its syntax.
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
    """The field to search: its words (``title:봄``) or its whole value (``brand:나이키``)."""
    slop: int = 0
    """For a phrase, the allowed number of moves of its words (``"…"~2``); 0 is the exact phrase."""


_CONNECTIVES = (Clause("words", "OR"), Clause("words", "AND"))


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A query as clauses, in the order of the text."""

    source: str
    clauses: tuple[Clause, ...]
    notes: tuple[Note, ...] = ()
    """Notes on syntax that could not be used, such as an unknown field."""

    @property
    def phrases(self) -> tuple[str, ...]:
        """The exact phrases that decide the upper tier: not negated, no slop, no field."""
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
        """The words without operators, negated clauses and fields, for the embedding model."""
        wanted = (c.text for c in self.clauses if c.occur != "not" and c.field is None)
        return " ".join(wanted).strip()


def parse_query(text: str, fields: Collection[str] = UNDECLARED.queryable) -> ParsedQuery:
    """The parsed query. ``fields`` are the names that can stand before a colon.

    Raises ``InvalidQuery`` for more than ``MAX_CHARACTERS`` characters or ``MAX_TERMS`` words.

    >>> [(c.kind, c.text, c.occur) for c in parse_query('“무료 배송” -중고').clauses]
    [('phrase', '무료 배송', 'should'), ('words', '중고', 'not')]
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidQuery(f"q: {len(text):,} characters, the limit is {MAX_CHARACTERS}")
    clean = text.encode("utf-8", "replace").decode().translate(_SPELLINGS)
    notes: list[Note] = []
    clauses = [_clause(match, fields, notes) for match in _CLAUSE.finditer(clean)]
    kept = _resolve_connectives([clause for clause in clauses if clause.text.strip()])
    terms = sum(len(clause.text.split()) for clause in kept)
    if terms > MAX_TERMS:
        raise InvalidQuery(f"q: {terms} words, the limit is {MAX_TERMS}")
    return ParsedQuery(text, kept, tuple(dict.fromkeys(notes)))


def _resolve_connectives(clauses: list[Clause]) -> tuple[Clause, ...]:
    """The clauses without ``OR`` and ``AND`` between two others.

    ``AND`` makes both of its neighbours required. ``OR`` is the default and changes nothing.
    """
    last = len(clauses) - 1
    connectives = {
        place: clause.text
        for place, clause in enumerate(clauses)
        if 0 < place < last and clause in _CONNECTIVES
    }
    required = {
        place + step for place, word in connectives.items() if word == "AND" for step in (-1, 1)
    }
    return tuple(
        replace(clause, occur="must") if place in required and clause.occur == "should" else clause
        for place, clause in enumerate(clauses)
        if place not in connectives
    )


def plain_words(query: ParsedQuery) -> list[str]:
    """The words outside of phrases, prefixes, fields and negated clauses, each once, in order."""
    return list(
        dict.fromkeys(
            word
            for clause in query.clauses
            if clause.kind == "words" and clause.occur != "not" and clause.field is None
            for word in clause.text.split()
        )
    )


def corrected(
    query: ParsedQuery, corrections: Mapping[str, Sequence[str]], limit: int
) -> tuple[str, ...]:
    """The query text with words replaced by their corrections, best first.

    The n-th text uses the n-th correction of each word, or its last one.

    >>> corrected(parse_query("summr +shose"), {"summr": ["summer"], "shose": ["shoes"]}, 3)
    ('summer +shoes',)
    """
    found = []
    for place in range(limit if corrections else 0):
        text = query.source
        for word, others in corrections.items():
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

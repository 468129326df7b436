"""Words that stand for one another, from a file that may change while it is used.

A line is a set (``운동화, 스니커즈, sneakers``), each word of which finds all, or a one-way
rule (``tv => 텔레비전, television``). A member may be one word or several; a query's word is
looked up as one. ``#`` begins a comment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from hybrid_search.analysis.normalize import normalise
from hybrid_search.core.errors import InvalidConfig

MAX_BYTES = 8 << 20
MAX_MEANINGS = 16
"""Synonyms that one word may have: each is a query of its own."""
LOOK_EVERY = 1.0
"""Seconds between two looks at whether the file has changed."""


class Synonyms(Protocol):
    """Other words for a word. Safe to call from several threads."""

    @property
    def version(self) -> int:
        """Rises whenever the answers may have changed."""
        ...

    def of(self, word: str) -> tuple[str, ...]:
        """The other words for this one, in the order of the file; empty for most."""
        ...


def parse_synonyms(text: str) -> Mapping[str, tuple[str, ...]]:
    """The other words for each word, in one spelling; raises ``InvalidConfig`` naming the line.

    >>> parse_synonyms("운동화, Sneakers")["sneakers"]
    ('운동화',)
    """
    found: dict[str, dict[str, None]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        left, arrow, right = content.partition("=>")
        froms, to = _members(left), _members(right if arrow else left)
        if not froms or not to or (not arrow and len(to) < 2):
            raise InvalidConfig(f"synonyms: line {number}: {content[:60]!r} joins nothing")
        for word in froms:
            others = found.setdefault(word, {})
            others |= dict.fromkeys(other for other in to if other != word)
            if len(others) > MAX_MEANINGS:
                raise InvalidConfig(
                    f"synonyms: line {number}: {word!r} has {len(others)} synonyms,"
                    f" the limit is {MAX_MEANINGS}"
                )
    return MappingProxyType({word: tuple(others) for word, others in found.items()})


def _members(text: str) -> list[str]:
    parts = (" ".join(normalise(part).text.split()) for part in text.split(","))
    return list(dict.fromkeys(part for part in parts if part))


class NoSynonyms:
    """Every word stands for itself."""

    version = 0

    def of(self, word: str) -> tuple[str, ...]:
        """Nothing."""
        return ()


class SynonymFile:
    """``Synonyms`` from a file, read again when it has changed; without a file, none.

    A file that has become unreadable or wrong leaves the last good one in force.
    """

    def __init__(self, path: Path) -> None:
        """Read the file; raises ``InvalidConfig`` for a wrong one."""
        self._path = path
        self._guard = threading.Lock()
        self._looked = time.monotonic()
        self._stamp = self._state()
        self._sets = self._read()
        self._version = 1

    @property
    def version(self) -> int:
        """Rises with every change of the file that was taken."""
        self._look()
        return self._version

    def of(self, word: str) -> tuple[str, ...]:
        """The other words for this one, in the order of the file; empty for most."""
        self._look()
        return self._sets.get(word, ())

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return
        with self._guard:
            self._looked = now
            if (stamp := self._state()) == self._stamp:
                return
            self._stamp = stamp
            try:
                self._sets = self._read()
            except InvalidConfig:
                return
            self._version += 1

    def _state(self) -> tuple[int, int] | None:
        try:
            facts = self._path.stat()
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size

    def _read(self) -> Mapping[str, tuple[str, ...]]:
        if self._stamp is None:
            return {}
        if self._stamp[1] > MAX_BYTES:
            raise InvalidConfig(f"synonyms: {self._path} is larger than {MAX_BYTES:,} bytes")
        try:
            return parse_synonyms(self._path.read_text("utf-8-sig"))
        except (OSError, UnicodeDecodeError) as failure:
            raise InvalidConfig(f"synonyms: {self._path} cannot be read, {failure}") from None

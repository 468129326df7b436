"""Synonyms from a file that is reloaded when it changes.

A line is a set of equivalent words (``운동화, 스니커즈, sneakers``) or a one-way rule
(``tv => 텔레비전, television``). A synonym may have several words, but only single words of a query
are looked up. ``#`` begins a comment.
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
MAX_SYNONYMS = 16
"""Synonyms of one word at most, because each one adds a subquery."""
LOOK_EVERY = 1.0
"""Seconds between two checks whether the file has changed."""


class Synonyms(Protocol):
    """Synonyms of words. Safe to call from several threads."""

    @property
    def version(self) -> int:
        """A number that grows whenever the synonyms may have changed."""
        ...

    def of(self, word: str) -> tuple[str, ...]:
        """The synonyms of a normalised word, in the order of the file; empty without any."""
        ...


def parse_synonyms(text: str) -> Mapping[str, tuple[str, ...]]:
    """The synonyms of each word, all normalised; raises ``InvalidConfig`` naming the line.

    >>> parse_synonyms("운동화, Sneakers")["sneakers"]
    ('운동화',)
    """
    found: dict[str, dict[str, None]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words, synonyms = _parse_line(line.partition("#")[0].strip(), number)
        for word in words:
            others = found.setdefault(word, {})
            others |= dict.fromkeys(other for other in synonyms if other != word)
            if len(others) > MAX_SYNONYMS:
                raise InvalidConfig(
                    f"synonyms: line {number}: {word!r} has {len(others)} synonyms,"
                    f" the limit is {MAX_SYNONYMS}"
                )
    return MappingProxyType({word: tuple(others) for word, others in found.items()})


def _parse_line(content: str, number: int) -> tuple[list[str], list[str]]:
    """The words of a line and their synonyms, both empty for an empty line."""
    left, arrow, right = content.partition("=>")
    words, synonyms = _members(left), _members(right if arrow else left)
    if content and (not words or not synonyms or (not arrow and len(synonyms) < 2)):
        raise InvalidConfig(f"synonyms: line {number}: {content[:60]!r} does not connect two words")
    return words, synonyms


def _members(text: str) -> list[str]:
    parts = (" ".join(normalise(part).text.split()) for part in text.split(","))
    return list(dict.fromkeys(part for part in parts if part))


class NoSynonyms:
    """``Synonyms`` without any."""

    version = 0

    def of(self, word: str) -> tuple[str, ...]:
        """An empty tuple."""
        return ()


class SynonymFile:
    """``Synonyms`` from a file, reloaded when it changes; none while there is no file.

    A file that becomes unreadable or invalid is ignored: the last valid one stays in use.
    """

    def __init__(self, path: Path) -> None:
        """Read the file; raises ``InvalidConfig`` for an invalid one."""
        self._path = path
        self._guard = threading.Lock()
        self._checked = time.monotonic()
        self._stamp = self._file_state()
        self._synonyms = self._read()
        self._version = 1

    @property
    def version(self) -> int:
        """A number that grows with every valid change of the file."""
        self._reload_if_changed()
        return self._version

    def of(self, word: str) -> tuple[str, ...]:
        """The synonyms of a normalised word, in the order of the file; empty without any."""
        self._reload_if_changed()
        return self._synonyms.get(word, ())

    def _reload_if_changed(self) -> None:
        now = time.monotonic()
        if now - self._checked < LOOK_EVERY:
            return
        with self._guard:
            self._checked = now
            if (stamp := self._file_state()) == self._stamp:
                return
            self._stamp = stamp
            try:
                self._synonyms = self._read()
            except InvalidConfig:
                return
            self._version += 1

    def _file_state(self) -> tuple[int, int] | None:
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

"""Rankings that are kept, so that further pages and new weights need no new retrieval."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass

from cachetools import LRUCache

from hybrid_search.core import Challenger, FusionSettings
from hybrid_search.search.cursor import RankingKey
from hybrid_search.search.fusion import Order
from hybrid_search.search.retriever import Retrieval

MAX_BYTES = 64 << 20
"""Memory of all rankings that are kept; one of a usual search takes 20 to 40 kB."""
_OVERHEAD = 4096
"""Bytes of a ranking beside its columns, about."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """A fused order to page through, and what it was fused from."""

    key: RankingKey
    order: Order
    retrieval: Retrieval
    settings: FusionSettings
    total: int
    """How many assets match, beyond the order too."""
    did_you_mean: tuple[str, ...]
    reused: bool
    """Whether it was fused from the candidates of an earlier search."""
    challenger: Challenger | None = None
    """Whose order is interleaved with it."""
    extended: bool = False
    """Whether matches beyond the windows are in the order."""

    @property
    def matched(self) -> int:
        """How many matches are in the order; they come before the related hits."""
        return int(self.order.matched.sum())

    @property
    def related(self) -> int:
        """How many related hits are in the order."""
        return len(self.order) - self.matched

    @property
    def configuration(self) -> str:
        """How its lists were fused, in a line."""
        own = self.settings.line()
        return own if self.challenger is None else f"{own} | {self.challenger.settings.line()}"

    @property
    def nbytes(self) -> int:
        """Memory that it takes, in bytes."""
        return self.order.nbytes + self.retrieval.nbytes + _OVERHEAD


class RankingCache:
    """The rankings used last, up to ``max_bytes``. Safe to call from several threads."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._kept: LRUCache[RankingKey, Ranking] = LRUCache(
            max_bytes, getsizeof=lambda ranking: ranking.nbytes
        )
        self._guard = threading.Lock()

    def get(self, key: RankingKey) -> Ranking | None:
        """The ranking, while it is kept."""
        with self._guard:
            return self._kept.get(key)

    def put(self, ranking: Ranking) -> None:
        """Keep it in place of those that were not used for longest; one too large is not kept."""
        with self._guard, suppress(ValueError):
            self._kept[ranking.key] = ranking

    def clear(self) -> None:
        """Keep none."""
        with self._guard:
            self._kept.clear()

    @property
    def nbytes(self) -> int:
        """Memory of all that are kept, in bytes."""
        with self._guard:
            return int(self._kept.currsize)

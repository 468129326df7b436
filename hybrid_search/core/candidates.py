"""Candidate lists as columns: what a store finds, and what ranking works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hybrid_search.core.candidate_lists import ListName

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CandidateList:
    """One list, best candidate first; equal scores in order of arrival."""

    name: ListName
    rows: Integers
    """``(k,)``: each candidate's row in ``Retrieved``."""
    scores: Floats
    """``(k,)``: BM25, cosine, or the sum of the phrases' scores."""
    window: int
    """How many candidates the list was asked for."""
    total: int | None = None
    """How many assets match at all; ``None`` for nearest neighbours."""
    plan: str = ""
    """How the list was retrieved, for people: ``flat, exact, 1,455 vectors``."""
    shares: Floats | None = None
    """``(k,)``: the share of the query's information that each holds, 0 to 1."""
    named: Flags | None = None
    """``(k,)``: whether a name of the asset is the query."""
    confidences: Floats | None = None
    """``(k,)``: confidence in each candidate, 0 to 1; ``None`` where all have 1."""
    evidence: str = ""
    """What the confidence of the best candidate comes from, for people."""
    calibrated: bool = True
    """Whether confidence estimates a probability, so that a threshold on it means something."""

    @property
    def confidence(self) -> float:
        """The highest confidence of a candidate; 0 for an empty list."""
        if not len(self.rows):
            return 0.0
        return 1.0 if self.confidences is None else float(self.confidences.max())

    @property
    def exhausted(self) -> bool:
        """Whether the list holds all matches, so that an absent asset does not match."""
        return self.total is not None and self.total <= len(self.rows)

    def above(self, threshold: float) -> Flags:
        """``(k,)``: whether the confidence in each candidate reaches the threshold."""
        if self.confidences is None:
            return np.ones(len(self.rows), np.bool_)
        return self.confidences >= threshold

    def is_complete(self, threshold: float) -> bool:
        """Whether no asset beyond the list can reach the threshold."""
        if self.exhausted or (self.total is None and len(self.rows) < self.window):
            return True
        return bool(len(self.rows)) and not self.above(threshold)[-1]

    def cut(self, window: int) -> CandidateList:
        """The list as if it had been asked for a smaller window."""
        return self if window >= len(self.rows) else self.at(np.arange(window), window)

    def at(self, places: Integers, window: int) -> CandidateList:
        """The list with the candidates at these places alone."""
        return replace(
            self,
            rows=self.rows[places],
            scores=self.scores[places],
            window=window,
            shares=None if self.shares is None else self.shares[places],
            named=None if self.named is None else self.named[places],
            confidences=None if self.confidences is None else self.confidences[places],
        )


@dataclass(frozen=True, slots=True)
class Retrieved:
    """All candidates of a query as rows, and the lists that they stand in.

    Rows are in rising order of arrival. Fusion, sorting, explanations and the relevance lab are
    functions of settings and these columns.
    """

    arrivals: Integers
    """``(n,)``: the unique number of each stored version."""
    phrases: Integers
    """``(n,)``: how many of the quoted phrases each holds, whichever list it came from."""
    has_text: Flags
    """``(n,)``: whether lists of text could hold it."""
    has_picture: Flags
    """``(n,)``: whether lists of pictures could hold it."""
    lists: tuple[CandidateList, ...] = ()
    information: float = 0.0
    """What the words of the query say together, in nats."""
    quoted: int = 0
    """How many phrases the query quotes."""
    beyond: Flags | None = None
    """``(n,)``: which match by a list whose window does not reach them; ``None`` for no row."""

    @classmethod
    def of(
        cls,
        lists: Sequence[CandidateList],
        arrivals: Sequence[int] | Integers,
        phrases: Sequence[int] | Integers | None = None,
    ) -> Retrieved:
        """Rows that have both text and picture, and hold no phrase unless told.

        >>> rows = Retrieved.of((), [7, 8])
        >>> rows.phrases.tolist(), rows.has_text.tolist()
        ([0, 0], [True, True])
        """
        count, yes = len(arrivals), np.ones(len(arrivals), np.bool_)
        held = np.zeros(count, np.int64) if phrases is None else np.asarray(phrases, np.int64)
        return cls(np.asarray(arrivals, np.int64), held, yes, yes, tuple(lists))

    def row(self, arrival: int) -> int | None:
        """The row of that version, if it is a candidate."""
        at = int(np.searchsorted(self.arrivals, arrival))
        return at if at < len(self.arrivals) and self.arrivals[at] == arrival else None

    def narrowed(self, windows: Mapping[ListName, int]) -> Retrieved:
        """The same rows with only these lists, each to its window."""
        lists = [part for part in self.lists if part.name in windows]
        cut = tuple(replace(part.cut(w), window=w) for part in lists for w in (windows[part.name],))
        beyond = self.beyond if len(lists) == len(self.lists) else None
        return replace(self, lists=cut, beyond=beyond)

    @property
    def nbytes(self) -> int:
        """Memory of the columns, in bytes."""
        own = [self.arrivals, self.phrases, self.has_text, self.has_picture]
        own += [] if self.beyond is None else [self.beyond]
        columns = [c for part in self.lists for c in _columns(part)]
        return sum(column.nbytes for column in (*own, *columns))


def _columns(part: CandidateList) -> list[NDArray[np.generic]]:
    found = (part.rows, part.scores, part.shares, part.named, part.confidences)
    return [column for column in found if column is not None]


NO_ROWS = Retrieved.of((), ())
"""What a query without any candidate retrieves."""

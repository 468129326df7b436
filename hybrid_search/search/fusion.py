"""Rank fusion: one kernel for a search, for explanations and for sweeps over many settings.

Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): a candidate's score is the sum
over lists of weight / (rank_constant + rank), rank from 1. A list without the candidate adds 0.

``confident_rrf`` multiplies each summand by the candidate's confidence (``confidence.py``), and by
a lift for lists that cannot hold the candidate: a picture without text is in no list of words, and
that is not held against it. The gains of the other methods are in ``score_normalization.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybrid_search.core import (
    LIST_NAMES,
    Contribution,
    FusedHit,
    FusionSettings,
    ListName,
    Ordinal,
    Team,
)
from hybrid_search.core.candidate_lists import LISTS, list_rank
from hybrid_search.core.candidates import CandidateList, Flags, Floats, Integers, Retrieved
from hybrid_search.search.matched_set import matched_rows
from hybrid_search.search.score_normalization import gains

UNSEEN = 1 / 3
"""The weight of a list that cannot hold a candidate, relative to one that can and does not."""
_NOWHERE = 1 << 40
_DIGITS = 12
"""Decimal digits of a score that decide the order, so that rounding of sums does not."""


@dataclass(frozen=True, slots=True)
class Order:
    """The fused order of all candidates, best first, as columns."""

    rows: Integers
    """``(n,)``: rows of ``Retrieved``."""
    arrivals: Integers
    scores: Floats
    phrases: Integers
    lifts: Floats
    matched: Flags
    """Whether each matches the query, or is only related."""
    teams: tuple[Team, ...] = ()
    """Whom each hit counts for, when two orders are interleaved."""

    def __len__(self) -> int:
        """How many candidates there are."""
        return len(self.rows)

    def hit(self, place: int) -> FusedHit:
        """The candidate at that place, from 0."""
        return FusedHit(
            Ordinal(int(self.arrivals[place])),
            float(self.scores[place]),
            int(self.phrases[place]),
            float(self.lifts[place]),
            bool(self.matched[place]),
            self.teams[place] if self.teams else None,
        )

    def rank(self, arrival: int) -> int | None:
        """The rank of that version, from 1; ``None`` when it is not in the order."""
        at = np.flatnonzero(self.arrivals == arrival)
        return int(at[0]) + 1 if len(at) else None

    def take(self, places: Integers) -> Order:
        """The order with the candidates at these places alone."""
        return Order(
            self.rows[places],
            self.arrivals[places],
            self.scores[places],
            self.phrases[places],
            self.lifts[places],
            self.matched[places],
            tuple(self.teams[place] for place in places.tolist()) if self.teams else (),
        )

    def joined(self, other: Order) -> Order:
        """This order, then the other one."""
        return Order(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.arrivals, other.arrivals]),
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.phrases, other.phrases]),
            np.concatenate([self.lifts, other.lifts]),
            np.concatenate([self.matched, other.matched]),
            (*self.teams, *other.teams),
        )

    @property
    def nbytes(self) -> int:
        """Memory of the columns, in bytes."""
        columns = (self.rows, self.arrivals, self.scores, self.phrases, self.lifts)
        return sum(column.nbytes for column in columns) + self.matched.nbytes


def fuse(retrieved: Retrieved, settings: FusionSettings) -> Order:
    """Every candidate once, best first.

    Order: the number of quoted phrases, matched before related, the fused score, the best single
    rank, the list that gave it (in the order of ``LIST_NAMES``), arrival. The order of the lists
    does not matter. Where more assets hold a phrase than its window gave, only those that hold one
    are in the order.

    >>> from hybrid_search.core import ListSettings
    >>> ranks, one = np.arange(2), np.ones(1)
    >>> words = CandidateList("lexical", ranks, np.array([3.0, 2.0]), 10)
    >>> pictures = CandidateList("text_to_image", ranks[1:], one, 10, confidences=one / 2)
    >>> settings = FusionSettings(1.0, {n: ListSettings(10, 1.0) for n in LIST_NAMES})
    >>> order = fuse(Retrieved.of([words, pictures], [7, 8]), settings)
    >>> order.arrivals.tolist(), order.scores.round(4).tolist()
    ([8, 7], [0.5833, 0.5])
    """
    fused = Fusion(retrieved, [settings])
    rows = fused.ranked()[0]
    return Order(
        rows,
        retrieved.arrivals[rows],
        fused.scores[0, rows],
        retrieved.phrases[rows],
        fused.factors[0, rows],
        fused.matched[rows],
    )


class Fusion:
    """The candidates under several settings that share the method, each list to its own window."""

    def __init__(self, retrieved: Retrieved, settings: Sequence[FusionSettings]) -> None:
        self._retrieved, self._settings = retrieved, settings
        self._method = settings[0].method
        lists = [part.cut(part.window) for part in retrieved.lists]
        # In one order whatever the caller's, so that sums are the same to the last bit.
        self._lists = sorted(lists, key=lambda part: list_rank(part.name))
        count = len(retrieved.arrivals)
        self.scores = np.zeros((len(settings), count))
        """``(settings, n)`` fused scores."""
        self._best = np.full(count, _NOWHERE)
        held = np.zeros(count)
        for part in self._lists:
            self.scores[:, part.rows] += self.gains(part)
            held[part.rows] += 1.0
            places = np.arange(1, len(part.rows) + 1) * len(LIST_NAMES) + list_rank(part.name)
            self._best[part.rows] = np.minimum(self._best[part.rows], places)
        self.factors = self._factors(held)
        """``(settings, n)``: what the sum of each candidate's gains was multiplied by."""
        self.scores *= self.factors
        self.matched = matched_rows(retrieved, settings[0].lists)
        """``(n,)``: which candidates match; the same under all settings."""

    def gains(self, part: CandidateList) -> NDArray[np.float64]:
        """Contributions of a list to its n candidates, ``(settings, n)``, before lift."""
        constants = np.array([[one.rank_constant] for one in self._settings])
        gain = gains(self._method, part.scores, constants, self._weights(part.name)[:, None])
        if self._method == "confident_rrf" and part.confidences is not None:
            gain = gain * part.confidences
        return gain

    def ranked(self, depth: int | None = None) -> Integers:
        """``(settings, depth)``: rows, best first."""
        present = np.flatnonzero(self._present())
        # Stable sorts: what ties in all that follows stays in order of arrival.
        base = present[np.argsort(self._best[present], kind="stable")]
        falling = np.argsort(-np.round(self.scores[:, base], _DIGITS), axis=1, kind="stable")
        found = base[falling]
        tier = 2 * self._retrieved.phrases + self.matched
        if len(found[0]) and (tier[found[0]] != tier[found[0, 0]]).any():
            tiers = np.argsort(-tier[found], axis=1, kind="stable")
            found = np.take_along_axis(found, tiers, axis=1)
        return np.asarray(found[:, :depth])

    def _present(self) -> Flags:
        """Candidates of any list; with a cut phrase list, only those that hold a phrase."""
        present = self._best < _NOWHERE
        cut = any(part.name == "phrase" and not part.exhausted for part in self._lists)
        return present & (self._retrieved.phrases > 0) if cut else present

    def _weights(self, name: ListName) -> NDArray[np.float64]:
        return np.array([one.lists[name].weight for one in self._settings])

    def _factors(self, held: Floats) -> NDArray[np.float64]:
        if self._method == "combmnz":
            return np.broadcast_to(held, self.scores.shape)
        if self._method == "confident_rrf":
            return self._lifts()
        return np.ones_like(self.scores)

    def _lifts(self) -> NDArray[np.float64]:
        """By what the scores of candidates are raised that some lists cannot hold.

        A list weighs as much as the confidence of its best candidate. A candidate's score is what
        the lists that can hold it gave, as if the others had given two thirds as much for their
        weight.
        """
        lifts = np.ones_like(self.scores)
        weights = {p.name: self._weights(p.name) * p.confidence for p in self._lists}
        total = sum(weights.values(), np.zeros(len(self._settings)))
        retrieved = self._retrieved
        for modality, has in (("text", retrieved.has_text), ("picture", retrieved.has_picture)):
            if has.all():
                continue
            names = [name for name in weights if LISTS[name].modality == modality]
            missing = sum((weights[name] for name in names), np.zeros_like(total))
            rest = total - (1.0 - UNSEEN) * missing
            factor = np.where(missing > 0.0, total / np.where(rest > 0.0, rest, 1.0), 1.0)
            lacks = ~has
            lifts[:, lacks] = np.where((missing > 0.0)[:, None], factor[:, None], lifts[:, lacks])
        return lifts


def contributions(
    rows: Sequence[int], lifts: Sequence[float], retrieved: Retrieved, settings: FusionSettings
) -> list[tuple[Contribution, ...]]:
    """Contributions of each list to the candidates in ``rows``; -1 is no candidate.

    The parts of a candidate, which have its lift in them, add up to its score. Ranks and gains are
    computed once a list, not once a candidate.
    """
    fused = Fusion(retrieved, [settings])
    columns = [_Column(part, fused, settings, len(retrieved.arrivals)) for part in retrieved.lists]
    return [
        tuple(column.of(row, lift) for column in columns)
        for row, lift in zip(rows, lifts, strict=True)
    ]


class _Column:
    """One list's part of every candidate's explanation."""

    def __init__(
        self, part: CandidateList, fused: Fusion, settings: FusionSettings, count: int
    ) -> None:
        inside = part.cut(part.window)
        self._part, self._weight = inside, settings.lists[part.name].weight
        self._absent = part.exhausted
        self._places = np.full(count, -1)
        self._places[inside.rows] = np.arange(len(inside.rows))
        self._gains = fused.gains(inside)[0]
        known = settings.method == "confident_rrf" and inside.confidences is not None
        self._confidences = inside.confidences if known else None

    def of(self, row: int, lift: float) -> Contribution:
        """The part of the candidate in that row."""
        at, name = self._places[row] if row >= 0 else -1, self._part.name
        if at < 0:
            absent = "not_matched" if self._absent else "below_window"
            return Contribution(name, None, None, self._weight, 0.0, 0.0, absent)  # type: ignore[arg-type]  # one of the two literals
        confidence = 1.0 if self._confidences is None else float(self._confidences[at])
        score, gain = float(self._part.scores[at]), float(self._gains[at]) * lift
        return Contribution(name, int(at) + 1, score, self._weight, confidence, gain)

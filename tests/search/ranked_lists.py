"""Candidate lists written by hand, fused as a search fuses them."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hybrid_search.core import Contribution, FusedHit, FusionSettings, ListName
from hybrid_search.core.candidates import CandidateList, Retrieved
from hybrid_search.search.fusion import contributions, fuse


class Ranked(NamedTuple):
    """A list by ordinals, best first."""

    name: ListName
    ordinals: tuple[int, ...]
    scores: tuple[float, ...]
    confidences: tuple[float, ...] = ()
    window: int = 100
    total: int | None = None


def retrieved(
    lists: Sequence[Ranked],
    phrases: Mapping[int, int] | None = None,
    without_text: Collection[int] = (),
    without_picture: Collection[int] = (),
) -> Retrieved:
    """The rows of all candidates; those without text or picture are named."""
    arrivals = np.unique(np.array([o for one in lists for o in one.ordinals], np.int64))
    held = [(phrases or {}).get(arrival, 0) for arrival in arrivals.tolist()]
    return Retrieved(
        arrivals,
        np.array(held, np.int64),
        ~np.isin(arrivals, list(without_text)),
        ~np.isin(arrivals, list(without_picture)),
        tuple(_columns(one, arrivals) for one in lists),
    )


def _columns(one: Ranked, arrivals: np.ndarray[tuple[int], np.dtype[np.int64]]) -> CandidateList:
    return CandidateList(
        one.name,
        np.searchsorted(arrivals, np.array(one.ordinals, np.int64)),
        np.array(one.scores, np.float64),
        one.window,
        one.total,
        confidences=np.array(one.confidences, np.float64) if one.confidences else None,
    )


def fused(
    lists: Sequence[Ranked],
    settings: FusionSettings,
    phrases: Mapping[int, int] | None = None,
    without_text: Collection[int] = (),
    without_picture: Collection[int] = (),
) -> list[FusedHit]:
    """Every candidate once, best first."""
    order = fuse(retrieved(lists, phrases, without_text, without_picture), settings)
    return [order.hit(place) for place in range(len(order))]


def parts_of(
    hit: FusedHit, lists: Sequence[Ranked], settings: FusionSettings
) -> tuple[Contribution, ...]:
    """What each list gave to the hit."""
    rows = retrieved(lists)
    row = rows.row(hit.arrival)
    (parts,) = contributions([-1 if row is None else row], [hit.lift], rows, settings)
    return parts

"""Candidate lists whose hits say how far they are believed, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hybrid_search.core import CandidateList, ListName
from hybrid_search.core.ports import LexicalMatches, VectorIndex, Vectors
from hybrid_search.core.similarity_baseline import expected_best
from hybrid_search.search import evidence
from hybrid_search.search.fusion import Outside
from hybrid_search.stores.embedded.baseline_file import BaselineFile, script_of

OF_WORDS: tuple[ListName, ...] = ("text_to_image", "copy_semantic")
"""The lists of what lies near the meaning of the words."""
_OF_COPY: tuple[ListName, ...] = ("phrase", "lexical", "copy_semantic")
_OF_PICTURES: tuple[ListName, ...] = ("text_to_image", "image_to_image")
"""The lists that only assets with copy, or with a picture, can be in."""


@dataclass(frozen=True, slots=True)
class VectorSource:
    """Where a list of nearest neighbours is found, and what is usual there."""

    index: VectorIndex
    baseline: BaselineFile

    @property
    def known(self) -> bool:
        """Whether what is usual among its vectors is known, or there are none."""
        return self.baseline.current() is not None or not self.index.count()

    def believed(
        self, nearest: CandidateList, vector: Vectors, text: str, among: int | None
    ) -> CandidateList:
        """The vectors nearest to that of a text, each with how far it stands out.

        ``among`` is how many were allowed, ``None`` for all.
        """
        if not nearest.ordinals:
            return nearest
        baseline, best = self.baseline.current(), nearest.scores[0]
        if baseline is None:
            # Of few vectors the list holds nearly all: they are each other's baseline.
            mean, deviation = float(np.mean(nearest.scores)), float(np.std(nearest.scores))
        else:
            mean, deviation = baseline.against(vector, script_of(text))
        count = self.index.count() if among is None else among
        why = (
            f"similarity up to {best:.3f}, {(best - mean) / max(deviation, 1e-9):.1f} deviations"
            f" above the {mean:.3f} usual here; {expected_best(count):.1f} come by chance"
        )
        confidences = evidence.of_similarities(nearest.scores, mean, deviation, count)
        return replace(nearest, confidences=confidences, evidence=why)


def matched(found: LexicalMatches, window: int, words: int, assets: int) -> CandidateList:
    """The matches of so many words among so many assets, each with how far it is believed."""
    confidences = evidence.of_words(
        found.shares, found.whole, found.information, max(1, words), assets
    )
    named = ", as its name" if any(found.whole) else ""
    held = max(found.shares, default=0.0)
    why = f"up to {held:.0%} of the query's {found.information:.1f} nats{named}"
    return CandidateList(
        name="lexical",
        ordinals=found.ordinals,
        scores=found.scores,
        window=window,
        total=found.total,
        plan="BM25",
        confidences=confidences,
        evidence=why if found.ordinals else "",
    )


def outside(
    lists: Sequence[CandidateList], sources: Mapping[ListName, VectorSource], assets: int
) -> Iterator[Outside]:
    """Candidates that have no copy, or no picture, to be in the lists of these.

    ``assets`` is how many there are at all: where every one has a vector, nothing is looked up.
    """
    by_names: Mapping[ListName, Sequence[ListName]] = {
        "copy_semantic": _OF_COPY,
        "text_to_image": _OF_PICTURES,
    }
    for by, names in by_names.items():
        if by not in sources or sources[by].index.count() >= assets:
            continue
        inside = {o for part in lists if part.name in names for o in part.ordinals}
        others = {o for part in lists if part.name not in names for o in part.ordinals} - inside
        if inside and others:
            yield Outside(names, others - sources[by].index.holds(list(others)))

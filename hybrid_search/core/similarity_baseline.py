"""The similarity baseline: the distribution of cosines between a query and unrelated vectors.

The scale of a cosine depends on the model, on the query, and on whether pictures or texts are
compared. A baseline, measured once per index, gives mean and deviation of the similarities of any
query, and a factor for how far the best of unrelated vectors exceed those of a normal distribution.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Literal, get_args

import numpy as np

from hybrid_search.core.arrays import Vectors

LEAST = 50
"""The least number of vectors for a baseline."""
SAMPLE = 16_384
"""The number of vectors measured, spread over the index."""
_MIXED = 32
"""Probes mixed into one unrelated query; with so many, none of them dominates."""
_QUERIES = 256

Script = Literal["latin", "hangul"]
"""The script of a query. To a model that cannot read it, all queries look alike: a few vectors then
stand out for every query, which the factor of that script corrects."""
_SCRIPTS: tuple[Script, ...] = get_args(Script)
_HANGUL = re.compile("[\uac00-\ud7a3]")


def script_of(text: str) -> Script:
    """The script that the text is written in: ``hangul`` when it has any."""
    return "hangul" if _HANGUL.search(text) else "latin"


@dataclass(frozen=True, slots=True)
class SimilarityBaseline:
    """The baseline of one vector index."""

    mean: Vectors
    """The mean vector ``(d,)`` float32."""
    covariance: Vectors
    """Their covariance ``(d, d)`` float32."""
    vectors: int
    """The number of vectors in the index when it was measured."""
    tails: Mapping[Script, float]
    """Per script, how far the best unrelated vectors exceed normal ones; at least 1."""

    def against(self, query: Vectors, script: Script) -> tuple[float, float]:
        """Mean and deviation of the similarities of a unit query ``(d,)``.

        The deviation includes the factor of the script.
        """
        variance = max(0.0, float(query @ self.covariance @ query))
        return float(self.mean @ query), math.sqrt(variance) * self.tails.get(script, 1.0)

    @property
    def deviation(self) -> float:
        """The deviation of the similarities of an average query."""
        return math.sqrt(float(np.trace(self.covariance)) / len(self.covariance))

    def packed(self) -> bytes:
        """The baseline as the bytes of an ``npz`` file."""
        arrays: dict[str, Any] = {
            "mean": self.mean,
            "covariance": self.covariance,
            "vectors": np.array(self.vectors),
        }
        arrays |= {f"tail_{script}": np.array(value) for script, value in self.tails.items()}
        out = io.BytesIO()
        np.savez(out, **arrays)
        return out.getvalue()


def unpacked(data: bytes) -> SimilarityBaseline:
    """The baseline in the bytes of ``packed``; raises ``ValueError`` for others."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            tails = {a: float(arrays[f"tail_{a}"]) for a in _SCRIPTS if f"tail_{a}" in arrays}
            return SimilarityBaseline(
                arrays["mean"], arrays["covariance"], int(arrays["vectors"]), tails
            )
    except Exception as failure:  # zipfile and numpy raise almost anything on damaged files
        raise ValueError(f"no baseline: {failure}") from failure


def measure(sample: Vectors, probes: Mapping[Script, Vectors], vectors: int) -> SimilarityBaseline:
    """The baseline of an index of ``vectors`` vectors, measured on a sample ``(n, d)`` of them.

    ``probes`` are query vectors ``(m, d)`` per script. Sums of 32 of them with random signs serve
    as queries that are about nothing in particular and lie where queries lie.
    """
    exact = sample.astype(np.float64)
    mean = exact.mean(axis=0)
    centred = exact - mean
    covariance = centred.T @ centred / len(sample)
    plain = SimilarityBaseline(mean.astype(np.float32), covariance.astype(np.float32), vectors, {})
    tails = {script: _tail(plain, sample, rows, script) for script, rows in probes.items()}
    return replace(plain, tails=tails)


def expected_best(vectors: int) -> float:
    """The median of the maximum of ``vectors`` independent standard normal values."""
    return NormalDist().inv_cdf(0.5 ** (1.0 / max(vectors, 1)))


def _tail(baseline: SimilarityBaseline, sample: Vectors, probes: Vectors, script: Script) -> float:
    """How far the best of unrelated vectors stand out, relative to normal ones."""
    if len(probes) < _MIXED:
        return 1.0
    queries = _unrelated_queries(probes)
    best = (queries @ sample.T).max(axis=1)
    against = [baseline.against(query, script) for query in queries]
    pairs = zip(best, against, strict=True)
    z = [(top - mean) / max(deviation, 1e-9) for top, (mean, deviation) in pairs]
    return round(max(1.0, float(np.median(z)) / expected_best(len(sample))), 4)


def _unrelated_queries(probes: Vectors) -> Vectors:
    """Unit queries ``(n, d)``: the mean of the probes plus 32 of their deviations."""
    chance = np.random.default_rng(0)
    mean = probes.mean(axis=0)
    deviations = probes - mean
    queries = np.empty((_QUERIES, probes.shape[1]), np.float32)
    for row in queries:
        chosen = deviations[chance.choice(len(probes), _MIXED, replace=False)]
        signs = chance.choice((-1.0, 1.0), _MIXED)
        row[:] = mean + signs @ chosen / math.sqrt(_MIXED)
    lengths = np.linalg.norm(queries, axis=1, keepdims=True)
    return np.asarray(queries / np.maximum(lengths, 1e-9), np.float32)

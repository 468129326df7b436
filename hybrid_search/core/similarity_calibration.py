"""The probability that a neighbour is relevant, from its cosine.

A cosine far above chance need not mean the same thing: texts of near meaning are far above chance
for every query. How cosines of relevant pairs lie belongs to the model, as its logit scale does.
So a calibration is a logistic regression of judged candidates on two numbers: the cosine, and how
many deviations it lies above the baseline of the query. Given the query, the probability rises with
the cosine and depends on nothing else: not on ranks, windows or filters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybrid_search.core.candidate_lists import ListName

_DIGITS = 4
_LEAST_DEVIATION = 1e-5
"""Equal vectors differ only by rounding; none lies above chance."""


@dataclass(frozen=True, slots=True)
class SimilarityCalibration:
    """Log odds of relevance: ``intercept + cosine * cos + deviations * z``."""

    intercept: float
    cosine: float
    deviations: float

    def probabilities(
        self, similarities: ArrayLike, mean: float, deviation: float
    ) -> NDArray[np.float64]:
        """The probability of each cosine, given the baseline of the query; to four digits.

        >>> SimilarityCalibration(-7.0, 7.0, 0.5).probabilities([0.9, 0.2], 0.1, 0.1)
        array([0.9644, 0.0061])
        """
        values = np.asarray(similarities, np.float64)
        z = (values - mean) / max(deviation, _LEAST_DEVIATION)
        odds = self.intercept + self.cosine * values + self.deviations * z
        return np.asarray(np.round(1.0 / (1.0 + np.exp(-np.clip(odds, -60.0, 60.0))), _DIGITS))

    def cut(self, probability: float, mean: float, deviation: float) -> float:
        """The cosine from which on the probability, rounded as above, is reached.

        >>> round(SimilarityCalibration(-7.0, 7.0, 0.5).cut(0.5, mean=0.1, deviation=0.1), 4)
        0.625
        """
        width = max(deviation, _LEAST_DEVIATION)
        bounded = min(max(probability - 0.5 * 10**-_DIGITS, 1e-9), 1.0 - 1e-9)
        odds = log(bounded / (1.0 - bounded))
        return (odds - self.intercept + self.deviations * mean / width) / (
            self.cosine + self.deviations / width
        )


GENERAL: Mapping[ListName, SimilarityCalibration] = {
    "text_to_image": SimilarityCalibration(-6.416, 0.0, 1.266),
    "copy_semantic": SimilarityCalibration(-6.610, 0.0, 1.449),
    "image_to_image": SimilarityCalibration(-14.5, 0.0, 3.202),
}
"""For models without a calibration of their own: by deviations alone, whose scale models share."""

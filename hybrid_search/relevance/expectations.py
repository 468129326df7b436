"""Regression check: measures against the values that an experiment expects."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hybrid_search.core.errors import InvalidInput
from hybrid_search.relevance.runner import Results


@dataclass(frozen=True, slots=True)
class Missed:
    """A measure below its expected value by more than the tolerance."""

    configuration: str
    measure: str
    value: float
    expected: float
    tolerance: float

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


def misses(results: Results) -> list[Missed]:
    """The missed expectations, in file order.

    Raises ``InvalidInput`` for an experiment without expected values.
    """
    if not results.experiment.expected:
        raise InvalidInput("expected: the experiment has no expected values to check")
    means = {one.name: one.means for one in results.compared}
    return [
        Missed(name, measure, means[name][measure], wanted.value, wanted.tolerance)
        for name, measures in results.experiment.expected.items()
        for measure, wanted in measures.items()
        if means[name][measure] < wanted.value - wanted.tolerance
    ]

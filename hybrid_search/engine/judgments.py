"""Judgments that people made: how well an ad answers a query, by whom, when and from where.

They are kept as they come, one JSON object a line, each on the disk before it is acknowledged. The
last word of a judge on a query and an ad counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from statistics import fmean

import orjson
from filelock import FileLock

from hybrid_search.files.atomic_files import make_folder, storing, sync

JUDGMENTS = "judgments.jsonl"
"""Where in a data folder they are kept."""
GRADES = (0, 1, 2, 3)
"""Beside the point, somewhat, well, exactly."""


@dataclass(frozen=True, slots=True)
class Judgment:
    """One judge's word on one ad for one query."""

    query: str
    asset: str
    grade: int
    judge: str
    source: str
    """What it was made with: ``page``, or the name of an import."""
    at: str
    """UTC, ISO 8601."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two judges agree on what both have judged."""

    judges: tuple[str, str]
    pairs: int
    same: float
    """Share of the pairs that both gave the same grade."""
    kappa: float
    """Cohen's, weighted by squared difference: 1 in full, 0 as by chance. Cohen, 1968."""


class Judgments:
    """The judgments of a data folder. Any process may add some."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / JUDGMENTS

    def add(self, judgments: Iterable[Judgment]) -> None:
        """Keep them; durable when the call returns.

        Raises ``StorageFull`` and ``EngineFailure``.
        """
        lines = b"".join(orjson.dumps(asdict(one)) + b"\n" for one in judgments)
        make_folder(self._path.parent)
        new = not self._path.exists()
        alone = FileLock(f"{self._path}.lock", timeout=10)
        with storing(self._path), alone, self._path.open("a+b") as file:
            file.write(self._ending(file.fileno()) + lines)
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync(self._path.parent)

    def current(self) -> list[Judgment]:
        """Each judge's last word, in the order in which they were first asked."""
        last: dict[tuple[str, str, str], Judgment] = {}
        for one in self._all():
            last[one.judge, one.query, one.asset] = one
        return list(last.values())

    def _all(self) -> Iterator[Judgment]:
        if not self._path.is_file():
            return
        for line in self._path.read_bytes().splitlines():
            try:
                yield Judgment(**orjson.loads(line))
            except (ValueError, TypeError):
                # The end of a write that was never acknowledged.
                continue

    @staticmethod
    def _ending(descriptor: int) -> bytes:
        """What ends a line that was cut off, so that the next one is not lost with it."""
        size = os.fstat(descriptor).st_size
        return b"" if not size or os.pread(descriptor, 1, size - 1) == b"\n" else b"\n"


def now() -> str:
    """The time as a judgment has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def qid_of(query: str) -> str:
    """The id of a query in a file of judgments: the same for the same words."""
    return f"q{sha256(query.encode()).hexdigest()[:12]}"


def as_qrels(judgments: Iterable[Judgment]) -> str:
    """TREC qrels, the mean of several judges' grades rounded half up."""
    grades: dict[tuple[str, str], list[int]] = {}
    for one in judgments:
        grades.setdefault((one.query, one.asset), []).append(one.grade)
    return "".join(
        f"{qid_of(query)} 0 {asset} {int(fmean(given) + 0.5)}\n"
        for (query, asset), given in grades.items()
    )


def agreements(judgments: Iterable[Judgment]) -> list[Agreement]:
    """Of every two judges with pairs in common, in alphabetical order."""
    by_judge: dict[str, dict[tuple[str, str], int]] = {}
    for one in judgments:
        by_judge.setdefault(one.judge, {})[one.query, one.asset] = one.grade
    found = []
    for first, second in combinations(sorted(by_judge), 2):
        both = [
            (grade, by_judge[second][pair])
            for pair, grade in by_judge[first].items()
            if pair in by_judge[second]
        ]
        if both:
            same = fmean(a == b for a, b in both)
            found.append(Agreement((first, second), len(both), same, weighted_kappa(both)))
    return found


def weighted_kappa(pairs: list[tuple[int, int]]) -> float:
    """Cohen's kappa with squared weights; 1 where chance alone would agree in full.

    >>> weighted_kappa([(0, 0), (3, 3), (1, 1)]), round(weighted_kappa([(0, 3), (3, 0)]), 1)
    (1.0, -1.0)
    """
    observed = fmean((a - b) ** 2 for a, b in pairs)
    expected = fmean((a - b) ** 2 for a, _ in pairs for _, b in pairs)
    return 1.0 - observed / expected if expected else 1.0

"""Relevance judgments: the grade of an asset for a query, with judge, source and time.

Judgments are appended to a file of JSON lines and synced before they are acknowledged. The last
judgment of a judge on a query and an asset counts.
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
"""File name in the data folder."""
GRADES = (0, 1, 2, 3)
"""Not relevant, somewhat relevant, relevant, highly relevant."""


@dataclass(frozen=True, slots=True)
class Judgment:
    """The grade that one judge gave to one asset for one query."""

    query: str
    asset: str
    grade: int
    judge: str
    source: str
    """``page``, or the name of the imported file."""
    at: str
    """UTC, ISO 8601."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of two judges on the pairs that both have judged."""

    judges: tuple[str, str]
    pairs: int
    same: float
    """Share of pairs with equal grades."""
    kappa: float
    """Cohen's kappa with squared weights (Cohen, 1968): 1 for full agreement, 0 for chance."""


class Judgments:
    """The judgments of a data folder. Several processes may add judgments."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / JUDGMENTS

    def add(self, judgments: Iterable[Judgment]) -> None:
        """Append judgments; they are durable when the call returns.

        Raises ``StorageFull`` and ``EngineFailure``.
        """
        lines = b"".join(orjson.dumps(asdict(one)) + b"\n" for one in judgments)
        make_folder(self._path.parent)
        new = not self._path.exists()
        lock = FileLock(f"{self._path}.lock", timeout=10)
        with storing(self._path), lock, self._path.open("a+b") as file:
            file.write(self._line_end(file.fileno()) + lines)
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync(self._path.parent)

    def current(self) -> list[Judgment]:
        """The last judgment of each judge, query and asset, in order of the first ones."""
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
                # A torn write, which was never acknowledged.
                continue

    @staticmethod
    def _line_end(descriptor: int) -> bytes:
        """A newline after a torn write, so that the next line can be read; else nothing."""
        size = os.fstat(descriptor).st_size
        return b"" if not size or os.pread(descriptor, 1, size - 1) == b"\n" else b"\n"


def now() -> str:
    """The current time, as stored in a judgment."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def qid_of(query: str) -> str:
    """The qid of a query text in exported files, a hash of the text."""
    return f"q{sha256(query.encode()).hexdigest()[:12]}"


def as_qrels(judgments: Iterable[Judgment]) -> str:
    """TREC qrels with the mean grade of all judges, rounded half up."""
    grades: dict[tuple[str, str], list[int]] = {}
    for one in judgments:
        grades.setdefault((one.query, one.asset), []).append(one.grade)
    return "".join(
        f"{qid_of(query)} 0 {asset} {int(fmean(given) + 0.5)}\n"
        for (query, asset), given in grades.items()
    )


def agreements(judgments: Iterable[Judgment]) -> list[Agreement]:
    """The agreement of every two judges with common pairs, in alphabetical order."""
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
    """Cohen's kappa with squared weights; 1 if chance agreement is already full.

    >>> weighted_kappa([(0, 0), (3, 3), (1, 1)]), round(weighted_kappa([(0, 3), (3, 0)]), 1)
    (1.0, -1.0)
    """
    observed = fmean((a - b) ** 2 for a, b in pairs)
    expected = fmean((a - b) ** 2 for a, _ in pairs for _, b in pairs)
    return 1.0 - observed / expected if expected else 1.0

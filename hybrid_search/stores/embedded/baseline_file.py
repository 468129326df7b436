"""Measure the similarity baseline of a vector index, and keep it in a file beside the index."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from hybrid_search.core.ports import VectorIndex, Vectors
from hybrid_search.core.similarity_baseline import (
    LEAST,
    SAMPLE,
    Script,
    SimilarityBaseline,
    measure,
    unpacked,
)
from hybrid_search.files.atomic_files import (
    make_folder,
    with_checksum,
    without_checksum,
    write_atomically,
)
from hybrid_search.files.quarantine import Repairs

LOOK_EVERY = 1.0
"""Seconds between two checks for a new measurement of another process."""
_PROBES: dict[Script, str] = {
    "latin": """apple bridge candle doctor engine forest garden hammer island jacket kitchen ladder
        market needle orange pillow quilt river summer teacher umbrella village window yellow bread
        camera desert flower glass horse music paper""",
    "hangul": """사과 다리 양초 의사 엔진 숲 정원 망치 섬 재킷 부엌 사다리 시장 바늘 오렌지 베개
        이불 강 여름 선생님 우산 마을 창문 노랑 빵 카메라 사막 꽃 유리 말 음악 종이""",
}
"""Probe words of each script. Titles would not do: their own texts are in the index and stand out
rightly."""


class BaselineFile:
    """The file with the baseline of one index, as any process measured it last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = threading.Lock()
        self._checked_at = -LOOK_EVERY
        self._stamp: tuple[int, int] | None = None
        self._known: SimilarityBaseline | None = None

    def current(self) -> SimilarityBaseline | None:
        """The last measured baseline; ``None`` without a readable file."""
        if time.monotonic() - self._checked_at >= LOOK_EVERY:
            self._refresh()
        return self._known

    @property
    def version(self) -> str:
        """A text that changes with every measurement; empty without a file."""
        self.current()
        return "" if self._stamp is None else f"{self._stamp[0] % 2**32:x}"

    def write(self, baseline: SimilarityBaseline) -> None:
        """Write the baseline atomically."""
        make_folder(self.path.parent)
        write_atomically(self.path, with_checksum(baseline.packed()))
        self._refresh()

    def is_damaged(self) -> bool:
        """Whether there is a file that cannot be read."""
        return self.current() is None and self.path.is_file()

    def mend(self, repairs: Repairs) -> None:
        """Move a damaged file away; maintenance then measures a new baseline."""
        if self.is_damaged():
            repairs.note(f"{self.path} was damaged; moved away, to be measured again")
            repairs.set_aside(self.path)
            self._refresh()

    def _refresh(self) -> None:
        with self._guard:
            self._checked_at = time.monotonic()
            if (stamp := self._state()) == self._stamp:
                return
            self._stamp = stamp
            try:
                self._known = (
                    None if stamp is None else unpacked(without_checksum(self.path.read_bytes()))
                )
            except (OSError, ValueError):
                self._known = None

    def _state(self) -> tuple[int, int] | None:
        try:
            facts = self.path.stat()
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size


class Calibrator:
    """Measures the baseline of one index when it is due."""

    def __init__(
        self,
        index: VectorIndex,
        texts: Callable[[list[str]], Vectors],
        file: BaselineFile,
    ) -> None:
        """``texts`` embeds texts as those of documents, not with the prompt of queries."""
        self._index = index
        self._texts = texts
        self._file = file

    def due(self, growth: float) -> bool:
        """Whether the index has grown or shrunk by that factor since the last measurement."""
        count, known = self._index.count(), self._file.current()
        if count < LEAST:
            return False
        return known is None or not 1 / growth < count / known.vectors < growth

    def calibrate(self) -> SimilarityBaseline | None:
        """Measure and write the baseline; ``None`` for an index with too few vectors."""
        count = self._index.count()
        if count < LEAST:
            return None
        probes = {script: self._texts(words.split()) for script, words in _PROBES.items()}
        baseline = measure(self._index.sample(SAMPLE), probes, count)
        self._file.write(baseline)
        return baseline

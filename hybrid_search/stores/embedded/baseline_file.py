"""Measuring what is usual among the vectors of an index, and keeping it beside the index."""

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
    write_whole,
)
from hybrid_search.files.quarantine import Repairs

LOOK_EVERY = 1.0
"""Seconds after which is looked whether another process has measured anew."""
_EVERYDAY: dict[Script, str] = {
    "latin": """apple bridge candle doctor engine forest garden hammer island jacket kitchen ladder
        market needle orange pillow quilt river summer teacher umbrella village window yellow bread
        camera desert flower glass horse music paper""",
    "hangul": """사과 다리 양초 의사 엔진 숲 정원 망치 섬 재킷 부엌 사다리 시장 바늘 오렌지 베개
        이불 강 여름 선생님 우산 마을 창문 노랑 빵 카메라 사막 꽃 유리 말 음악 종이""",
}
"""By which it is known how each writing is answered. Not titles: the copy of each of those lies in
the index, and stands out because it is meant."""


class BaselineFile:
    """The baseline of one index, as any process has measured it last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = threading.Lock()
        self._looked = -LOOK_EVERY
        self._stamp: tuple[int, int] | None = None
        self._known: SimilarityBaseline | None = None

    def current(self) -> SimilarityBaseline | None:
        """What was measured last; ``None`` before that, and for a file that cannot be read."""
        if time.monotonic() - self._looked >= LOOK_EVERY:
            self._look()
        return self._known

    @property
    def version(self) -> str:
        """Changes with every measurement."""
        self.current()
        return "" if self._stamp is None else f"{self._stamp[0] % 2**32:x}"

    def write(self, baseline: SimilarityBaseline) -> None:
        """Keep what was measured."""
        make_folder(self.path.parent)
        write_whole(self.path, with_checksum(baseline.packed()))
        self._look()

    def is_damaged(self) -> bool:
        """Whether there is a file, and it is not what was written."""
        return self.current() is None and self.path.is_file()

    def mend(self, repairs: Repairs) -> None:
        """Set a damaged file aside; it is measured anew."""
        if self.is_damaged():
            repairs.note(f"{self.path} is not what was written; set aside, and measured again")
            repairs.set_aside(self.path)
            self._look()

    def _look(self) -> None:
        with self._guard:
            self._looked = time.monotonic()
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
        """``texts`` embeds, as documents are embedded."""
        self._index = index
        self._texts = texts
        self._file = file

    def due(self, growth: float) -> bool:
        """Whether the index has grown, or shrunk, by that factor since it was measured."""
        count, known = self._index.count(), self._file.current()
        if count < LEAST:
            return False
        return known is None or not 1 / growth < count / known.vectors < growth

    def calibrate(self) -> SimilarityBaseline | None:
        """What was measured and kept; ``None`` where there are too few vectors."""
        count = self._index.count()
        if count < LEAST:
            return None
        probes = {script: self._texts(words.split()) for script, words in _EVERYDAY.items()}
        baseline = measure(self._index.sample(SAMPLE), probes, count)
        self._file.write(baseline)
        return baseline

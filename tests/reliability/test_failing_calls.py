"""Any failing call during a write gives a clear error, loses nothing, and work continues."""

import json
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from hybrid_search.core.errors import EngineFailure, StorageFull
from hybrid_search.files.atomic_files import storing, write_atomically
from tests.reliability.failing_calls import (
    KINDS,
    PHASES,
    Prepared,
    failed_in_python,
    failing,
    opened,
    prepared,
    told_by,
)

FAILING_CALLS = Path(__file__).parents[2] / "bench" / "failing_calls.py"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared(tmp_path_factory.mktemp("failing") / "base")


def calls_of(base: Prepared, scratch: Path, phase: str) -> dict[str, int]:
    """Return the number of calls of each kind in the phase when none fails."""
    with opened(base, scratch) as scene, ExitStack() as stack:
        counted = {kind: stack.enter_context(failing(kind, 0, scratch)) for kind in KINDS}
        assert told_by(PHASES[phase], scene) == []
    return {kind: calls.seen for kind, calls in counted.items()}


@pytest.mark.parametrize(
    ("phase", "shares"),
    [
        ("ingest", {"fsync": 0.3, "rename": 1, "open": 0.6}),
        ("merge", {"fsync": 0.5, "rename": 1, "open": 0}),
        ("rebuild", {"rename": 1}),
        ("snapshot", {"fsync": 0.5, "rename": 1, "open": 0.2}),
    ],
)
def test_one_call_fails(
    base: Prepared, tmp_path: Path, phase: str, shares: dict[str, float]
) -> None:
    """The first, the last, and some in between; ``bench/failing_calls.py`` tries all."""
    counts = calls_of(base, tmp_path / "counted", phase)
    for kind, share in shares.items():
        number = 1 + round(share * (counts[kind] - 1))
        assert failed_in_python(base, tmp_path / kind, phase, kind, number) == [], (kind, number)


def test_a_call_of_a_library_fails() -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace, by which the calls of SQLite and Tantivy are let fail")
    words = ["--phases", "ingest", "--calls", "fdatasync", "--every", "5", "--json"]
    done = subprocess.run(
        [sys.executable, str(FAILING_CALLS), *words], capture_output=True, text=True, check=False
    )
    if "strace cannot attach" in done.stderr:
        pytest.skip("strace may not attach to a process here")
    assert done.returncode == 0, done.stderr
    tried = json.loads(done.stdout)
    assert tried[0]["wrong"] == []
    assert tried[0]["failures"] > 0


def test_error_names_what_could_not_be_written(tmp_path: Path) -> None:
    with failing("fsync", 1, tmp_path), pytest.raises(EngineFailure) as told:
        write_atomically(tmp_path / "file", b"data")
    assert str(told.value).endswith("cannot be written: Input/output error")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageFull, match="no space left for"), storing(tmp_path):
        raise OSError(28, "No space left on device")

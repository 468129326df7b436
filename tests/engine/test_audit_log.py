"""The audit log: complete lines from many threads, bounded files, no exceptions."""

import json
import threading
from pathlib import Path

import pytest

from hybrid_search.engine.access.audit_log import KEPT, AuditLog


def test_lines_come_back_newest_first(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", 1)
    for number in range(5):
        log.record(action="put", number=number)
    assert [line["number"] for line in log.newest(3)] == [4, 3, 2]
    assert all(line["time"].endswith("+00:00") for line in log.newest(3))


def test_many_threads_never_mix_their_lines(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", 1)

    def write(thread: int) -> None:
        for number in range(50):
            log.record(thread=thread, number=number, filling="x" * 200)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert sorted((line["thread"], line["number"]) for line in lines) == [
        (thread, number) for thread in range(4) for number in range(50)
    ]


def test_large_file_is_rotated_and_few_are_kept(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", 1)
    for number in range(40):
        log.record(number=number, filling="x" * 250_000)
    files = sorted(path.name for path in tmp_path.glob("audit.jsonl*") if path.suffix != ".lock")
    assert files == ["audit.jsonl", *(f"audit.jsonl.{n}" for n in range(1, KEPT + 1))]
    assert all((tmp_path / name).stat().st_size <= 1 << 20 for name in files)
    assert [line["number"] for line in log.newest(10)] == list(range(39, 29, -1))


def test_write_failure_is_logged_not_raised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    AuditLog(tmp_path / "audit.jsonl", 1).record(action="put")
    assert "cannot write" in caplog.text

"""A power cut: acknowledged data was on the disk, in a safe order."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hybrid_search.core import AssetId
from hybrid_search.engine.factory import open_engine
from hybrid_search.settings.settings import load_settings
from hybrid_search.stores.embedded.verify import verify
from tests.progress import HANG_SECONDS
from tests.reliability.damage import rows, settings_of

PROGRAM = """
import sys
from pathlib import Path
from hybrid_search.engine.factory import open_engine
from hybrid_search.settings.settings import load_settings
from hybrid_search.ingest.manifests import read_assets
data, *manifests = map(Path, sys.argv[1:])
with open_engine(load_settings(data), write=True) as engine:
    for path in manifests:
        engine.writer().ingest(read_assets(path, 1 << 20))
        (data.parent / "acknowledged").write_text(path.stem)
        print(path.stem, flush=True)
    sys.stdin.readline()
"""


def traced(data: Path, manifests: list[Path], log: Path) -> list[tuple[str, str]]:
    """Return every sync, rename and acknowledgement in kernel order."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    calls = "trace=fsync,fdatasync,rename,renameat,renameat2,write,openat,close"
    command = ["strace", "-f", "-y", "-s", "0", "-e", calls, "-o", str(log), sys.executable, "-c"]
    done = subprocess.run(
        [*command, PROGRAM, str(data), *map(str, manifests)],
        input="\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"strace does not run here: {done.stderr[-300:]}")
    found = []
    for line in log.read_text("utf-8", "replace").splitlines():
        if match := re.search(r"\b(f(?:data)?sync)\(\d+<([^>]*)>", line):
            found.append(("sync", match[2]))
        elif match := re.search(r"\brename\w*\(.*\"([^\"]+)\"", line):
            found.append(("rename", line))
        elif re.search(r"\bwrite\(\d+<[^>]*/acknowledged>", line):
            found.append(("acknowledged", ""))
    return found


def test_everything_is_synced_before_it_is_acknowledged(tmp_path: Path) -> None:
    settings_of(tmp_path / "data")
    manifests = [rows(tmp_path / "ads", 6, first) for first in (0, 100)]
    events = traced(tmp_path / "data", manifests, tmp_path / "log")
    said = [place for place, (kind, _) in enumerate(events) if kind == "acknowledged"]
    assert len(said) >= 2
    for begin, end in ((0, said[0]), (said[0], said[1])):
        synced = [path for kind, path in events[begin:end] if kind == "sync"]
        assert any("catalog.sqlite" in path for path in synced)
        assert any("/pictures/originals/" in path for path in synced)
        last_of_words = max(i for i, path in enumerate(synced) if "/lexical/" in path)
        folder = max(i for i, path in enumerate(synced) if path.endswith("/lexical"))
        assert folder > last_of_words, "the folder is synced after the files and their rename"
    renamed = [i for i, (kind, line) in enumerate(events) if kind == "rename" and ".part" in line]
    assert renamed
    for place in renamed:
        assert events[place - 1][0] == "sync" or events[place - 2][0] == "sync"
        assert any(kind == "sync" for kind, _ in events[place + 1 : place + 4])


def test_disk_copy_at_any_moment_has_acknowledged_writes(tmp_path: Path) -> None:
    """A file system in a file: its copy contains exactly what had reached the disk."""
    disk, mounted = tmp_path / "disk.img", tmp_path / "mounted"
    mounted.mkdir()
    with disk.open("wb") as file:
        file.truncate(96 << 20)
    for command in (["mkfs.ext4", "-q", str(disk)], ["mount", "-o", "loop", disk, mounted]):
        made = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"no disk can be made here: {made.stderr.strip()}")
    try:
        copies = copied_while_writing(disk, mounted / "data", tmp_path)
    finally:
        subprocess.run(["umount", "--lazy", str(mounted)], check=True)
    assert [len(acknowledged) for _, acknowledged in copies] == [6, 12, 18, 24]
    for copy, acknowledged in copies:
        subprocess.run(["mount", "-o", "loop", str(copy), str(mounted)], check=True)
        try:
            check_copy(mounted / "data", acknowledged)
        finally:
            subprocess.run(["umount", "--lazy", str(mounted)], check=True)


def copied_while_writing(disk: Path, data: Path, scratch: Path) -> list[tuple[Path, list[str]]]:
    """Copy the disk at each acknowledgement; return the copies with all ids so far."""
    settings_of(data)
    manifests = [rows(scratch / "ads", 6, first) for first in (0, 100, 200, 300)]
    command = [sys.executable, "-c", PROGRAM, str(data), *map(str, manifests)]
    copies, ids = [], list[str]()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        for path in manifests:
            assert process.stdout.readline().strip() == path.stem
            copy = scratch / f"{path.stem}.img"
            shutil.copyfile(disk, copy)
            ids += [json.loads(line)["id"] for line in path.read_text("utf-8").splitlines()]
            copies.append((copy, list(ids)))
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(HANG_SECONDS) == 0
    return copies


def check_copy(data: Path, acknowledged: list[str]) -> None:
    settings = load_settings(data)
    with open_engine(settings, write=True) as engine:
        assert all(engine.catalog.find(AssetId(name)) is not None for name in acknowledged)
        for name in acknowledged:
            stored = engine.catalog.find(AssetId(name))
            assert stored is not None
            assert stored.picture is not None
            engine.shared.data.pictures.read(stored.picture.digest)
            assert engine.serving.store.picture_vectors.vector(stored.arrival) is not None
    assert [check for check in verify(settings) if check.problems] == []

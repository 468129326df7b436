"""A reader on a read-only volume."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hybrid_search.core.errors import IndexUnusable
from hybrid_search.engine.factory import open_engine
from hybrid_search.settings.settings import load_settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.verify import verify
from tests.api.conftest import serving
from tests.reliability.damage import answers, filled


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """Mount the folder read-only over itself."""
    steps = (["mount", "--bind"], ["mount", "-o", "remount,bind,ro"])
    commands = [[*steps[0], str(folder), str(folder)], [*steps[1], str(folder)]]
    for command in commands:
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"no volume can be made read-only here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("read-only")
    filled(folder / "data", folder / "ads")
    return folder / "data"


def test_all_reads_work(data: Path) -> None:
    with open_engine(load_settings(data)) as engine:
        before = answers(engine)
    for left in data.glob("catalog.sqlite-*"):
        left.unlink()
    with read_only(data):
        with pytest.raises(OSError, match="Read-only"):
            (data / "new").touch()
        with open_engine(load_settings(data), maintenance="thread") as engine:
            assert answers(engine) == before
        assert [check for check in verify(load_settings(data)) if check.problems] == []
        with serving(data, "--read-only") as (client, _):
            hits = client.get("/v1/search", params={"q": "신발"}).json()["hits"]
            assert len(hits) == 10
            assert client.get(f"/v1/assets/{hits[0]['id']}/thumbnail").status_code == 200
            assert client.put("/v1/assets/new", json={"title": "x"}).status_code == 403


def test_writes_only_in_the_sqlite_log_are_visible(data: Path, tmp_path: Path) -> None:
    with closing(SqliteCatalog(data / "catalog.sqlite")) as catalog:
        catalog.health.copy_to(tmp_path / "other.sqlite")
        shutil.copytree(data, tmp_path / "data")
        shutil.copy(data / "catalog.sqlite-wal", tmp_path / "data")
    log = tmp_path / "data" / "catalog.sqlite-wal"
    log.write_bytes(log.read_bytes() or b"not taken over yet")
    refused = pytest.raises(
        IndexUnusable, match="has writes that cannot be read on a read-only volume"
    )
    with read_only(tmp_path / "data"), refused:
        SqliteCatalog(tmp_path / "data" / "catalog.sqlite", read_only=True)

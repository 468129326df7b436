"""A system call that fails during a write, and the checks after it."""

import builtins
import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hybrid_search.core import AssetId
from hybrid_search.core.errors import SearchError
from hybrid_search.engine.backup import snapshot
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.rebuild import rebuild
from hybrid_search.stores.embedded.snapshot import read_snapshot
from hybrid_search.stores.embedded.verify import verify
from tests.reliability.damage import answers, filled, rows

SETTINGS = """
[vector]
fold_after = 20
kind = "hnsw"
exact_below = 0
[storage]
reserve_mb = 0
[lexical]
analyzer = "rules"
"""
Answers = list[list[tuple[str, float]]]
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
MENDED = "was written again"
"""Repair of a file with two copies, of which one was missing; no other repair may occur."""


@dataclass
class Scene:
    """An open index, and the acknowledged ids."""

    settings: Settings
    ads: Path
    """Folder of the manifests."""
    engine: Index
    acknowledged: set[str] = field(default_factory=set)

    @property
    def kept(self) -> Path:
        """Folder of the snapshot."""
        return self.settings.data_dir.parent / "kept"

    def ingest(self, first: int) -> None:
        """Ingest three assets with numbers from ``first``."""
        report = self.engine.writer().ingest(read_assets(self.ads / f"{first}.jsonl", 1 << 20))
        assert report.skipped == []
        self.acknowledged |= {f"a{number}" for number in range(first, first + 3)}


PHASES: dict[str, Callable[[Scene], object]] = {
    "ingest": lambda scene: scene.ingest(1000),
    "merge": lambda scene: scene.engine.serving.store.picture_vectors.merge(),
    "rebuild": lambda scene: rebuild(scene.settings),
    "snapshot": lambda scene: snapshot(scene.settings, scene.kept),
}


@dataclass(frozen=True)
class Prepared:
    """A closed index, manifests of other assets, and its search results."""

    folder: Path
    answers: Answers


def prepared(folder: Path) -> Prepared:
    """Build an index of 59 assets, three of them in the write buffer."""
    settings = filled(folder / "data", folder / "ads", text=SETTINGS)
    for first in (1000, 2000, 3000):
        rows(folder / "ads", 3, first)
    with open_engine(settings, write=True) as engine:
        Scene(settings, folder / "ads", engine).ingest(3000)
        return Prepared(folder, answers(engine))


@contextmanager
def opened(base: Prepared, scratch: Path) -> Iterator[Scene]:
    """Open a copy of the index in the scratch folder."""
    shutil.copytree(base.folder / "data", scratch / "data")
    settings = load_settings(scratch / "data")
    with open_engine(settings, write=True) as engine:
        known = {f"a{number}" for number in (*range(56), *range(3000, 3003))} - {"a1"}
        yield Scene(settings, base.folder / "ads", engine, known)


# ---------------------------------------------------------------------------- the failure


@dataclass
class Calls:
    """Calls of one kind below a folder, of which the n-th fails."""

    below: Path
    fails: int
    seen: int = 0

    def count(self, *paths: object) -> None:
        """Raise ``OSError`` if this is the n-th call."""
        if any(str(path).startswith(str(self.below)) for path in paths):
            self.seen += 1
            if self.seen == self.fails:
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(paths[0]))

    @property
    def failed(self) -> bool:
        """Whether the n-th call was reached."""
        return self.seen >= self.fails


def _sync(calls: Calls, real: Callable[..., Any]) -> Callable[..., Any]:
    def sync(descriptor: int) -> object:
        calls.count(Path(f"/proc/self/fd/{descriptor}").readlink())
        return real(descriptor)

    return sync


def _opening(calls: Calls, real: Callable[..., Any]) -> Callable[..., Any]:
    def open_file(file: Any, mode: str = "r", *words: Any, **named: Any) -> object:
        if isinstance(mode, str) and set(mode) & set("wax+"):
            calls.count(file)
        return real(file, mode, *words, **named)

    return open_file


def _opening_low(calls: Calls, real: Callable[..., Any]) -> Callable[..., Any]:
    def open_file(path: Any, flags: int, *words: Any, **named: Any) -> object:
        if flags & WRITES:
            calls.count(path)
        return real(path, flags, *words, **named)

    return open_file


def _renaming(calls: Calls, real: Callable[..., Any]) -> Callable[..., Any]:
    def rename(source: Any, target: Any, **named: Any) -> object:
        calls.count(source, target)
        return real(source, target, **named)

    return rename


def _naming(calls: Calls, real: Callable[..., Any]) -> Callable[..., Any]:
    def make(path: Any, *words: Any, **named: Any) -> object:
        calls.count(path)
        return real(path, *words, **named)

    return make


KINDS: dict[str, list[tuple[Any, str, Callable[..., Any]]]] = {
    "fsync": [(os, "fsync", _sync)],
    "rename": [(os, "rename", _renaming), (os, "replace", _renaming)],
    "open": [
        (io, "open", _opening),
        (builtins, "open", _opening),
        (os, "open", _opening_low),
    ],
    "mkdir": [(os, "mkdir", _naming)],
    "unlink": [(os, "unlink", _naming)],
}
"""The calls from Python code, with the functions that count them."""


@contextmanager
def failing(kind: str, number: int, below: Path) -> Iterator[Calls]:
    """Let the n-th call of this kind on a file below the folder fail once."""
    calls = Calls(below, number)
    with ExitStack() as stack:
        for owner, name, counted in KINDS[kind]:
            stack.enter_context(patch.object(owner, name, counted(calls, getattr(owner, name))))
        yield calls


# ------------------------------------------------------------------------------- what holds


def told_by(phase: Callable[[Scene], object], scene: Scene) -> list[str]:
    """Return what is wrong with the error of the phase; empty without an error."""
    try:
        phase(scene)
    except SearchError as failure:
        return [] if len(str(failure)) > 10 else [f"no message: {failure!r}"]
    except BaseException as failure:  # noqa: BLE001  a panic of a library, too
        return [f"not an error of ours: {failure!r}"]
    return []


def wrong_after(scene: Scene, phase: str, before: Answers) -> list[str]:
    """Return what is wrong after the failure, in the open engine and after a restart."""
    wrong = []
    try:
        found = answers(scene.engine)
        if phase != "ingest" and found != before:
            wrong.append("other answers than before")
        scene.ingest(2000)
        wrong += _lost(scene.engine, scene.acknowledged)
        scene.engine.close()
        wrong += _reopened(scene, phase)
    except BaseException as failure:  # noqa: BLE001  whatever it is, it should not be
        wrong.append(f"afterwards: {failure!r}")
    return wrong


def _reopened(scene: Scene, phase: str) -> list[str]:
    with open_engine(scene.settings, write=True) as engine:
        wrong = [f"repaired: {said}" for said in engine.repairs if not said.endswith(MENDED)]
        wrong += _lost(engine, scene.acknowledged)
        wrong += [problem for check in verify(scene.settings) for problem in check.problems]
        if scene.kept.exists():
            read_snapshot(scene.kept)
            shutil.rmtree(scene.kept)
        scene.engine = engine
        PHASES[phase](scene)
        return wrong + _lost(engine, scene.acknowledged)


def _lost(engine: Index, acknowledged: set[str]) -> list[str]:
    """Return acknowledged assets that are missing from the catalog or an index."""
    found = {name: engine.catalog.find(AssetId(name)) for name in acknowledged}
    ordinals = {name: stored.arrival for name, stored in found.items() if stored is not None}
    words, vectors = (
        set(engine.serving.store.lexical.snapshot().ordinals()),
        set(engine.serving.store.picture_vectors.ordinals()),
    )
    pictured = {name for name, stored in found.items() if stored and stored.picture}
    return [
        f"lost: {name}"
        for name in sorted(acknowledged)
        if ordinals.get(name) not in words or (name in pictured and ordinals[name] not in vectors)
    ]


def failed_in_python(
    base: Prepared, scratch: Path, phase: str, kind: str, number: int
) -> list[str] | None:
    """Return what was wrong after the n-th call failed; ``None`` if there are fewer calls."""
    with opened(base, scratch) as scene:
        with failing(kind, number, scratch) as calls:
            wrong = told_by(PHASES[phase], scene)
        return [*wrong, *wrong_after(scene, phase, base.answers)] if calls.failed else None

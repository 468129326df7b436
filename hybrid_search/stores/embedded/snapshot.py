"""Copies of a whole data folder that hold together, and the way back from them.

Indexes are copied before the catalog, pictures after it: so an index is never ahead of the
catalog, and no asset is without its picture. What an index lacks is replayed when it is opened.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hybrid_search import __version__
from hybrid_search.core.errors import IndexCorrupt, IndexMissing, InvalidInput
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.judgments import JUDGMENTS
from hybrid_search.engine.parts import CATALOG, LEXICAL, open_catalog
from hybrid_search.files.atomic_files import publish, storing, sync
from hybrid_search.files.checksums import (
    differences,
    from_json,
    read_facts,
    take,
    to_json,
    write_facts,
)
from hybrid_search.files.versioned_dirs import GenerationFolders
from hybrid_search.settings.settings import CONFIG_NAME, Settings
from hybrid_search.stores.embedded.lexical.integrity import copy_index
from hybrid_search.stores.embedded.verify import Progress

FORMAT = 1
_FACTS = "snapshot.json"
_BESIDE = (CONFIG_NAME, "synonyms.txt", "keys.json", JUDGMENTS)
_Copy = Callable[[Path, Path], object]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a snapshot holds."""

    path: str
    created: str
    """UTC, ISO 8601."""
    version: str
    """Of the program that made it."""
    generation: str
    sequence: int
    """The catalog's last operation in it."""
    assets: int
    files: int
    bytes: int


def snapshot(
    settings: Settings, target: Path, *, link: bool = False, progress: Progress | None = None
) -> Snapshot:
    """What the snapshot in the new folder ``target`` holds; it has been opened and counted.

    A service over the data folder goes on reading and writing. With ``link`` files that never
    change are not copied but linked, on the same disk only: at once, and no help against the
    disk's own damage. Raises ``InvalidInput`` for a folder that exists, ``IndexMissing``.
    """
    if target.exists():
        raise InvalidInput(f"snapshot: {target} exists already; name a new folder")
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with storing(target):
            facts = _taken(settings, aside, target, os.link if link else _copy, progress)
            _sync_all(aside)
            publish(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return facts


def read_snapshot(path: Path, *, hashes: bool = True) -> Snapshot:
    """What the snapshot holds; raises ``IndexCorrupt`` when a file is not as it was written."""
    try:
        told = read_facts(path / _FACTS)
        damage = differences(path, from_json(told.pop("inventory")), hashes=hashes)
        told.pop("format")
        facts = Snapshot(**{**told, "path": str(path)})
    except FileNotFoundError:
        raise IndexMissing(f"restore: {path} is no snapshot, it has no {_FACTS}") from None
    except (OSError, ValueError, KeyError, TypeError) as failure:
        raise IndexCorrupt(f"restore: {path / _FACTS} cannot be read, {failure}") from None
    if damage:
        raise IndexCorrupt(f"restore: {path} is damaged, {'; '.join(damage[:5])}")
    return facts


def restore(settings: Settings, source: Path, progress: Progress | None = None) -> Snapshot:
    """Fill the empty data folder from the snapshot, and open it.

    Raises ``InvalidInput`` for a data folder that holds anything, ``IndexMissing`` and
    ``IndexCorrupt`` for what is no whole snapshot. The catalog comes last: before it is there,
    nothing opens the folder.
    """
    target, facts = settings.data_dir, read_snapshot(source)
    if target.exists() and any(target.iterdir()):
        raise InvalidInput(f"restore: {target} is not empty; name another with --data-dir")
    try:
        with storing(target):
            _fill(target, source, progress)
            _sync_all(target)
    except BaseException:
        for left in target.iterdir() if target.is_dir() else ():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        raise
    if (found := _opened(settings, target)[0]) != facts.assets:
        raise IndexCorrupt(f"restore: {target} has {found:,} assets instead of {facts.assets:,}")
    return facts


def _fill(target: Path, source: Path, progress: Progress | None) -> None:
    """Copy what the snapshot holds, the catalog last."""
    files = [path for path in sorted(source.rglob("*")) if path.is_file() and path.name != _FACTS]
    files.sort(key=lambda path: path.name == CATALOG)
    for number, path in enumerate(files, 1):
        final = target / path.relative_to(source)
        final.parent.mkdir(parents=True, exist_ok=True)
        _copy(path, final)
        if progress is not None:
            progress("files", number, len(files))


def _taken(
    settings: Settings, aside: Path, target: Path, copy: _Copy, progress: Progress | None
) -> Snapshot:
    generation = _copy_generation(settings, aside, copy)
    _copy_catalog(settings, aside)
    _copy_pictures(settings, aside, copy, progress)
    assets, sequence = _opened(settings, aside)
    files = [path for path in aside.rglob("*") if path.is_file()]
    inventory = take(aside, files)
    facts = Snapshot(
        path=str(target),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        generation=generation,
        sequence=sequence,
        assets=assets,
        files=len(inventory),
        bytes=sum(file.bytes for file in inventory.values()),
    )
    told: dict[str, Any] = {**asdict(facts), "format": FORMAT, "inventory": to_json(inventory)}
    write_facts(aside / _FACTS, told)
    return facts


def _copy_generation(settings: Settings, aside: Path, copy: _Copy) -> str:
    """The name of the generation that serves, copied as of a moment."""
    held = GenerationFolders(settings.data_dir / "generations").hold()
    if held is None:
        raise IndexMissing(f"no index in {settings.data_dir}; run: hybrid-search ingest PATH")
    folder, hold = held
    target = aside / "generations" / folder.name
    copy_index(folder / LEXICAL, target / LEXICAL, copy)
    for path in folder.iterdir():
        if path.is_file():
            copy(path, target / path.name)
        elif path.name != LEXICAL:
            _copy_sealed(path, target / path.name, copy)
    GenerationFolders(aside / "generations").point_to(target)
    hold.release()
    return folder.name


def _copy_sealed(folder: Path, target: Path, copy: _Copy) -> None:
    """The vector index that was sealed last."""
    target.mkdir()
    if (held := GenerationFolders(folder).hold()) is None:
        return
    sealed, hold = held
    (target / sealed.name).mkdir()
    for path in sealed.iterdir():
        copy(path, target / sealed.name / path.name)
    GenerationFolders(target).point_to(target / sealed.name)
    hold.release()


def _copy_catalog(settings: Settings, aside: Path) -> None:
    with closing(open_catalog(settings, write=False)) as catalog:
        catalog.health.copy_to(aside / CATALOG)
    for name in _BESIDE:
        if (settings.data_dir / name).is_file():
            _copy(settings.data_dir / name, aside / name)


def _copy_pictures(settings: Settings, aside: Path, copy: _Copy, progress: Progress | None) -> None:
    """The originals of all versions that the copied catalog knows."""
    copied = settings.model_copy(update={"data_dir": aside})
    with closing(open_catalog(copied, write=False)) as catalog:
        digests = catalog.health.picture_digests()
    for number, digest in enumerate(digests, 1):
        below = Path("pictures") / "originals" / digest[:2]
        (aside / below).mkdir(parents=True, exist_ok=True)
        if (settings.data_dir / below / digest).is_file():
            copy(settings.data_dir / below / digest, aside / below / digest)
        if progress is not None:
            progress("pictures", number, len(digests))


def _opened(settings: Settings, folder: Path) -> tuple[int, int]:
    """How many assets the copied folder opens with, and its last operation."""
    with open_engine(settings.model_copy(update={"data_dir": folder})) as engine:
        found = engine.catalog.count(), engine.catalog.last_sequence()
    for ending in ("-wal", "-shm"):
        (folder / f"{CATALOG}{ending}").unlink(missing_ok=True)
    return found


def _copy(source: Path, target: Path) -> object:
    return shutil.copy2(source, target)


def _sync_all(folder: Path) -> None:
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)

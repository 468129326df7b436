"""Consistent copies of a data folder, and how to restore them.

Indexes are copied before the catalog, and pictures after it. So an index is never ahead of the
catalog, and every asset has its picture. Opening the copy replays the operations since.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hybrid_search import __version__
from hybrid_search.core.errors import IndexCorrupt, IndexMissing, InvalidInput
from hybrid_search.files.atomic_files import publish, storing, sync
from hybrid_search.files.checksums import (
    differences,
    from_json,
    read_facts,
    take,
    to_json,
    write_facts,
)
from hybrid_search.files.versioned_dirs import VersionedDirs
from hybrid_search.settings.settings import CONFIG_NAME, Settings
from hybrid_search.stores.embedded.data_folder import CATALOG, LEXICAL, open_catalog
from hybrid_search.stores.embedded.lexical.integrity import copy_index
from hybrid_search.stores.embedded.store import open_serving
from hybrid_search.stores.embedded.verify import Progress

FORMAT = 1
_FACTS = "snapshot.json"
_BESIDE = (CONFIG_NAME, "synonyms.txt")
"""Files beside the store that are copied too."""
_Copy = Callable[[Path, Path], object]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The contents of a snapshot."""

    path: str
    created: str
    """UTC, ISO 8601."""
    version: str
    """The version of hybrid_search that made it."""
    generation: str
    sequence: int
    """The last operation of its catalog."""
    assets: int
    files: int
    bytes: int


def snapshot(
    settings: Settings,
    target: Path,
    *,
    beside: Sequence[str] = (),
    link: bool = False,
    progress: Progress | None = None,
) -> Snapshot:
    """Copy the data folder to the new folder ``target``, and open the copy to check it.

    ``beside`` names files of other parts in the data folder; missing ones are skipped.
    A service over the data folder goes on reading and writing. With ``link``, files that never
    change are hard-linked: this takes no time, but only works on the same disk and does not
    protect from its failure. Raises ``InvalidInput`` for a folder that exists, and
    ``IndexMissing`` without an index.
    """
    if target.exists():
        raise InvalidInput(f"snapshot: {target} exists already; name a new folder")
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with storing(target):
            copy = os.link if link else _copy
            generation = _copy_store(settings, aside, copy, progress)
            _copy_beside(settings, aside, (*_BESIDE, *beside))
            facts = _write_facts(settings, aside, target, generation)
            _sync_all(aside)
            publish(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return facts


def read_snapshot(path: Path, *, hashes: bool = True) -> Snapshot:
    """The contents of a snapshot, verified.

    Raises ``IndexMissing`` for a folder that is none, and ``IndexCorrupt`` for a damaged one.
    """
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
    """Copy the snapshot into the empty data folder, and open it.

    Raises ``InvalidInput`` for a data folder that is not empty, ``IndexMissing`` and
    ``IndexCorrupt`` for a missing or damaged snapshot. The catalog is copied last: without it,
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
    """Copy the files of the snapshot, the catalog last."""
    files = [path for path in sorted(source.rglob("*")) if path.is_file() and path.name != _FACTS]
    files.sort(key=lambda path: path.name == CATALOG)
    for number, path in enumerate(files, 1):
        final = target / path.relative_to(source)
        final.parent.mkdir(parents=True, exist_ok=True)
        _copy(path, final)
        if progress is not None:
            progress("files", number, len(files))


def _copy_store(settings: Settings, aside: Path, copy: _Copy, progress: Progress | None) -> str:
    """Copy indexes, catalog and pictures; returns the name of the generation."""
    generation = _copy_generation(settings, aside, copy)
    with closing(open_catalog(settings, write=False)) as catalog:
        catalog.health.copy_to(aside / CATALOG)
    _copy_pictures(settings, aside, copy, progress)
    return generation


def _copy_beside(settings: Settings, aside: Path, names: Sequence[str]) -> None:
    for name in names:
        if (settings.data_dir / name).is_file():
            _copy(settings.data_dir / name, aside / name)


def _write_facts(settings: Settings, aside: Path, target: Path, generation: str) -> Snapshot:
    """Open the copy to check it, and write what it contains."""
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
    """Copy one version of the serving generation; returns its name."""
    held = VersionedDirs(settings.data_dir / "generations").hold()
    if held is None:
        raise IndexMissing(f"no index in {settings.data_dir}; run: hybrid-search ingest PATH")
    folder, hold = held
    target = aside / "generations" / folder.name
    copy_index(folder / LEXICAL, target / LEXICAL, copy)
    for path in folder.iterdir():
        if path.is_file():
            copy(path, target / path.name)
        elif path.name != LEXICAL:
            _copy_segment(path, target / path.name, copy)
    VersionedDirs(aside / "generations").point_to(target)
    hold.release()
    return folder.name


def _copy_segment(folder: Path, target: Path, copy: _Copy) -> None:
    """Copy the newest segment of a vector index."""
    target.mkdir()
    if (held := VersionedDirs(folder).hold()) is None:
        return
    segment, hold = held
    (target / segment.name).mkdir()
    for path in segment.iterdir():
        copy(path, target / segment.name / path.name)
    VersionedDirs(target).point_to(target / segment.name)
    hold.release()


def _copy_pictures(settings: Settings, aside: Path, copy: _Copy, progress: Progress | None) -> None:
    """Copy the originals of all versions in the copied catalog."""
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
    """Open the copied folder; returns its number of assets and last operation."""
    with open_serving(settings.model_copy(update={"data_dir": folder})) as serving:
        catalog = serving.shared.data.catalog
        found = catalog.count(), catalog.last_sequence()
    for ending in ("-wal", "-shm"):
        (folder / f"{CATALOG}{ending}").unlink(missing_ok=True)
    return found


def _copy(source: Path, target: Path) -> object:
    return shutil.copy2(source, target)


def _sync_all(folder: Path) -> None:
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)

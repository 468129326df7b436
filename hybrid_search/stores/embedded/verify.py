"""Verify checksums of everything stored, and that catalog and indexes agree.

It changes nothing and may run beside a service that writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hybrid_search.core.errors import IndexMissing, SearchError
from hybrid_search.core.ports import Ordinals
from hybrid_search.files.versioned_dirs import VersionedDirs
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.data_folder import (
    LEXICAL,
    DataFolder,
    open_catalog,
    open_pictures,
)
from hybrid_search.stores.embedded.lexical.integrity import damage_beside_a_writer
from hybrid_search.stores.embedded.manifest import damage_of_manifest
from hybrid_search.stores.embedded.store import EmbeddedStore, open_serving
from hybrid_search.stores.embedded.vector.segment import open_segment
from hybrid_search.stores.embedded.vector_indexes import FOLDERS, VectorStore, baseline_file

SHOWN = 20
"""The most problems that a check lists."""
Progress = Callable[[str, int, int], None]
"""Called with the name of the check, the number done, and the total."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check."""

    name: str
    seen: int
    """The number of rows, files, pictures or ids checked."""
    problems: tuple[str, ...] = ()
    """A message per problem; empty without any."""


def verify(settings: Settings, progress: Progress | None = None) -> list[Check]:
    """Run every check of the data folder; dependent checks come later.

    If the catalog's pages are malformed, that is the only check. Raises ``IndexMissing`` without a
    catalog.
    """
    tell = progress or _no_progress
    with closing(open_catalog(settings, write=False)) as catalog:
        checks = list(_catalog(catalog))
        if len(checks) == 1:
            return checks  # Nothing else can be compared with malformed pages.
        checks.append(_pictures(settings, catalog, tell))
    checks += list(_generation(settings))
    return [*checks, *_agreement(settings)]


def damaged_pictures(
    settings: Settings, catalog: SqliteCatalog, progress: Progress | None = None
) -> dict[str, str]:
    """The problem of each picture that is missing or damaged, by digest."""
    pictures, digests = open_pictures(settings), catalog.health.picture_digests()
    found: dict[str, str] = {}
    for number, digest in enumerate(digests, 1):
        try:
            pictures.read(digest)
        except SearchError as failure:
            found[digest] = str(failure)
        if progress is not None:
            progress("pictures", number, len(digests))
    return found


def _catalog(catalog: SqliteCatalog) -> Iterator[Check]:
    malformed = catalog.health.malformed()
    yield Check("catalog pages", 1, tuple(malformed))
    if not malformed:
        damaged = [row.says for row in catalog.health.damaged()]
        missing = [f"the facts of picture {d} are missing" for d in catalog.health.facts_missing()]
        yield Check("catalog rows", catalog.health.rows(), _some([*damaged, *missing]))


def _pictures(settings: Settings, catalog: SqliteCatalog, tell: Progress) -> Check:
    seen = len(catalog.health.picture_digests())
    return Check("pictures", seen, _some([*damaged_pictures(settings, catalog, tell).values()]))


def _generation(settings: Settings) -> Iterator[Check]:
    """Checks of the files of the serving generation."""
    folders = VersionedDirs(settings.data_dir / "generations")
    if (held := folders.hold()) is None:
        raise IndexMissing(f"no index in {settings.data_dir}; run: hybrid-search repair")
    folder, hold = held
    yield Check("generation", 4, _nonempty(folders.damage(), damage_of_manifest(folder)))
    yield Check("words: files", *_counted(folder / LEXICAL, damage_beside_a_writer))
    for subject, name in FOLDERS.items():
        yield Check(f"{subject} vectors: files", *_counted(folder / name, _sealed))
        baseline = baseline_file(folder, subject)
        damage = f"{baseline.path} is damaged" if baseline.is_damaged() else ""
        yield Check(f"{subject} vectors: baseline", int(baseline.path.is_file()), _nonempty(damage))
    hold.release()


def _sealed(folder: Path) -> str:
    held = VersionedDirs(folder).hold()
    if held is not None:
        open_segment(*held, hashes=True)
    return ""


def _counted(folder: Path, damage: Callable[[Path], str]) -> tuple[int, tuple[str, ...]]:
    """The number of files in the folder, and what is wrong with them."""
    if not folder.is_dir():
        return 0, ()
    seen = sum(path.is_file() for path in folder.rglob("*"))
    try:
        return seen, _nonempty(damage(folder))
    except (SearchError, OSError) as failure:
        return seen, (str(failure),)


def _agreement(settings: Settings) -> Iterator[Check]:
    """Checks that the indexes hold exactly the live versions."""
    try:
        with open_serving(settings) as serving:
            yield from _compared(serving.shared.data, serving.store)
    except SearchError as failure:
        yield Check("ids", 0, (str(failure),))


def _compared(data: DataFolder, opened: EmbeddedStore) -> Iterator[Check]:
    catalog = data.catalog
    opened.lexical.refresh()
    words = opened.lexical.snapshot()
    since, held, live = words.watermark, words.ordinals(), catalog.live_ordinals()
    yield Check("words: ids", len(live), _unlike(catalog, since, held, live))
    for subject, store in opened.vectors.items():
        held, since = store.index.ordinals(), min(since, store.index.watermark)
        live = catalog.vector_ordinals(store.key, subject)
        yield Check(f"{subject} vectors: ids", len(live), _unlike(catalog, since, held, live))
        missing = _missing_vectors(data, store)
        said = f"{missing} live assets have none" if missing else ""
        yield Check(f"{subject} vectors: embedded", len(live), _nonempty(said))


def _missing_vectors(data: DataFolder, store: VectorStore) -> int:
    """The number of live pictures or texts without a vector; empty texts need none."""
    unembedded = data.catalog.unembedded(store.key, store.subject)
    if store.subject == "picture":
        return len(unembedded)
    fields = data.settings.declared_fields()
    versions = data.catalog.fetch(list(unembedded.values())).values()
    return sum(bool(fields.searched_texts(version.asset)) for version in versions)


def _unlike(catalog: SqliteCatalog, since: int, held: Ordinals, live: Ordinals) -> tuple[str, ...]:
    """The differences between index and catalog, except for what was written since."""
    fresh = [operation.ordinal for operation in catalog.operations(since, 1_000_000)]
    deleted = np.setdiff1d(np.setdiff1d(held, live), fresh)
    missing = np.setdiff1d(np.setdiff1d(live, held), fresh)
    return _nonempty(
        f"{len(deleted)} deleted versions are in it, such as {deleted[:3].tolist()}"
        if len(deleted)
        else "",
        f"{len(missing)} versions are missing, such as {missing[:3].tolist()}"
        if len(missing)
        else "",
    )


def _nonempty(*problems: str) -> tuple[str, ...]:
    """The messages that are not empty."""
    return tuple(filter(None, problems))


def _some(problems: list[str]) -> tuple[str, ...]:
    more = len(problems) - SHOWN
    return (*problems[:SHOWN], *([f"and {more} more"] if more > 0 else []))


def _no_progress(check: str, done: int, total: int) -> None:
    """Ignores progress."""

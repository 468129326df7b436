"""Whether all that is stored is as it was written, and the three stores agree; changes nothing.

It may run beside a service that writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hybrid_search.core.errors import IndexMissing, SearchError
from hybrid_search.core.ports import Ordinals
from hybrid_search.engine.engine import Engine
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.parts import LEXICAL, open_catalog, open_pictures
from hybrid_search.files.versioned_dirs import GenerationFolders
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.lexical.integrity import damage_beside_a_writer
from hybrid_search.stores.embedded.manifest import damage_of_manifest
from hybrid_search.stores.embedded.vector.segment import open_segment
from hybrid_search.stores.embedded.vector_indexes import FOLDERS, VectorStore, baseline_file

SHOWN = 20
"""Sentences that a check gives at most."""
Progress = Callable[[str, int, int], None]
"""Told the check, how many are done and of how many."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    seen: int
    """Of how many: rows, files, pictures, ids."""
    problems: tuple[str, ...] = ()
    """A sentence each; empty when all is well."""


def verify(settings: Settings, progress: Progress | None = None) -> list[Check]:
    """Every check of the data folder, in the order of what depends on what.

    The first alone, where the catalog's pages make no sense.

    Raises ``IndexMissing`` without a catalog.
    """
    tell = progress or _nobody
    with closing(open_catalog(settings, write=False)) as catalog:
        checks = list(_catalog(catalog))
        if len(checks) == 1:
            return checks  # Nothing else can be compared with pages that make no sense.
        checks.append(_pictures(settings, catalog, tell))
    checks += list(_generation(settings))
    return [*checks, *_agreement(settings)]


def damaged_pictures(
    settings: Settings, catalog: SqliteCatalog, progress: Progress | None = None
) -> dict[str, str]:
    """The pictures that are missing or not what was stored, by their hash, and what is wrong."""
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
        missing = [f"what is known of picture {d}" for d in catalog.health.facts_missing()]
        yield Check("catalog rows", catalog.health.rows(), _some([*damaged, *missing]))


def _pictures(settings: Settings, catalog: SqliteCatalog, tell: Progress) -> Check:
    seen = len(catalog.health.picture_digests())
    return Check("pictures", seen, _some([*damaged_pictures(settings, catalog, tell).values()]))


def _generation(settings: Settings) -> Iterator[Check]:
    """The files of the generation that serves."""
    folders = GenerationFolders(settings.data_dir / "generations")
    if (held := folders.hold()) is None:
        raise IndexMissing(f"no index in {settings.data_dir}; run: hybrid-search repair")
    folder, hold = held
    yield Check("generation", 4, _told(folders.damage(), damage_of_manifest(folder)))
    yield Check("words: files", *_counted(folder / LEXICAL, damage_beside_a_writer))
    for subject, name in FOLDERS.items():
        yield Check(f"{subject} vectors: files", *_counted(folder / name, _sealed))
        baseline = baseline_file(folder, subject)
        damage = f"{baseline.path} is not what was written" if baseline.is_damaged() else ""
        yield Check(f"{subject} vectors: baseline", int(baseline.path.is_file()), _told(damage))
    hold.release()


def _sealed(folder: Path) -> str:
    held = GenerationFolders(folder).hold()
    if held is not None:
        open_segment(*held, hashes=True)
    return ""


def _counted(folder: Path, damage: Callable[[Path], str]) -> tuple[int, tuple[str, ...]]:
    """How many files there are, and what is wrong with them."""
    if not folder.is_dir():
        return 0, ()
    seen = sum(path.is_file() for path in folder.rglob("*"))
    try:
        return seen, _told(damage(folder))
    except (SearchError, OSError) as failure:
        return seen, (str(failure),)


def _agreement(settings: Settings) -> Iterator[Check]:
    """Whether the indexes hold what lives, no more and no less."""
    try:
        with open_engine(settings) as engine:
            yield from _compared(engine)
    except SearchError as failure:
        yield Check("ids", 0, (str(failure),))


def _compared(engine: Engine) -> Iterator[Check]:
    catalog = engine.catalog
    engine.lexical.refresh()
    since = engine.lexical.snapshot().watermark
    held, living = engine.lexical.snapshot().ordinals(), catalog.live_ordinals()
    yield Check("words: ids", len(living), _unlike(catalog, since, held, living))
    for subject, store in engine.vector_stores.items():
        held, since = store.index.ordinals(), min(since, store.index.watermark)
        living = catalog.vector_ordinals(store.key, subject)
        yield Check(f"{subject} vectors: ids", len(living), _unlike(catalog, since, held, living))
        lacking = _lacking(engine, store)
        said = f"{lacking} of live assets have none" if lacking else ""
        yield Check(f"{subject} vectors: embedded", len(living), _told(said))


def _lacking(engine: Engine, store: VectorStore) -> int:
    """How many live contents have no vector and should have one; what has no copy needs none."""
    unembedded = engine.catalog.unembedded(store.key, store.subject)
    if store.subject == "picture":
        return len(unembedded)
    fields = engine.settings.declared_fields()
    versions = engine.catalog.fetch(list(unembedded.values())).values()
    return sum(bool(fields.searched_texts(version.asset)) for version in versions)


def _unlike(
    catalog: SqliteCatalog, since: int, held: Ordinals, living: Ordinals
) -> tuple[str, ...]:
    """What only one of them has, but for what was written since."""
    fresh = [operation.ordinal for operation in catalog.operations(since, 1_000_000)]
    dead = np.setdiff1d(np.setdiff1d(held, living), fresh)
    lost = np.setdiff1d(np.setdiff1d(living, held), fresh)
    return _told(
        f"{len(dead)} are in it that are dead, as {dead[:3].tolist()}" if len(dead) else "",
        f"{len(lost)} are lacking, as {lost[:3].tolist()}" if len(lost) else "",
    )


def _told(*problems: str) -> tuple[str, ...]:
    """Those that say anything."""
    return tuple(filter(None, problems))


def _some(problems: list[str]) -> tuple[str, ...]:
    more = len(problems) - SHOWN
    return (*problems[:SHOWN], *([f"and {more} more"] if more > 0 else []))


def _nobody(check: str, done: int, total: int) -> None:
    """Told of progress where nobody looks."""

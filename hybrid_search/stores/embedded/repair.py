"""Repair what verification finds, from what is left, and report what is lost."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from hybrid_search.core import Digest
from hybrid_search.core.errors import IndexCorrupt, IndexMissing, InvalidPicture, SearchError
from hybrid_search.images.decode import check_picture
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.data_folder import (
    CATALOG,
    lock_writing,
    open_catalog,
    open_pictures,
)
from hybrid_search.stores.embedded.manifest import read_manifest
from hybrid_search.stores.embedded.rebuild import rebuild_vectors
from hybrid_search.stores.embedded.store import open_serving
from hybrid_search.stores.embedded.verify import Check, Progress, damaged_pictures, verify


@dataclass(slots=True)
class Repaired:
    """The result of a repair."""

    done: list[str] = field(default_factory=list)
    """A message per repair."""
    lost: list[str] = field(default_factory=list)
    """A message per item that has to be ingested again or restored from a snapshot."""
    checks: list[Check] = field(default_factory=list)
    """The checks after the repairs."""

    @property
    def whole(self) -> bool:
        """Whether no check has a problem."""
        return not any(check.problems for check in self.checks)


def repair(settings: Settings, progress: Progress | None = None) -> Repaired:
    """Repair rows, facts of pictures, index files and ids, then verify.

    Damaged rows are deleted; index files are built from the catalog again. Raises ``IndexLocked``
    while another process writes, ``IndexMissing`` without a catalog, and ``IndexCorrupt`` for a
    catalog with malformed pages, which can only be restored.
    """
    if not (settings.data_dir / CATALOG).is_file():
        raise IndexMissing(
            f"no catalog in {settings.data_dir}; run: hybrid-search restore SNAPSHOT"
        )
    repaired = Repaired()
    with ExitStack() as stack:
        lock_writing(settings, stack)
        with closing(open_catalog(settings, write=True)) as catalog:
            _check_pages(catalog)
            _repair_rows(catalog, repaired)
            _repair_pictures(settings, catalog, repaired, progress)
    _repair_indexes(settings, repaired)
    repaired.checks = verify(settings, progress)
    return repaired


def _check_pages(catalog: SqliteCatalog) -> None:
    if damage := catalog.health.malformed():
        raise IndexCorrupt(
            f"catalog: its pages are malformed, {damage[0]}; they cannot be repaired,"
            " run: hybrid-search restore SNAPSHOT"
        )


def _repair_rows(catalog: SqliteCatalog, repaired: Repaired) -> None:
    damaged = catalog.health.damaged()
    catalog.health.remove(damaged)
    for row in damaged:
        repaired.done.append(f"catalog: {row.says} was damaged and is deleted")
        if row.table == "assets":
            repaired.lost.append(f"{row.says}; ingest it again")


def _repair_pictures(
    settings: Settings, catalog: SqliteCatalog, repaired: Repaired, progress: Progress | None
) -> None:
    """Remove damaged originals, and read the facts of the others again."""
    pictures = open_pictures(settings)
    damaged = damaged_pictures(settings, catalog, progress)
    for digest, problem in damaged.items():
        pictures.remove(Digest(digest))
        names = ", ".join(catalog.health.assets_with(Digest(digest))) or "no live asset"
        repaired.lost.append(f"{problem}; it is the picture of {names}")
    for digest in catalog.health.facts_missing():
        try:
            facts = check_picture(pictures.read(digest), settings.pictures.limits()).facts
        except (InvalidPicture, SearchError) as failure:
            repaired.lost.append(str(failure))
        else:
            catalog.health.store_facts(facts)
            repaired.done.append(f"catalog: the facts of picture {digest} were read again")


def _repair_indexes(settings: Settings, repaired: Repaired) -> None:
    """Open for writing, which repairs files and the lexical index; rebuild incomplete vectors."""
    storage = settings.storage.model_copy(update={"verify_at_start": True})
    settings = settings.model_copy(update={"storage": storage})
    with open_serving(settings, write=True) as serving:
        catalog = serving.shared.data.catalog
        repaired.done += serving.shared.data.repairs.done
        text = bool(read_manifest(serving.folder).copy) and settings.embedding.embed_copy
        serving.shared.embed_missing(serving.embedder, text=text)
        incomplete = [
            subject
            for subject, vectors in serving.store.vectors.items()
            if set(vectors.index.ordinals()) != set(catalog.vector_ordinals(vectors.key, subject))
        ]
    if incomplete:
        rebuild_vectors(settings)
        repaired.done.append(
            f"vectors: rebuilt, since those of {' and '.join(incomplete)} were incomplete"
        )

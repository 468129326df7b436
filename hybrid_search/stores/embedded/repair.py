"""Putting right what verification finds, from what is left; and saying what could not be."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from hybrid_search.core import Digest
from hybrid_search.core.errors import IndexCorrupt, IndexMissing, InvalidPicture, SearchError
from hybrid_search.engine.factory import lock_writing, open_engine
from hybrid_search.engine.parts import CATALOG, open_catalog, open_pictures
from hybrid_search.images.decode import check_picture
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.rebuild import rebuild_vectors
from hybrid_search.stores.embedded.verify import Check, Progress, damaged_pictures, verify


@dataclass(slots=True)
class Repaired:
    """What was done, what is lost, and what verification says afterwards."""

    done: list[str] = field(default_factory=list)
    """A sentence for each repair."""
    lost: list[str] = field(default_factory=list)
    """What has to be ingested again, or restored from a snapshot: a sentence each."""
    checks: list[Check] = field(default_factory=list)
    """Every check, after the repairs."""

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong any more."""
        return not any(check.problems for check in self.checks)


def repair(settings: Settings, progress: Progress | None = None) -> Repaired:
    """Put right what can be: rows, pictures' facts, index files, ids; then verify.

    Damaged rows are taken out, index files are made again from the catalog. Raises
    ``IndexLocked`` while another process writes, ``IndexMissing`` without a catalog, and
    ``IndexCorrupt`` for one whose pages make no sense: that one can only be restored.
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
            f"catalog: its pages make no sense, {damage[0]}; what they held cannot be made again,"
            " run: hybrid-search restore SNAPSHOT"
        )


def _repair_rows(catalog: SqliteCatalog, repaired: Repaired) -> None:
    damaged = catalog.health.damaged()
    catalog.health.remove(damaged)
    for row in damaged:
        repaired.done.append(f"catalog: {row.says} was damaged, and taken out")
        if row.table == "assets":
            repaired.lost.append(f"{row.says}; ingest it again")


def _repair_pictures(
    settings: Settings, catalog: SqliteCatalog, repaired: Repaired, progress: Progress | None
) -> None:
    """Move damaged originals away, and find out again what is known of whole ones."""
    pictures = open_pictures(settings)
    damaged = damaged_pictures(settings, catalog, progress)
    for digest, says in damaged.items():
        pictures.remove(Digest(digest))
        names = ", ".join(catalog.health.holders(Digest(digest))) or "no live asset"
        repaired.lost.append(f"{says}; it is the picture of {names}")
    for digest in catalog.health.facts_missing():
        try:
            facts = check_picture(pictures.read(digest), settings.pictures.limits()).facts
        except (InvalidPicture, SearchError) as failure:
            repaired.lost.append(str(failure))
        else:
            catalog.health.store_facts(facts)
            repaired.done.append(f"catalog: what is known of picture {digest} was found out again")


def _repair_indexes(settings: Settings, repaired: Repaired) -> None:
    """A start repairs files and words; vectors that are lacking are put in by building anew."""
    storage = settings.storage.model_copy(update={"verify_at_start": True})
    settings = settings.model_copy(update={"storage": storage})
    with open_engine(settings, write=True) as engine:
        repaired.done += engine.repairs
        engine.embed_missing()
        lacking = [
            subject
            for subject, store in engine.vector_stores.items()
            if set(store.index.ordinals())
            != set(engine.catalog.vector_ordinals(store.key, subject))
        ]
    if lacking:
        rebuild_vectors(settings)
        repaired.done.append(f"vectors: built anew, {' and '.join(lacking)} ones were lacking")

"""The vector indexes of a generation, one per subject."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hybrid_search.core import ListName, Note
from hybrid_search.core.candidate_lists import LISTS
from hybrid_search.core.ports import Catalog, Subject, Vectors
from hybrid_search.embedding.model_registry import calibrations_of
from hybrid_search.files.quarantine import Repairs
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.baseline_file import BaselineFile, Calibrator
from hybrid_search.stores.embedded.maintenance import IndexMaintenance, MaintenanceMode
from hybrid_search.stores.embedded.manifest import read_manifest
from hybrid_search.stores.embedded.vector.index import FaissIndex
from hybrid_search.stores.embedded.vector.index_spec import VectorPlan
from hybrid_search.stores.local.list_retriever import VectorSource
from hybrid_search.stores.local.log_replay import VectorReplay

FOLDERS: dict[Subject, str] = {"picture": "vectors", "copy": "copy"}
"""The folder of each subject's index in that of a generation."""


@dataclass(frozen=True, slots=True)
class VectorStore:
    """The index of one subject's vectors, and their key in the catalog."""

    subject: Subject
    key: str
    index: FaissIndex
    baseline: BaselineFile
    """The similarity baseline, as it was measured last."""

    def replay(self, catalog: Catalog) -> VectorReplay:
        """Applies the catalog's operations to the index; loads nothing yet."""
        return VectorReplay(catalog, self.index, self.key, self.subject)

    def maintenance(
        self, catalog: Catalog, texts: Callable[[list[str]], Vectors]
    ) -> IndexMaintenance:
        """Merges, rebuilds and measures the index; ``texts`` embeds."""
        calibrator = self.calibrator(texts)
        return IndexMaintenance(
            catalog, self.index, self.key, texts, self.subject, calibrator=calibrator
        )

    def source(self) -> VectorSource:
        """The vectors as they are now, with the baseline measured last."""
        return VectorSource(self.index.snapshot(), self.baseline.current(), self.baseline.version)

    def calibrator(self, texts: Callable[[list[str]], Vectors]) -> Calibrator:
        """Measures the baseline; ``texts`` embeds."""
        return Calibrator(self.index, texts, self.baseline)


VectorStores = Mapping[Subject, VectorStore]
"""The indexes that are searched: pictures always, text if it is embedded and enabled."""


def open_vector_stores(
    settings: Settings,
    folder: Path,
    plan: VectorPlan,
    repairs: Repairs | None = None,
    *,
    checked: bool = False,
) -> VectorStores:
    """Open the newest segments of the generation in the folder; nothing is replayed yet.

    With ``checked``, every file is compared with its hash. With ``repairs``, damaged segments are
    moved away.
    """
    manifest = read_manifest(folder)
    keys: dict[Subject, str] = {"picture": manifest.model}
    if settings.embedding.embed_copy and manifest.copy:
        keys["copy"] = manifest.copy
    stores = {}
    for subject, key in keys.items():
        index = vector_index(key, folder / FOLDERS[subject], plan, repairs, checked=checked)
        baseline = baseline_file(folder, subject)
        if repairs is not None:
            baseline.mend(repairs)
        stores[subject] = VectorStore(subject, key, index, baseline)
    return stores


def baseline_file(folder: Path, subject: Subject) -> BaselineFile:
    """The baseline file of that index of the generation in the folder."""
    return BaselineFile(folder / f"{FOLDERS[subject]}-background")


def vector_index(
    key: str,
    folder: Path,
    plan: VectorPlan,
    repairs: Repairs | None = None,
    *,
    checked: bool = False,
) -> FaissIndex:
    """Open the index in the folder, empty if it has no segment; ``key`` has the dimension."""
    dimension = int(key.rsplit("/", 1)[-1])
    return FaissIndex(dimension, folder, plan, checked=checked, repairs=repairs)


def sources_by_list(stores: VectorStores) -> dict[ListName, VectorSource]:
    """The vectors behind each candidate list, with the baselines measured last."""
    sources = {subject: store.source() for subject, store in stores.items()}
    calibrations = calibrations_of(stores["picture"].key.partition("@")[0])
    subjects: dict[str, Subject] = {"picture_vectors": "picture", "text_vectors": "copy"}
    found = {name: subjects.get(spec.source) for name, spec in LISTS.items()}
    return {
        name: replace(sources[subject], calibration=calibrations[name])
        for name, subject in found.items()
        if subject is not None and subject in sources
    }


def unavailable_lists(settings: Settings, stores: VectorStores) -> dict[ListName, Note]:
    """The unavailable lists, and how to make each available."""
    if "copy" in stores:
        return {}
    if settings.embedding.embed_copy:
        return {"copy_semantic": Note("list_not_built", {"list": "copy_semantic"})}
    disabled = {"list": "copy_semantic", "setting": "embedding.embed_copy"}
    return {"copy_semantic": Note("list_disabled", disabled)}


def configured_plan(settings: Settings, *, maintenance: MaintenanceMode = "inline") -> VectorPlan:
    """The settings of vector indexes, with threads and memory of this machine."""
    plan = VectorPlan(**settings.vector.model_dump())
    threads = plan.build_threads or (1 if maintenance == "thread" else os.cpu_count() or 1)
    memory = plan.memory_mb or _half_of_the_memory() // (1 + settings.embedding.embed_copy)
    return replace(plan, build_threads=threads, memory_mb=memory)


def _half_of_the_memory() -> int:
    """In megabytes; 0 for no limit, where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2 >> 20
    except (AttributeError, ValueError, OSError):
        return 0

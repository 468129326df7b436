"""What an engine holds, for people and monitors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from hybrid_search import __version__
from hybrid_search.core.ports import Rebuilt, Subject
from hybrid_search.engine.index import Index
from hybrid_search.stores.embedded.vector.index import FaissIndex

if TYPE_CHECKING:
    from hybrid_search.stores.embedded.rebuild import Swapped


class VectorStatusJson(TypedDict):
    """A vector index: what it is, how much it holds, and how far it has drifted.

    ``sealed`` vectors stand in the index proper, of which ``inserted`` came after it was built;
    those in the ``tail`` are searched exactly. ``drift`` is the growth of each measure since.
    ``calibrated`` is the number of vectors when the similarity baseline was last measured, 0
    before.
    """

    kind: str
    parameters: dict[str, int | str]
    vectors: int
    sealed: int
    inserted: int
    tail: int
    tombstones: int
    tombstone_ratio: float
    drift: dict[str, float]
    dimension: int
    bytes: int
    predicted_bytes: int
    disk_bytes: int
    sealing: str
    due: str | None
    calibrated: int
    trouble: str


class LexicalStatusJson(TypedDict):
    """The inverted index: what it is and how much it holds; ``fields`` are the declared ones."""

    analyzer: str
    fields: dict[str, dict[str, object]]
    documents: int
    watermark: int


class EncodingStatusJson(TypedDict):
    """How queries were encoded since the start; ``precision`` is known once the model is loaded."""

    model: str
    loaded: bool
    precision: str | None
    cache_hits: int
    cache_misses: int
    batches: int


class StatusJson(TypedDict):
    """The state of an engine.

    ``vector`` is the index of pictures, ``copy`` that of text, ``null`` where text is not embedded.
    ``lacking`` has the unavailable candidate lists and how to enable each, ``repaired`` the damage
    that was repaired at start-up, ``trouble`` why the latest generation could not be opened.
    """

    version: str
    data_dir: str
    generation: str
    writable: bool
    assets: int
    sequence: int
    lexical: LexicalStatusJson
    vector: VectorStatusJson
    copy: VectorStatusJson | None
    lacking: dict[str, str]
    encoding: EncodingStatusJson
    repaired: list[str]
    trouble: str


def engine_status(engine: Index) -> StatusJson:
    """What the engine holds now, as a JSON object."""
    return {
        "version": __version__,
        "data_dir": str(engine.settings.data_dir),
        "generation": engine.serving.name,
        "writable": engine.indexer is not None,
        "assets": engine.catalog.count(),
        "sequence": engine.catalog.last_sequence(),
        "lexical": {
            "analyzer": engine.serving.store.lexical.fingerprint,
            "fields": {
                name: asdict(rule)
                for name, rule in engine.settings.declared_fields().declared.items()
            },
            "documents": engine.serving.store.lexical.snapshot().count(),
            "watermark": engine.serving.store.lexical.snapshot().watermark,
        },
        "vector": _vectors(engine, engine.serving.store.picture_vectors, "picture"),
        "copy": None
        if engine.serving.store.text_vectors is None
        else _vectors(engine, engine.serving.store.text_vectors, "copy"),
        "lacking": {name: note.text for name, note in engine.serving.store.unavailable.items()},
        "encoding": _encoding(engine),
        "repaired": list(engine.repairs),
        "trouble": engine.trouble,
    }


def _vectors(engine: Index, index: FaissIndex, subject: Subject) -> VectorStatusJson:
    facts, baseline = index.describe(), engine.serving.store.vectors[subject].baseline.current()
    return {
        "kind": facts.kind,
        "parameters": dict(facts.parameters),
        "vectors": index.count(),
        "sealed": facts.segment,
        "inserted": facts.inserted,
        "tail": facts.write_buffer,
        "tombstones": facts.tombstones,
        "tombstone_ratio": round(facts.tombstones / max(1, facts.segment + facts.write_buffer), 4),
        "drift": {name: round(value, 4) for name, value in facts.drift.items()},
        "dimension": facts.dimension,
        "bytes": facts.bytes,
        "predicted_bytes": facts.predicted,
        "disk_bytes": facts.disk,
        "sealing": facts.segment_folder,
        "due": index.due(),
        "calibrated": 0 if baseline is None else baseline.vectors,
        "trouble": facts.trouble
        or (
            ""
            if engine.serving.store.maintenance is None
            else engine.serving.store.maintenance.failure
        ),
    }


def _encoding(engine: Index) -> EncodingStatusJson:
    counts = engine.serving.encoder.counts()
    return {
        "model": engine.serving.model,
        "loaded": engine.serving.embedder.loaded,
        "precision": engine.serving.embedder.facts.precision
        if engine.serving.embedder.loaded
        else None,
        "cache_hits": counts.hits,
        "cache_misses": counts.misses,
        "batches": counts.batches,
    }


class RebuiltJson(TypedDict):
    """What became of a rebuild of a vector index.

    Recall is that of the ten nearest against exact search, on vectors and titles of the corpus.
    """

    published: bool
    kind: str
    parameters: dict[str, int | str]
    vectors: int
    recall: float
    recall_before: float
    bytes: int
    predicted_bytes: int
    seconds: float


class RebuiltAllJson(RebuiltJson):
    """The same of the index of pictures, and beside it of that of copy, where there is one."""

    copy: RebuiltJson | None


def rebuilt_to_json(built: Mapping[Subject, Rebuilt]) -> RebuiltAllJson:
    """The reports as a JSON object."""
    copy = built.get("copy")
    return {**_rebuilt(built["picture"]), "copy": None if copy is None else _rebuilt(copy)}


def _rebuilt(built: Rebuilt) -> RebuiltJson:
    return {
        "published": built.published,
        "kind": built.kind,
        "parameters": dict(built.parameters),
        "vectors": built.vectors,
        "recall": round(built.recall, 4),
        "recall_before": round(built.recall_before, 4),
        "bytes": built.bytes,
        "predicted_bytes": built.predicted,
        "seconds": round(built.seconds, 2),
    }


class JudgedJson(TypedDict):
    """nDCG@10 over the judged queries with the old model and with the new one."""

    before: float
    after: float


class SwappedJson(TypedDict):
    """What became of a change of the model: ``vectors`` is null where they were there already."""

    model: str
    before: str
    published: bool
    judged: JudgedJson | None
    vectors: RebuiltAllJson | None


def swapped_to_json(done: Swapped) -> SwappedJson:
    """The report as a JSON object."""
    judged = done.judged
    return {
        "model": done.model,
        "before": done.before,
        "published": done.published,
        "judged": None
        if judged is None
        else {"before": round(judged.before, 4), "after": round(judged.after, 4)},
        "vectors": rebuilt_to_json(done.built) if done.built else None,
    }

"""What an engine holds, for people and monitors."""

from __future__ import annotations

from dataclasses import asdict

from typing_extensions import TypedDict

from hybrid_search import __version__
from hybrid_search.assembly import Engine


class VectorStatusJson(TypedDict):
    """The vector index: what it is and how much it holds."""

    kind: str
    parameters: dict[str, int | str]
    vectors: int
    sealed: int
    tail: int
    tombstones: int
    dimension: int
    bytes: int


class LexicalStatusJson(TypedDict):
    """The inverted index: what it is and how much it holds; ``fields`` are the declared ones."""

    analyzer: str
    fields: dict[str, dict[str, object]]
    documents: int
    watermark: int


class EncodingStatusJson(TypedDict):
    """How queries were encoded since the start."""

    model: str
    loaded: bool
    cache_hits: int
    cache_misses: int
    batches: int


class StatusJson(TypedDict):
    """The state of an engine."""

    version: str
    data_dir: str
    generation: str
    writable: bool
    assets: int
    sequence: int
    lexical: LexicalStatusJson
    vector: VectorStatusJson
    encoding: EncodingStatusJson


def engine_status(engine: Engine) -> StatusJson:
    """What the engine holds now, as a JSON object."""
    return {
        "version": __version__,
        "data_dir": str(engine.settings.data_dir),
        "generation": engine.generation,
        "writable": engine.indexer is not None,
        "assets": engine.catalog.count(),
        "sequence": engine.catalog.last_sequence(),
        "lexical": {
            "analyzer": engine.lexical.fingerprint,
            "fields": {
                name: asdict(rule)
                for name, rule in engine.settings.declared_fields().declared.items()
            },
            "documents": engine.lexical.count(),
            "watermark": engine.lexical.watermark,
        },
        "vector": _vectors(engine),
        "encoding": _encoding(engine),
    }


def _vectors(engine: Engine) -> VectorStatusJson:
    facts = engine.vectors.describe()
    return {
        "kind": facts.kind,
        "parameters": dict(facts.parameters),
        "vectors": engine.vectors.count(),
        "sealed": facts.sealed,
        "tail": facts.tail,
        "tombstones": facts.tombstones,
        "dimension": facts.dimension,
        "bytes": facts.bytes,
    }


def _encoding(engine: Engine) -> EncodingStatusJson:
    counts = engine.encoder.counts()
    return {
        "model": engine.model,
        "loaded": engine.embedder.loaded,
        "cache_hits": counts.hits,
        "cache_misses": counts.misses,
        "batches": counts.batches,
    }

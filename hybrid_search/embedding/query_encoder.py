"""Query encoding: the model is loaded on first use, texts are batched, vectors are cached.

Requests that arrive during a forward pass are encoded together in the next one, because ten texts
take little longer than one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from cachetools import LRUCache

from hybrid_search.core import Digest, Note
from hybrid_search.core.errors import IndexMismatch
from hybrid_search.core.ports import Embedder, ModelFacts, Vectors
from hybrid_search.core.preprocess_spec import Pixels, PreprocessSpec

if TYPE_CHECKING:
    from PIL import Image


class LazyEmbedder:
    """An ``Embedder`` that is loaded on first use and checked against the index."""

    def __init__(self, load: Callable[[], Embedder], name: str | None = None) -> None:
        """``name`` is the model's name in keys, if it is known before loading."""
        self._load = load
        self._name = name
        self._loading = threading.Lock()
        self._embedder: Embedder | None = None
        self._expected: str | None = None

    def expect(self, key: str) -> None:
        """Refuse models with another key than the index when they are loaded."""
        self._expected = key
        if self._embedder is not None:
            self._check(self._embedder)

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._embedder is not None

    @property
    def facts(self) -> ModelFacts:
        """What identifies the model; loads the model."""
        return self._ready().facts

    @property
    def preprocess_spec(self) -> PreprocessSpec:
        """How an image becomes the model's input; loads the model."""
        return self._ready().preprocess_spec

    def pixels(self, batch: Pixels) -> Vectors:
        """See ``Embedder.pixels``."""
        return self._ready().pixels(batch)

    def pictures(self, pictures: Sequence[Image.Image]) -> Vectors:
        """See ``Embedder.pictures``."""
        return self._ready().pictures(pictures)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """See ``Embedder.texts``."""
        return self._ready().texts(texts)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """See ``Embedder.queries``."""
        return self._ready().queries(texts)

    def token_count(self, text: str) -> int:
        """See ``Embedder.token_count``."""
        return self._ready().token_count(text)

    def _ready(self) -> Embedder:
        with self._loading:
            if self._embedder is None:
                self._check_name()
                embedder = self._load()
                self._check(embedder)
                self._embedder = embedder
            return self._embedder

    def _check_name(self) -> None:
        """Refuse another model before its weights are loaded, and possibly downloaded."""
        if self._expected is None or self._name is None:
            return
        if self._expected.rpartition("@")[0] != self._name:
            raise _mismatch(self._expected, self._name)

    def _check(self, embedder: Embedder) -> None:
        if self._expected is not None and embedder.facts.key != self._expected:
            raise _mismatch(self._expected, embedder.facts.key)


def _mismatch(expected: str, configured: str) -> IndexMismatch:
    return IndexMismatch(
        f"embedding: the index has vectors of {expected}, the configured model is {configured};"
        " run: hybrid-search rebuild"
    )


@dataclass(frozen=True, slots=True)
class EncodingCounts:
    """Cache hits, cache misses and forward passes since the start."""

    hits: int
    misses: int
    batches: int


class QueryEncoder:
    """Vectors ``(d,)`` of query texts and pictures, L2-normalised and cached.

    Safe to call from several threads; concurrent texts are batched.
    """

    def __init__(self, embedder: Embedder, cached: int = 10_000) -> None:
        self._embedder = embedder
        self._cache: LRUCache[tuple[str, str], Vectors] = LRUCache(max(1, cached))
        self._counts: LRUCache[str, int] = LRUCache(max(1, cached))
        self._guard = threading.Lock()
        self._free = threading.Condition(self._guard)
        self._encoding = False
        self._waiting: dict[str, Future[Vectors]] = {}
        self._hits = self._misses = self._batches = 0

    def text(self, text: str) -> Vectors:
        """The vector ``(d,)`` of the query text."""
        key = ("text", text)
        with self._guard:
            if (known := self._lookup(key)) is not None:
                return known
            future = self._waiting.setdefault(text, Future())
            # All wait for the running pass to end. With a lock that one waiter hands to the next,
            # the first would start the next pass with only the few texts present by then.
            self._free.wait_for(lambda: future.done() or not self._encoding)
            batch = {} if future.done() else self._take_waiting()
        if batch:
            self._encode(batch)
        return self._remember(key, future.result())

    def cut_note(self, text: str) -> Note | None:
        """A note if the text exceeds the model's context length, else ``None``."""
        read, count = self._embedder.facts.context_length, self._token_count(text)
        if count <= read:
            return None
        return Note("text_truncated", {"read": read, "tokens": count})

    def picture(self, digest: Digest, prepare: Callable[[PreprocessSpec], Pixels]) -> Vectors:
        """The vector ``(d,)`` of the picture; ``prepare`` is called only if it is not cached."""
        key = ("picture", digest)
        with self._guard:
            if (known := self._lookup(key)) is not None:
                return known
        pixels = prepare(self._embedder.preprocess_spec)
        return self._remember(key, self._embedder.pixels(pixels[np.newaxis])[0])

    def counts(self) -> EncodingCounts:
        """Cache hits, cache misses and forward passes since the start."""
        with self._guard:
            return EncodingCounts(self._hits, self._misses, self._batches)

    def _token_count(self, text: str) -> int:
        """The cached token count: counting takes a tenth of a millisecond of every search."""
        with self._guard:
            known: int | None = self._counts.get(text)
        if known is None:
            known = self._embedder.token_count(text)
            with self._guard:
                self._counts[text] = known
        return known

    def _lookup(self, key: tuple[str, str]) -> Vectors | None:
        known: Vectors | None = self._cache.get(key)
        self._hits += known is not None
        self._misses += known is None
        return known

    def _remember(self, key: tuple[str, str], vector: Vectors) -> Vectors:
        with self._guard:
            self._cache[key] = vector
        return vector

    def _take_waiting(self) -> dict[str, Future[Vectors]]:
        batch, self._waiting = self._waiting, {}
        self._batches += 1
        self._encoding = True
        return batch

    def _encode(self, batch: dict[str, Future[Vectors]]) -> None:
        """Encode the waiting texts in one pass; an exception is set on every future."""
        try:
            rows = list(zip(batch.values(), self._embedder.queries(list(batch)), strict=True))
        except BaseException as failure:  # noqa: BLE001  every waiter must get it
            for future in batch.values():
                future.set_exception(failure)
        else:
            for future, row in rows:
                future.set_result(row)
        finally:
            with self._guard:
                self._encoding = False
                self._free.notify_all()

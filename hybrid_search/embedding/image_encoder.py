"""Embedding of pictures for the catalog: decoded ahead, equal bytes embedded once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from hybrid_search.core import Digest, PictureFacts
from hybrid_search.core.errors import InvalidPicture
from hybrid_search.core.ports import Catalog, Embedder, PictureStore
from hybrid_search.core.preprocess_spec import PreparedPicture
from hybrid_search.core.stages import batches, prefetch
from hybrid_search.embedding.malloc import give_back, keep_freed
from hybrid_search.images.decoder_pool import Decoders

BATCHES_AHEAD = 2
"""Batches that are decoded while one is embedded."""
_MISSING = 64
"""Batch size of ``embed_missing``."""
_MANY = 16
"""Batch size from which freed memory is kept for the next batch."""

Decoding = dict[Digest, PictureFacts | Future[PreparedPicture]]
"""Facts of pictures that have a vector, and futures of the others."""


@dataclass(slots=True)
class Encoded:
    """The outcome of a batch."""

    facts: dict[Digest, PictureFacts] = field(default_factory=dict)
    """Pictures that have a vector now."""
    refused: dict[Digest, InvalidPicture] = field(default_factory=dict)
    """Refused pictures with the reason."""
    embedded: int = 0
    """Number of pictures that were embedded."""


class PictureEncoder:
    """Embeds pictures in two steps, so that batches overlap. Safe to call from several threads."""

    def __init__(self, catalog: Catalog, embedder: Embedder, decoders: Decoders) -> None:
        self._catalog = catalog
        self._embedder = embedder
        self._decoders = decoders
        self._turn = threading.Lock()

    def begin(self, pictures: Mapping[Digest, bytes]) -> Decoding:
        """Start decoding the pictures that have no stored vector."""
        if not pictures:
            return {}
        known = self._catalog.embedded(self._embedder.facts.key, list(pictures))
        new = [digest for digest in pictures if digest not in known]
        futures = self._decoders.prepare(
            [pictures[digest] for digest in new], self._embedder.preprocess_spec
        )
        return {**known, **dict(zip(new, futures, strict=True))}

    def finish(self, decoding: Decoding) -> Encoded:
        """Wait for decoding, embed pictures without a vector and store the vectors durably."""
        encoded, prepared = Encoded(), dict[Digest, PreparedPicture]()
        for digest, outcome in decoding.items():
            try:
                if isinstance(outcome, PictureFacts):
                    encoded.facts[digest] = outcome
                else:
                    prepared[digest] = outcome.result()
            except InvalidPicture as refusal:
                encoded.refused[digest] = refusal
        encoded.facts |= {digest: picture.facts for digest, picture in prepared.items()}
        encoded.embedded = self._embed(prepared)
        return encoded

    def embed_missing(
        self, pictures: PictureStore, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Embed every live picture without a vector of this model, calling ``progress(done, all)``.

        Raises ``InvalidPicture`` for a stored picture that exceeds the current limits.
        """
        missing, done = list(self._catalog.unembedded(self._embedder.facts.key)), 0
        decodings = (
            self.begin({digest: pictures.read(digest) for digest in batch})
            for batch in batches(missing, _MISSING)
        )
        try:
            for decoding in prefetch(decodings, BATCHES_AHEAD):
                _raise_first(self.finish(decoding).refused.values())
                done += len(decoding)
                if progress is not None:
                    progress(done, len(missing))
        finally:
            give_back()

    def _embed(self, prepared: Mapping[Digest, PreparedPicture]) -> int:
        """Embed and store the pictures without a vector; returns their number."""
        if not prepared:
            return 0
        model = self._embedder.facts.key
        # Another batch or request may have embedded the same picture meanwhile.
        with self._turn:
            missing = sorted(prepared.keys() - self._catalog.embeddings(model, list(prepared)))
            if len(missing) >= _MANY:
                keep_freed()
            if missing:
                rows = self._embedder.pixels(np.stack([prepared[d].pixels for d in missing]))
                self._catalog.store_embeddings(model, dict(zip(missing, rows, strict=True)))
        return len(missing)


def _raise_first(failures: Iterable[InvalidPicture]) -> None:
    for failure in failures:
        raise failure

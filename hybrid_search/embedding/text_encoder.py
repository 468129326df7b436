"""Text vectors: one vector for the texts of an asset.

A text encoder truncates its input to a few dozen tokens. So the texts are split into segments that
fit, and the vector of an asset is the normalised mean of theirs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from hybrid_search.core import Asset, Digest, digest_of
from hybrid_search.core.field_schema import STANDARD, FieldRule, Fields
from hybrid_search.core.ports import Catalog, Draft, Embedder, TextKey, Vectors

_BYTES_A_TOKEN = 2
"""Least UTF-8 bytes per token: a Hangul syllable has three, an English token mostly four."""
_SENTENCE_ENDS = re.compile(r"(?<=[.!?…。！？])\s+|\n+")
_BATCH = 256
"""Assets whose texts are embedded together."""


def text_model_key(model: str, fields: Fields) -> str:
    """The key of the text vectors of a model: the model's key and the searched fields.

    >>> text_model_key("clip@0/512", Fields({"slogan": FieldRule(searched=True)}))
    'copy(+slogan):clip@0/512'
    """
    return f"{_searched(fields)}:{model}"


def text_key(asset: Asset, fields: Fields) -> TextKey:
    """The key of the asset's searched text, independent of its other fields.

    The digest is over the distinct texts of the searched fields, without their names and order.
    It does not depend on the model: a vector is keyed by its model too.
    """
    texts = sorted({run.text for run in fields.searched_texts(asset)})
    return TextKey(_searched(fields), digest_of(json.dumps(texts).encode()))


def _searched(fields: Fields) -> str:
    """The searched fields, named by their differences from the standard ones."""
    changed = [
        f"{'+' if rule.searched else '-'}{name}"
        for name, rule in sorted(fields.declared.items())
        if rule.searched != STANDARD.get(name, FieldRule()).searched
    ]
    return f"copy{'({})'.format(','.join(changed)) if changed else ''}"


def segments(asset: Asset, fields: Fields, context_length: int) -> tuple[str, ...]:
    """The searched texts in segments of at most ``context_length`` tokens; each once, in order.

    A segment is a sentence or a part of one. The length in tokens is estimated from UTF-8 bytes.
    """
    size = _BYTES_A_TOKEN * context_length
    sentences = (s for run in fields.searched_texts(asset) for s in _SENTENCE_ENDS.split(run.text))
    parts = chain.from_iterable(_lines(sentence.split(), size) for sentence in sentences)
    return tuple(dict.fromkeys(parts))


def _lines(words: Sequence[str], size: int) -> Iterator[str]:
    """The words joined to lines of at most ``size`` UTF-8 bytes; a longer word is a line itself."""
    line = ""
    for word in words:
        longer = f"{line} {word}" if line else word
        if line and len(longer.encode()) > size:
            yield line
            longer = word
        line = longer
    if line:
        yield line


class TextEncoder:
    """Embeds the texts of assets and stores the vectors in the catalog."""

    def __init__(self, catalog: Catalog, embedder: Embedder, fields: Fields) -> None:
        self._catalog = catalog
        self._embedder = embedder
        self._fields = fields

    def embed_drafts(self, drafts: Sequence[Draft]) -> None:
        """Store a vector for each draft with text; an unchanged text keeps the one it has.

        Call it before the drafts are stored.
        """
        assets = {
            draft.text.digest if draft.text else draft.content: draft.asset for draft in drafts
        }
        key = text_model_key(self._embedder.facts.key, self._fields)
        known = self._catalog.embeddings(key, list(assets))
        missing = {digest: asset for digest, asset in assets.items() if digest not in known}
        kept = {
            digest: vector
            for digest, asset in missing.items()
            if (vector := self._unchanged(asset, key)) is not None
        }
        if kept:
            self._catalog.store_embeddings(key, kept)
        self.embed(missing)

    def _unchanged(self, asset: Asset, key: str) -> Vectors | None:
        """The vector of the asset's live version, if that has the same text.

        Versions that were stored without a text digest have it under their content hash.
        """
        stored = self._catalog.find(asset.id)
        if stored is None or text_key(stored.asset, self._fields) != text_key(asset, self._fields):
            return None
        digests = self._catalog.digests([stored.arrival], key, "copy")
        return next(iter(self._catalog.embeddings(key, [*digests.values()]).values()), None)

    def embed(self, assets: Mapping[Digest, Asset]) -> None:
        """Store a vector under the digest of each asset that has text and no vector yet.

        Equal texts are embedded once.
        """
        if not assets:
            return
        key = text_model_key(self._embedder.facts.key, self._fields)
        known = self._catalog.embeddings(key, list(assets))
        length = self._embedder.facts.context_length
        texts = {
            digest: parts
            for digest, asset in assets.items()
            if digest not in known and (parts := segments(asset, self._fields, length))
        }
        if texts:
            self._catalog.store_embeddings(key, self._means(texts))

    def embed_missing(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Embed all live texts without a vector, calling ``progress(done, all)``."""
        key = text_model_key(self._embedder.facts.key, self._fields)
        missing = list(self._catalog.unembedded(key, "copy").items())
        for start in range(0, len(missing), _BATCH):
            batch = dict(missing[start : start + _BATCH])
            versions = self._catalog.fetch(list(batch.values()))
            self.embed({digest: versions[o].asset for digest, o in batch.items()})
            if progress is not None:
                progress(start + len(batch), len(missing))

    def _means(self, texts: Mapping[Digest, Sequence[str]]) -> dict[Digest, Vectors]:
        """The L2-normalised mean ``(d,)`` of the vectors of each asset's texts."""
        unique = list(dict.fromkeys(chain.from_iterable(texts.values())))
        rows = dict(zip(unique, self._embedder.texts(unique), strict=True))
        sums = {d: np.sum([rows[part] for part in parts], axis=0) for d, parts in texts.items()}
        return {digest: total / np.linalg.norm(total) for digest, total in sums.items()}

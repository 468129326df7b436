"""CLIP's byte pair encoding, equal to open_clip's ``SimpleTokenizer`` but without open_clip.

Importing open_clip takes seconds, mostly for its image towers, which a text query does not need.
"""

from __future__ import annotations

import gzip
import html
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import ftfy
import regex
import torch

_END_OF_WORD = "</w>"
_START, _END = "<start_of_text>", "<end_of_text>"
_MERGES = 49152 - 256 - 2
"""Merges that are read from a vocabulary file at most."""
_WORDS = regex.compile(
    rf"{_START}|{_END}|'s|'t|'re|'ve|'m|'ll|'d|[\p{{L}}]+|[\p{{N}}]|[^\s\p{{L}}\p{{N}}]+",
    regex.IGNORECASE,
)


class BpeTokenizer:
    """A tokenizer with the merges of a vocabulary file, most frequent first."""

    def __init__(self, vocabulary: Path, context_length: int) -> None:
        lines = gzip.decompress(vocabulary.read_bytes()).decode("utf-8").split("\n")
        merges = [tuple(line.split()) for line in lines[1 : _MERGES + 1]]
        self._letters = _byte_letters()
        letters = [*self._letters.values()]
        tokens = [*letters, *(letter + _END_OF_WORD for letter in letters)]
        tokens += ["".join(merge) for merge in merges] + [_START, _END]
        self._ids = {token: number for number, token in enumerate(tokens)}
        self._ranks = {merge: rank for rank, merge in enumerate(merges)}
        self.context_length = context_length
        self.vocab_size = len(self._ids)

    def __call__(self, texts: Sequence[str], context_length: int | None = None) -> torch.Tensor:
        """Token ids ``(n, context_length)`` int64, padded with 0; longer texts are truncated."""
        length = context_length or self.context_length
        rows = torch.zeros(len(texts), length, dtype=torch.long)
        for row, text in zip(rows, texts, strict=True):
            ids = [self._ids[_START], *self._encode(text)][: length - 1]
            ids.append(self._ids[_END])
            row[: len(ids)] = torch.tensor(ids)
        return rows

    def _encode(self, text: str) -> list[int]:
        cleaned = html.unescape(html.unescape(ftfy.fix_text(text)))
        ids: list[int] = []
        for word in _WORDS.findall(" ".join(cleaned.split()).lower()):
            letters = "".join(self._letters[byte] for byte in word.encode("utf-8"))
            ids += [self._ids[token] for token in self._tokens(letters)]
        return ids

    def _tokens(self, word: str) -> list[str]:
        """The tokens of a word: merges are applied in order of rank until none is left."""
        if word in {_START, _END}:
            return [word]
        parts = [*word[:-1], word[-1] + _END_OF_WORD]
        while (best := self._best_pair(parts)) is not None:
            parts = _merged(parts, best)
        return parts

    def _best_pair(self, parts: list[str]) -> tuple[str, str] | None:
        known = [pair for pair in pairwise(parts) if pair in self._ranks]
        return min(known, key=self._ranks.__getitem__, default=None)


def _merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    """The parts with each occurrence of the pair as one part, from the left."""
    merged: list[str] = []
    index = 0
    while index < len(parts):
        if tuple(parts[index : index + 2]) == pair:
            merged.append("".join(pair))
            index += 2
        else:
            merged.append(parts[index])
            index += 1
    return merged


def _byte_letters() -> dict[int, str]:
    """A printable character for each byte, in the order of CLIP's first 256 tokens."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    printable += range(ord("®"), ord("ÿ") + 1)
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    return letters | {byte: chr(256 + number) for number, byte in enumerate(others)}

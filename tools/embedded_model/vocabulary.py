"""A byte-pair vocabulary for English and Korean, in the format that open_clip reads."""

from __future__ import annotations

import collections
import gzip
import json
from pathlib import Path

import regex
from corpus import Corpus
from open_clip.tokenizer import SimpleTokenizer, bytes_to_unicode, get_clean_fn
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

MERGES = 20_000
CONTEXT = 32
_WORDS = regex.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE
)
"""How open_clip's tokenizer splits; merges never cross these borders."""
_END = "</w>"
_MOST = 400
"""A word counts at most so often: frequent ones are whole words early anyway."""


def learn(corpus: Corpus, path: Path) -> SimpleTokenizer:
    """The tokenizer over merges learned from the corpus, which are written to the path."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix=_END))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    letters = list(bytes_to_unicode().values())
    trainer = trainers.BpeTrainer(
        vocab_size=2 * len(letters) + MERGES + 200,
        end_of_word_suffix=_END,
        initial_alphabet=letters,
        min_frequency=2,
        show_progress=False,
    )
    words = (" ".join([word] * min(n, _MOST)) for word, n in sorted(_counts(corpus).items()))
    tokenizer.train_from_iterator(words, trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"][:MERGES]
    lines = ["#version: hybrid_search en+ko", *(" ".join(pair) for pair in merges)]
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    return SimpleTokenizer(bpe_path=str(path), context_length=CONTEXT)


def _counts(corpus: Corpus) -> collections.Counter[str]:
    """How often each word is seen, in the letters that stand for bytes."""
    clean, letters = get_clean_fn("lower"), bytes_to_unicode()
    counts: collections.Counter[str] = collections.Counter()
    # Words of the lexicon become one token each.
    known = {text for pairs in corpus.lexicon.values() for pair in pairs for text in pair}
    for text in corpus.texts:
        for word in _WORDS.findall(clean(text)):
            counts["".join(letters[byte] for byte in word.encode())] += 60 if text in known else 1
    return counts

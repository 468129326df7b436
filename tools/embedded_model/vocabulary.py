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
"""How open_clip's tokenizer splits; merges do not cross these borders."""
_END = "</w>"
_MOST = 400
"""Maximum count of a word; frequent words become single tokens early anyway."""


def learn(corpus: Corpus, path: Path) -> SimpleTokenizer:
    """Learn merges from the corpus, write them to ``path``, and return the tokenizer."""
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
    """Return the count of each word, spelled in byte symbols."""
    clean, letters = get_clean_fn("lower"), bytes_to_unicode()
    counts: collections.Counter[str] = collections.Counter()
    # Every word of the lexicon becomes one token.
    known = {text for pairs in corpus.lexicon.values() for pair in pairs for text in pair}
    for text in corpus.texts:
        for word in _WORDS.findall(clean(text)):
            counts["".join(letters[byte] for byte in word.encode())] += 60 if text in known else 1
    return counts

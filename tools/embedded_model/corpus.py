"""The training texts of the text tower, with sampling weights."""

from __future__ import annotations

import html
import random
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import kiwipiepy_model
import phrases
from classes import Classes
from nouns import read_glosses, read_nouns, read_words
from phrases import Pair
from sources import Sources

_HANGUL = re.compile("[가-힣]{2}")
_SEED = 0


@dataclass(frozen=True, slots=True)
class Corpus:
    """Distinct texts, and the pairs with the same meaning in both languages."""

    texts: list[str]
    weights: list[float]
    """Sampling weight of each text; running text has 1."""
    pairs: list[Pair]
    lexicon: dict[str, list[Pair]]


def gather(sources: Sources, classes: Classes, lexicon: dict[str, list[Pair]]) -> Corpus:
    """Collect names, words, sentences and phrases; deterministic for the same packages."""
    chance = random.Random(_SEED)
    emoji = emoji_names(sources)
    known = [pair for pairs in lexicon.values() for pair in pairs]
    # Korean nouns have no plural form, English nouns do.
    many = [(phrases.plural(one), korean) for one, korean in known]
    made = phrases.bilingual([*known, *many], 45_000, chance)
    pairs = list(dict.fromkeys([*known, *many, *emoji, *made]))
    names = [name for kind in classes.synonyms for name in kind] + classes.names
    weights: dict[str, float] = {}
    _see(weights, _running_text(sources, chance), 1.0)
    _see(weights, _phrases(sources, classes, lexicon, chance), 1.0)
    _see(weights, [*emoji_words(sources, "en"), *emoji_words(sources, "ko")], 1.2)
    _see(weights, (text for pair in [*made, *emoji] for text in pair), 2.5)
    _see(weights, (one for one, _ in many), 4.0)
    _see(weights, names, 6.0)
    _see(weights, (text for pair in known for text in pair), 8.0)
    return Corpus(list(weights), list(weights.values()), pairs, lexicon)


def emoji_names(sources: Sources) -> list[Pair]:
    """Return the English and Korean names of each emoji that has both."""
    english, korean = (
        dict(emoji_annotations(sources, language, "tts")) for language in ("en", "ko")
    )
    return [(english[emoji], korean[emoji]) for emoji in english if emoji in korean]


def emoji_words(sources: Sources, language: str) -> list[str]:
    """Return the keywords of all emoji."""
    lists = emoji_annotations(sources, language, None)
    return [word.strip() for _, words in lists for word in words.split("|")]


def emoji_annotations(
    sources: Sources, language: str, kind: str | None
) -> Iterator[tuple[str, str]]:
    """Return the CLDR annotation of each emoji: the name (``tts``), or keywords joined by ``|``."""
    folder = sources.debian("unicode-cldr-core", "unicode/cldr/common/annotations")
    for part in ET.parse(folder / f"{language}.xml").getroot().iter("annotation"):
        if part.get("type") == kind:
            yield part.get("cp", ""), part.text or ""


def _see(weights: dict[str, float], texts: Iterator[str] | Sequence[str], weight: float) -> None:
    for text in texts:
        if text:
            weights[text] = max(weight, weights.get(text, 0.0))


def _running_text(sources: Sources, chance: random.Random) -> list[str]:
    """Return words and sentences in both languages."""
    wordnet = sources.debian("wordnet-base", "wordnet")
    return [
        *_some(read_words(wordnet), 45_000, chance),
        *_some(read_glosses(wordnet), 25_000, chance),
        *_some(korean_words(sources), 30_000, chance),
        *_some(kiwi_nouns(), 15_000, chance),
        *_some(korean_sentences(sources), 15_000, chance),
    ]


def _phrases(
    sources: Sources, classes: Classes, lexicon: dict[str, list[Pair]], chance: random.Random
) -> list[str]:
    nouns = read_nouns(sources.debian("wordnet-base", "wordnet"))
    named = {name for synset in classes.synsets for name in nouns[synset[1:]].names}
    things = sorted({*named, *classes.names, *(e for p in lexicon.values() for e, _ in p)})
    words = sorted({k for p in lexicon.values() for _, k in p} | set(kiwi_nouns()[:4000]))
    return [
        *classes.sentences,
        *phrases.english(things, 25_000, chance),
        *phrases.korean(words, 25_000, chance),
    ]


def _some(texts: Iterator[str] | Sequence[str], count: int, chance: random.Random) -> list[str]:
    distinct = list(dict.fromkeys(texts))
    return chance.sample(distinct, min(count, len(distinct)))


def korean_words(sources: Sources) -> Iterator[str]:
    """Yield the words of the spelling checker's dictionary."""
    path = sources.debian("hunspell-ko", "hunspell") / "ko.dic"
    for line in path.read_text("utf-8").splitlines():
        word = unicodedata.normalize("NFC", line.strip().split("/")[0])
        if re.fullmatch("[가-힣]{1,10}", word):
            yield word


def kiwi_nouns() -> list[str]:
    """Return nouns and names of Kiwi's dictionary in a mixed order."""
    path = Path(kiwipiepy_model.__file__).with_name("default.dict")
    rows = (line.split("\t") for line in path.read_text("utf-8").splitlines())
    nouns = [
        row[0]
        for row in rows
        if len(row) > 1 and row[1] in {"NNG", "NNP"} and re.fullmatch("[가-힣 ]{2,10}", row[0])
    ]
    random.Random(_SEED).shuffle(nouns)
    return nouns


def korean_sentences(sources: Sources) -> Iterator[str]:
    """Yield sentences from the help pages of an office suite."""
    for page in sorted(sources.of("libreoffice-help-ko").rglob("*.html")):
        text = page.read_text("utf-8", errors="ignore")
        for block in re.findall(r"<(?:p|h\d|li|td)[^>]*>(.*?)</(?:p|h\d|li|td)>", text, re.DOTALL):
            plain = " ".join(html.unescape(re.sub("<[^>]+>", "", block)).split())
            for sentence in re.split(r"(?<=[.!?])\s", plain):
                if 4 < len(sentence) < 70 and _HANGUL.search(sentence):
                    yield sentence

"""Any query text: rejected only for its length, and never slow."""

import random
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hybrid_search.analysis.kiwi import KiwiAnalyzer
from hybrid_search.analysis.query_parser import parse_query
from hybrid_search.core import Asset, AssetId, Ordinal, StoredAsset
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.stores.embedded.lexical.index import TantivyIndex
from tests.rounds import rounds
from tests.typed_index import TypedIndex

RANDOM, ADVERSARIAL = rounds(3_000, 20_000), rounds(300, 2_000)
SLOWEST = 15.0
"""CPU time that a single query may take, as a multiple of that of an ordinary one."""
WORDS = ["여름", "신발", "강아지", "간식", "무료배송", "할인", "summer", "shoes"]
ORDINARY = " ".join((WORDS * 8)[:62])
"""A long query that people could ask."""
ALPHABETS = (
    "여름신발강아지를위한무료배송할인50%+1원",
    "abcdefgh ijklmno",
    '"+-~:*() #@“”「」brand:tags:',
    "\u200d\ufe0f👨👩👧🏽❤🏳🌈",
    "\u202e\u2066\u200f\u0000\ud800\udfff\ufffe",
    "ㄱㄴㄷㅏㅑ\u1100\u1161\u11a8e\u0301ＡＢ１２㎏",
)
BOMBS = (
    "(" * 500,
    ")" * 500,
    "((a{0,70}){0,70})",
    "(a+)+$",
    ".*" * 200,
    '"' * 511,
    "+" * 512,
    "-" * 512,
    "a:" * 250,
    "~9999999999",
    '"a b"~99999999999',
    "*" * 512,
    "AND OR NOT " * 40,
    "\\" * 500,
    "a" * 512,
    "강" * 512,
    "a " * 64,
    "강아지 " * 64,
    "\u0301" * 512,
    "\u200d" * 512,
    "\ud800" * 512,
    "1" * 512,
    "#" * 512,
    "x" * 1_000_000,
    "가" * 1_000_000,
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TypedIndex]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    words = ("여름", "신발", "강아지", "간식", "무료배송", "할인", "summer", "shoes", "50%", "1+1")
    chance = random.Random(5)
    analyzer = KiwiAnalyzer()
    with closing(TantivyIndex(folder, analyzer)) as index:
        made = TypedIndex(index, analyzer)
        made.add(
            StoredAsset(
                Ordinal(number),
                Asset(AssetId(str(number)), title=" ".join(chance.choices(words, k=6))),
                None,
                "",
            )
            for number in range(1, 301)
        )
        made.commit(1)
        asked(made, "여름 summer")  # loads the dictionary before the timing
        yield made


def asked(index: TypedIndex, text: str) -> bool:
    """Run every lexical call of a search; return whether the query was accepted."""
    try:
        query = parse_query(text)
    except InvalidQuery:
        return False
    index.words(query, 10)
    index.allowed(query, None)
    for phrase in query.phrases:
        index.phrase(phrase, 10)
    index.corrections(query)
    index.complete(text, 5)
    return True


def random_texts() -> Iterator[str]:
    chance = random.Random(11)
    for _ in range(RANDOM):
        letters = "".join(chance.choices(ALPHABETS, k=2))
        yield "".join(chance.choices(letters + "  ", k=chance.randrange(1, 40)))


def adversarial_texts() -> Iterator[str]:
    chance = random.Random(12)
    yield from BOMBS
    for _ in range(ADVERSARIAL - len(BOMBS)):
        parts = chance.choices(BOMBS[:-2], k=3)
        yield "".join(part[: chance.randrange(1, 200)] for part in parts)[:600]


def spent(index: TypedIndex, text: str) -> float:
    """CPU time of this thread for the query, in seconds."""
    started = time.thread_time()
    asked(index, text)
    return time.thread_time() - started


@pytest.fixture(scope="module")
def ordinary(index: TypedIndex) -> float:
    return statistics.median(spent(index, f"{ORDINARY} {number}") for number in range(20))


def is_slow(index: TypedIndex, text: str, ordinary: float) -> bool:
    """Whether the query takes too long. A suspect is asked again beside an ordinary query."""
    if spent(index, text) <= SLOWEST * ordinary:
        return False
    # The last characters differ each time, so that no answer comes from a cache.
    return not any(
        spent(index, f"{text[:-2]} {attempt}")
        <= SLOWEST * spent(index, f"{ORDINARY} {100 + attempt}")
        for attempt in range(4)
    )


@pytest.mark.parametrize(
    ("fits", "over", "said"),
    [
        ("a" * 512, "a" * 513, "513 characters, the limit is 512"),
        ("a " * 64, "a " * 65, "65 words, the limit is 64"),
    ],
)
def test_a_query_at_the_limit_and_over_it(fits: str, over: str, said: str) -> None:
    assert parse_query(fits).clauses
    with pytest.raises(InvalidQuery, match=said):
        parse_query(over)


def test_random_texts(index: TypedIndex, ordinary: float) -> None:
    texts = list(random_texts())
    assert len(texts) == RANDOM
    assert [text for text in texts if is_slow(index, text, ordinary)] == []


def test_adversarial_texts(index: TypedIndex, ordinary: float) -> None:
    texts = list(adversarial_texts())
    assert len(texts) == ADVERSARIAL
    assert [text[:60] for text in texts if is_slow(index, text, ordinary)] == []
    taken = sum(asked(index, text) for text in texts[:100])
    assert 0 < taken < 100

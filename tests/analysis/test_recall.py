"""Fifty nouns and brands in fourteen contexts in one index: all are found, and nothing else."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from hybrid_search.analysis.analyzer import Analyzer
from hybrid_search.analysis.kiwi import KiwiAnalyzer
from hybrid_search.analysis.query_parser import parse_query
from hybrid_search.analysis.rules import RulesAnalyzer
from hybrid_search.core import Asset, AssetId, Ordinal, StoredAsset
from hybrid_search.stores.embedded.lexical.index import TantivyIndex
from tests.typed_index import TypedIndex

NOUNS = (
    *("강아지", "고양이", "운동화", "원피스", "립스틱", "청바지", "가방", "모자", "우산", "시계"),
    *("노트북", "냉장고", "세탁기", "청소기", "이어폰", "카메라", "커피", "라면", "김치", "만두"),
    *("딸기", "수박", "사과", "감자", "고구마", "텐트", "자전거", "등산화", "수영복", "장갑"),
    *("소파", "침대", "책상", "의자", "커튼", "샴푸", "치약", "향수", "선크림", "마스크"),
    *(
        "무지개나라",
        "하늘빛산장",
        "달콤공방",
        "멍냥상회",
        "초록바구니",
        "별다방",
        "꿀단지",
        "온누리빛",
    ),
    *("코코몽", "빛고운"),
)
CONTEXTS = (
    *(
        "{}",
        "{}를 만나다",
        "{}은 역시",
        "{}도 할인",
        "여름{}",
        "올여름{}특가",
        "#{}",
        "신상 {} 출시",
    ),
    *("{}세일", "인기{}", "{}까지 무료배송", "[{}] 기획전", "최저가{}", "{}, 지금 주문"),
)


@pytest.fixture(scope="module", params=["kiwi", "rules"])
def index(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TypedIndex]:
    analyzer: Analyzer = KiwiAnalyzer() if request.param == "kiwi" else RulesAnalyzer()
    with closing(TantivyIndex(tmp_path_factory.mktemp("recall"), analyzer)) as index:
        made = TypedIndex(index, analyzer)
        texts = [context.format(noun) for noun in NOUNS for context in CONTEXTS]
        made.add(
            StoredAsset(Ordinal(number), Asset(AssetId(str(number)), title=text), None, "")
            for number, text in enumerate(texts, start=1)
        )
        made.commit(1)
        yield made


def test_word_matches_in_every_context_and_nowhere_else(index: TypedIndex) -> None:
    assert (len(NOUNS), len(CONTEXTS)) == (50, 14)
    texts = [context.format(noun) for noun in NOUNS for context in CONTEXTS]
    found = wanted = 0
    strangers = []
    for noun in NOUNS:
        holders = {number for number, text in enumerate(texts, start=1) if noun in text}
        hits = set(index.words(parse_query(noun), 100).ordinals)
        found, wanted = found + len(hits & holders), wanted + len(holders)
        strangers += [(noun, texts[number - 1]) for number in hits - holders]
    assert strangers == []
    assert found / wanted >= 0.99

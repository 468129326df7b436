"""Properties of every text: offsets, Unicode forms, phrases, and a parser that never fails."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid_search.analysis.analyzer import analyse
from hybrid_search.analysis.highlighter import Highlighter
from hybrid_search.analysis.kiwi import KiwiAnalyzer
from hybrid_search.analysis.normalize import normalise
from hybrid_search.analysis.query_parser import parse_query
from hybrid_search.analysis.rules import RulesAnalyzer
from hybrid_search.analysis.surface_tokens import atoms
from hybrid_search.analysis.synonyms import NoSynonyms
from hybrid_search.core import Asset, AssetId, Ordinal, StoredAsset, TextField
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.stores.embedded.lexical.index import TantivyIndex
from tests.rounds import rounds
from tests.typed_index import TypedIndex

KIWI = KiwiAnalyzer()
RULES = RulesAnalyzer()
copy = st.text(alphabet="가나강아지를 신발 abcé５０%+#,.9ㅋ👩‍👧❤️\u0301\u200d\u202e\n", max_size=40)
words = st.lists(st.sampled_from(["신발", "여름", "sale", "50%", "나이키"]), min_size=1, max_size=6)


@given(copy)
@settings(max_examples=rounds(100, 3_000), deadline=None)
def test_offsets_refer_to_the_original_text(text: str) -> None:
    for term in (*analyse(text, KIWI).exact, *analyse(text, KIWI).words):
        assert 0 <= term.start < term.end <= len(text)


@given(st.text(alphabet="가각힣ㅋ aé한글", max_size=20))
def test_nfc_and_nfd_match(text: str) -> None:
    composed = normalise(unicodedata.normalize("NFC", text)).text
    assert composed == normalise(unicodedata.normalize("NFD", text)).text


@given(st.text(max_size=600))
@settings(max_examples=rounds(200, 5_000))
def test_parser_rejects_only_overlong_queries(text: str) -> None:
    try:
        clauses = parse_query(text).clauses
    except InvalidQuery as failure:
        assert len(text) > 512 or "words, the limit is 64" in str(failure)  # noqa: PT017  either
        return
    assert all(clause.text.strip() for clause in clauses)


@given(words, words)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_phrase_match_equals_naive_scan(
    tmp_path_factory: pytest.TempPathFactory, text: list[str], phrase: list[str]
) -> None:
    index = TypedIndex(TantivyIndex(tmp_path_factory.mktemp("index"), RULES), RULES)
    index.add([StoredAsset(Ordinal(1), Asset(AssetId("a"), body=" ".join(text)), None, "")])
    index.commit(1)
    found = index.phrase(" ".join(phrase), 5).total == 1
    index.close()
    length = len(phrase)
    scanned = any(text[at : at + length] == phrase for at in range(len(text) - length + 1))
    assert found == scanned


@pytest.mark.parametrize(
    ("text", "query", "shown"),
    [
        ("🐶 시바견이 귀여운 이유", "귀엽다", ["귀여운"]),
        (unicodedata.normalize("NFD", "귀여운 강아지를"), '"귀여운 강아지"', ["귀여운 강아지"]),
        ("ＳＡＬＥ ５０％ 할인", "sale 50%", ["ＳＡＬＥ", "５０％"]),
        ("무료 배송 이벤트", '"무료배송"', ["무료 배송"]),
    ],
)
def test_highlights_refer_to_the_original_text(text: str, query: str, shown: list[str]) -> None:
    highlighter = Highlighter(KIWI, NoSynonyms())
    spans = highlighter.highlight(parse_query(query), [TextField("title", text)])
    marked = [unicodedata.normalize("NFC", text[span.start : span.end]) for span in spans]
    assert marked == shown


def test_atoms_mark_word_boundaries() -> None:
    assert [atom.ends for atom in atoms("강아지를", frozenset({3}))] == [False, False, True, True]


def open_index(folder: Path, *assets: Asset) -> TypedIndex:
    index = TypedIndex(TantivyIndex(folder, RULES), RULES)
    index.add([StoredAsset(Ordinal(n), asset, None, "") for n, asset in enumerate(assets, start=1)])
    index.commit(len(assets))
    return index


def test_phrases_do_not_cross_fields_or_tags(tmp_path: Path) -> None:
    index = open_index(tmp_path, Asset(AssetId("a"), title="여름", body="신발", tags=("x", "y")))
    assert index.phrase("여름 신발", 5).total == 0
    assert index.phrase("x y", 5).total == 0
    index.close()


def test_watermark_survives_and_ties_break_by_ordinal(tmp_path: Path) -> None:
    index = open_index(tmp_path, *(Asset(AssetId(f"a{n}"), title="신발") for n in range(40)))
    assert index.words(parse_query("신발"), 10).ordinals == tuple(range(1, 11))
    index.remove([Ordinal(1)])
    index.commit(41)
    index.close()
    again = TypedIndex(TantivyIndex(tmp_path, RULES), RULES)
    assert (again.watermark, again.count()) == (41, 39)
    assert again.words(parse_query("신발"), 10).ordinals[0] == 2
    again.close()


HOSTILE = ["((((" * 100, '"', "+ - *", "a:b:c", "~9", "\ud800강", "-", "*", '""~3']


@pytest.mark.parametrize("query", HOSTILE)
def test_hostile_queries_are_answered(tmp_path: Path, query: str) -> None:
    index = open_index(tmp_path, Asset(AssetId("a"), title="강 a b c"))
    assert index.words(parse_query(query), 5).total in {0, 1}
    index.close()


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("a AND b", [("a", "must"), ("b", "must")]),
        ("a OR b", [("a", "should"), ("b", "should")]),
        ("a AND b OR c", [("a", "must"), ("b", "must"), ("c", "should")]),
        ("-a AND b", [("a", "not"), ("b", "must")]),
        ('"x y" AND z*', [("x y", "must"), ("z", "must")]),
        ("a or b", [("a", "should"), ("or", "should"), ("b", "should")]),
        ("OR a", [("OR", "should"), ("a", "should")]),
        ("a AND", [("a", "should"), ("AND", "should")]),
        ("+OR", [("OR", "must")]),
        ("a +AND b", [("a", "should"), ("AND", "must"), ("b", "should")]),
    ],
)
def test_connectives(text: str, clauses: list[tuple[str, str]]) -> None:
    assert [(c.text, c.occur) for c in parse_query(text).clauses] == clauses

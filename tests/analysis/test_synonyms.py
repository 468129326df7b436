"""Synonyms: file format, reloading, and effect on a search."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_search.analysis import synonyms as subject
from hybrid_search.analysis.query_parser import parse_query
from hybrid_search.analysis.rules import RulesAnalyzer
from hybrid_search.analysis.synonyms import SynonymFile, parse_synonyms
from hybrid_search.core import Asset, AssetId, Ordinal, StoredAsset
from hybrid_search.core.errors import InvalidConfig
from hybrid_search.core.ports import LexicalIndex
from hybrid_search.stores.embedded.lexical.index import TantivyIndex
from hybrid_search.stores.memory import MemoryLexical
from tests.typed_index import TypedIndex

TITLES = ("하얀 운동화", "스니커즈 특가", "Running sneakers", "스마트 티비 할인", "운동 기구")


def test_sets_rules_and_comments() -> None:
    found = parse_synonyms(
        "# shoes\n운동화, 스니커즈 , Ｓneakers # set\n\ntv => 텔레비전, 스마트  티비\nTV => 모니터"
    )
    assert found["운동화"] == ("스니커즈", "sneakers")
    assert found["sneakers"] == ("운동화", "스니커즈")
    assert found["tv"] == ("텔레비전", "스마트 티비", "모니터")
    assert "텔레비전" not in found


@pytest.mark.parametrize("line", ["alone", "=> a", "a =>", ",", "a, a", "=>"])
def test_useless_line_is_rejected_with_its_number(line: str) -> None:
    with pytest.raises(InvalidConfig, match="line 2"):
        parse_synonyms(f"a, b\n{line}")


def test_too_many_synonyms_are_rejected() -> None:
    with pytest.raises(InvalidConfig, match="the limit is 16"):
        parse_synonyms(", ".join(f"w{number}" for number in range(18)))


@given(st.text(max_size=60))
def test_any_file_content_is_accepted_or_rejected(text: str) -> None:
    try:
        found = parse_synonyms(text)
    except InvalidConfig:
        return
    assert all(word not in others for word, others in found.items())


def test_changed_file_is_reloaded_and_invalid_one_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "LOOK_EVERY", 0.0)
    path = tmp_path / "synonyms.txt"
    words = SynonymFile(path)
    assert (words.of("a"), words.version) == ((), 1)
    for text, expected, version in (
        ("a, b", ("b",), 2),
        ("a, bc", ("bc",), 3),
        ("alone", ("bc",), 3),
        ("a, d", ("d",), 4),
    ):
        path.write_text(text)
        os.utime(path, ns=(version, len(text) + version))
        assert (words.of("a"), words.version) == (expected, version)
    path.unlink()
    assert (words.of("a"), words.version) == ((), 5)


def test_invalid_file_at_start_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_bytes("강아지, 멍멍이".encode("cp949"))
    with pytest.raises(InvalidConfig, match=r"s\.txt"):
        SynonymFile(tmp_path / "s.txt")


RULES = RulesAnalyzer()
KINDS: dict[str, Callable[[Path], LexicalIndex]] = {
    "tantivy": lambda folder: TantivyIndex(folder, RULES),
    "memory": lambda _: MemoryLexical(RULES),
}


@pytest.fixture(params=sorted(KINDS))
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TypedIndex]:
    path = tmp_path / "synonyms.txt"
    path.write_text("운동화, 스니커즈, sneakers\ntv => 스마트 티비", "utf-8")
    with closing(KINDS[request.param](tmp_path / "index")) as index:
        made = TypedIndex(index, RULES, synonyms=SynonymFile(path))
        made.add(
            StoredAsset(Ordinal(number), Asset(AssetId(str(number)), title=title), None, "")
            for number, title in enumerate(TITLES, start=1)
        )
        made.commit(1)
        yield made


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("운동화", {1, 2, 3}),
        ("SNEAKERS", {1, 2, 3}),
        ("+스니커즈 +특가", {2}),
        ("tv", {4}),
        ("티비", {4}),
        ("-운동화", {4, 5}),
        ('+"운동화"', {1}),
    ],
)
def test_a_word_finds_its_synonyms(index: TypedIndex, query: str, expected: set[int]) -> None:
    # Five assets and a limit of one: no expansion to words with the same prefix.
    found = index.words(parse_query(query), 5, among=[Ordinal(n) for n in range(1, 6)])
    assert set(found.ordinals) == expected


def test_original_word_ranks_first_and_phrases_stay_exact(index: TypedIndex) -> None:
    assert index.words(parse_query("운동화"), 5).ordinals[0] == 1
    assert index.phrase("운동화", 5).ordinals == (1,)


def test_synonyms_are_highlighted(index: TypedIndex) -> None:
    (span,) = index.highlight(parse_query("운동화"), Asset(AssetId("x"), title="스니커즈 특가"))
    assert (span.start, span.end) == (0, 4)

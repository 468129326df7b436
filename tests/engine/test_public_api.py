"""The public API: what docs/python.md shows, and what it refuses."""

import doctest
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hybrid_search
from hybrid_search import Asset, Index, Query, open_index
from hybrid_search.core import AssetId
from hybrid_search.core.errors import (
    IndexLocked,
    IndexMissing,
    IndexUnusable,
    InvalidConfig,
    InvalidQuery,
    UnknownAsset,
)
from tests.small_corpus import draw

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"


def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "shoes.png", "red")
    text = re.sub(r"^```.*$", "", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    example = doctest.DocTestParser().get_doctest(text, {}, "python.md", str(PAGE), 0)
    assert len(example.examples) > 20
    told: list[str] = []
    assert doctest.DocTestRunner().run(example, out=told.append).failed == 0, "".join(told)


def test_every_public_name_is_there_and_documented() -> None:
    text = PAGE.read_text("utf-8")
    for name in hybrid_search.__all__:
        assert getattr(hybrid_search, name) is not None
    assert [name for name in public_methods() if name not in text] == []
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        hybrid_search.nothing  # noqa: B018


def public_methods() -> list[str]:
    shown = ("search", "similar", "suggest", "facets", "explain", "retrieve", "get", "add")
    return [
        f"index.{name}" for name in (*shown, "ingest", "delete", "close") if hasattr(Index, name)
    ]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with open_index(tmp_path_factory.mktemp("api") / "data") as opened:
        report = opened.add([Asset(AssetId("a"), title="shoes"), {"id": "b", "title": "hats"}])
        assert (report.indexed, report.skipped) == (2, [])
        yield opened


def test_a_folder_without_an_index_is_said_to_have_none(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match="create=True"):
        open_index(tmp_path / "none", create=False)
    with pytest.raises(IndexMissing, match="run: hybrid-search ingest"):
        open_index(tmp_path / "none", read_only=True)
    assert not (tmp_path / "none").exists()


def test_an_address_that_is_no_folder_is_refused() -> None:
    with pytest.raises(InvalidConfig, match=r"address = 'opensearch://host/ads'.*give a folder"):
        open_index("opensearch://host/ads")


def test_a_second_writer_is_told_to_read(index: Index) -> None:
    with pytest.raises(IndexLocked, match="read_only=True"):
        open_index(index.settings.data_dir)
    with open_index(index.settings.data_dir, read_only=True) as reader:
        assert [hit.id for hit in reader.search("shoes", size=1).hits] == ["a"]
        with pytest.raises(IndexUnusable, match="read_only=False"):
            reader.add([{"id": "c", "title": "socks"}])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"size": 0}, r"size = 0: must be from 1 to 10,000"),
        ({"offset": -1}, r"offset = -1"),
        ({"colour": "red"}, r"colour: not a field of a query"),
        ({"filter": {"price": {"above": 3}}}, r"filter"),
    ],
)
def test_a_wrong_field_is_named(index: Index, fields: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidQuery, match=said):
        index.search("shoes", **fields)  # type: ignore[arg-type]  # what is refused


def test_fields_add_to_a_query(index: Index) -> None:
    found = index.search(Query("shoes hats", size=1), offset=1, filter={"id": ["a", "b"]})
    assert [hit.rank for hit in found.hits] == [2]


def test_an_unknown_asset_is_not_explained(index: Index) -> None:
    with pytest.raises(UnknownAsset, match="'nobody'"):
        index.explain("nobody", "shoes")
    assert index.get("nobody") is None


def test_an_asset_that_is_not_valid_is_skipped_with_the_reason(
    index: Index, tmp_path: Path
) -> None:
    report = index.add([{"id": "x", "image": str(tmp_path / "none.png")}, {"title": "no id"}])
    assert [row.id for row in report.skipped] == ["x", "asset 2"]
    assert "No such file" in report.skipped[0].reason
    assert "id" in report.skipped[1].reason

"""Fusing retrieved candidates again, and explaining the rank of an asset."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hybrid_search.cli.ingest_paths import ingest_paths
from hybrid_search.core import AssetId, FusionSettings, ListName, ListSettings, Query
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.filter_json import filter_from_terms
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.search.explain import explain
from hybrid_search.search.retriever import Retriever
from hybrid_search.settings.settings import load_settings
from tests.small_corpus import write_manifest


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    folder: Path = tmp_path_factory.mktemp("explained")
    settings = load_settings(folder / "data")
    ingest_paths(settings, [write_manifest(folder / "source")], quiet=True)
    with open_engine(settings) as opened:
        yield opened


def weighed(engine: Index, **weights: float) -> FusionSettings:
    settings = engine.settings.fusion.settings()
    lists = {
        name: ListSettings(one.window, weights.get(name, one.weight))
        for name, one in settings.lists.items()
    }
    return replace(settings, lists=lists)


def test_candidates_are_fused_again_without_retrieval(
    engine: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = Query(text="summer shoes", explain=True)
    first = engine.searcher.search(query)
    other = replace(query, fusion=weighed(engine, lexical=0.0, text_to_image=5.0))
    whole = engine.searcher.search(other)
    assert not first.reused
    assert not whole.reused
    with monkeypatch.context() as patched:
        patched.setattr(Retriever, "retrieve", lambda *_: pytest.fail("looked for candidates"))
        again = engine.searcher.search(replace(other, reuse=first.token))
    assert again.reused
    assert again.hits == whole.hits
    assert again.lists == whole.lists
    assert [hit.score for hit in again.hits] != [hit.score for hit in first.hits]


def test_pages_after_a_new_fusion_are_consistent(engine: Index) -> None:
    query = Query(text="summer shoes", size=2)
    token = engine.searcher.search(query).token
    other = replace(query, fusion=weighed(engine, lexical=0.0), reuse=token)
    first = engine.searcher.search(other)
    second = engine.searcher.search(replace(other, cursor=first.cursor))
    everything = engine.searcher.search(replace(other, size=4))
    assert (*first.hits, *second.hits) == everything.hits


@pytest.mark.parametrize("token", ["nothing", "", "a-b.1.x"])
def test_token_of_another_search_is_rejected(engine: Index, token: str) -> None:
    with pytest.raises(InvalidQuery, match="reuse: the token belongs to another search"):
        engine.searcher.search(Query(text="shoes", reuse=token))
    other = engine.searcher.search(Query(text="summer"))
    with pytest.raises(InvalidQuery, match="reuse"):
        engine.searcher.search(Query(text="shoes", reuse=other.token))


def test_expired_token_retrieves_again(engine: Index) -> None:
    query = Query(text="half forgotten")
    answer = engine.searcher.search(query)
    engine.searcher.forget()
    again = engine.searcher.search(replace(query, reuse=answer.token))
    assert not again.reused
    assert again.hits == answer.hits


def test_what_if_ranks_equal_those_of_a_search(engine: Index) -> None:
    query = Query(text='summer "여름 신발"')
    stored = engine.catalog.find(AssetId("english"))
    assert stored is not None
    explained = explain(engine.searcher, query, stored)
    hits = engine.searcher.search(query).hits
    assert explained.rank == [h.stored.asset.id for h in hits].index(AssetId("english")) + 1
    assert explained.admitted
    assert explained.hit.score == pytest.approx(
        sum(part.contribution for part in explained.hit.contributions)
    )
    assert len(explained.otherwise) == 3 * len(explained.lists) + 5
    for other in explained.otherwise:
        kind, _, name = other.setting.partition(".")
        settings = weighed(engine, **({name: other.value} if name else {}))
        if kind == "rank_constant":
            settings = replace(settings, rank_constant=other.value)
        found = engine.searcher.search(replace(query, fusion=settings)).hits
        ranks = {hit.stored.asset.id: hit.rank for hit in found}
        assert ranks.get(AssetId("english")) == other.rank, other


def test_missing_asset_is_explained(engine: Index) -> None:
    stored = engine.catalog.find(AssetId("blue"))
    assert stored is not None
    filtered = filter_from_terms(["brand:하늘"])
    left_out = explain(engine.searcher, Query(text="summer", filter=filtered), stored)
    assert (left_out.rank, left_out.admitted) == (None, False)
    lexical: dict[ListName, ListSettings] = {
        "lexical": engine.settings.fusion.settings().lists["lexical"]
    }
    words = FusionSettings(60.0, lexical)
    nowhere = explain(engine.searcher, Query(text="summer", fusion=words), stored)
    assert (nowhere.rank, nowhere.admitted) == (None, True)
    assert [part.absent for part in nowhere.hit.contributions] == ["not_matched"]
    assert all(other.rank is None for other in nowhere.otherwise)


def test_copies_are_found_and_similar_pictures_are_not(engine: Index) -> None:
    red = engine.catalog.find(AssetId("red"))
    assert red is not None
    (copy,) = engine.duplicates(red)
    assert (copy.stored.asset.id, copy.band, copy.distance) == ("red-again", "identical", 0)
    assert copy.similarity == pytest.approx(1.0, abs=1e-3)
    assert engine.duplicates(replace(red, picture=None)) == []

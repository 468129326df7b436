"""Ingest and search with real stores and the embedded model."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from hybrid_search.core import AnyOf, AssetId, Between, Example, Query
from hybrid_search.core.errors import (
    IndexLocked,
    IndexMismatch,
    IndexMissing,
    InvalidQuery,
    UnknownAsset,
)
from hybrid_search.core.queries import restrict
from hybrid_search.embedding.clip import ClipEmbedder
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.engine.status import engine_status
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.ingest.pipeline import IngestReport
from hybrid_search.settings.sections import VectorSection
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.rebuild import rebuild, rebuild_vectors
from tests.progress import until
from tests.small_corpus import ROWS, write_manifest
from tests.tiny_models import folder_model


def settings_in(folder: Path) -> Settings:
    return load_settings(folder)


def ingest(engine: Index, path: Path) -> IngestReport:
    assert engine.indexer is not None
    return engine.indexer.ingest(read_assets(path, 1 << 20))


@pytest.fixture
def engine(tmp_path: Path, manifest: Path) -> Iterator[Index]:
    with open_engine(settings_in(tmp_path / "data"), write=True) as opened:
        ingest(opened, manifest)
        yield opened


def ids(engine: Index, query: Query) -> list[str]:
    return [hit.stored.asset.id for hit in engine.searcher.search(query).hits]


def test_ingesting_the_same_content_changes_nothing(engine: Index, manifest: Path) -> None:
    before = engine.catalog.last_sequence()
    report = ingest(engine, manifest)
    assert (report.indexed, report.updated, report.unchanged) == (0, 0, len(ROWS))
    assert engine.catalog.last_sequence() == before


def test_quoted_phrase_ranks_above_all_other_hits(engine: Index) -> None:
    answer = engine.searcher.search(Query('"여름 신발"'))
    assert [hit.stored.asset.id for hit in answer.hits if hit.phrases] == ["phrase"]
    assert answer.hits[0].stored.asset.id == "phrase"
    assert answer.notes == ()


def test_phrase_without_matches_gives_a_note(engine: Index) -> None:
    answer = engine.searcher.search(Query('"신발 여름"'))
    assert not any(hit.phrases for hit in answer.hits)
    assert [note.code for note in answer.notes] == ["no_exact_phrase"]


def test_update_replaces_and_deletion_is_visible_at_once(engine: Index, tmp_path: Path) -> None:
    path = tmp_path / "more.jsonl"
    path.write_text(json.dumps({"id": "phrase", "title": "겨울 장갑"}), "utf-8")
    assert ingest(engine, path).updated == 1
    assert ids(engine, Query("장갑"))[0] == "phrase"
    assert engine.indexer is not None
    assert engine.indexer.delete([AssetId("phrase"), AssetId("unknown")]) == ["phrase"]
    assert "phrase" not in ids(engine, Query("장갑"))
    assert (
        engine.serving.store.lexical.snapshot().count() == engine.catalog.count() == len(ROWS) - 1
    )


def test_invalid_row_does_not_stop_the_others(engine: Index, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    rows = [
        '{"id": "x", "image": "../up.png"}',
        "{broken",
        '{"id": "ok", "title": "fine"}',
        '{"id": "ok"}',
        '{"id": "empty"}',
    ]
    path.write_text("\n".join(rows), "utf-8")
    report = ingest(engine, path)
    assert report.indexed == 1
    assert [skipped.id for skipped in report.skipped] == ["x", "line 2", "ok", "empty"]


def test_similar_finds_the_same_picture_first_and_not_itself(engine: Index) -> None:
    found = ids(engine, Query(examples=(Example(id=AssetId("red")),)))
    assert found[0] == "red-again"
    assert "red" not in found


def test_picture_query_never_returns_text_only_assets(engine: Index) -> None:
    out = io.BytesIO()
    Image.new("RGB", (10, 10), "blue").save(out, "PNG")
    assert set(ids(engine, Query(examples=(Example(picture=out.getvalue()),)))) == {
        "red",
        "red-again",
        "blue",
    }


def test_filters_apply_to_every_list(engine: Index) -> None:
    assert ids(engine, Query("circle", filter=AnyOf("brand", ("sky",)))) == ["blue", "english"]
    assert ids(engine, Query(filter=AnyOf("price", (9900.0,)))) == ["phrase"]
    assert "english" not in ids(engine, Query("shoes -summer"))


def test_paging_during_deletions_neither_repeats_nor_skips(engine: Index) -> None:
    whole = ids(engine, Query("shoes 신발 circle", size=50))
    first = engine.searcher.search(Query("shoes 신발 circle", size=2))
    seen = [hit.stored.asset.id for hit in first.hits]
    assert engine.indexer is not None
    engine.indexer.delete([AssetId(whole[3])])
    cursor = first.cursor
    while cursor:
        page = engine.searcher.search(Query("shoes 신발 circle", size=2, cursor=cursor))
        seen += [hit.stored.asset.id for hit in page.hits]
        cursor = page.cursor
    assert seen == [asset_id for asset_id in whole if asset_id != whole[3]]


def test_cursor_of_another_search_is_rejected(engine: Index) -> None:
    cursor = engine.searcher.search(Query("shoes 신발 circle", size=1)).cursor
    with pytest.raises(InvalidQuery, match="another search"):
        engine.searcher.search(Query("other", cursor=cursor))
    with pytest.raises(InvalidQuery, match="cursor"):
        engine.searcher.search(Query("other", cursor="%%%"))


def test_every_hit_has_an_explanation(engine: Index) -> None:
    for hit in engine.searcher.search(Query("red circle", explain=True)).hits:
        assert sum(part.contribution for part in hit.contributions) == pytest.approx(hit.score)
        assert all((part.rank is None) == (part.absent is not None) for part in hit.contributions)
    top = engine.searcher.search(Query("red circle", explain=True)).hits[0]
    assert (top.stored.asset.id, top.matched_fields) == ("red", ("title",))


def test_empty_query_returns_the_newest(engine: Index) -> None:
    assert ids(engine, Query(size=2)) == ["blue", "red-again"]


def test_unknown_example_is_named_in_the_error(engine: Index) -> None:
    with pytest.raises(UnknownAsset, match="nobody"):
        engine.searcher.search(Query(examples=(Example(id=AssetId("nobody")),)))


def test_second_writer_is_rejected_and_reader_catches_up(engine: Index, tmp_path: Path) -> None:
    with pytest.raises(IndexLocked, match="another process"):
        open_engine(engine.settings, write=True)
    with open_engine(engine.settings) as reader:
        path = tmp_path / "late.jsonl"
        path.write_text(json.dumps({"id": "late", "title": "늦은 등록"}), "utf-8")
        ingest(engine, path)
        assert ids(reader, Query("등록"))[0] == "late"


def test_missing_index_names_the_command_to_run(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match="hybrid-search ingest"):
        open_engine(settings_in(tmp_path / "none"))


def test_other_analyser_is_rejected_until_rebuilt(tmp_path: Path, manifest: Path) -> None:
    folder = tmp_path / "data"
    with open_engine(settings_in(folder), write=True) as engine:
        ingest(engine, manifest)
        before = ids(engine, Query("red circle"))
    (folder / "hybrid_search.toml").write_text('[lexical]\nanalyzer = "rules"\n', "utf-8")
    with pytest.raises(IndexMismatch, match="hybrid-search rebuild"):
        open_engine(settings_in(folder))
    rebuild(settings_in(folder))
    with open_engine(settings_in(folder)) as engine:
        assert ids(engine, Query("red circle")) == before


def test_other_model_is_rejected_until_rebuilt(tmp_path: Path, manifest: Path) -> None:
    folder = tmp_path / "data"
    with open_engine(settings_in(folder), write=True) as engine:
        ingest(engine, manifest)
        assert engine.serving.model.startswith("embedded@")
    model = folder_model(tmp_path / "shop-clip")
    settings = f'[embedding]\nmodel = "local-dir:{model}"\n'
    (folder / "hybrid_search.toml").write_text(settings, "utf-8")
    with (
        open_engine(settings_in(folder)) as engine,
        pytest.raises(IndexMismatch, match="local-dir:shop-clip; run: hybrid-search rebuild"),
    ):
        engine.searcher.search(Query("red circle"))
    rebuild(settings_in(folder))
    with open_engine(settings_in(folder)) as engine:
        assert engine.searcher.search(Query("red circle")).hits
        assert engine.serving.model.startswith("local-dir:shop-clip@")
    folder_model(model, seed=2)
    with (
        open_engine(settings_in(folder)) as engine,
        pytest.raises(IndexMismatch, match=r"local-dir:shop-clip@.*; run: hybrid-search rebuild"),
    ):
        engine.searcher.search(Query("red circle"))


def test_text_longer_than_the_model_reads_gives_a_note(engine: Index) -> None:
    text = "여름 신발 특가 " * 12
    answer = engine.searcher.search(Query(text))
    assert [note for note in answer.notes if note.code == "text_truncated"]
    lexical = restrict(engine.settings.fusion.settings(), "text")
    assert engine.searcher.search(Query(text, fusion=lexical)).notes == ()
    example = Query("", examples=(Example(text=text, weight=1.0),))
    assert engine.searcher.search(example).notes[0].params["read"] == 32


def test_network_is_unused_unless_a_remote_model_is_set(
    tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    for owner, name in ((socket.socket, "connect"), (socket, "getaddrinfo")):
        monkeypatch.setattr(owner, name, lambda *given, **_: asked.append(given))
    with open_engine(settings_in(tmp_path / "data"), write=True) as engine:
        ingest(engine, manifest)
        engine.warm_up()
        assert ids(engine, Query("red circle"))
    assert asked == []


@pytest.mark.parametrize("written", [0, 60])
def test_index_is_complete_after_a_kill(tmp_path: Path, written: int) -> None:
    rows = [{"id": f"a{n}", "title": f"광고 {n} 할인"} for n in range(240)]
    path = tmp_path / "many.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    data = tmp_path / "data"
    command = [sys.executable, "-m", "hybrid_search.cli.main", "ingest", str(path)]
    child = subprocess.Popen(
        [*command, "--data-dir", str(data), "--json"],
        env={**os.environ, "HYBRID_SEARCH_INGEST__BATCH_SIZE": "20"},
        stdout=subprocess.DEVNULL,
    )
    until((data / "generations" / "CURRENT").exists)
    with closing(SqliteCatalog(data / "catalog.sqlite", read_only=True)) as catalog:
        until(lambda: catalog.count() >= written)
    child.send_signal(signal.SIGKILL)
    child.wait()
    with open_engine(settings_in(data), write=True) as engine:
        stored = engine.catalog.count()
        assert engine.serving.store.lexical.snapshot().count() == stored
        report = ingest(engine, path)
        assert (report.unchanged, report.indexed) == (stored, 240 - stored)
        assert engine.searcher.search(Query('"광고 239"')).hits[0].stored.asset.id == "a239"


def test_changed_declaration_is_rejected_until_a_rebuild_that_embeds_nothing(
    tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    with open_engine(settings_in(folder), write=True) as opened:
        ingest(opened, manifest)
    (folder / "hybrid_search.toml").write_text(
        '[fields.brand]\nsearched = false\n[fields.price]\ntype = "number"\nfacetted = false\n'
    )
    with pytest.raises(IndexMismatch, match=r"brand.searched True -> False.*rebuild"):
        open_engine(settings_in(folder))

    def embeds(*_: object) -> None:
        raise AssertionError("a picture was embedded again")

    monkeypatch.setattr(ClipEmbedder, "pictures", embeds)
    rebuild(settings_in(folder))
    with open_engine(settings_in(folder)) as opened:
        found = {part.name: part for part in opened.retrieve("하늘").candidates.lists}
        assert found["lexical"].total == 0
        assert opened.serving.store.picture_vectors.count() == 3
        with pytest.raises(InvalidQuery, match="'price' is not facetted"):
            opened.searcher.search(Query(facets=("price",)))


def test_value_of_wrong_type_is_skipped_with_a_reason(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "hybrid_search.toml").write_text('[fields.price]\ntype = "number"\n')
    path = tmp_path / "assets.csv"
    path.write_text('id,title,price\na,봄,"9,900"\nb,여름,cheap\n', "utf-8")
    with open_engine(settings_in(folder), write=True) as opened:
        report = ingest(opened, path)
        assert [(part.id, part.reason) for part in report.skipped] == [
            ("b", "price = 'cheap': not a number, as [fields.price] declares")
        ]
        assert ids(opened, Query(filter=Between("price", 9000, 10_000))) == ["a"]


def test_vectors_are_rebuilt_beside_a_running_engine(engine: Index) -> None:
    before = ids(engine, Query(examples=(Example(id=AssetId("red")),)))
    graph = engine.settings.model_copy(update={"vector": VectorSection(kind="hnsw")})
    built = rebuild_vectors(graph)["picture"]
    assert (built.published, built.kind, built.vectors, built.recall) == (True, "hnsw", 3, 1.0)
    until(
        lambda: (
            ids(engine, Query("red"))
            and engine.serving.store.picture_vectors.describe().kind == "hnsw"
        )
    )
    facts = engine_status(engine)["vector"]
    assert (facts["kind"], facts["sealed"], facts["tail"], facts["due"]) == ("hnsw", 3, 0, None)
    assert ids(engine, Query(examples=(Example(id=AssetId("red")),))) == before
    assert engine.indexer is not None
    engine.indexer.delete([AssetId("red-again")])
    assert engine_status(engine)["vector"]["tombstones"] == 1


def test_restart_maps_segments_and_adds_newer_vectors(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "data")
    with open_engine(settings, write=True) as engine:
        ingest(engine, write_manifest(tmp_path))
        engine.serving.store.picture_vectors.merge()
        assert engine.indexer is not None
        engine.indexer.delete([AssetId("blue")])
        row = {"id": "green", "image": "blue.png", "title": "green"}
        (tmp_path / "more.jsonl").write_text(json.dumps(row), "utf-8")
        ingest(engine, tmp_path / "more.jsonl")
    with open_engine(settings) as engine:
        facts = engine_status(engine)["vector"]
        assert (facts["sealed"], facts["tail"], facts["tombstones"]) == (3, 1, 1)
        found = ids(engine, Query(examples=(Example(id=AssetId("green")),)))
        assert set(found) == {"red", "red-again"}


def test_the_maintenance_thread_merges_the_write_buffer(tmp_path: Path) -> None:
    eager = {"vector": VectorSection(fold_after=1)}
    settings = settings_in(tmp_path / "data").model_copy(update=eager)
    with open_engine(settings, write=True, maintenance="thread") as engine:
        ingest(engine, write_manifest(tmp_path))
        until(lambda: engine.serving.store.picture_vectors.describe().segment >= 3)
        facts = engine_status(engine)["vector"]
        assert (facts["sealed"], facts["tail"], facts["trouble"]) == (3, 0, "")

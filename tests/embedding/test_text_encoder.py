"""Text embeddings: what is embedded, and how searches find it in real stores."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hybrid_search.api.metrics import Metrics
from hybrid_search.core import Asset, AssetId, Digest, Hit, ListSettings, Ordinal, Query
from hybrid_search.core.field_schema import UNDECLARED, FieldRule, Fields
from hybrid_search.core.ports import Draft, Vectors
from hybrid_search.embedding.text_encoder import TextEncoder, segments, text_key, text_model_key
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.engine.status import engine_status
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.manifest import read_manifest
from hybrid_search.stores.embedded.rebuild import rebuild, rebuild_vectors
from hybrid_search.stores.memory import HashEmbedder, MemoryCatalog

ROWS = [
    {"id": "puppy", "title": "Puppy treats, baked fresh"},
    {"id": "shoes", "title": "여름 신발 특가"},
    {"id": "gloves", "title": "Winter gloves", "body": "Warm hands all day."},
    {"id": "coffee", "title": "향긋한 커피 원두"},
]


def settings_in(folder: Path, *, on: bool = True) -> Settings:
    settings = load_settings(folder)
    section = settings.embedding.model_copy(update={"embed_copy": on})
    return settings.model_copy(update={"embedding": section})


def ingest(engine: Index, folder: Path, *rows: Mapping[str, object]) -> None:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    engine.writer().ingest(read_assets(path, 1 << 20))


def best_by_copy(engine: Index, text: str) -> str:
    """Return the asset with the nearest text vector."""
    found = engine.searcher.retrieve(Query(text)).candidates
    for part in found.lists:
        if part.name == "copy_semantic":
            best = Ordinal(int(found.arrivals[part.rows[0]]))
            return engine.catalog.fetch([best])[best].asset.id
    return ""


def lists_of(engine: Index, query: Query) -> list[str]:
    return [report.name for report in engine.searcher.search(query).lists]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Four assets without pictures; tests only read them."""
    folder = tmp_path_factory.mktemp("copy")
    with open_engine(settings_in(folder / "data"), write=True) as engine:
        ingest(engine, folder, *ROWS)
        yield engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Index]:
    with open_engine(settings_in(tmp_path / "data"), write=True) as opened:
        ingest(opened, tmp_path, *ROWS)
        yield opened


# ------------------------------------------------------------------------- what is read


def test_text_is_split_into_segments_that_fit() -> None:
    asset = Asset(AssetId("a"), title="여름 신발", body="가볍다. 시원하다!\n" + "긴 문장 " * 40)
    parts = segments(asset, UNDECLARED, 32)
    assert parts[:3] == ("여름 신발", "가볍다.", "시원하다!")
    assert len(parts) > 4
    assert max(len(part.encode()) for part in parts) <= 64
    words = " ".join(parts[3:]).split()
    assert words[:4] == ["긴", "문장", "긴", "문장"]


def test_equal_sentences_are_embedded_once_and_a_long_word_stays_whole() -> None:
    asset = Asset(AssetId("a"), title="Sale. Sale.", body=f"Sale. {'x' * 300} now")
    assert segments(asset, UNDECLARED, 32) == ("Sale.", "x" * 300, "now")


def test_unsearched_fields_are_not_embedded() -> None:
    asset = Asset(AssetId("a"), title="Shoes", body="Light", attributes={"slogan": "Run free"})
    declared = Fields(
        {
            "body": FieldRule(filtered=False, facetted=False),
            "slogan": FieldRule(searched=True),
            "price": FieldRule(type="number"),
        }
    )
    assert segments(asset, UNDECLARED, 32) == ("Shoes", "Light")
    assert segments(asset, declared, 32) == ("Shoes", "Run free")
    assert text_model_key("m@0/4", UNDECLARED) == text_model_key(
        "m@0/4", Fields({"price": FieldRule()})
    )
    assert text_model_key("m@0/4", declared) == "copy(-body,+slogan):m@0/4"


class CountingEmbedder(HashEmbedder):
    def __init__(self) -> None:
        super().__init__(8)
        self.seen: list[str] = []

    def texts(self, texts: Sequence[str]) -> Vectors:
        self.seen += texts
        return super().texts(texts)


def test_vector_is_the_mean_and_equal_texts_are_embedded_once() -> None:
    catalog, embedder = MemoryCatalog(), CountingEmbedder()
    key = text_model_key(embedder.facts.key, UNDECLARED)
    assets = {
        Digest("1"): Asset(AssetId("a"), title="Shoes", body="Light"),
        Digest("2"): Asset(AssetId("b"), title="Shoes"),
        Digest("3"): Asset(AssetId("c")),
    }
    copy = TextEncoder(catalog, embedder, UNDECLARED)
    copy.embed(assets)
    copy.embed(assets)
    assert sorted(embedder.seen) == ["Light", "Shoes"]
    found = catalog.embeddings(key, list(assets))
    assert set(found) == {"1", "2"}
    shoes, light = HashEmbedder(8).texts(["Shoes", "Light"])
    mean = (shoes + light) / np.linalg.norm(shoes + light)
    assert np.allclose(found[Digest("1")], mean, atol=1e-6)
    assert found[Digest("2")].tolist() == pytest.approx(shoes.tolist())


def test_a_text_key_depends_on_the_searched_text_alone() -> None:
    asset = Asset(AssetId("a"), title="Shoes", body="Light", attributes={"slogan": "Run free"})
    key = text_key(asset, UNDECLARED)
    changed = replace(asset, id=AssetId("b"), starts="2026-06-12", attributes={"price": 3})
    assert text_key(changed, UNDECLARED) == key
    assert text_key(replace(asset, title="Light", body="Shoes"), UNDECLARED) == key
    assert text_key(replace(asset, title="Shoe"), UNDECLARED).digest != key.digest
    declared = Fields({"slogan": FieldRule(searched=True)})
    assert text_key(asset, declared).fields == "copy(+slogan)"
    assert text_model_key("m", declared) == f"{text_key(asset, declared).fields}:m"
    changed = replace(asset, attributes={"slogan": "Run"})
    assert text_key(changed, declared) != text_key(asset, declared)


@pytest.mark.parametrize("keyed", [True, False])
def test_a_draft_whose_text_did_not_change_is_not_embedded(keyed: bool) -> None:
    """Also where the stored version is keyed by its content hash."""
    catalog, embedder = MemoryCatalog(), CountingEmbedder()
    copy = TextEncoder(catalog, embedder, UNDECLARED)
    old = Asset(AssetId("a"), title="Shoes", attributes={"price": 1})
    first = Draft(old, None, Digest("1"), text_key(old, UNDECLARED) if keyed else None)
    copy.embed_drafts([first])
    catalog.put([first])
    assert embedder.seen == ["Shoes"]
    for content, title in (("2", "Shoes"), ("3", "Boots")):
        new = replace(old, title=title, attributes={"price": 2})
        draft = Draft(new, None, Digest(content), text_key(new, UNDECLARED))
        copy.embed_drafts([draft])
        catalog.put([draft])
    assert embedder.seen == ["Shoes", "Boots"]
    key = text_model_key(embedder.facts.key, UNDECLARED)
    assert catalog.vector_ordinals(key, "copy").tolist() == [3]


def test_missing_vectors_are_embedded_and_counted() -> None:
    catalog, embedder = MemoryCatalog(), HashEmbedder(8)
    drafts = [Draft(Asset(AssetId(n), title=n), None, Digest(n)) for n in "abc"]
    catalog.put(drafts)
    copy = TextEncoder(catalog, embedder, UNDECLARED)
    copy.embed({drafts[0].content: drafts[0].asset})
    told: list[tuple[int, int]] = []
    copy.embed_missing(lambda done, total: told.append((done, total)))
    assert told == [(2, 2)]
    assert catalog.unembedded(text_model_key(embedder.facts.key, UNDECLARED), "copy") == {}


# ------------------------------------------------------------------------ what is found


@pytest.mark.parametrize("text", ["개", "dog"])
def test_word_finds_text_by_meaning_without_word_or_picture(built: Index, text: str) -> None:
    hits = built.searcher.search(Query(text, explain=True)).hits
    assert hits[0].stored.asset.id == "puppy"
    assert gains(hits[0]) == {"copy_semantic": 1}
    assert hits[0].matched_fields == ()
    assert hits[0].contributions[-1].score == pytest.approx(0.3, abs=0.3)


def gains(hit: Hit) -> dict[str, int]:
    """Return the hit's rank in each list that contributed."""
    return {part.list: part.rank for part in hit.contributions if part.rank is not None}


def test_list_weight_is_applied(built: Index) -> None:
    usual = built.settings.fusion.settings()
    lists = {**usual.lists, "copy_semantic": ListSettings(1, 0.5)}
    plain = replace(usual, lists=lists, rank_constant=60.0, method="rrf")
    answer = built.searcher.search(Query("dog", fusion=plain, explain=True))
    (part,) = answer.hits[0].contributions[-1:]
    assert part.list == "copy_semantic"
    assert part.contribution == pytest.approx(0.5 / 61)
    assert [hit.stored.asset.id for hit in answer.hits] == ["puppy"]


def test_below_the_window_the_score_is_shown(built: Index) -> None:
    usual = built.settings.fusion.settings()
    lists = {**usual.lists, "copy_semantic": ListSettings(1, 1.0)}
    query = Query("puppy gloves", fusion=replace(usual, lists=lists), explain=True)
    parts = {
        hit.stored.asset.id: hit.contributions[-1] for hit in built.searcher.search(query).hits
    }
    absent = [part for part in parts.values() if part.rank is None]
    assert [(part.list, part.absent) for part in absent] == [("copy_semantic", "below_window")]
    assert absent[0].score is not None


def test_min_similarity_applies_to_pictures_only(built: Index) -> None:
    hits = built.searcher.search(Query("dog", min_similarity=0.999)).hits
    assert hits[0].stored.asset.id == "puppy"


def test_update_and_deletion_are_visible_at_once(engine: Index, tmp_path: Path) -> None:
    assert best_by_copy(engine, "dog") == "puppy"
    with open_engine(settings_in(tmp_path / "data")) as reader:
        ingest(engine, tmp_path, {"id": "shoes", "title": "강아지 간식"})
        ingest(engine, tmp_path, {"id": "puppy", "title": "Garden chairs"})
        assert best_by_copy(reader, "dog") == best_by_copy(engine, "dog") == "shoes"
        engine.writer().delete([AssetId("shoes")])
        assert "shoes" not in {best_by_copy(reader, "dog"), best_by_copy(engine, "dog")}
        assert (
            reader.serving.store.text_vectors and reader.serving.store.text_vectors.count()
        ) == 3


def test_status_and_metrics_report_both_indexes(built: Index) -> None:
    facts = engine_status(built)
    assert facts["copy"] is not None
    assert (facts["copy"]["vectors"], facts["vector"]["vectors"]) == (4, 0)
    assert facts["lacking"] == {}
    assert 'hybrid_search_vectors_tail{subject="copy"} 4.0' in Metrics(built).text().decode()


# -------------------------------------------------------------------------- on and off


def test_when_off_nothing_is_embedded_and_a_note_says_so(tmp_path: Path) -> None:
    off = settings_in(tmp_path / "data", on=False)
    with open_engine(off, write=True) as engine:
        ingest(engine, tmp_path, *ROWS)
        assert engine.serving.store.text_vectors is None
        assert lists_of(engine, Query("dog")) == ["lexical", "text_to_image"]
        assert engine.searcher.search(Query("dog")).notes == ()
        usual = engine.settings.fusion.settings()
        asked = replace(usual, lists={**usual.lists, "copy_semantic": ListSettings(5, 1.0)})
        (note,) = engine.searcher.search(Query("dog", fusion=asked)).notes
        assert note.code == "list_disabled"
        assert "embedding.embed_copy" in note.text
        missing = engine.catalog.unembedded(
            text_model_key(engine.serving.model, UNDECLARED), "copy"
        )
        assert len(missing) == len(ROWS)
        assert 'subject="copy"' not in Metrics(engine).text().decode()


def test_rebuild_embeds_texts_after_turning_it_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with open_engine(settings_in(data, on=False), write=True) as engine:
        ingest(engine, tmp_path, *ROWS)
    with open_engine(settings_in(data)) as engine:
        facts = engine_status(engine)
        assert facts["copy"] is None
        assert "hybrid-search rebuild" in facts["lacking"]["copy_semantic"]
        assert lists_of(engine, Query("dog")) == ["lexical", "text_to_image"]
    parts = rebuild(settings_in(data))
    assert {name: part.vectors for name, part in parts.items()} == {"picture": 0, "copy": 4}
    with open_engine(settings_in(data)) as engine:
        assert best_by_copy(engine, "개") == "puppy"
        assert (
            engine.serving.store.text_vectors
            and engine.serving.store.text_vectors.describe().segment
        ) == 4


def test_assets_written_while_off_are_missing_until_a_rebuild(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for on, row in zip(itertools.cycle([True, False]), ROWS[:2], strict=False):
        with open_engine(settings_in(data, on=on), write=True) as engine:
            ingest(engine, tmp_path, row)
    with open_engine(settings_in(data), write=True) as engine:
        assert engine.serving.store.text_vectors is None
    rebuild(settings_in(data))
    with open_engine(settings_in(data)) as engine:
        assert (
            engine.serving.store.text_vectors and engine.serving.store.text_vectors.count()
        ) == 2


def test_changed_declaration_embeds_texts_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with open_engine(settings_in(data), write=True) as engine:
        ingest(engine, tmp_path, {"id": "a", "title": "Chairs", "slogan": "A small dog"})
        before = best_score(engine)
    (data / "hybrid_search.toml").write_text("[fields.slogan]\nsearched = true\n", "utf-8")
    rebuild(settings_in(data))
    with open_engine(settings_in(data)) as engine:
        folder = data / "generations" / engine.serving.name
        assert read_manifest(folder).copy == f"copy(+slogan):{engine.serving.model}"
        assert best_score(engine) > before + 0.05


def best_score(engine: Index) -> float:
    lists = engine.searcher.retrieve(Query("dog")).candidates.lists
    return next(float(part.scores[0]) for part in lists if part.name == "copy_semantic")


def test_text_index_is_rebuilt_with_the_picture_index(engine: Index) -> None:
    built = rebuild_vectors(engine.settings)
    assert (built["copy"].published, built["copy"].vectors, built["copy"].recall) == (True, 4, 1.0)
    assert best_by_copy(engine, "dog") == "puppy"

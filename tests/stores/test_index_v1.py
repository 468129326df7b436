"""A data folder of the first layout opens, searches, verifies and takes writes."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid_search.core import AssetId, Ordinal, Query
from hybrid_search.core.ports import Vectors
from hybrid_search.embedding.query_encoder import LazyEmbedder
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.rebuild import rebuild
from hybrid_search.stores.embedded.verify import verify

INDEX = Path(__file__).parents[1] / "data" / "index_v1"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(shutil.copytree(INDEX / "data", tmp_path / "data"))


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of assets that are embedded."""
    seen: list[str] = []
    texts = LazyEmbedder.texts

    def counted(self: LazyEmbedder, parts: list[str]) -> Vectors:
        seen.extend(parts)
        return texts(self, parts)

    monkeypatch.setattr(LazyEmbedder, "texts", counted)
    return seen


def write(engine: Index, folder: Path, **changes: object) -> None:
    """Store ``puppy`` again with these changes."""
    row = {
        "id": "puppy",
        "title": "강아지 수제 간식",
        "body": "말린 닭가슴살 100%.",
        "brand": "멍냥상회",
        "price": 9900,
        **changes,
    }
    path = folder / "rows.jsonl"
    path.write_text(json.dumps(row), "utf-8")
    engine.writer().ingest(read_assets(path, 1 << 20))


def check_answers(engine: Index) -> None:
    for text, hits in json.loads((INDEX / "expected.json").read_text("utf-8")).items():
        found = engine.searcher.search(Query(text)).hits
        names = [hit.stored.asset.id for hit in found]
        # Where nothing matches, order may differ: similarity has another confidence since.
        assert names[0] == hits[0][0] or not found[0].matched
        assert sorted(names) == sorted(name for name, _ in hits)


def problems(settings: Settings) -> Iterator[str]:
    return (problem for check in verify(settings) for problem in check.problems)


def test_it_opens_for_reading_as_it_is(settings: Settings, embedded: list[str]) -> None:
    before = (settings.data_dir / "catalog.sqlite").read_bytes()
    assert list(problems(settings)) == []
    with open_engine(settings) as engine:
        check_answers(engine)
    assert (settings.data_dir / "catalog.sqlite").read_bytes() == before
    assert embedded == []


def test_it_takes_writes_and_embeds_only_changed_texts(
    settings: Settings, embedded: list[str], tmp_path: Path
) -> None:
    # Maintenance embeds titles, to measure recall; here nothing may become due.
    vector = settings.vector.model_copy(update={"fold_after": 1000})
    settings = settings.model_copy(update={"vector": vector})
    with open_engine(settings, write=True) as engine, open_engine(settings) as reader:
        check_answers(engine)
        write(engine, tmp_path, price=8900)
        write(engine, tmp_path, price=7900, starts="2026-06-12")
        assert embedded == []
        for opened in (engine, reader):
            hits = opened.searcher.search(Query("강아지")).hits
            assert hits[0].stored.asset.attributes["price"] == 7900
        write(engine, tmp_path, title="강아지 껌")
        assert embedded == ["강아지 껌", "말린 닭가슴살 100%.", "멍냥상회"]
        assert engine.serving.store.text_vectors is not None
        assert engine.serving.store.text_vectors.holds([Ordinal(11)]) == {11}
        engine.writer().delete([AssetId("coffee")])
        assert engine.serving.store.text_vectors.count() == 5
    assert list(problems(settings)) == []


def test_a_rebuild_embeds_nothing(settings: Settings, embedded: list[str], tmp_path: Path) -> None:
    with open_engine(settings, write=True) as engine:
        write(engine, tmp_path, price=8900)
    built = rebuild(settings)
    assert {subject: part.vectors for subject, part in built.items()} == {"picture": 5, "copy": 6}
    assert set(embedded) <= TITLES
    assert list(problems(settings)) == []


TITLES = {
    "강아지 수제 간식",
    "여름 신발 특가",
    "Wool gloves",
    "향긋한 커피 원두",
    "Light umbrella",
    "정원 의자",
}
"""The recall of a rebuilt index is measured with titles."""

"""Changing the model of an index in use: build, switch, judge, roll back."""

import threading
from pathlib import Path

import pytest

from hybrid_search.core import AssetId, Ordinal, Query
from hybrid_search.core.errors import IndexLocked, IndexMismatch, IndexMissing, InvalidConfig
from hybrid_search.core.ports import Rebuilt
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.maintenance import IndexMaintenance
from hybrid_search.stores.embedded.rebuild import Gate, rebuild, roll_back, use_model
from tests.progress import until
from tests.small_corpus import write_manifest
from tests.tiny_models import TINY, folder_model


@pytest.fixture
def settings(tmp_path: Path, manifest: Path) -> Settings:
    """Settings of a folder with six assets, indexed with the embedded model."""
    found = load_settings(tmp_path / "data")
    with open_engine(found, write=True) as engine:
        engine.writer().ingest(read_assets(manifest, 1 << 20))
    return found


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"local-dir:{folder_model(tmp_path_factory.mktemp('models') / 'other')}"


def found(engine: Index) -> list[tuple[str, float]]:
    """Return ids and scores of the vector mode."""
    hits = engine.searcher.search(Query("red circle", explain=True)).hits
    return [
        (hit.stored.asset.id, round(part.score, 5))
        for hit in hits
        for part in hit.contributions
        if part.list == "text_to_image" and part.score is not None
    ]


def test_new_model_serves_after_use_and_old_one_after_rollback(
    settings: Settings, other: str
) -> None:
    with open_engine(settings) as engine:
        before = found(engine), engine.serving.model
    swapped = use_model(settings, other)
    assert swapped.published
    assert swapped.before == before[1]
    with open_engine(settings) as engine:
        assert engine.serving.model == swapped.model
        assert engine.serving.model.endswith(f"/{TINY['embed_dim']}")
        after = found(engine)
        assert after != before[0]
    back = roll_back(settings)
    assert (back.model, back.before) == (before[1], swapped.model)
    with open_engine(settings) as engine:
        assert (found(engine), engine.serving.model) == before
    assert roll_back(settings).model == swapped.model
    with open_engine(settings) as engine:
        assert found(engine) == after


def test_rebuild_keeps_the_model_in_use(settings: Settings, other: str) -> None:
    model = use_model(settings, other).model
    rebuild(settings)
    with open_engine(settings) as engine:
        assert engine.serving.model == model


def test_running_writer_switches_during_searches_and_writes(
    settings: Settings, other: str, tmp_path: Path
) -> None:
    with (
        open_engine(settings, write=True, maintenance="thread") as engine,
        open_engine(settings) as old,
    ):
        expected = found(old)
        ending, answers = threading.Event(), []

        def search() -> None:
            while not ending.is_set():
                answers.append(found(engine))

        threads = [threading.Thread(target=search) for _ in range(2)]
        for thread in threads:
            thread.start()
        swapped = use_model(settings, other)
        until(lambda: engine.serving.model == swapped.model)
        before = len(answers)
        until(lambda: len(answers) > before + 2 * len(threads))
        ending.set()
        for thread in threads:
            thread.join()
        assert (engine.serving.model, engine.trouble) == (swapped.model, "")
        with open_engine(settings) as new:
            turned = found(new)
        # Every result comes from one model, never from both.
        assert {tuple(answer) for answer in answers} == {tuple(expected), tuple(turned)}
        late = write_manifest(tmp_path / "late", prefix="late-")
        report = engine.writer().ingest(read_assets(late, 1 << 20))
        assert report.indexed > 0
        assert (
            engine.serving.store.picture_vectors.count()
            == engine.catalog.count() - without_picture(engine)
        )


def without_copy(engine: Index) -> int:
    stored = engine.catalog.fetch(engine.catalog.newest(1000)).values()
    fields = engine.settings.declared_fields()
    return sum(not fields.searched_texts(one.asset) for one in stored)


def without_picture(engine: Index) -> int:
    stored = engine.catalog.fetch(engine.catalog.newest(1000)).values()
    return sum(one.picture is None for one in stored)


def test_assets_written_during_the_build_are_in_the_new_generation(
    settings: Settings, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = write_manifest(tmp_path / "late", prefix="late-")
    with open_engine(settings, write=True) as engine:
        build = IndexMaintenance.rebuild
        writes = iter([late])

        def meanwhile(maintenance: IndexMaintenance, upto: Ordinal) -> Rebuilt:
            for manifest in writes:
                engine.writer().ingest(read_assets(manifest, 1 << 20))
            return build(maintenance, upto)

        monkeypatch.setattr(IndexMaintenance, "rebuild", meanwhile)
        before = engine.serving.store.picture_vectors.count()
        built = use_model(settings, other).built
        pictured = engine.catalog.count() - without_picture(engine)
        # These pictures already had vectors; other late ones would have none.
        assert built["picture"].vectors == before < pictured
        assert engine.switch_to_newest()
        assert not engine.switch_to_newest()
        assert engine.serving.store.picture_vectors.count() == pictured
        assert engine.serving.store.lexical.snapshot().count() == engine.catalog.count()
        assert engine.serving.store.text_vectors is not None
        assert engine.serving.store.text_vectors.count() == engine.catalog.count() - without_copy(
            engine
        )


def test_assets_written_before_the_switch_are_embedded_by_the_new_model(
    settings: Settings, other: str, tmp_path: Path
) -> None:
    # One picture is new to both models.
    late = write_manifest(tmp_path / "late", prefix="late-", blue=(7, 77, 177))
    with open_engine(settings, write=True) as engine, open_engine(settings) as reader:
        use_model(settings, other)
        engine.writer().ingest(read_assets(late, 1 << 20))
        engine.writer().delete([AssetId("red")])
        assert not reader.switch_to_newest()
        assert engine.switch_to_newest()
        assert reader.switch_to_newest()
        assert found(reader) == found(engine)
        assert (
            engine.serving.store.picture_vectors.count()
            == engine.catalog.count() - without_picture(engine)
        )
        assert "red" not in [name for name, _ in found(engine)]


def test_worse_model_is_not_put_to_use(settings: Settings, other: str) -> None:
    measured = iter([0.8, 0.7, 0.8, 0.795])
    gate = Gate(lambda shared, folder: next(measured), margin=0.01)
    refused = use_model(settings, other, gate=gate)
    assert not refused.published
    with open_engine(settings) as engine:
        assert engine.serving.model == refused.before
    with pytest.raises(IndexMissing, match="no generation before"):
        roll_back(settings)
    passed = use_model(settings, other, gate=gate)
    assert passed.published
    assert passed.judged is not None
    assert (passed.judged.before, passed.judged.after) == (0.8, 0.795)


def test_model_named_in_settings_is_not_overridden(
    settings: Settings, other: str, tmp_path: Path
) -> None:
    file = settings.data_dir / "hybrid_search.toml"
    file.write_text('[embedding]\nmodel = "embedded"\n', "ascii")
    named = load_settings(settings.data_dir)
    with pytest.raises(InvalidConfig, match=r"embedding\.model = 'embedded'.*remove it"):
        use_model(named, other)
    file.write_text(f'[embedding]\nmodel = "{other}"\n', "ascii")
    with (
        open_engine(load_settings(settings.data_dir)) as engine,
        pytest.raises(IndexMismatch, match="hybrid-search rebuild"),
    ):
        engine.warm_up()


def test_one_generation_is_built_at_a_time(settings: Settings, other: str) -> None:
    def second(*_: object) -> float:
        with pytest.raises(IndexLocked, match="builds a generation"):
            rebuild(settings)
        return 1.0

    assert use_model(settings, other, gate=Gate(second, 0.0)).published


def test_unusable_model_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="cannot be loaded"):
        use_model(settings, f"local-dir:{tmp_path / 'nothing'}")
    with open_engine(settings) as engine:
        assert found(engine)
    folders = {path.name for path in (settings.data_dir / "generations").glob("[0-9]*")}
    assert folders == {engine.serving.name}


def test_generation_that_fails_to_open_is_reported_and_the_old_one_serves(
    settings: Settings, tmp_path: Path
) -> None:
    name = f"local-dir:{folder_model(tmp_path / 'gone', seed=5)}"
    with open_engine(settings, write=True) as engine:
        expected = found(engine)
        use_model(settings, name)
        (tmp_path / "gone" / "open_clip_config.json").unlink()
        with pytest.raises(InvalidConfig, match="cannot be loaded"):
            engine.switch_to_newest()
        engine.follow()
        until(lambda: engine.trouble)
        assert "cannot be loaded" in engine.trouble
        assert found(engine) == expected

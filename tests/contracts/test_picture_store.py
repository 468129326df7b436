"""Contract of every picture store."""

import io
from pathlib import Path

import pytest
from PIL import Image

from hybrid_search.core import Digest, digest_of
from hybrid_search.core.errors import IndexCorrupt
from hybrid_search.core.picture_limits import PictureLimits
from hybrid_search.core.ports import PictureStore
from hybrid_search.images.store import FolderPictures
from hybrid_search.stores.memory import MemoryPictures


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> PictureStore:
    if request.param == "memory":
        return MemoryPictures()
    return FolderPictures(tmp_path / "pictures", PictureLimits())


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((width, height), 60).convert("RGB").save(out, "PNG")
    return out.getvalue()


def test_bytes_round_trip(store: PictureStore) -> None:
    data = png(30, 20)
    store.put(digest_of(data), data)
    store.put(digest_of(data), data)
    assert store.read(digest_of(data)) == data


def test_missing_picture_is_named_in_the_error(store: PictureStore) -> None:
    missing = Digest("0" * 64)
    for ask in (store.read, lambda digest: store.thumbnail(digest, 100)):
        with pytest.raises(IndexCorrupt, match=missing):
            ask(missing)


@pytest.mark.parametrize(
    ("size", "side", "small"),
    [((600, 300), 200, (200, 100)), ((300, 600), 200, (100, 200)), ((50, 40), 200, (50, 40))],
)
def test_a_thumbnail_keeps_its_shape_and_is_never_enlarged(
    store: PictureStore, size: tuple[int, int], side: int, small: tuple[int, int]
) -> None:
    data = png(*size)
    store.put(digest_of(data), data)
    with Image.open(io.BytesIO(store.thumbnail(digest_of(data), side))) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("WEBP", small)
    assert store.thumbnail(digest_of(data), side) == store.thumbnail(digest_of(data), side)

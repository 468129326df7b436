"""The folder store: files by digest, thumbnails created once."""

import io
from pathlib import Path

import pytest
from PIL import Image

from hybrid_search.core import digest_of
from hybrid_search.core.errors import EngineFailure
from hybrid_search.core.picture_limits import PictureLimits
from hybrid_search.images.store import FolderPictures


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(out, "PNG")
    return out.getvalue()


def test_a_thumbnail_is_made_once(tmp_path: Path) -> None:
    store, data = FolderPictures(tmp_path, PictureLimits()), png()
    store.put(digest_of(data), data)
    store.thumbnail(digest_of(data), 64)
    (kept,) = (path for path in (tmp_path / "thumbnails").rglob("*") if path.is_file())
    kept.write_bytes(b"kept")
    assert store.thumbnail(digest_of(data), 64) == b"kept"
    assert store.thumbnail(digest_of(data), 32) != b"kept"


def test_thumbnail_is_returned_even_if_it_cannot_be_stored(tmp_path: Path) -> None:
    store, data = FolderPictures(tmp_path, PictureLimits()), png()
    store.put(digest_of(data), data)
    (tmp_path / "thumbnails").write_bytes(b"a file where the folder should be")
    assert Image.open(io.BytesIO(store.thumbnail(digest_of(data), 64))).size == (64, 43)


def test_unwritable_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "originals").write_bytes(b"a file where the folder should be")
    with pytest.raises(EngineFailure, match="cannot be written"):
        FolderPictures(tmp_path, PictureLimits()).put(digest_of(b"x"), b"x")

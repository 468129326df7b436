"""A picture store in a folder: files named by the hash of their content."""

from __future__ import annotations

from pathlib import Path

from hybrid_search.core import Digest, digest_of
from hybrid_search.core.errors import EngineFailure, IndexCorrupt, StorageFull
from hybrid_search.core.picture_limits import PictureLimits
from hybrid_search.files.atomic_files import make_folder, write_atomically


class FolderPictures:
    """A ``PictureStore`` in two folders: originals, and thumbnails as a cache."""

    def __init__(self, folder: Path, limits: PictureLimits) -> None:
        self._originals = folder / "originals"
        self._thumbnails = folder / "thumbnails"
        self._limits = limits

    def put(self, digest: Digest, data: bytes) -> None:
        """See ``PictureStore.put``."""
        path = self._path(digest)
        if path.exists():
            return
        make_folder(path.parent)
        write_atomically(path, data)

    def read(self, digest: Digest) -> bytes:
        """See ``PictureStore.read``."""
        try:
            data = self._path(digest).read_bytes()
        except FileNotFoundError:
            raise IndexCorrupt(
                f"pictures: {digest} is missing; ingest its source again to restore it"
            ) from None
        except OSError as failure:
            raise EngineFailure(f"pictures: cannot read {digest}: {failure}") from failure
        if digest_of(data) != digest:
            raise IndexCorrupt(
                f"pictures: {digest} is damaged; run: hybrid-search repair, and ingest it again"
            )
        return data

    def remove(self, digest: Digest) -> None:
        """Delete the bytes; an unknown digest is no error."""
        self._path(digest).unlink(missing_ok=True)

    def thumbnail(self, digest: Digest, side: int) -> bytes:
        """See ``PictureStore.thumbnail``."""
        path = self._thumbnails / digest[:2] / f"{digest}.{side}.webp"
        if path.exists():
            return path.read_bytes()
        from hybrid_search.images.decode import check_picture, shrink

        data = shrink(check_picture(self.read(digest), self._limits).rgb, side)
        try:
            make_folder(path.parent)
            write_atomically(path, data)
        except (EngineFailure, StorageFull):
            # On a read-only volume the thumbnail is created each time.
            return data
        return data

    def _path(self, digest: Digest) -> Path:
        return self._originals / digest[:2] / digest

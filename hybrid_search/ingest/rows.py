"""Rows from Python values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hybrid_search.core import Asset
from hybrid_search.core.errors import InvalidAsset
from hybrid_search.images.picture_files import check_length
from hybrid_search.ingest.manifests import Row, Skipped, row_from_json


def rows_of(assets: Iterable[Asset | Mapping[str, Any]], max_bytes: int) -> Iterator[Row | Skipped]:
    """A row for each asset: an ``Asset``, or a dict with the keys of a manifest row.

    ``image`` is a picture's bytes or the path of its file; ``max_bytes`` bounds either. An asset
    that is not valid is skipped, with the reason.
    """
    for number, asset in enumerate(assets, start=1):
        if isinstance(asset, Asset):
            yield Row(asset, None)
            continue
        try:
            yield row_from_json(_with_bytes(asset, max_bytes), None, max_bytes)
        except InvalidAsset as failure:
            name = asset.get("id") if isinstance(asset, Mapping) else None
            yield Skipped(name if isinstance(name, str) else f"asset {number}", str(failure))


def _with_bytes(asset: Mapping[str, Any], max_bytes: int) -> Mapping[str, Any]:
    """The same with the picture's bytes in place of its path."""
    image = asset.get("image")
    if not isinstance(image, str | Path):
        return asset
    path = Path(image)
    try:
        check_length(path.stat().st_size, max_bytes)
        return {**asset, "image": path.read_bytes()}
    except OSError as failure:
        raise InvalidAsset(f"image = {str(path)!r}: {failure.strerror or failure}") from None

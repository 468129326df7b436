"""Routes that read stored assets: fields, pictures, versions and duplicates."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from hybrid_search.api.operations import Operation, Parameter
from hybrid_search.api.responses import cached, json_response
from hybrid_search.api.schemas.assets import (
    DuplicatesJson,
    StoredAssetJson,
    VersionsJson,
    duplicate_to_json,
    stored_to_json,
)
from hybrid_search.api.service import service_of
from hybrid_search.core import AssetId, PictureFacts, StoredAsset
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.engine.index import Index

ONE = "/v1/assets/{id:path}"
"""Path of one asset; its id may contain slashes."""
_VERSION = (
    Parameter(
        "v",
        "The first characters of the picture's digest; the response may then be cached for ever.",
        {"type": "string"},
    ),
    Parameter("ordinal", "The ``ordinal`` of an earlier version.", {"type": "integer"}),
)
MAX_VERSIONS = 50
"""Versions of an asset that are returned."""


def operations() -> list[Operation]:
    """The routes that read assets; the bare id comes last, since it matches the others too."""
    show = (404, 500, 503)
    return [
        Operation(
            "GET",
            f"{ONE}/image",
            "image",
            "Read the original picture.",
            image,
            media="image/*",
            parameters=_VERSION,
            problems=(422, *show),
        ),
        Operation(
            "GET",
            f"{ONE}/thumbnail",
            "thumbnail",
            "Read the picture as a WebP thumbnail.",
            thumbnail,
            media="image/webp",
            parameters=_VERSION,
            problems=(422, *show),
        ),
        Operation(
            "GET",
            f"{ONE}/versions",
            "versions",
            "List the versions stored under this id, newest first.",
            versions,
            VersionsJson,
            problems=show,
        ),
        Operation(
            "GET",
            f"{ONE}/duplicates",
            "duplicates",
            "List the assets with a duplicate of its picture.",
            duplicates,
            DuplicatesJson,
            problems=show,
        ),
        Operation(
            "GET", ONE, "asset", "Read an asset.", read_asset, StoredAssetJson, problems=show
        ),
    ]


async def read_asset(request: Request) -> Response:
    """The live version of an asset."""
    stored = await _read(request, Index.find)
    return json_response(stored_to_json(stored))


async def versions(request: Request) -> Response:
    """The versions of an asset."""

    def work(index: Index, asset_id: AssetId) -> VersionsJson:
        known = index.versions(asset_id, MAX_VERSIONS)
        if not known:
            index.find(asset_id)
        live = index.get(asset_id) is not None
        return {"live": live, "versions": [stored_to_json(one) for one in known]}

    return json_response(await _read(request, work))


async def duplicates(request: Request) -> Response:
    """Duplicates of the picture of an asset."""

    def work(index: Index, asset_id: AssetId) -> DuplicatesJson:
        copies = index.duplicates(index.find(asset_id))
        return {"duplicates": [duplicate_to_json(copy) for copy in copies]}

    return json_response(await _read(request, work))


async def image(request: Request) -> Response:
    """The original bytes."""
    return await _picture(request, Index.picture, lambda facts: f"image/{facts.format.lower()}")


async def thumbnail(request: Request) -> Response:
    """A thumbnail, created on the first request."""
    return await _picture(request, Index.thumbnail, lambda _: "image/webp")


async def _picture(
    request: Request,
    read: Callable[[Index, StoredAsset], bytes],
    media: Callable[[PictureFacts], str],
) -> Response:
    """The picture of the requested version, which never changes."""
    wanted = _ordinal(request)

    def work(index: Index, asset_id: AssetId) -> tuple[bytes, PictureFacts | None]:
        stored = index.find(asset_id, wanted)
        return read(index, stored), stored.picture

    data, facts = await _read(request, work)
    return cached(request, data, media(facts), facts.digest)


async def _read(request: Request, work: Callable[[Index, AssetId], Any]) -> Any:
    service, asset_id = service_of(request), AssetId(request.path_params["id"])
    return await service.read(lambda: work(service.index, asset_id), request)


def _ordinal(request: Request) -> int | None:
    """The requested earlier version, if any."""
    given = request.query_params.get("ordinal")
    if given is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", given):
        raise InvalidQuery(f"ordinal: {given[:60]!r} is not an ordinal")
    return int(given)

"""Routes that write: store one asset or many, and delete."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

from anyio import from_thread
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from hybrid_search.api.assets import ONE
from hybrid_search.api.operations import Operation, closing_error
from hybrid_search.api.request_bodies import media_type
from hybrid_search.api.responses import json_response
from hybrid_search.api.schemas.assets import StoredAssetJson, stored_to_json
from hybrid_search.api.schemas.ingest import IngestReportJson, ingest_report_to_json
from hybrid_search.api.service import Service, service_of
from hybrid_search.core import AssetId
from hybrid_search.core.asset_schema import AssetBody
from hybrid_search.core.errors import InvalidAsset, UnknownAsset
from hybrid_search.core.json_input import read_json
from hybrid_search.ingest.manifests import Row, Skipped, read_stream, row_from_json
from hybrid_search.ingest.pipeline import Indexer, IngestReport

NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")


class UploadBody(AssetBody):
    """An asset with its picture."""

    id: str = ""
    """Optional; must equal the id in the path."""
    image: str | None = None
    """The bytes of the picture, base64."""


class WrittenJson(TypedDict):
    """The result of storing an asset; ``stored`` is its newest version."""

    result: Literal["indexed", "updated", "unchanged"]
    stored: StoredAssetJson


def operations(max_body: int) -> list[Operation]:
    """The routes that write."""
    return [
        Operation(
            "PUT",
            ONE,
            "putAsset",
            "Store an asset; replaces an earlier version.",
            put_asset,
            WrittenJson,
            statuses=(200, 201),
            bodies=(("application/json", UploadBody), ("multipart/form-data", bytes)),
            problems=(400, 403, 404, 413, 415, 422, 500, 503, 507),
            max_body=max_body,
            role="write",
        ),
        Operation(
            "DELETE",
            ONE,
            "deleteAsset",
            "Delete an asset.",
            delete_asset,
            statuses=(204,),
            problems=(403, 404, 500, 503, 507),
            max_body=max_body,
            role="write",
        ),
        Operation(
            "POST",
            "/v1/assets",
            "bulk",
            "Store many assets, one JSON object a line; invalid lines are skipped and reported.",
            bulk,
            IngestReportJson,
            bodies=tuple((media, bytes) for media in NDJSON),
            problems=(403, 413, 415, 500, 503, 507),
            role="write",
        ),
    ]


async def put_asset(request: Request) -> Response:
    """Store one asset; 201 for a new one."""
    service, asset_id = service_of(request), request.path_params["id"]
    fields = await _fields(request)
    if fields.setdefault("id", asset_id) != asset_id:
        raise InvalidAsset(f"id: {str(fields['id'])[:60]!r} is not the id of the path")
    most = service.index.settings.pictures.max_bytes

    def work() -> Response:
        report = _indexer(service).ingest([row_from_json(fields, None, most)])
        if report.skipped:
            raise InvalidAsset(report.skipped[0].reason)
        (stored,) = service.index.versions(asset_id, 1)
        written: WrittenJson = {"result": _result(report), "stored": stored_to_json(stored)}
        return json_response(written, 201 if report.indexed else 200)

    return await service.write(work, request)


def _result(report: IngestReport) -> Literal["indexed", "updated", "unchanged"]:
    if report.indexed:
        return "indexed"
    return "updated" if report.updated else "unchanged"


async def delete_asset(request: Request) -> Response:
    """Delete one asset."""
    service, asset_id = service_of(request), AssetId(request.path_params["id"])
    if not await service.write(lambda: _indexer(service).delete([asset_id]), request):
        raise UnknownAsset(f"no asset has the id {asset_id[:100]!r}")
    return Response(status_code=204)


async def bulk(request: Request) -> Response:
    """Store the lines of a body while it arrives; each batch is durable once stored."""
    service = service_of(request)
    media = media_type(request)
    if media not in NDJSON:
        raise HTTPException(
            415, f"Content-Type: {media or 'none'!r} is not supported; use {NDJSON[0]}"
        )
    settings = service.index.settings
    upload = _Upload(request.stream(), settings.server.max_bulk_bytes)
    lines = read_stream(io.BufferedReader(upload, 1 << 16), settings.pictures.max_bytes)
    rows = _at_most(lines, settings.server.max_bulk_rows)
    report = await service.upload(lambda: _indexer(service).ingest(rows))
    content = ingest_report_to_json(report)
    request.scope["audited"] = {**content, "skipped": len(report.skipped)}
    return json_response(content)


class _Upload(io.RawIOBase):
    """A request's body as a file, read by a worker thread while it arrives."""

    def __init__(self, chunks: AsyncIterator[bytes], most: int) -> None:
        self._chunks = chunks
        self._most = most
        self._taken = 0
        self._rest = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The number of bytes put into the buffer; 0 at the end."""
        self._rest = self._rest or self._next()
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def _next(self) -> bytes:
        # Starlette ends a body by an empty chunk.
        chunk: bytes = from_thread.run(anext, self._chunks, b"")
        self._taken += len(chunk)
        if self._taken > self._most:
            raise _too_much("body", f"{self._most:,} bytes", "max_bulk_bytes")
        return chunk


def _at_most(rows: Iterator[Row | Skipped], most: int) -> Iterator[Row | Skipped]:
    """The rows; raises 413 above the limit, since the report keeps every row in memory."""
    for number, row in enumerate(rows):
        if number == most:
            raise _too_much("rows", f"{most:,}", "max_bulk_rows")
        yield row


def _too_much(what: str, most: str, setting: str) -> HTTPException:
    advice = "the batches before are stored; send the rest in another request"
    return closing_error(413, f"{what}: more than {most}, the limit (server.{setting}); {advice}")


async def _fields(request: Request) -> dict[str, Any]:
    """The asset's fields from a JSON body, or from a form with ``asset`` and ``image``."""
    media = media_type(request)
    if media == "application/json":
        return _object(read_json(await request.body(), InvalidAsset))
    if media != "multipart/form-data":
        raise HTTPException(
            415,
            f"Content-Type: {media or 'none'!r} is not supported;"
            " use application/json or multipart/form-data",
        )
    async with request.form(max_files=1, max_fields=1) as form:
        record, picture = form.get("asset", "{}"), form.get("image")
        fields = _object(read_json(str(record).encode(), InvalidAsset))
        if isinstance(picture, UploadFile):
            fields["image"] = await picture.read()
        return fields


def _object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise InvalidAsset("body: must be a JSON object with the asset's fields")
    return data


def _indexer(service: Service) -> Indexer:
    if service.index.indexer is None:
        raise HTTPException(403, "this service is read-only")
    return service.index.indexer

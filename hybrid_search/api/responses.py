"""Responses."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response


def json_response(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(orjson.dumps(data), status, headers, "application/json")


def cached(request: Request, data: bytes, media: str, version: str) -> Response:
    """Bytes with an ETag of their version; 304 when the client has that version.

    With the version in the parameter ``v`` the response may be cached without revalidation.
    """
    tag = f'"{hashlib.sha256(version.encode()).hexdigest()[:32]}"'
    named = request.query_params.get("v", "")
    keep = "max-age=31536000, immutable" if named and version.startswith(named) else "no-cache"
    headers = {
        "ETag": tag,
        "Cache-Control": f"private, {keep}",
        # An uploaded picture must not run scripts.
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(data, 200, headers, media)

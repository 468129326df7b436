"""The bytes that the catalog keeps for an asset: JSON with sorted keys, in versions.

Equal assets give equal bytes, and the content hash of an asset is taken over them. So a field that
a later version adds must not change the bytes of assets that lack it:

- ``FIELD_VERSIONS`` lists every stored field with the version that introduced it.
- Fields of version 1 are always written, also when empty.
- A later field is written only where it is not empty, and then the object holds its version under
  ``_version``. Bytes without ``_version`` are of version 1.

To store a new field of ``Asset``, add it here with the next number; its default must be falsy.
"""

from __future__ import annotations

from typing import Any

import orjson

from hybrid_search.core.assets import Asset
from hybrid_search.core.errors import IndexMismatch

FIELD_VERSIONS: dict[str, int] = {
    "id": 1,
    "title": 1,
    "body": 1,
    "brand": 1,
    "campaign": 1,
    "tags": 1,
    "language": 1,
    "texts": 1,
    "source": 1,
    "starts": 1,
    "ends": 1,
    "attributes": 1,
}
"""The version of the format that introduced each field."""
_VERSION = "_version"


def encode_asset(asset: Asset) -> bytes:
    """The bytes to store for the asset, in the lowest version that holds all its fields.

    >>> encode_asset(Asset("a", title="Sale"))[:47]
    b'{"attributes":{},"body":"","brand":"","campaign'
    """
    fields = {
        name: value
        for name, version in FIELD_VERSIONS.items()
        if (value := getattr(asset, name)) or version == 1
    }
    version = max(FIELD_VERSIONS[name] for name in fields)
    if version > 1:
        fields[_VERSION] = version
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def decode_asset(data: bytes) -> Asset:
    """The asset in bytes that ``encode_asset`` wrote.

    Raises ``IndexMismatch`` for bytes of a later version than this package knows.
    """
    fields: dict[str, Any] = orjson.loads(data)
    version, newest = fields.pop(_VERSION, 1), max(FIELD_VERSIONS.values())
    if version > newest:
        raise IndexMismatch(
            f"catalog: asset {fields.get('id')!r} is stored in format {version}, this version of"
            f" hybrid_search reads up to {newest}; upgrade hybrid_search"
        )
    fields["tags"] = tuple(fields["tags"])
    fields["attributes"] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in fields["attributes"].items()
    }
    return Asset(**fields)

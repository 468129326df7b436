"""Assets out of files: JSONL, CSV and Parquet manifests, and bare folders of pictures.

A row that cannot be read is reported and passed over; it never stops the rest. Pictures are
named by paths below the manifest's folder; nothing outside it is read, nothing is fetched.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pyarrow import parquet
from pyarrow.lib import ArrowException

from hybrid_search.errors import InvalidAsset, InvalidInput
from hybrid_search.records import Asset
from hybrid_search.wire.assets import asset_from_json, decode_base64, read_json

MAX_LINE = 1 << 20
"""Bytes of one JSONL row."""
MAX_NAME = 512
"""Characters of an id in a report; a valid one is no longer."""
_LISTS = {"tags"}


@dataclass(frozen=True, slots=True)
class Row:
    """One asset of a manifest; its picture is read when it is needed."""

    asset: Asset
    picture: Callable[[], bytes] | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that was passed over: its id or its place, and why."""

    id: str
    reason: str


def read_assets(path: Path, max_bytes: int) -> Iterator[Row | Skipped]:
    """The rows of a manifest, or the pictures of a folder in order of name.

    ``max_bytes`` bounds a picture's file. Raises ``InvalidInput`` when the path itself is
    neither a folder nor a manifest.
    """
    if path.is_dir():
        return _from_folder(path, max_bytes)
    readers = {".jsonl": _jsonl, ".ndjson": _jsonl, ".csv": _csv, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None or not path.is_file():
        known = ", ".join(readers)
        raise InvalidInput(f"path: {path} is neither a folder nor a manifest ({known})")
    return _rows(reader(path), path.parent, max_bytes)


def read_stream(file: BinaryIO, max_bytes: int) -> Iterator[Row | Skipped]:
    """The rows of JSONL that comes from elsewhere: pictures stand in it as base64."""
    longest = MAX_LINE + max_bytes * 4 // 3
    return _rows(_jsonl_lines(file, longest), None, max_bytes)


def row_from_json(data: Any, root: Path | None, max_bytes: int) -> Row:
    """The asset in a decoded JSON object.

    Its picture is given as bytes, or as a text: a path below ``root``, or base64 without a root.
    Raises ``InvalidAsset``.
    """
    if not isinstance(data, Mapping):
        raise InvalidAsset("not an object with fields")
    fields = dict(data)
    image = fields.pop("image", None)
    return Row(asset_from_json(fields), _picture_source(image, root, max_bytes))


def estimate_rows(path: Path) -> int | None:
    """How many rows there are, for a progress bar; ``None`` where that would cost a reading."""
    if path.is_dir():
        return sum(1 for entry in path.rglob("*") if entry.is_file())
    if path.suffix.lower() in {".jsonl", ".ndjson", ".csv"} and path.is_file():
        with path.open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    return None


def _rows(
    decoded: Iterator[tuple[str, Any]], root: Path | None, max_bytes: int
) -> Iterator[Row | Skipped]:
    for place, data in decoded:
        name = data.get("id") if isinstance(data, Mapping) else None
        try:
            if isinstance(data, InvalidInput):
                raise data
            yield row_from_json(data, root, max_bytes)
        except InvalidInput as failure:
            named = name[:MAX_NAME] if isinstance(name, str) else ""
            yield Skipped(named or place, str(failure))


def _jsonl(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open("rb") as file:
        yield from _jsonl_lines(file, MAX_LINE)


def _jsonl_lines(file: BinaryIO, longest: int) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(_lines(file, longest), start=1):
        if line.strip():
            yield f"line {number}", _decoded(line, longest)


def _lines(file: BinaryIO, longest: int) -> Iterator[bytes]:
    """Lines without their end; of one longer than ``longest`` bytes the rest is passed over."""
    while line := file.readline(longest + 2):
        yield line.rstrip(b"\r\n")
        while len(line) == longest + 2 and not line.endswith(b"\n"):
            line = file.readline(longest + 2)


def _decoded(line: bytes, longest: int) -> Any:
    if len(line) > longest:
        return InvalidAsset(f"a line of more than {longest:,} bytes, the limit")
    try:
        return read_json(line.removeprefix(b"\xef\xbb\xbf"), InvalidAsset)
    except InvalidAsset as failure:
        return failure


def _csv(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open(encoding=_csv_encoding(path), errors="replace", newline="") as file:
        rows = csv.DictReader(file)
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as failure:
                yield f"line {rows.line_num}", InvalidAsset(f"CSV: {failure}")
                continue
            yield f"line {rows.line_num}", _csv_fields(row)


def _csv_encoding(path: Path) -> str:
    """UTF-8, or what Korean spreadsheets save when the file is not UTF-8."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            while file.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return "cp949"
    return "utf-8-sig"


def _csv_fields(row: dict[str | Any, Any]) -> Any:
    """A CSV row's fields: empty cells left out, lists cut at ``|``."""
    if None in row:
        return InvalidAsset("CSV: more cells than the header has columns")
    cells = {name: value for name, value in row.items() if value}
    return {
        name: [part.strip() for part in value.split("|")] if _is_list(name) else value
        for name, value in cells.items()
    }


def _is_list(column: str) -> bool:
    return column in _LISTS or column.startswith(("tags_", "tags."))


def _parquet(path: Path) -> Iterator[tuple[str, Any]]:
    number = 0
    try:
        for batch in parquet.ParquetFile(path).iter_batches(batch_size=256):
            for row in batch.to_pylist():
                number += 1
                yield f"row {number}", row
    except (ArrowException, OSError) as failure:
        yield f"row {number + 1}", InvalidAsset(f"Parquet: {failure}")


def _from_folder(folder: Path, max_bytes: int) -> Iterator[Row | Skipped]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            continue
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield Skipped(name, "hidden: its name begins with a dot")
            continue
        # macOS writes names decomposed; an id must not depend on where the folder was copied.
        asset_id = unicodedata.normalize("NFC", name)
        try:
            asset = asset_from_json({"id": asset_id})
            yield Row(asset, _file_source(folder, name, max_bytes))
        except InvalidInput as failure:
            yield Skipped(asset_id, str(failure))


def _picture_source(image: Any, root: Path | None, max_bytes: int) -> Callable[[], bytes] | None:
    if isinstance(image, Mapping):
        # The shape in which data sets keep pictures in Parquet: bytes, or a path without them.
        image = image.get("path") if image.get("bytes") is None else image["bytes"]
    if image is None or image == "":
        return None
    if isinstance(image, str) and root is None:
        image = decode_base64(image, InvalidAsset)
    if isinstance(image, bytes):
        data = image
        return lambda: data
    if not isinstance(image, str) or root is None:
        raise InvalidAsset("image: must be a path below the manifest's folder, or bytes")
    return _file_source(root, image, max_bytes)


def _file_source(root: Path, name: str, max_bytes: int) -> Callable[[], bytes]:
    """A reader of the file; raises ``InvalidAsset`` for a path that leads elsewhere."""
    if "://" in name:
        raise InvalidAsset(f"image: {name[:100]!r} is a URL; URLs are never fetched")
    try:
        path = (root / name).resolve()
        inside = path.is_relative_to(root.resolve())
        exists = inside and path.is_file()
        size = path.stat().st_size if exists else 0
    except (OSError, ValueError) as failure:
        raise InvalidAsset(f"image: {name[:100]!r} is no path: {failure}") from None
    if not inside:
        raise InvalidAsset(f"image: {name[:100]!r} leads out of the manifest's folder")
    if not exists:
        raise InvalidAsset(f"image: no file at {name[:100]!r}")
    if size > max_bytes:
        raise InvalidAsset(f"image: {size:,} bytes, the limit is {max_bytes:,}")
    return path.read_bytes

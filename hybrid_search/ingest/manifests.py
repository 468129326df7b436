"""Assets out of files: JSONL, CSV and Parquet manifests, and bare folders of pictures.

A row that cannot be read is skipped and reported; it does not stop the others. Pictures are
named by paths below the manifest's folder; nothing outside it is read, nothing is fetched.
Memory is bounded by a row, never by what a file says of itself: lines, records, columns and the
values of a batch have limits.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from hybrid_search.core import Asset
from hybrid_search.core.asset_schema import asset_from_json
from hybrid_search.core.errors import InvalidAsset, InvalidInput
from hybrid_search.core.json_input import decode_base64, read_json
from hybrid_search.images.picture_files import check_length, file_source

MAX_LINE = 1 << 20
"""Bytes of one JSONL row, characters of one CSV record."""
MAX_NAME = 512
"""Characters of an id in a report; a valid one is no longer."""
MAX_COLUMNS = 1_000
"""Columns of a CSV or Parquet manifest: every row costs a look at each."""
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_LISTS = {"tags"}


@dataclass(frozen=True, slots=True)
class Row:
    """One asset of a manifest; its picture is read when it is needed."""

    asset: Asset
    picture: Callable[[], bytes] | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A skipped row: its id or its position, and the reason."""

    id: str
    reason: str


def read_assets(path: Path, max_bytes: int) -> Iterator[Row | Skipped]:
    """The rows of a manifest, or the pictures of a folder in order of name.

    ``max_bytes`` bounds a picture's file. Raises ``InvalidInput`` when the path itself is
    neither a folder nor a manifest, and on the way when it can be read no further.
    """
    readers = {".jsonl": _jsonl, ".ndjson": _jsonl, ".csv": _csv, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    try:
        if path.is_dir():
            return _from_folder(path, max_bytes)
        known = reader is not None and path.is_file()
    except OSError as failure:
        raise _unreadable(path, failure) from None
    if reader is None or not known:
        accepted = ", ".join(readers)
        raise InvalidInput(f"path: {_short(path)} is neither a folder nor a manifest ({accepted})")
    return _rows(_readable(path, reader), path.parent, max_bytes)


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


def _readable(
    path: Path, reader: Callable[[Path], Iterator[tuple[str, Any]]]
) -> Iterator[tuple[str, Any]]:
    try:
        yield from reader(path)
    except OSError as failure:
        raise _unreadable(path, failure) from None


def _unreadable(path: Path, failure: OSError) -> InvalidInput:
    return InvalidInput(f"path: {_short(path)} cannot be read, {failure.strerror or failure}")


def _short(path: Path) -> str:
    return str(path) if len(str(path)) <= 200 else f"{str(path)[:200]}…"


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
    _refuse_utf_16(path)
    with path.open("rb") as file:
        yield from _jsonl_lines(file, MAX_LINE)


def _refuse_utf_16(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(2) in _UTF_16:
            raise InvalidInput(f"path: {_short(path)} is UTF-16; save it as UTF-8")


def _jsonl_lines(file: BinaryIO, longest: int) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(_lines(file, longest), start=1):
        if line.strip():
            yield f"line {number}", _decoded(line, longest)


def _lines(file: BinaryIO, longest: int) -> Iterator[bytes]:
    """Lines without line ends; the part beyond ``longest`` bytes is dropped."""
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
    _refuse_utf_16(path)
    with path.open(encoding=_csv_encoding(path), errors="replace", newline="") as file:
        lines = _CsvLines(file)
        rows = csv.DictReader(lines)
        _check_columns(path, rows)
        while True:
            lines.begin()
            try:
                row = next(rows)
            except StopIteration:
                return
            except (csv.Error, InvalidAsset) as failure:
                yield f"line {lines.number}", InvalidAsset(f"CSV: {failure}")
                continue
            yield f"line {lines.number}", _csv_fields(row)


class _CsvLines:
    """The lines of a file; no record, however many lines it spans, has more than ``MAX_LINE``.

    It is no generator, which would end with the first record that is refused.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._taken = 0
        self.number = 0

    def begin(self) -> None:
        """What comes belongs to the next record."""
        self._taken = 0

    def __iter__(self) -> _CsvLines:
        return self

    def __next__(self) -> str:
        line = self._file.readline(MAX_LINE + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._taken += len(line)
        if self._taken <= MAX_LINE:
            return line
        while line and not line.endswith(("\n", "\r")):
            line = self._file.readline(MAX_LINE)
        raise InvalidAsset(f"a record of more than {MAX_LINE:,} characters, the limit")


def _check_columns(path: Path, rows: csv.DictReader[str]) -> None:
    """Raise ``InvalidInput`` for a header without which no row can be understood."""
    try:
        columns = len(rows.fieldnames or ())
    except (csv.Error, InvalidAsset) as failure:
        raise InvalidInput(f"path: {_short(path)}: CSV header: {failure}") from None
    _refuse_columns(path, columns)


def _refuse_columns(path: Path, columns: int) -> None:
    if columns > MAX_COLUMNS:
        raise InvalidInput(
            f"path: {_short(path)} has {columns:,} columns, the limit is {MAX_COLUMNS:,}"
        )


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
    # Imported here because pyarrow is slow to import, and searches use this module too.
    from hybrid_search.ingest.parquet_rows import parquet_rows

    yield from parquet_rows(path, lambda columns: _refuse_columns(path, columns))


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
            yield Row(asset, file_source(folder, name, max_bytes))
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
        check_length(len(data), max_bytes)
        return lambda: data
    if not isinstance(image, str) or root is None:
        raise InvalidAsset("image: must be a path below the manifest's folder, or bytes")
    return file_source(root, image, max_bytes)

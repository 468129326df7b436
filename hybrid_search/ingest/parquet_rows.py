"""Rows of Parquet files. This module imports pyarrow, which takes a tenth of a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet
from pyarrow.lib import ArrowException

from hybrid_search.core.errors import InvalidAsset

_BATCH_BYTES = 64 << 20
"""About how much of a Parquet file is unpacked at a time."""


def parquet_rows(path: Path, check_columns: Callable[[int], None]) -> Iterator[tuple[str, Any]]:
    """Name and fields of each row; ``check_columns`` may refuse the number of columns."""
    number = 0
    try:
        for batch in _batches(path, check_columns):
            # A value that many rows share is unpacked for one row at a time.
            for index in range(batch.num_rows):
                number += 1
                yield f"row {number}", batch.slice(index, 1).to_pylist()[0]
    except (ArrowException, MemoryError, OSError) as failure:
        yield f"row {number + 1}", InvalidAsset(f"Parquet: {str(failure)[:200]}")


def _batches(path: Path, check_columns: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
    """Rows in batches of about ``_BATCH_BYTES``; values that repeat stay a dictionary."""
    with parquet.ParquetFile(path) as head:
        facts, columns = head.metadata, [column.path for column in head.schema]
        check_columns(facts.num_columns)
    unpacked = sum(facts.row_group(n).total_byte_size for n in range(facts.num_row_groups))
    size = _BATCH_BYTES * facts.num_rows // max(1, unpacked)
    with parquet.ParquetFile(path, read_dictionary=columns, buffer_size=1 << 20) as file:
        yield from file.iter_batches(batch_size=max(1, min(256, size)))

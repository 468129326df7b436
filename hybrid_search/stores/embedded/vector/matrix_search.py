"""Exact neighbours of many queries at once, by products of matrices.

A row is then read once for a thousand queries instead of once for each. Products in 32 bits: on
CPUs without matrix units (AMX), 16 bits (bf16) cost more than they save, for the rows have to be
rounded first; see docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from hybrid_search.core.ports import Vectors
from hybrid_search.stores.embedded.vector.exact_scan import Mask, Positions

_ROWS, _QUERIES = 20_000, 1000
"""Rows and queries of one product: its scores take 80 MB."""


def nearest_of_many(
    queries: Vectors, rows: Vectors, alive: Mask, limit: int
) -> Iterator[Positions]:
    """For each query ``(d,)`` the positions of the ``limit`` nearest living rows, in no order."""
    for start in range(0, len(queries), _QUERIES):
        yield from _portion(torch.from_numpy(queries[start : start + _QUERIES]), rows, alive, limit)


def _portion(queries: torch.Tensor, rows: Vectors, alive: Mask, limit: int) -> Iterator[Positions]:
    scores, places = [], []
    with torch.inference_mode():
        for start in range(0, len(rows), _ROWS):
            part = queries @ torch.from_numpy(np.array(rows[start : start + _ROWS])).T
            part[:, torch.from_numpy(~alive[start : start + _ROWS])] = -torch.inf
            best = part.topk(min(limit, part.shape[1]), dim=1, sorted=False)
            scores.append(best.values)
            places.append(best.indices + start)
        if not scores:
            yield from (np.empty(0, np.int64) for _ in queries)
            return
        every, where = torch.cat(scores, dim=1), torch.cat(places, dim=1)
        best = every.topk(min(limit, every.shape[1]), dim=1, sorted=False)
        chosen = torch.gather(where, 1, best.indices).numpy()
        living = (best.values > -torch.inf).numpy()
    yield from _rows_of(chosen, living)


def _rows_of(chosen: npt.NDArray[np.int64], living: Mask) -> Iterator[Positions]:
    for row, kept in zip(chosen, living, strict=True):
        yield row[kept]

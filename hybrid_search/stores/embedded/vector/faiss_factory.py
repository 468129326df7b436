"""Build, grow and search every kind of Faiss index; ids are positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from hybrid_search.core.ports import Vectors
from hybrid_search.stores.embedded.vector.exact_scan import Mask, Positions, faiss
from hybrid_search.stores.embedded.vector.index_spec import Layout

_IP = faiss.METRIC_INNER_PRODUCT
_CODES = {
    "bf16": faiss.ScalarQuantizer.QT_bf16,
    "sq8": faiss.ScalarQuantizer.QT_8bit,
}
_PER_LIST = 64
"""Training rows per list of centroids."""
_CODEBOOK_ROWS = 65_536
"""Training rows of codebooks and ranges."""
_PAGE = 4096
_STEP = 50_000
"""Rows added at once; it bounds the memory that mapped rows take."""


def build(layout: Layout, rows: Vectors) -> Any:
    """A trained index over rows ``(n, d)``; their ids are their positions."""
    index = _empty(layout, rows.shape[1])
    if not index.is_trained:
        index.train(training_rows(layout, rows))
    grow(index, rows)
    return index


def grow(index: Any, rows: Vectors) -> None:
    """Insert rows ``(n, d)`` without training the index again."""
    for start in range(0, len(rows), _STEP):
        index.add(np.ascontiguousarray(rows[start : start + _STEP]))


def training_rows(layout: Layout, rows: Vectors) -> Vectors:
    """A sample to train on; equal rows give an equal sample."""
    wanted = max(_PER_LIST * layout.nlist, _CODEBOOK_ROWS)
    if len(rows) <= wanted:
        return np.ascontiguousarray(rows)
    chosen = np.random.default_rng(0).choice(len(rows), wanted, replace=False)
    return np.ascontiguousarray(rows[np.sort(chosen)])


def _empty(layout: Layout, dimension: int) -> Any:
    if layout.kind == "flat":
        return faiss.IndexScalarQuantizer(dimension, _CODES[layout.storage], _IP)
    if layout.kind == "hnsw":
        return _graph(layout, dimension)
    if layout.kind == "lsh":
        return faiss.IndexLSH(dimension, 2 * dimension)
    return _lists(layout, dimension)


def _lists(layout: Layout, dimension: int) -> Any:
    index = faiss.index_factory(dimension, _recipe(layout, dimension), _IP)
    lists = faiss.extract_index_ivf(index)
    # Otherwise Faiss warns on the terminal about small corpora.
    lists.cp.min_points_per_centroid = 1
    if layout.kind == "ivf_pq":
        index.pq.cp.min_points_per_centroid = 1
    return index


def _graph(layout: Layout, dimension: int) -> Any:
    if layout.storage == "f32":
        graph = faiss.IndexHNSWFlat(dimension, layout.m, _IP)
    else:
        graph = faiss.IndexHNSWSQ(dimension, _CODES[layout.storage], layout.m, _IP)
    graph.hnsw.efConstruction = layout.ef_construction
    return graph


def _recipe(layout: Layout, dimension: int) -> str:
    """The description for Faiss's index factory."""
    lists = f"IVF{layout.nlist}"
    if layout.kind == "ivf_pq":
        packed = "4fs" if layout.pq_bits == 4 else str(layout.pq_bits)
        return f"{lists},PQ{layout.pq_m}x{packed}"
    if layout.kind == "ivf_rabitq":
        # One bit per component needs components of equal variance: hence a random rotation.
        return f"RR{dimension},{lists},RaBitQfs"
    codes = {"f32": "Flat", "bf16": "SQbf16", "sq8": "SQ8"}
    return f"{lists},{codes[layout.storage]}"


def candidates(
    index: Any, layout: Layout, query: Vectors, limit: int, *, breadth: int, allowed: Mask | None
) -> Positions:
    """Positions of the nearest, best first by the index's own scores.

    ``breadth`` is the ``ef_search`` of a graph and the ``nprobe`` of lists. ``allowed`` ``(n,)``
    restricts the search.
    """
    # Faiss keeps raw pointers: the bits and the selector must live until the search is over.
    bits = None if allowed is None else np.packbits(allowed, bitorder="little")
    selector = None if bits is None else faiss.IDSelectorBitmap(bits)
    asked = min(limit, index.ntotal)
    found = index.search(
        query[None, :], asked, params=_search_parameters(layout, breadth, selector)
    )[1][0]
    return np.asarray(found[found >= 0], np.int64)


def _search_parameters(layout: Layout, breadth: int, selector: Any) -> Any:
    chosen = {} if selector is None else {"sel": selector}
    if layout.kind == "hnsw":
        return faiss.SearchParametersHNSW(efSearch=breadth, **chosen)
    if not layout.nlist:
        return faiss.SearchParameters(**chosen) if chosen else None
    lists = faiss.SearchParametersIVF(nprobe=breadth, **chosen)
    if layout.kind == "ivf_rabitq":
        return faiss.SearchParametersPreTransform(index_params=lists)
    return lists


def rows_within(index: Any, count: int) -> Vectors:
    """The exact rows ``(count, d)`` inside an HNSW index in 32 bits; not a copy."""
    held = faiss.downcast_index(index.storage)
    rows = faiss.rev_swig_ptr(held.get_xb(), count * index.d)
    return np.asarray(rows.reshape(count, index.d))


def touch(index: Any, layout: Layout) -> None:
    """Read a byte of every page of a graph and its codes, so that no search has to page them in."""
    if layout.kind == "hnsw":
        codes = faiss.downcast_index(index.storage).codes
        for held, step in ((index.hnsw.neighbors, _PAGE // 4), (codes, _PAGE)):
            faiss.rev_swig_ptr(held.data(), held.size())[::step].max(initial=0)


def imbalance(index: Any) -> float:
    """The imbalance factor of the lists, 1 for equal ones (Jégou, Douze and Schmid 2011)."""
    return float(faiss.extract_index_ivf(index).invlists.imbalance_factor())


def coding_error(index: Any, layout: Layout, rows: Vectors) -> float:
    """The mean squared distance between unit rows and their decoded codes.

    ``ivf_rabitq`` codes the direction from the centroid; there it is the distance to the centroid.
    """
    if layout.nlist and layout.kind != "ivf":
        offsets = _from_centroids(index, rows)
        kept = _by_codebook(index, offsets) if layout.kind == "ivf_pq" else 0.0
        return float(((offsets - kept) ** 2).sum(axis=1).mean())
    coder = faiss.downcast_index(index.storage if layout.kind == "hnsw" else index)
    decoded = coder.sa_decode(coder.sa_encode(rows))
    return float(((decoded - rows) ** 2).sum(axis=1).mean())


def _from_centroids(index: Any, rows: Vectors) -> Vectors:
    """The offset of each row from its nearest centroid, after the rotation of the index."""
    if isinstance(index, faiss.IndexPreTransform):
        rows = faiss.downcast_VectorTransform(index.chain.at(0)).apply(rows)
    lists = faiss.extract_index_ivf(index)
    nearest = lists.quantizer.search(rows, 1)[1][:, 0]
    centroids = lists.quantizer.reconstruct_n(0, lists.nlist)
    return np.asarray(rows - centroids[nearest], np.float32)


def _by_codebook(index: Any, offsets: Vectors) -> Vectors:
    """Offsets decoded by the codebook; the decoder of a stored index crashes the process."""
    return np.asarray(index.pq.decode(index.pq.compute_codes(offsets)), np.float32)

"""The interfaces to stores and models, as protocols. Implementations do not inherit from them.

One contract suite per port runs against every implementation, the in-memory ones included.
"""

from hybrid_search.core.arrays import NEWEST, Ordinals, Vectors
from hybrid_search.core.ports.catalog import (
    Catalog,
    Draft,
    LiveVectors,
    Operation,
    Subject,
    TextKey,
    searched_fields,
)
from hybrid_search.core.ports.embedder import Embedder, ModelFacts
from hybrid_search.core.ports.lexical_index import (
    Completion,
    FacetBucket,
    LexicalIndex,
    LexicalMatches,
)
from hybrid_search.core.ports.picture_store import PictureStore
from hybrid_search.core.ports.query_log import QueryLog
from hybrid_search.core.ports.vector_index import (
    Due,
    Rebuilt,
    Reload,
    VectorIndex,
    VectorMatches,
    VectorStatus,
)

__all__ = [
    "NEWEST",
    "Catalog",
    "Completion",
    "Draft",
    "Due",
    "Embedder",
    "FacetBucket",
    "LexicalIndex",
    "LexicalMatches",
    "LiveVectors",
    "ModelFacts",
    "Operation",
    "Ordinals",
    "PictureStore",
    "QueryLog",
    "Rebuilt",
    "Reload",
    "Subject",
    "TextKey",
    "VectorIndex",
    "VectorMatches",
    "VectorStatus",
    "Vectors",
    "searched_fields",
]

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
    FacetBucket,
    LexicalIndex,
    LexicalMatches,
    LexicalSnapshot,
)
from hybrid_search.core.ports.picture_store import PictureStore
from hybrid_search.core.ports.query_log import QueryLog
from hybrid_search.core.ports.store import (
    Completion,
    IndexStatistics,
    ListPlan,
    ListStatistics,
    Plan,
    Scores,
    Store,
    View,
)
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
    "IndexStatistics",
    "LexicalIndex",
    "LexicalMatches",
    "LexicalSnapshot",
    "ListPlan",
    "ListStatistics",
    "LiveVectors",
    "ModelFacts",
    "Operation",
    "Ordinals",
    "PictureStore",
    "Plan",
    "QueryLog",
    "Rebuilt",
    "Reload",
    "Scores",
    "Store",
    "Subject",
    "TextKey",
    "VectorIndex",
    "VectorMatches",
    "VectorStatus",
    "Vectors",
    "View",
    "searched_fields",
]

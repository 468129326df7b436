"""Every port in memory: small, plainly correct, held to the same contracts as the real ones.

For tests and experiments that want no files, and as oracles: they look at everything, one by
one, where the real ones take short cuts.
"""

from hybrid_search.stores.memory.catalog import MemoryCatalog
from hybrid_search.stores.memory.embedder import HashEmbedder
from hybrid_search.stores.memory.lexical import MemoryLexical
from hybrid_search.stores.memory.pictures import MemoryPictures
from hybrid_search.stores.memory.query_log import MemoryQueryLog
from hybrid_search.stores.memory.store import memory_store
from hybrid_search.stores.memory.vectors import MemoryVectors

__all__ = [
    "HashEmbedder",
    "MemoryCatalog",
    "MemoryLexical",
    "MemoryPictures",
    "MemoryQueryLog",
    "MemoryVectors",
    "memory_store",
]

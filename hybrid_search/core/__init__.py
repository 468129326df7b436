"""Domain types and ports, shared by indexing and search.

They know nothing of stores, libraries or wire formats. The values are immutable: sequences are
tuples, and mappings are never changed after construction. So threads may share them.
"""

from hybrid_search.core.assets import (
    Asset,
    AssetId,
    AttributeValue,
    Digest,
    Ordinal,
    PictureFacts,
    StoredAsset,
    TextField,
    digest_of,
)
from hybrid_search.core.candidate_lists import LIST_NAMES, LISTS, ListName, ListSpec, Mode
from hybrid_search.core.filters import (
    AllOf,
    AnyOf,
    Between,
    Exists,
    Filter,
    Not,
    OneOf,
    Prefix,
)
from hybrid_search.core.notes import NOTE_CODES, Note, NoteCode
from hybrid_search.core.queries import (
    FUSION_METHODS,
    NO_MATCH,
    Example,
    FusionMethod,
    FusionSettings,
    ListSettings,
    Query,
    Sort,
    restrict,
)
from hybrid_search.core.query_log import Challenger, Click, LoggedSearch, Team
from hybrid_search.core.results import (
    Absence,
    Contribution,
    Explanation,
    FacetValue,
    FusedHit,
    Hit,
    ListReport,
    Otherwise,
    SearchResult,
    Span,
)

__all__ = [
    "FUSION_METHODS",
    "LISTS",
    "LIST_NAMES",
    "NOTE_CODES",
    "NO_MATCH",
    "Absence",
    "AllOf",
    "AnyOf",
    "Asset",
    "AssetId",
    "AttributeValue",
    "Between",
    "Challenger",
    "Click",
    "Contribution",
    "Digest",
    "Example",
    "Exists",
    "Explanation",
    "FacetValue",
    "Filter",
    "FusedHit",
    "FusionMethod",
    "FusionSettings",
    "Hit",
    "ListName",
    "ListReport",
    "ListSettings",
    "ListSpec",
    "LoggedSearch",
    "Mode",
    "Not",
    "Note",
    "NoteCode",
    "OneOf",
    "Ordinal",
    "Otherwise",
    "PictureFacts",
    "Prefix",
    "Query",
    "SearchResult",
    "Sort",
    "Span",
    "StoredAsset",
    "Team",
    "TextField",
    "digest_of",
    "restrict",
]

"""The frozen values that travel along both roads.

They know nothing of stores, libraries or wire formats. Sequences are tuples and mappings are
never changed after they were built, so a record may be shared between threads.
"""

from hybrid_search.records.answers import (
    Absence,
    Answer,
    CandidateList,
    Contribution,
    Explanation,
    FacetValue,
    FusedHit,
    Hit,
    ListReport,
    Otherwise,
    Span,
)
from hybrid_search.records.assets import (
    Asset,
    AssetId,
    AttributeValue,
    CopyField,
    Digest,
    Ordinal,
    PictureFacts,
    StoredAsset,
)
from hybrid_search.records.feedback import Challenger, Click, LoggedSearch, Team
from hybrid_search.records.filters import (
    AllOf,
    AnyOf,
    Between,
    Exists,
    Filter,
    Not,
    OneOf,
    Prefix,
)
from hybrid_search.records.queries import (
    FUSION_METHODS,
    LIST_NAMES,
    Example,
    FusionMethod,
    FusionSettings,
    ListName,
    ListSettings,
    Query,
    Sort,
)

__all__ = [
    "FUSION_METHODS",
    "LIST_NAMES",
    "Absence",
    "AllOf",
    "Answer",
    "AnyOf",
    "Asset",
    "AssetId",
    "AttributeValue",
    "Between",
    "CandidateList",
    "Challenger",
    "Click",
    "Contribution",
    "CopyField",
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
    "LoggedSearch",
    "Not",
    "OneOf",
    "Ordinal",
    "Otherwise",
    "PictureFacts",
    "Prefix",
    "Query",
    "Sort",
    "Span",
    "StoredAsset",
    "Team",
]
